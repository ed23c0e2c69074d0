import type { Duplex } from 'node:stream'
import { realEnvironment } from '../../lib/env.ts'
import { readFrame } from '../../lib/inbox.ts'
import { Secret } from '../../lib/net/secret.ts'
import type { Random } from '../../lib/sim/random.ts'
import { encodeAuth, encodeProof, proofBytes } from '../../lib/wire/auth.ts'
import { compareBytes, WireError } from '../../lib/wire/bytes.ts'
import { encodeHello, encodeVerdict } from '../../lib/wire/handshake.ts'
import type { Hello } from '../../lib/wire/handshake.ts'
import { toHex } from '../../lib/wire/hex.ts'
import type { Identity } from '../../lib/wire/identity.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import { decodeRpcFrame, rpcPayload } from '../../lib/wire/rpc-frame.ts'
import type { RpcFrame } from '../../lib/wire/rpc-frame.ts'
import { concat, encodeCall, framed } from '../support/bytes.ts'
import type { Finding } from './decoders.ts'
import type { World } from './generate.ts'
import { emptyWorld, Generator } from './generate.ts'
import { mutate } from './mutate.ts'
import { Peer } from './peer.ts'
import type { Victim } from './rig.ts'
import { EVIL_PORT, Rig } from './rig.ts'
import { encodeMessages } from './targets.ts'

export interface ConnectionCounts {
  connections: number
  sessions: number
  frames: number
  /** Sent something invalid, and were closed. */
  closed: number
}

/**
 * One fuzzing peer against three real nodes. `outsider`: these have a secret, which it has not. `stranger`: they have none; it is no
 * member, does not ask to be one, and forges no view of the cluster. `insider`: the same where there is a secret, which it has: it may say
 * anything under the right tags, and with a wrong one nothing more. Whatever these do, all nodes go on. `member`: it has the id of the
 * third node, which is gone, and may say anything: the nodes must not break, but need not go on.
 */
export type Role = 'outsider' | 'stranger' | 'insider' | 'member'

const SECRET = 'nobody else knows it'

/** A healthy cluster is looked after once in so many connections. */
const HEALTH_EVERY = 10

/** Connections until `goesOn` says no. Returns what is wrong, with what led to it. */
export async function fuzzConnections (role: Role, random: Random, counts: ConnectionCounts, goesOn: () => boolean): Promise<Finding | null> {
  while (goesOn()) {
    const run = new ConnectionRun(role, random, counts)
    try {
      const problem = await run.go(goesOn)
      if (problem !== null) return { target: `connection of a ${role}`, problem, how: run.transcript.slice(-12).join('\n') }
    } finally {
      await run.close()
    }
  }
  return null
}

class ConnectionRun {
  readonly transcript: string[] = []
  readonly #rig: Rig
  readonly #role: Role
  readonly #secret: Secret | null
  readonly #random: Random
  readonly #counts: ConnectionCounts
  readonly #world: World = emptyWorld()
  readonly #lies: Generator
  #victims: readonly Victim[]
  /** The member whose place it has taken. */
  #member = ''
  #start = 1000

  constructor (role: Role, random: Random, counts: ConnectionCounts) {
    this.#role = role
    this.#rig = new Rig(role === 'outsider' || role === 'insider' ? SECRET : null)
    this.#secret = role === 'insider' ? new Secret(new TextEncoder().encode(SECRET)) : null
    this.#random = random
    this.#counts = counts
    this.#lies = new Generator(random.fork(), this.#world)
    this.#victims = this.#rig.victims
  }

  async close (): Promise<void> {
    await this.#rig.close()
  }

