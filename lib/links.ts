import createDebug from 'debug'
import type { Input } from './core/effects.ts'
import type { MemberId } from './core/entry.ts'
import type { Message } from './core/messages.ts'
import type { View } from './core/view.ts'
import { isQuorum, majority } from './core/view.ts'
import type { Environment } from './env.ts'
import type { ErrorCode } from './errors.ts'
import { codes, ReplicatorError } from './errors.ts'
import { readFrame } from './inbox.ts'
import { fixedLimits } from './limits.ts'
import { Discovery } from './net/discovery.ts'
import type { Address, Identity, Network, NetworkHandler, Session } from './net/network.ts'
import { Outbox } from './net/outbox.ts'
import type { Resolver } from './net/resolver.ts'
import type { Settings } from './options.ts'
import { sameAddress } from './options.ts'
import { distinct, PeerBook } from './peer-book.ts'
import { Sightings } from './sightings.ts'
import type { Sighting } from './store/layout.ts'
import type { Trace } from './trace.ts'
import { WireError } from './wire/bytes.ts'
import { isAddress } from './wire/handshake.ts'
import type { AddressesMessage, WireMessage } from './wire/messages.ts'

const debug = createDebug('quorum-level:node')

/** As many sessions as a cluster can have other members. Beyond, only members get one. */
const SESSIONS_MAX = fixedLimits.sessions.value

/** What the links of a node tell it. */
export interface LinkEvents {
  onInput (input: Input): void
  /** Something waits for the end of the turn. */
  onOutput (): void
  onConnect (address: Address): void
  onDisconnect (address: Address): void
  onReconnect (address: Address): void
  onFail (address: Address): void
  onError (error: Error): void
  /** A member refuses this node. */
  onRefused (code: ErrorCode): void
  /** What to keep in mind of a peer; null if nothing more. */
  onSighting (peer: MemberId, sighting: Sighting | null): void
  /** Where to look for the others after a restart. */
  onAddresses (addresses: readonly Address[]): void
}

/** What the links of a node have kept in mind since an earlier run. */
export interface LinkMemory {
  readonly sightings: ReadonlyMap<MemberId, Sighting>
  readonly addresses: readonly Address[]
}

/** Who this node is, as its links need to know. */
export interface LinkOwner {
  readonly id: string
  readonly start: number
  /** The nonces of its starts, newest first. */
  readonly history: readonly string[]
  readonly name: string
  /** The id of its cluster; empty if it has none. */
  readonly cluster: string
  /** The newest view that it knows. */
  readonly known: View | null
}

/** A connection, and what went over it. */
export interface Traffic {
  readonly session: Session
  /** Since when it is there, by the wall clock. */
  readonly since: number
  /** When the last frame came, by this node's clock. */
  heard: number
  /** Of frames, as they are without what carries them. */
  bytesIn: number
  bytesOut: number
}

interface Link extends Traffic {
  readonly outbox: Outbox
  /** Where the peer is, once that is known: then, and only then, its coming and going are events. */
  address: Address | null
}

/**
 * The sessions of one node: turns frames into inputs of the core and messages of the core into frames, and spreads
 * addresses, so that a node that knows one other finds all.
 */
export class Links implements NetworkHandler {
  readonly #network: Network
  readonly #env: Environment
  readonly #trace: Trace | null
  readonly #owner: LinkOwner
  readonly #events: LinkEvents
  readonly #links = new Map<MemberId, Link>()
  readonly #book: PeerBook
  readonly #discovery: Discovery
  /** The cluster that this node is to join; empty: any. */
  readonly #cluster: string
  readonly #observer: boolean
  readonly #hasSecret: boolean
  readonly #observersMax: number
  #sightings: Sightings
  /** Of observers: there may be many, so they are not kept, and do not make those of members go. */
  readonly #observerSightings = new Sightings(new Map(), () => {})
  #address: Address | null
  /** The addresses that are kept in mind, as text. */
  #kept = ''

