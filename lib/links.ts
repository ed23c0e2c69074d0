import createDebug from 'debug'
import type { Input } from './core/effects.ts'
import type { MemberId } from './core/entry.ts'
import type { Message } from './core/messages.ts'
import type { View } from './core/view.ts'
import type { ErrorCode, ReplicatorError } from './errors.ts'
import { codes } from './errors.ts'
import { readFrame } from './inbox.ts'
import type { Address, Identity, Network, NetworkHandler, Session } from './net/network.ts'
import { Outbox } from './net/outbox.ts'
import { sameAddress } from './options.ts'
import { distinct, PeerBook } from './peer-book.ts'
import { WireError } from './wire/bytes.ts'
import type { AddressesMessage, WireMessage } from './wire/messages.ts'

const debug = createDebug('quorum-level:node')

/** More sessions than a cluster has members. */
const SESSIONS_MAX = 63

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
}

/** Who this node is, as its links need to know. */
export interface LinkOwner {
  readonly id: string
  readonly start: number
  readonly name: string
  readonly view: View | null
}

interface Link {
  readonly session: Session
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
  readonly #owner: LinkOwner
  readonly #events: LinkEvents
  readonly #links = new Map<MemberId, Link>()
  readonly #book = new PeerBook()
  #address: Address | null

  constructor (network: Network, address: Address | null, owner: LinkOwner, events: LinkEvents) {
    this.#network = network
    this.#address = address
    this.#owner = owner
    this.#events = events
  }

  start (): void {
    this.#network.start(this)
    for (const address of this.#book.addresses) this.#network.dial(address)
    this.#tellPeers()
  }

  get sessions (): Session[] {
    return [...this.#links.values()].map(({ session }) => session)
  }

  /** The configured addresses behind which nobody is connected, with what went wrong there last. */
  get missing (): string[] {
    return this.#book.missing(this.#owner.id, id => this.#links.has(id))
  }

  /** How many of the configured peers are there, or may yet come; and how many have failed for good. */
  get reachable (): { reachable: number, failed: number } {
    return this.#book.reachable(this.#owner.id, id => this.#links.has(id))
  }

  send (to: MemberId, message: Message): void {
    this.#links.get(to)?.outbox.push(message)
  }

  /** The end of a turn. */
  flush (): void {
    for (const { outbox } of this.#links.values()) outbox.flush()
  }

  disconnect (peer: MemberId): void {
    this.#links.get(peer)?.session.close(codes.protocol)
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
    const { id, start, name, view } = this.#owner
    return { id, start, cluster: view?.cluster ?? '', address: this.#address, name }
  }

  judge (peer: Identity): ErrorCode | null {
    const { view } = this.#owner
    if (view === null) return this.#links.size >= SESSIONS_MAX && !this.#links.has(peer.id) ? codes.queueFull : null
    if (peer.cluster !== '' && peer.cluster !== view.cluster) return codes.clusterMismatch
    return view.members.includes(peer.id) ? null : codes.notMember
  }

  onSession (session: Session): void {
    const link: Link = { session, outbox: new Outbox(session), address: null }
    this.#links.set(session.peer.id, link)
    this.#book.onConnected(session.peer.id)
    this.#tellConnect(link)
    this.#events.onInput({ type: 'up', peer: session.peer.id, start: session.peer.start })
    this.#gossip()
  }

  onFrame (session: Session, body: Uint8Array): void {
    if (!this.#isLive(session)) return
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
    this.#events.onInput({ type: 'down', peer: session.peer.id })
    if (link.address !== null) this.#events.onDisconnect(link.address)
  }

  onDialledAs (address: Address): void {
    if (this.#address !== null) return
    this.#address = address
    this.#gossip()
  }

  onReconnect (address: Address): void {
    // The peer may have dialled us meanwhile.
    if (!this.#isConnected(address)) this.#events.onReconnect(address)
  }

  onFail (address: Address): void {
    this.#book.fail(address)
    this.#events.onFail(address)
  }

  onError (error: Error, address: Address | null): void {
    if (address !== null) this.#book.onError(address, error)
    debug('%s %s', address === null ? '' : `${address.host}:${address.port}`, error.message)
    this.#events.onError(error)
  }

  onResolve (address: Address, id: string): void {
    if (!this.#book.resolve(address, id)) return
    const link = this.#links.get(id)
    if (link !== undefined) this.#tellConnect(link)
    this.#tellPeers()
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

  #onAddresses (message: AddressesMessage): void {
    for (const address of message.addresses) {
      if (sameAddress(address, this.#address)) continue
      if (!this.#isConnected(address) && this.#book.add(address, false)) this.#network.dial(address)
    }
  }

  /** Tells everybody where everybody is. */
  #gossip (): void {
    const addresses = distinct([this.#address, ...this.sessions.map(session => session.peer.address ?? session.address)])
    if (addresses.length === 0) return
    for (const { outbox } of this.#links.values()) outbox.push({ type: 'addresses', addresses })
    this.#events.onOutput()
  }

  #tellConnect (link: Link): void {
    if (link.address !== null) return
    const { session } = link
    link.address = session.address ?? session.peer.address ?? this.#book.addressOf(session.peer.id)
    if (link.address !== null) this.#events.onConnect(link.address)
  }
}
