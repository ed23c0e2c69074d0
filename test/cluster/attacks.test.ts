import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import test from 'tape'
import { Random } from '../../lib/sim/random.ts'
import { emptyWorld, Generator } from '../fuzz/generate.ts'
import { Peer } from '../fuzz/peer.ts'
import { crowdedFrames, encodeMessages } from '../fuzz/targets.ts'
import { fixedLimits } from '../../lib/limits.ts'
import { frameHeaderBytes } from '../../lib/wire/frame.ts'
import { decodeWelcome, encodeHello } from '../../lib/wire/handshake.ts'
import type { Identity } from '../../lib/wire/identity.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import { concat, framedCall } from '../support/bytes.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'

// Whoever can connect to a node, and means no good. No attack passes for a member: spec/threat-model.md says what could be done then.

const timeout = 240_000
/** Sixty frames of 2 MiB that have not ended; and garbage is collected when it is. */
const GROWTH_MAX = 400e6
/** Decoded, a million of the smallest things take some 200 MB. */
const CROWDED_GROWTH_MAX = 700e6

const random = new Random(1)
const generator = new Generator(random)
const noBytes = new Uint8Array(0)

interface Attack {
  readonly name: string
  /** What the victim notes down of it; null if nothing is wrong with it, but that there is so much of it. */
  readonly reason: string | null
  readonly isCrowded?: boolean
  readonly run: (victim: ClusterNode, cluster: Cluster) => Promise<void>
}

test('attacks: a cluster goes on whatever strangers send', { timeout }, async (t) => {
  const cluster = await startCluster(t, { replicator: { minConsensus: 1 } })
  await cluster.ready()
  const victim = cluster.node('a')
  await victim.call('fill', { first: 0, count: 400, bytes: 10_000 })
  for (const { name, reason, isCrowded = false, run } of attacks) {
    const began = Date.now()
    const before = await victim.call('memory')
    const peak = await victim.call('peakMemory')
    const writer = writing(cluster)
    await run(victim, cluster)
    const written = await writer.end()
    await Promise.all(cluster.nodes.map(node => node.call('put', `${name} ${node.name}`, 'x')))
    const after = await victim.call('memory')
    const grown = await victim.call('peakMemory') - peak
    t.comment(`${name}: RSS ${megabytes(before)} MB before, ${megabytes(after)} MB after, at most ${megabytes(Math.max(0, grown))} MB above the most before; ${written} writes meanwhile, ${((Date.now() - began) / 1000).toFixed(1)} s`)
    t.ok(written > 0, `${name}: writes go on`)
    t.ok(grown < (isCrowded ? CROWDED_GROWTH_MAX : GROWTH_MAX), `${name}: memory is bounded`)
    if (reason !== null) t.ok(await isNoted(victim, reason, began), `${name}: is noted down as ${reason}`)
    t.equal((await victim.call('stats')).members.length, 3, `${name}: the members are the same`)
  }
  const digests = await Promise.all(cluster.nodes.map(node => node.call('digest')))
  t.equal(new Set(digests.map(({ data }) => data)).size, 1, 'all have the same data in the end')
})

