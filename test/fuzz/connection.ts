import type { Duplex } from 'node:stream'
import { realEnvironment } from '../../lib/env.ts'
import { readFrame } from '../../lib/inbox.ts'
import type { Random } from '../../lib/sim/random.ts'
import { encodeAuth, encodeProof, proofBytes } from '../../lib/wire/auth.ts'
import { WireError } from '../../lib/wire/bytes.ts'
import { frameHeaderBytes, writeFrameHeader } from '../../lib/wire/frame.ts'
import { encodeHello, encodeVerdict } from '../../lib/wire/handshake.ts'
import { toHex } from '../../lib/wire/hex.ts'
import type { Identity } from '../../lib/wire/identity.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import { encodeRpcHeader } from '../../lib/wire/rpc-frame.ts'
import type { RpcFrame } from '../../lib/wire/rpc-frame.ts'
import type { Finding } from './decoders.ts'
import type { World } from './generate.ts'
import { emptyWorld, Generator } from './generate.ts'
import { concat, mutate } from './mutate.ts'
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
 * member, does not ask to be one, and forges no view of the cluster. Whatever either of them does, all nodes go on. `member`: it has the
 * id of the third node, which is gone, and may say anything: the nodes must not break, but need not go on.
 */
export type Role = 'outsider' | 'stranger' | 'member'

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
    this.#rig = new Rig(role === 'outsider' ? 'nobody else knows it' : null)
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
      name: random.pick(['', 'x'])
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
      case 'handshake': return await this.#raw(stream, this.#handshake())
      default: return await this.#session(new Peer(stream, this.#identity(), this.#lies.hex(8), this.#world))
    }
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

  /** What a handshake consists of, out of order, changed, or twice. */
  #handshake (): Uint8Array[] {
    const lies = this.#lies
    const random = this.#random
    const body = { instance: lies.hex(8), identity: this.#identity(), dialled: lies.address() }
    const hello = encodeHello(random.chance(0.5) ? { versions: { min: 1, max: 1 }, body } : lies.hello())
    const payloads: Array<() => RpcFrame> = [
      () => ['auth', [encodeAuth(lies.auth())], 1],
      () => ['prove', [encodeProof(lies.flag() ? null : new Uint8Array(proofBytes))], random.pick([-1, 2])],
      () => ['hello', [hello], 1],
      () => ['hello', [mutate(random, hello, encodeHello(lies.hello()))], 1],
      () => ['start', [encodeVerdict(lies.verdict())], random.pick([-1, 2])],
      () => ['frame', [encodeMessages([lies.message()])], -1],
      () => ['ping', [new Uint8Array(0)], random.pick([-1, 3])],
      () => lies.rpcFrame()
    ]
    return Array.from({ length: 1 + random.below(5) }, () => {
      const frame = random.pick(payloads)()
      const bytes = rpcBytes(frame)
      return random.chance(0.2) ? mutate(random, bytes, bytes) : bytes
    })
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
      await this.#raw(stream, this.#handshake())
      return
    }
    const peer = new Peer(stream, this.#identity(), this.#lies.hex(8), this.#world)
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

function refuses (frame: Uint8Array): boolean {
  try {
    readFrame(frame)
    return false
  } catch (error) {
    if (error instanceof WireError) return true
    throw error
  }
}

function rpcBytes (frame: RpcFrame): Uint8Array {
  const payload = frame.length === 2 ? frame[0][1] : frame[1][0]
  const body = concat(encodeRpcHeader(frame), payload)
  const header = new Uint8Array(frameHeaderBytes)
  writeFrameHeader(header, body.length)
  return concat(header, body)
}

async function turns (count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>(resolve => { realEnvironment.nextTurn(resolve) })
}
