import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Address, Identity, NetworkHandler, Session } from '../net/network.ts'
import type { Listener } from '../net/stream-network.ts'
import type { ServedNetwork } from '../replicator.ts'
import type { Fabric } from './fabric.ts'
import type { SimProcess } from './process.ts'

const IN_FLIGHT_MAX = 256 * 1024

/** One direction of a connection: frames arrive in order, or not at all. */
export class SimChannel {
  readonly #fabric: Fabric
  readonly #from: string
  readonly #to: SimProcess
  readonly #queue: Array<{ body: Uint8Array, at: number }> = []
  #bytes = 0
  #armed = false
  #closed = false
  #wantsDrain = false
  onFrame: (body: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}

  constructor (fabric: Fabric, from: string, to: SimProcess) {
    this.#fabric = fabric
    this.#from = from
    this.#to = to
  }

  send (body: Uint8Array): boolean {
    if (this.#closed) return true
    const previous = this.#queue[this.#queue.length - 1]?.at ?? 0
    const at = Math.max(previous, this.#fabric.now + this.#fabric.delay(this.#from, this.#to.name, body.length))
    this.#queue.push({ body, at })
    this.#bytes += body.length
    this.#arm()
    if (this.#bytes < IN_FLIGHT_MAX) return true
    this.#wantsDrain = true
    return false
  }

  close (): void {
    this.#closed = true
    this.#queue.length = 0
  }

  /** The path may be open again. */
  arm (): void {
    this.#arm()
  }

  #arm (): void {
    const next = this.#queue[0]
    if (this.#armed || this.#closed || next === undefined) return
    this.#armed = true
    this.#to.schedule(next.at - this.#fabric.now, 'receives', () => {
      this.#armed = false
      if (this.#closed || this.#fabric.isCut(this.#from, this.#to.name)) return
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#bytes -= frame.body.length
      this.onFrame(frame.body)
      if (this.#wantsDrain && this.#bytes < IN_FLIGHT_MAX / 2) {
        this.#wantsDrain = false
        this.onDrain()
      }
      this.#arm()
    })
  }
}

/** One side of a connection between two processes. */
export class SimSession implements Session {
  readonly peer: Identity
  readonly address: Address | null
  readonly outbound: boolean
  readonly owner: SimNetwork
  other: SimSession | null = null
  readonly #out: SimChannel
  #open = false
  #over = false
  #heard: number

  constructor (owner: SimNetwork, peer: Identity, address: Address | null, outbound: boolean, out: SimChannel) {
    this.owner = owner
    this.peer = peer
    this.address = address
    this.outbound = outbound
    this.#out = out
    this.#heard = owner.process.now()
  }

  get live (): boolean {
    return this.#open && !this.#over
  }

  get over (): boolean {
    return this.#over
  }

  /** `out` carries what this side sends. */
  pair (other: SimSession, out: SimChannel): void {
    this.other = other
    out.onFrame = body => { other.receive(body) }
    out.onDrain = () => { this.owner.process.schedule(0, 'drains', () => { this.drain() }) }
  }

  /** The path may be open again. */
  rearm (): void {
    this.#out.arm()
  }

  send (body: Uint8Array): boolean {
    return this.#over ? true : this.#out.send(body)
  }

  close (reason: ErrorCode): void {
    if (this.#over) return
    this.owner.process.schedule(0, 'closes', () => { this.end(reason) })
  }

  /** The connection is up, as seen from here. */
  begin (): void {
    if (this.#over || this.#open) return
    this.#open = true
    this.owner.onLive(this)
    this.#watch()
  }

  receive (body: Uint8Array): void {
    if (this.#over) return
    if (!this.#open) this.begin()
    this.#heard = this.owner.process.now()
    this.owner.handler?.onFrame(this, body)
  }

  drain (): void {
    if (this.live) this.owner.handler?.onDrain(this)
  }

  /** The connection is over, as seen from here. The other side learns of it only if the path is open, or not at all. */
  end (reason: ErrorCode, silently = false): void {
    if (this.#over) return
    const wasOpen = this.#open
    this.#over = true
    this.#out.close()
    this.owner.onOver(this)
    if (!silently) this.owner.fabric.tellEnd(this)
    if (wasOpen && this.owner.process.alive) {
      this.owner.handler?.onClose(this, new ReplicatorError(reason, 'the connection ended'))
    }
  }

  /** Heartbeats: a peer that is cut off, paused or gone falls silent; one that has ended the connection says so. */
  #watch (): void {
    const { process, fabric, failureTimeoutMs } = this.owner
    process.setTimer(() => {
      if (this.#over) return
      const peer = this.other?.owner.process
      const reachable = peer !== undefined && peer.running && !fabric.isCut(peer.name, process.name)
      if (reachable) {
        if (this.other?.over === true) return this.end(codes.connectionLost)
        this.#heard = process.now()
      } else if (process.now() - this.#heard > failureTimeoutMs) {
        return this.end(codes.timeout)
      }
      this.#watch()
    }, failureTimeoutMs / 5)
  }
}

/** The network of one simulated process. Connections, but not the bytes of handshakes, are simulated. */
export class SimNetwork implements ServedNetwork {
  readonly process: SimProcess
  readonly fabric: Fabric
  readonly failureTimeoutMs: number
  readonly #failAfter: number
  readonly #sessions = new Map<string, SimSession>()
  /** Those that are not up yet, too. */
  readonly #all = new Set<SimSession>()
  readonly #dialled = new Map<string, { readonly address: Address, stopped: boolean }>()
  handler: NetworkHandler | null = null
  #closed = false

  constructor (fabric: Fabric, process: SimProcess, failAfter: number, failureTimeoutMs: number) {
    this.fabric = fabric
    this.process = process
    this.#failAfter = failAfter
    this.failureTimeoutMs = failureTimeoutMs
  }

  start (handler: NetworkHandler): void {
    this.handler = handler
  }

  get accepts (): boolean {
    return this.handler !== null && !this.#closed && this.process.running
  }

  dial (address: Address): void {
    const key = `${address.host}:${address.port}`
    if (this.#closed || this.#dialled.has(key)) return
    const dialled = { address, stopped: false }
    this.#dialled.set(key, dialled)
    this.#attempt(dialled, null, 0, 0)
  }

  undial (address: Address): void {
    const key = `${address.host}:${address.port}`
    const dialled = this.#dialled.get(key)
    if (dialled !== undefined) dialled.stopped = true
    this.#dialled.delete(key)
  }

  createServer (): never {
    throw new ReplicatorError(codes.notSupported, 'Simulated connections are not streams')
  }

  async listen (): Promise<Listener> {
    return { address: { host: this.process.name, port: 1 }, close: async () => {} }
  }

  async close (): Promise<void> {
    this.#closed = true
    for (const session of [...this.#all]) session.end(codes.closed)
  }

  /** The machine resets all connections with another. */
  reset (peer: string): void {
    for (const session of [...this.#all]) {
      if (session.other?.owner.process.name === peer) this.process.schedule(this.fabric.delay(peer, this.process.name, 0), 'reset', () => { session.end(codes.connectionLost) })
    }
  }

  /** Every connection of this process, for a fabric whose paths are open again. */
  get sessions (): Iterable<SimSession> {
    return this.#all
  }

  sessionWith (id: string): SimSession | undefined {
    return this.#sessions.get(id)
  }

  onLive (session: SimSession): void {
    const { id } = session.peer
    this.#sessions.get(id)?.end(codes.duplicate)
    this.#sessions.set(id, session)
    this.handler?.onSession(session)
  }

  onOver (session: SimSession): void {
    this.#all.delete(session)
    if (this.#sessions.get(session.peer.id) === session) this.#sessions.delete(session.peer.id)
  }

  add (session: SimSession): void {
    this.#all.add(session)
  }

  #attempt (dialled: { readonly address: Address, readonly stopped: boolean }, lastId: string | null, attempt: number, failures: number): void {
    const { address } = dialled
    const delay = attempt === 0 ? 0 : Math.min(5000, 100 * 2 ** Math.min(failures, 6)) * (0.5 + this.fabric.random.next())
    this.process.setTimer(() => {
      if (this.#closed || dialled.stopped || this.handler === null) return
      if (lastId !== null && this.#sessions.has(lastId)) return this.#attempt(dialled, lastId, 1, 0)
      if (attempt > 1) this.handler.onReconnect(address, attempt, delay)
      const roundTrip = 2 * this.fabric.delay(this.process.name, address.host, 0)
      this.process.schedule(roundTrip, 'dials', () => {
        if (this.#closed || dialled.stopped || this.handler === null) return
        const { id, up } = this.fabric.handshake(this, address)
        if (up || id !== null) return this.#attempt(dialled, id ?? lastId, up ? 1 : attempt + 1, up ? 0 : failures + 1)
        if (failures + 1 === this.#failAfter) this.handler.onFail(address)
        this.handler.onError(new ReplicatorError(codes.connectionLost, 'no answer'), address)
        this.#attempt(dialled, lastId, attempt + 1, failures + 1)
      })
    }, delay)
  }
}