  constructor (
    network: Network, { address, cluster, discovery, role, secret, observersMax }: Pick<Settings, 'address' | 'cluster' | 'discovery' | 'role' | 'secret' | 'observersMax'>, env: Environment,
    resolver: Resolver, owner: LinkOwner, events: LinkEvents, trace: Trace | null = null
  ) {
    this.#network = network
    this.#env = env
    this.#trace = trace
    this.#hasSecret = secret !== null
    this.#observersMax = observersMax
    this.#observer = role === 'observer'
    // Nobody need dial an observer.
    this.#address = this.#observer ? null : address
    this.#cluster = cluster
    this.#owner = owner
    this.#events = events
    this.#book = new PeerBook(forgotten => { network.undial(forgotten) })
    this.#sightings = this.#recall(new Map())
    this.#discovery = new Discovery(env, resolver, discovery, {
      onFound: addresses => { this.#onFound(addresses) },
      onError: error => { events.onError(error) }
    })
  }

  start ({ sightings, addresses }: LinkMemory): void {
    this.#sightings = this.#recall(sightings)
    this.#kept = JSON.stringify(addresses)
    for (const address of addresses) if (!sameAddress(address, this.#address)) this.#book.remember(address)
    this.#network.start(this)
    for (const address of this.#book.addresses) this.#network.dial(address)
    this.#tellPeers()
    this.#discovery.start()
  }

  /** Looks for nobody any more. The network has to be closed, too. */
  stop (): void {
    this.#discovery.stop()
  }

  get sessions (): Session[] {
    return [...this.#links.values()].map(({ session }) => session)
  }

  get traffic (): Array<Traffic & { heardMs: number }> {
    const now = this.#env.now()
    return [...this.#links.values()].map(link => ({ ...link, heardMs: Math.round(now - link.heard) }))
  }

  /** The configured addresses, and those behind names, at which nobody is connected, and the names that lead nowhere; with what went wrong there last. */
  get missing (): string[] {
    return [...this.#book.missing(this.#owner.id, id => this.#links.has(id)), ...this.#discovery.missing]
  }

  /** How many of the configured peers are there, or may yet come; and how many have failed for good. */
  get reachable (): { reachable: number, failed: number } {
    return this.#book.reachable(this.#owner.id, id => this.#links.has(id))
  }

  /** Peers without which nothing commits have failed for good. */
  isHopeless (minConsensus: number): boolean {
    const { reachable, failed } = this.reachable
    const { known } = this.#owner
    if (failed === 0) return false
    if (known === null) return true
    // Members whose addresses are not configured here may be anywhere.
    const others = Math.max(reachable, known.members.length - 1 - failed)
    return others < minConsensus || others + 1 < majority(known.members)
  }

  send (to: MemberId, message: Message): void {
    const isTaken = this.#links.get(to)?.outbox.push(message)
    // It goes on once it has connected again.
    if (isTaken === false && message.type === 'relay') this.disconnect(message.node, false)
  }

  /** The end of a turn. */
  flush (): void {
    for (const { outbox } of this.#links.values()) outbox.flush()
  }

  disconnect (peer: MemberId, isFault = true): void {
    this.#links.get(peer)?.session.close(isFault ? codes.protocol : codes.connectionLost)
  }

  /** Before start(), or with `dial`, while running. */
  addConfigured (address: Address, dial: boolean): void {
    this.#book.add(address, true)
    if (!dial) return
    this.#network.dial(address)
    this.#tellPeers()
  }

  // The network's calls.

  identify (): Identity {
    const { id, start, history, name, cluster } = this.#owner
    return { id, start, history, cluster, address: this.#address, name, observer: this.#observer }
  }

  judge (peer: Identity): ErrorCode | null {
    const sightings = peer.observer ? this.#observerSightings : this.#sightings
    if (sightings.isStale(peer)) return codes.staleIdentity
    const isOther = (cluster: string): boolean => cluster !== '' && peer.cluster !== '' && peer.cluster !== cluster
    // Which cluster it is to join is no question any more once it belongs to one, which may be another since recover().
    const { cluster, known } = this.#owner
    if (isOther(cluster) || (known === null && isOther(this.#cluster))) return codes.clusterMismatch
    // Whoever is no member may have to do with the cluster all the same, but shall not take a member's place.
    const others = [...this.#links.values()].filter(({ session }) => session.peer.observer === peer.observer && session.peer.id !== peer.id).length
    if (others >= (peer.observer ? this.#observersMax : SESSIONS_MAX) && this.#owner.known?.members.includes(peer.id) !== true) return codes.queueFull
    sightings.note(peer)
    return null
  }

  onRefused (peer: Identity, code: ErrorCode, address: Address | null): void {
    debug('refused by %s: %s', peer.id.slice(0, 8), code)
    // A stranger may say anything: members have seen this node before. A node on an old disk may know none of those that are members by now.
    const isKnown = this.#owner.known?.members.includes(peer.id) === true || (address !== null && this.#book.isConfigured(address))
    if (isKnown || this.#hasSecret) this.#events.onRefused(code)
  }

  onSession (session: Session): void {
    const { peer, address, outbound } = session
    const send = (body: Uint8Array): boolean => {
      link.bytesOut += body.length
      return session.send(body)
    }
    const outbox = new Outbox({ peer, address, outbound, send, close: reason => { session.close(reason) } })
    const link: Link = { session, outbox, address: null, since: this.#env.wall(), heard: this.#env.now(), bytesIn: 0, bytesOut: 0 }
    this.#links.set(session.peer.id, link)
    this.#trace?.record('up', { peer: peer.id, name: peer.name, start: peer.start, address: peer.address ?? address, outbound })
    this.#book.onConnected(session.peer.id, session.peer.address)
    this.#keepAddresses()
    this.#tellConnect(link)
    this.#events.onInput({ type: 'up', peer: session.peer.id, start: session.peer.start, observer: session.peer.observer })
    // That an observer is there is no news to the others.
    this.#gossip(session.peer.observer ? [link] : this.#links.values())
  }

  /** Only members send anything large. One that was just removed may have something under way. */
  frameBytesMaxOf ({ id, observer }: Identity): number {
    const { known } = this.#owner
    const isStranger = observer || (known !== null && !known.members.includes(id) && !known.before.includes(id))
    return (isStranger ? fixedLimits.strangerFrameBytes : fixedLimits.frameBytes).value
  }

  onFrame (session: Session, body: Uint8Array): void {
    const link = this.#links.get(session.peer.id)
    if (link?.session !== session) return
    link.bytesIn += body.length
    link.heard = this.#env.now()
    let messages: WireMessage[]
    try {
      messages = readFrame(body)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      debug('an invalid frame from %s: %s', session.peer.id.slice(0, 8), error.message)
      session.close(codes.protocol)
      return
    }

    for (const message of messages) {
      if (message.type === 'addresses') this.#onAddresses(message)
      else this.#events.onInput({ type: 'message', from: session.peer.id, message })
    }
  }

  onDrain (session: Session): void {
    if (this.#isLive(session)) this.#links.get(session.peer.id)?.outbox.onDrain()
  }

  onClose (session: Session, error: ReplicatorError): void {
    const link = this.#links.get(session.peer.id)
    if (link?.session !== session) return
    this.#links.delete(session.peer.id)
    debug('lost %s: %s', session.peer.id.slice(0, 8), error.message)
    this.#trace?.record('down', { peer: session.peer.id, code: error.code, message: error.message })
    this.#events.onInput({ type: 'down', peer: session.peer.id })
    if (link.address !== null) this.#events.onDisconnect(link.address)
  }

  onDialledAs (address: Address): void {
    if (this.#address !== null || this.#observer) return
    this.#address = address
    this.#gossip()
  }

  onReconnect (address: Address): void {
    // The peer may have dialled us meanwhile.
    if (!this.#isConnected(address)) this.#events.onReconnect(address)
  }

  onFail (address: Address): void {
    this.#trace?.record('fail', { address })
    const { known } = this.#owner
    this.#book.fail(address, id => known?.members.includes(id) === false)
    this.#keepAddresses()
    this.#events.onFail(address)
  }

  onError (error: Error, address: Address | null): void {
    if (address !== null) {
      this.#book.onError(address, error)
      if (this.#book.isFound(address)) this.#discovery.refresh()
    }
    debug('%s %s', address === null ? '' : `${address.host}:${address.port}`, error.message)
    const isMismatch = error instanceof ReplicatorError && error.code === codes.clusterMismatch
    this.#events.onError(isMismatch ? mismatchError(error, this.#isAtHome) : error)
  }

  onResolve (address: Address, id: string): void {
    if (!this.#book.resolve(address, id)) return
    const link = this.#links.get(id)
    if (link !== undefined) {
      this.#book.onConnected(id, null)
      this.#keepAddresses()
      this.#tellConnect(link)
    }
    this.#tellPeers()
  }

  /** It is a member beside others, and with a majority of them. */
  get #isAtHome (): boolean {
    const { id: self, known } = this.#owner
    return known !== null && known.members.includes(self) && known.members.length > 1 && isQuorum([self, ...this.#links.keys()], known, true)
  }

  #isLive (session: Session): boolean {
    return this.#links.get(session.peer.id)?.session === session
  }

  #isConnected (address: Address): boolean {
    return this.sessions.some(session => sameAddress(session.address, address) || sameAddress(session.peer.address, address))
  }

  #tellPeers (): void {
    this.#events.onInput({ type: 'peers', ...this.#book.configuredBut(this.#owner.id) })
  }

  #recall (sightings: ReadonlyMap<MemberId, Sighting>): Sightings {
    return new Sightings(sightings, (peer, sighting) => { this.#events.onSighting(peer, sighting) })
  }

  /** A node that reaches nobody learns nothing of where the others are. */
  #keepAddresses (): void {
    if (this.#links.size === 0) return
    const { known } = this.#owner
    const isAwaited = (id: MemberId): boolean => !this.#links.has(id) && known?.members.includes(id) === true
    const addresses = this.#book.memory(isAwaited).filter(address => address.port > 0 && isAddress(address))
    const kept = JSON.stringify(addresses)
    if (kept === this.#kept) return
    this.#kept = kept
    this.#events.onAddresses(addresses)
  }

  #onFound (addresses: readonly Address[]): void {
    for (const address of this.#book.find(addresses.filter(address => !sameAddress(address, this.#address)))) this.#network.dial(address)
  }

  #onAddresses (message: AddressesMessage): void {
    for (const address of message.addresses) {
      if (sameAddress(address, this.#address)) continue
      if (!this.#isConnected(address) && this.#book.add(address, false)) this.#network.dial(address)
    }
  }

  /** Tells everybody where everybody is. */
  #gossip (links: Iterable<Link> = this.#links.values()): void {
    const addresses = distinct([this.#address, ...this.sessions.map(session => session.peer.address ?? session.address)])
    if (addresses.length === 0) return
    for (const { outbox } of links) outbox.push({ type: 'addresses', addresses })
    this.#events.onOutput()
  }

  #tellConnect (link: Link): void {
    if (link.address !== null) return
    const { session } = link
    link.address = session.address ?? session.peer.address ?? this.#book.addressOf(session.peer.id)
    if (link.address !== null) this.#events.onConnect(link.address)
  }
}

/** One of the two is in the wrong place: hardly the one that is with others. */
function mismatchError (cause: ReplicatorError, isAtHome: boolean): ReplicatorError {
  return new ReplicatorError(codes.clusterMismatch, `${cause.message}. ` + (isAtHome
    ? 'That peer belongs to another cluster than this node, or is to join another, and was not let in'
    : 'This node has belonged to another cluster than that peer, or one of the two is to join another. ' +
      'If this node shall join that one, release({ purge: true }) it, and begin with an empty database, or with overwrite: true'), { cause })
}
