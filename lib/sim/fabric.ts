import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Address, Identity } from '../net/network.ts'
import { SimChannel, SimNetwork, SimSession } from './network.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** How the network between simulated machines behaves. Changes take effect at once. */
export interface NetworkBehaviour {
  /** One way, in milliseconds: at least, and at most. */
  delayMinMs: number
  delayMaxMs: number
  /** Bytes a millisecond, of each direction of each pair. */
  bandwidth: number
}

export const goodNetwork: NetworkBehaviour = { delayMinMs: 0.05, delayMaxMs: 2, bandwidth: 100_000 }

/** The wires between simulated machines. A machine's host name is its name. */
export class Fabric {
  readonly behaviour: NetworkBehaviour
  readonly random: Random
  readonly #world: World
  /** The network of the process that runs on each machine. */
  readonly #networks = new Map<string, SimNetwork>()
  /** Directions "a>b" on which nothing arrives. */
  readonly #cuts = new Set<string>()
  /** Factors on the delay between two machines. */
  readonly #slow = new Map<string, number>()

  constructor (world: World, behaviour: NetworkBehaviour = { ...goodNetwork }) {
    this.#world = world
    this.behaviour = behaviour
    this.random = world.random.fork()
  }

  get now (): number {
    return this.#world.now
  }

  /** Plugs the process in that runs on a machine now. */
  plug (process: SimProcess, failAfter: number, failureTimeoutMs: number): SimNetwork {
    const network = new SimNetwork(this, process, failAfter, failureTimeoutMs)
    this.#networks.set(process.name, network)
    return network
  }

  /** The process died with its sockets; with `silently`, so did its machine, and nobody is told. */
  unplug (name: string, silently: boolean): void {
    const network = this.#networks.get(name)
    this.#networks.delete(name)
    for (const session of [...network?.sessions ?? []]) session.end(codes.connectionLost, silently)
  }

  delay (from: string, to: string, bytes: number): number {
    const { delayMinMs, delayMaxMs, bandwidth } = this.behaviour
    return this.random.skewed(delayMinMs, delayMaxMs) * (this.#slow.get(`${from}>${to}`) ?? 1) + bytes / bandwidth
  }

  isCut (from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`)
  }

  /** Nothing from one machine reaches the other; what is sent arrives when the cut is mended, unless the connection is given up before. */
  cut (from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`)
  }

  slow (from: string, to: string, factor: number): void {
    this.#slow.set(`${from}>${to}`, factor)
  }

  /** All cuts are mended and all wires are as fast as they should be. */
  heal (): void {
    this.#cuts.clear()
    this.#slow.clear()
    for (const network of this.#networks.values()) for (const session of network.sessions) session.rearm()
  }

  /** All connections between two machines are lost, with what is under way. */
  reset (a: string, b: string): void {
    this.#networks.get(a)?.reset(b)
    this.#networks.get(b)?.reset(a)
  }

  /** A side has ended a connection: the other learns of it if the path is open. */
  tellEnd (session: SimSession): void {
    const { other } = session
    if (other === null || other.over) return
    const [from, to] = [session.owner.process.name, other.owner.process]
    to.schedule(this.delay(from, to.name, 0), 'hears the end', () => {
      if (!this.isCut(from, to.name)) other.end(codes.connectionLost)
    })
  }

  /** Introduces the dialler to whoever is at this address. */
  handshake (dialler: SimNetwork, address: Address): { id: string | null, up: boolean } {
    const acceptor = this.#networks.get(address.host)
    const [here, there] = [dialler.process.name, address.host]
    if (acceptor === undefined || !acceptor.accepts || this.isCut(here, there) || this.isCut(there, here)) return { id: null, up: false }

    const [ours, theirs] = [dialler.handler?.identify(), acceptor.handler?.identify()] as [Identity, Identity]
    dialler.handler?.onResolve(address, theirs.id)
    if (acceptor === dialler) return { id: theirs.id, up: true }
    acceptor.handler?.onDialledAs(address)

    const refuse = (code: ErrorCode): { id: string | null, up: boolean } => {
      for (const network of [dialler, acceptor]) network.handler?.onError(new ReplicatorError(code, 'refused'), address)
      return { id: theirs.id, up: false }
    }
    if (theirs.id === ours.id) return refuse(codes.staleIdentity)
    const refusalOfDialler = acceptor.handler?.judge(ours) ?? null
    if (refusalOfDialler !== null) {
      dialler.handler?.onRefused(theirs, refusalOfDialler, address)
      return refuse(refusalOfDialler)
    }
    const refusalOfAcceptor = dialler.handler?.judge(theirs) ?? null
    if (refusalOfAcceptor !== null) {
      acceptor.handler?.onRefused(ours, refusalOfAcceptor, null)
      return refuse(refusalOfAcceptor)
    }

    // Both have one already, and it is the same.
    const existing = dialler.sessionWith(theirs.id)
    if (existing?.live === true && existing.other?.live === true && acceptor.sessionWith(ours.id) === existing.other) return { id: theirs.id, up: true }

    const out = new SimChannel(this, here, acceptor.process)
    const back = new SimChannel(this, there, dialler.process)
    const near = new SimSession(dialler, theirs, address, true, out)
    const far = new SimSession(acceptor, ours, null, false, back)
    near.pair(far, out)
    far.pair(near, back)
    dialler.add(near)
    acceptor.add(far)
    dialler.process.schedule(this.random.skewed(0, 1), 'is connected', () => { near.begin() })
    acceptor.process.schedule(this.random.skewed(0, 1), 'is connected', () => { far.begin() })
    return { id: theirs.id, up: true }
  }
}