const attacks: readonly Attack[] = [
  {
    name: 'random bytes',
    reason: 'LEVEL_PROTOCOL_ERROR',
    async run (victim) {
      await Promise.all(Array.from({ length: 50 }, async () => {
        const socket = await dial(victim)
        socket.write(Uint8Array.from({ length: 65_536 }, () => random.below(256)))
        await closed(socket)
      }))
    }
  },
  {
    name: 'oversized frames',
    reason: 'LEVEL_PROTOCOL_ERROR',
    async run (victim) {
      const socket = await dial(victim)
      socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1))
      await closed(socket)
      // A session may send larger frames than a handshake; not this large.
      const peer = await session(victim)
      peer.socket.write(Uint8Array.of(0x02, 0x00, 0x01, 0x00, 3, 0))
      await peer.gone
    }
  },
  {
    name: 'truncated frames',
    reason: 'LEVEL_PROTOCOL_ERROR',
    async run (victim) {
      for (let i = 0; i < 20; i++) {
        const peer = await session(victim)
        const bytes = encodeMessages([generator.messages.status(), generator.messages.promise()])
        peer.send(bytes.subarray(0, 1 + random.below(bytes.length - 1)))
        peer.socket.end(Uint8Array.of(0, 0, 1, 0, 3, 0, 1))
        await peer.gone
      }
    }
  },
  {
    name: 'another version',
    reason: null,
    async run (victim) {
      const socket = await dial(victim)
      const body = { instance: generator.hex(8), identity: identity(), dialled: { host: '127.0.0.1', port: 1 } }
      socket.write(framedCall(['hello', [encodeHello({ versions: { min: 7, max: 9 }, body })], 1]))
      const answer = await once(socket, 'data') as [Buffer]
      const { code } = decodeWelcome(answer[0].subarray(frameHeaderBytes + 2))
      if (code !== 'LEVEL_PROTOCOL_VERSION') throw new Error(`refused with ${code}`)
      await closed(socket)
    }
  },
  {
    name: 'the identity of another member',
    reason: null,
    async run (victim, cluster) {
      const { id } = await cluster.node('b').call('stats')
      const peer = new AttackPeer(await dial(victim), { ...identity(), id, start: 0 })
      if (await peer.connect()) throw new Error('there is a session with an earlier start of a member')
      await peer.gone
    }
  },
  {
    name: 'a flood of small frames',
    reason: null,
    async run (victim) {
      const peer = await session(victim)
      const messages = (['refuse', 'heartbeat', 'ack', 'submit', 'verify', 'grant', 'propose'] as const).map(type => generator.messages[type]())
      const frames = concat(...messages.map(message => framedCall(['frame', [encodeMessages([message])], -1])))
      for (let sent = 0; sent < 20_000 && peer.isOpen; sent += 7) {
        if (!peer.socket.write(frames)) await Promise.race([once(peer.socket, 'drain'), peer.gone])
      }
      await peer.leave()
    }
  },
  {
    name: 'lies about epochs and positions',
    reason: 'nobody can have reached',
    async run (victim) {
      const lies = new Generator(random, emptyWorld())
      for (let i = 0; i < 20; i++) {
        const peer = await session(victim, lies)
        for (let j = 0; j < 20 && peer.isOpen; j++) peer.send(encodeMessages(lies.list(() => lie(lies), 10).concat(lie(lies))))
        await peer.settled()
        // What only a liar can say.
        peer.send(encodeMessages([{ ...lies.messages.status(), view: null, joining: null, promised: Number.MAX_SAFE_INTEGER }]))
        await peer.gone
      }
    }
  },
  {
    name: 'a replayed session',
    reason: null,
    async run (victim) {
      const first = await dial(victim)
      const sent: Uint8Array[] = []
      const write = first.write.bind(first)
      first.write = ((chunk: Uint8Array) => {
        sent.push(Uint8Array.from(chunk))
        return write(chunk)
      }) as typeof first.write
      const peer = new AttackPeer(first, identity())
      await peer.connect()
      for (let i = 0; i < 20; i++) peer.send(encodeMessages([generator.messages.heartbeat(), generator.messages.fetch()]))
      await peer.leave()
      for (let i = 0; i < 10; i++) {
        const socket = await dial(victim)
        socket.resume()
        for (const chunk of sent) if (!socket.destroyed) socket.write(chunk)
        socket.end()
        await closed(socket)
      }
    }
  },
  {
    name: 'a slow reader',
    reason: null,
    async run (victim) {
      const peer = await session(victim)
      peer.socket.pause()
      // Far more than the connection takes; each is dealt with before the next.
      for (let i = 0; i < 600 && peer.isOpen; i++) {
        peer.send(encodeMessages([{ type: 'copy', after: noBytes, applied: 0 }, { type: 'fetch', outline: { base: 0, runs: [] } }]))
        await victim.call('get', 'x')
      }
      await victim.call('put', 'meanwhile', 'x')
      peer.socket.resume()
      await peer.leave()
    }
  },
  {
    name: 'handshakes byte by byte',
    reason: 'LEVEL_TIMEOUT',
    async run (victim) {
      const body = { instance: generator.hex(8), identity: identity(), dialled: { host: '127.0.0.1', port: 1 } }
      const hello = framedCall(['hello', [encodeHello({ versions: { min: 1, max: 1 }, body })], 1])
      await Promise.all(Array.from({ length: 30 }, async () => {
        const socket = await dial(victim)
        let at = 0
        const timer = setInterval(() => { if (at < hello.length - 1) socket.write(hello.subarray(at, ++at)) }, 100)
        await closed(socket)
        clearInterval(timer)
      }))
    }
  },
  {
    name: '2,000 half-open connections',
    reason: null,
    async run (victim, cluster) {
      const sockets: Socket[] = []
      for (let i = 0; i < 20; i++) sockets.push(...await Promise.all(Array.from({ length: 100 }, () => dial(victim))))
      // A member gets through all the same.
      const b = cluster.node('b')
      await b.kill()
      await b.start()
      await b.call('ready')
      await Promise.all(sockets.map(async socket => {
        socket.destroy()
        await closed(socket)
      }))
    }
  },
  {
    name: 'half frames',
    reason: 'LEVEL_PROTOCOL_ERROR',
    async run (victim) {
      // As large as a member's may be, which end with the header; and as large as a stranger's may be, all held at once.
      for (const size of [fixedLimits.frameBytes.value, fixedLimits.strangerFrameBytes.value]) {
        const frame = framedCall(['frame', [new Uint8Array(size)], -1])
        const peers = await Promise.all(Array.from({ length: 60 }, () => session(victim)))
        await Promise.all(peers.map(({ socket, gone }) => Promise.race([gone, new Promise(resolve => { socket.write(frame.subarray(0, -1), resolve) })])))
        await victim.call('put', 'meanwhile', 'x')
        for (const { socket, isOpen } of peers) if (isOpen) socket.write(frame.subarray(-1))
        await Promise.all(peers.map(peer => peer.gone))
      }
    }
  },
  // The last: what it takes is not given back at once.
  {
    name: 'frames full of the smallest things',
    reason: null,
    isCrowded: true,
    async run (victim) {
      for (const [, frame] of crowdedFrames(fixedLimits.strangerFrameBytes.value)) {
        const peer = await session(victim)
        peer.send(frame)
        await peer.leave()
      }
    }
  }
]