  /** Until something is wrong, or this cluster is of no more use. */
  async go (goesOn: () => boolean): Promise<string | null> {
    const { victims } = this.#rig
    await this.#rig.ready()
    if (this.#role === 'member') {
      const [third] = this.#random.chance(0.5) ? [victims[2] as Victim] : victims
      this.#member = (third as Victim).replicator.stats().id
      await this.#rig.stop(third as Victim)
      this.#victims = victims.filter(victim => victim !== third)
    }
    this.#rig.onDialled = stream => { void this.#answer(stream) }

    for (let i = 1; goesOn(); i++) {
      this.#look()
      const problem = await this.#connection(this.#random.pick(this.#victims))
      if (problem !== null) return problem
      if (this.#rig.problems.length > 0) return this.#rig.problems.join('\n')
      const isLast = !goesOn()
      if (this.#role !== 'member' && (i % HEALTH_EVERY === 0 || isLast)) {
        // Whoever asks to join, and does as members do, is one: such a cluster is no more what it was.
        if (this.#victims.some(({ replicator }) => replicator.stats().members.length !== this.#rig.victims.length)) return null
        const illness = await this.#rig.health(this.#victims)
        if (illness !== null) return illness
      } else if (this.#role === 'member' && i % (5 * HEALTH_EVERY) === 0) return null
    }
    return null
  }

  #look (): void {
    for (const { replicator } of this.#victims) {
      const { id, cluster, epoch, applied, end } = replicator.stats()
      this.#world.ids = [...new Set([id, ...this.#world.ids])].slice(0, 8)
      if (cluster !== '') this.#world.clusters = [cluster]
      this.#world.epochs = [...new Set([epoch, epoch + 1, ...this.#world.epochs])].slice(0, 8)
      this.#world.positions = [...new Set([applied, end, ...this.#world.positions])].slice(0, 8)
    }
  }

  #identity (): Identity {
    const { random } = this.#lies
    const fresh = this.#lies.hex(16)
    const id = this.#role === 'member' ? this.#member : `${random.pick(['0', 'f'])}${fresh.slice(1)}`
    return {
      id,
      start: this.#role === 'member' ? ++this.#start : 1 + random.below(5),
      history: [this.#lies.hex(8)],
      cluster: random.chance(0.5) ? '' : this.#world.clusters[0] ?? '',
      address: random.chance(0.2) ? { host: '127.0.0.1', port: EVIL_PORT + random.below(3) } : null,
      name: random.pick(['', 'x']),
      observer: this.#role !== 'member' && random.chance(0.3)
    }
  }

  async #connection (victim: Victim): Promise<string | null> {
    const random = this.#random
    const kind = random.pick(['bytes', 'handshake', 'session', 'session', 'session'] as const)
    const tcp = random.chance(0.1)
    this.#counts.connections++
    this.transcript.push(`${kind} with node ${victim.port}${tcp ? ' over TCP' : ''}`)
    const stream = await this.#rig.dial(victim, tcp)
    stream.on('error', () => {})
    switch (kind) {
      case 'bytes': return await this.#raw(stream, [this.#lies.bytes(200), ...this.#lies.list(() => this.#lies.bytes(200))])
      case 'handshake': return this.#secret !== null && random.chance(0.7)
        ? await this.#proven(this.#peer(stream), this.#secret)
        : await this.#raw(stream, this.#handshake().map(bytes => this.#framed(bytes)))
      default: return await this.#session(this.#peer(stream))
    }
  }

  #peer (stream: Duplex): Peer {
    return new Peer(stream, this.#identity(), this.#lies.hex(8), this.#world, this.#secret)
  }

  #framed (bytes: Uint8Array): Uint8Array {
    const frame = framed(bytes)
    return this.#random.chance(0.2) ? mutate(this.#random, frame, frame) : frame
  }

