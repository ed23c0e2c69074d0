import type { MemberId } from './entry.ts'
import type { StatusMessage } from './messages.ts'

interface Peer {
  start: number
  up: boolean
  readonly observer: boolean
  status: StatusMessage | null
  /** When something was last heard of it, by this node's clock. */
  heard: number
}

/** What this node knows of the others: who is connected, what they said last, and since when they are silent. */
export class Peers {
  readonly #peers = new Map<MemberId, Peer>()
  readonly #silenceMax: number
  #since: number

  /** A peer that is silent for `silenceMax` milliseconds is gone. */
  constructor (silenceMax: number, now: number) {
    this.#silenceMax = silenceMax
    this.#since = now
  }

  /** Without observers, of whom there may be many, and nothing depends on any. */
  get connected (): MemberId[] {
    return [...this.#peers].filter(([, { up, observer }]) => up && !observer).map(([id]) => id).sort()
  }

  get observers (): MemberId[] {
    return [...this.#peers].filter(([, { observer }]) => observer).map(([id]) => id)
  }

  isObserver (id: MemberId): boolean {
    return this.#peers.get(id)?.observer === true
  }

  onUp (id: MemberId, start: number, now: number, observer = false): void {
    this.#peers.set(id, { start, up: true, observer, status: null, heard: now })
  }

  onDown (id: MemberId): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    peer.up = false
    // Its last word, that it stops, stays.
    if (peer.status?.fit !== false) peer.status = null
  }

  /** It is nobody any more of whom something is expected. */
  forget (id: MemberId): void {
    this.#peers.delete(id)
  }

  onHeard (id: MemberId, now: number): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.heard = now
  }

  onStatus (id: MemberId, status: StatusMessage): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.status = status
  }

  /** This node itself has not run for a while: whom it did not hear meanwhile is not to blame. */
  forgive (now: number): void {
    this.#since = now
    for (const peer of this.#peers.values()) peer.heard = now
  }

  isUp (id: MemberId, start?: number): boolean {
    const peer = this.#peers.get(id)
    return peer?.up === true && (start === undefined || peer.start === start)
  }

  /** What all that are connected have said last, in the order of their ids. */
  get statuses (): Array<[MemberId, StatusMessage]> {
    return this.connected.flatMap(id => {
      const status = this.status(id)
      return status === null ? [] : [[id, status]]
    })
  }

  /** The last status of a connected peer. */
  status (id: MemberId): StatusMessage | null {
    const peer = this.#peers.get(id)
    return peer?.up === true ? peer.status : null
  }

  start (id: MemberId): number | null {
    const peer = this.#peers.get(id)
    return peer?.up === true ? peer.start : null
  }

  /** It can take part in a view, for all that is known. */
  isReachable (id: MemberId, now: number): boolean {
    return this.status(id)?.fit === true && !this.#isSilent(id, now)
  }

  /** It is to be excluded: silent for too long, or it said that it stops. */
  isGone (id: MemberId, now: number): boolean {
    return this.#peers.get(id)?.status?.fit === false || this.#isSilent(id, now)
  }

  /** Both say that they are connected. */
  areConnected (a: MemberId, b: MemberId, self: MemberId): boolean {
    return this.#reaches(a, b, self) && this.#reaches(b, a, self)
  }

  /** How many of these it reaches, itself included. */
  reach (id: MemberId, members: readonly MemberId[], self: MemberId): number {
    return members.filter(member => member === id || this.#reaches(id, member, self)).length
  }

  #reaches (a: MemberId, b: MemberId, self: MemberId): boolean {
    if (a === self) return this.isUp(b)
    return this.status(a)?.connected.includes(b) === true
  }

  #isSilent (id: MemberId, now: number): boolean {
    return now - (this.#peers.get(id)?.heard ?? this.#since) >= this.#silenceMax
  }
}