/** A peer whose socket is at hand, too. */
class AttackPeer extends Peer {
  readonly socket: Socket

  constructor (socket: Socket, identity: Identity, lies: Generator = generator) {
    super(socket, identity, lies.hex(8), lies.world)
    this.socket = socket
  }

  /** After the victim has dealt with everything. */
  async leave (): Promise<void> {
    await this.settled()
    this.destroy()
    await this.gone
  }
}

async function session (victim: ClusterNode, lies?: Generator): Promise<AttackPeer> {
  const peer = new AttackPeer(await dial(victim), identity(), lies)
  if (!await peer.connect()) throw new Error('there is no session')
  return peer
}

function identity (): Identity {
  return { id: `f${generator.hex(16).slice(1)}`, start: 1, history: [generator.hex(8)], cluster: '', address: null, name: '', observer: false }
}

/** Nothing that is believed of anybody: that a view was chosen, that it would join, where there is somebody to dial. */
function lie (lies: Generator): WireMessage {
  const message = lies.message()
  if (message.type === 'view' || message.type === 'addresses') return lie(lies)
  return message.type === 'status' ? { ...message, view: null, joining: null } : message
}

async function dial ({ config: { host, port } }: ClusterNode): Promise<Socket> {
  const socket = connect(port, host)
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

async function closed (socket: Socket): Promise<void> {
  socket.resume()
  if (!socket.closed) await new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
}

/** Writes on a node that is not attacked, one write after the other. */
function writing (cluster: Cluster): { end (): Promise<number> } {
  const node = cluster.node('c')
  let written = 0
  const end = new AbortController()
  const done = (async () => {
    do {
      await node.call('put', `key ${written % 10}`, String(written))
      written++
    } while (!end.signal.aborted)
  })()
  return {
    async end () {
      end.abort()
      await done
      return written
    }
  }
}

/** Whether the node has noted down since then why it has closed a connection. */
async function isNoted (node: ClusterNode, reason: string, since: number): Promise<boolean> {
  const events = await node.call('trace')
  return events.some(event => Math.max(event.at, 'last' in event ? event.last : 0) >= since && JSON.stringify(event).includes(reason))
}

function megabytes (bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