  /** Writes, and waits until the node has closed the connection, or has had the time to. */
  async #raw (stream: Duplex, chunks: readonly Uint8Array[]): Promise<null> {
    const closed = new Promise<void>(resolve => { stream.once('close', resolve) })
    stream.resume()
    for (const chunk of chunks) if (!stream.destroyed && chunk.length > 0) stream.write(chunk)
    await Promise.race([closed, turns(20)])
    stream.destroy()
    await closed
    return null
  }

  /** A handshake that goes wrong only after both sides have shown that they have the secret. */
  async #proven (peer: Peer, secret: Secret): Promise<string | null> {
    if (!await peer.authenticate(secret)) return 'a right proof is refused'
    for (const bytes of this.#handshake()) peer.sendSealed(bytes)
    await Promise.race([peer.gone, turns(20)])
    peer.destroy()
    return null
  }

  /** What a handshake consists of, out of order, changed, or twice. */
  #handshake (): Uint8Array[] {
    const lies = this.#lies
    const random = this.#random
    const body = { instance: lies.hex(8), identity: this.#identity(), dialled: lies.address() }
    const hello = encodeHello(random.chance(0.5) ? { versions: { min: 1, max: 1 }, body } : this.#hello())
    const payloads: Array<() => RpcFrame> = [
      () => ['auth', [encodeAuth(lies.auth())], 1],
      () => ['prove', [encodeProof(lies.flag() ? null : new Uint8Array(proofBytes))], random.pick([-1, 2])],
      () => ['hello', [hello], 1],
      () => ['hello', [mutate(random, hello, encodeHello(this.#hello()))], 1],
      () => ['start', [encodeVerdict(lies.verdict())], random.pick([-1, 2])],
      () => ['frame', [encodeMessages([this.#message()])], -1],
      () => ['ping', [new Uint8Array(0)], random.pick([-1, 3])],
      () => lies.rpcFrame()
    ]
    return Array.from({ length: 1 + random.below(5) }, () => encodeCall(random.pick(payloads)()))
  }

  /** Not in the name of one of the nodes: that one would be taken for a copy of its own disk. */
  #hello (): Hello {
    const hello = this.#lies.hello()
    if (hello.body === null || this.#role === 'member') return hello
    return { ...hello, body: { ...hello.body, identity: { ...hello.body.identity, id: this.#identity().id } } }
  }

  async #session (peer: Peer): Promise<string | null> {
    const random = this.#random
    if (!await peer.connect()) {
      peer.destroy()
      return null
    }
    if (this.#role === 'outsider') return 'a session without the secret'
    this.#counts.sessions++
    for (let left = 1 + random.below(12); left > 0 && peer.isOpen; left--) {
      const frame = this.#frame(peer)
      if (frame.length === 0) continue
      if (this.#secret !== null && random.chance(0.3)) {
        const problem = await this.#tamper(peer, frame)
        if (problem !== null) return problem
        continue
      }
      const isInvalid = refuses(frame)
      this.transcript.push(`  ${isInvalid ? 'invalid ' : ''}${toHex(frame.subarray(0, 300))}`)
      peer.send(frame)
      this.#counts.frames++
      if (random.chance(0.3) || isInvalid) await peer.settled()
      if (!isInvalid) continue
      if (peer.isOpen) return 'the session goes on after an invalid frame'
      this.#counts.closed++
    }
    if (peer.isOpen && random.chance(0.1)) peer.link.send(random.pick(['hello', 'start']), encodeVerdict(this.#lies.verdict()))
    await peer.settled()
    peer.destroy()
    return peer.problem
  }

  /** What has its right tag may be no call at all. What has a wrong tag, or an earlier one, ends the session, whatever it is. */
  async #tamper (peer: Peer, payload: Uint8Array): Promise<string | null> {
    const random = this.#random
    const call = encodeCall(['frame', [payload], -1])
    let isInvalid = false
    if (random.chance(0.5)) {
      const changed = mutate(random, call, encodeCall(this.#lies.rpcFrame()))
      const said = callIn(changed)
      const body = said?.[0] === 'frame' ? rpcPayload(said) : null
      if (body !== null && this.#sparing(body) !== body) return null
      this.transcript.push(`  sealed ${toHex(changed.subarray(0, 300))}`)
      peer.sendSealed(changed)
      isInvalid = said === null || (body !== null && refuses(body))
    } else if (random.chance(0.3)) {
      const sent = peer.sendSealed(call)
      this.transcript.push(`  twice ${toHex(sent.subarray(0, 300))}`)
      peer.sendRaw(sent)
      isInvalid = true
    } else {
      const sent = peer.sendSealed(call, tag => {
        const changed = random.pick([mutate(random, tag, call), new Uint8Array(0)])
        isInvalid = compareBytes(tag, changed) !== 0
        return changed
      })
      this.transcript.push(`  with another tag ${toHex(sent.subarray(0, 300))}`)
    }
    this.#counts.frames++
    await peer.settled()
    if (!isInvalid) return null
    this.#counts.closed++
    return peer.isOpen ? 'the session goes on after an invalid frame, or a wrong tag' : null
  }

  #frame (peer: Peer): Uint8Array {
    const random = this.#random
    const dice = random.next()
    // What was said by the other side.
    if (dice < 0.1 && peer.frames.length > 0) return this.#sparing(random.pick(peer.frames))
    if (dice < 0.12) return this.#flood()
    const messages = [...this.#lies.list(() => this.#message(), 5), this.#message()]
    const bytes = encodeMessages(messages)
    return dice < 0.3 ? this.#sparing(mutate(random, bytes, encodeMessages([this.#message()]))) : bytes
  }

  #flood (): Uint8Array {
    const message = encodeMessages([this.#message()])
    return concat(...Array.from({ length: Math.min(2000, Math.floor(2 ** 20 / message.length)) }, () => message))
  }

  #message (): WireMessage {
    for (;;) {
      const message = this.#random.chance(0.03)
        ? { type: 'addresses' as const, addresses: [{ host: '127.0.0.1', port: EVIL_PORT + this.#random.below(3) }] }
        : this.#lies.message()
      if (!this.#isForged(message)) return message
    }
  }

  /** Not what was made by accident, either. */
  #sparing (frame: Uint8Array): Uint8Array {
    try {
      if (readFrame(frame).some(message => this.#isForged(message))) return encodeMessages([this.#message()])
    } catch (error) {
      if (!(error instanceof WireError)) throw error
    }
    return frame
  }

  /** A view of this very cluster, beyond the newest: who says that it was chosen, is believed. */
  #isForged (message: WireMessage): boolean {
    // Nor does it make the nodes dial who knows where.
    if (message.type === 'addresses') return message.addresses.some(({ port }) => port < EVIL_PORT || port > EVIL_PORT + 2)
    if (this.#role === 'member') return false
    // Whoever asks to join is asked for a promise, and waited for.
    if (message.type === 'status' && message.joining !== null) return true
    const view = message.type === 'status' || message.type === 'view' ? message.view : null
    return view !== null && this.#world.clusters.includes(view.cluster) && !this.#world.views.some(({ epoch }) => epoch >= view.epoch)
  }

  /** A node has dialled. */
  async #answer (stream: Duplex): Promise<void> {
    const random = this.#random
    this.#counts.connections++
    if (random.chance(0.3)) {
      await this.#raw(stream, this.#handshake().map(bytes => this.#framed(bytes)))
      return
    }
    const peer = this.#peer(stream)
    if (await peer.accept()) {
      this.#counts.sessions++
      for (let left = random.below(5); left > 0 && peer.isOpen; left--) {
        const frame = this.#frame(peer)
        if (frame.length > 0) peer.send(frame)
        this.#counts.frames++
      }
      await peer.settled()
    }
    peer.destroy()
  }
}

/** Null: neither a call nor a reply. */
function callIn (bytes: Uint8Array): RpcFrame | null {
  try {
    return decodeRpcFrame(bytes)
  } catch (error) {
    if (error instanceof WireError) return null
    throw error
  }
}

function refuses (frame: Uint8Array): boolean {
  try {
    readFrame(frame)
    return false
  } catch (error) {
    if (error instanceof WireError) return true
    throw error
  }
}

async function turns (count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>(resolve => { realEnvironment.nextTurn(resolve) })
}
