import type { Group, LogName, MemberId } from './entry.ts'
import { groupBytes, lastPosition } from './entry.ts'
import type { Host } from './host.ts'
import type { LogTail } from './log-tail.ts'
import type { Message } from './messages.ts'
import type { KeyRow } from './idempotency.ts'
import type { OriginRow } from './origins.ts'

export const FETCH_BYTES = 1024 * 1024
export const FETCH_GROUPS = 4096
/** An observer that has all of the log waits so long for more. An empty answer tells it that this node is there. */
const PARK_MS = 1000

export interface SourceHost extends Host {
  readonly now: number
  readonly tail: LogTail
  /** Where the log was truncated. */
  readonly base: LogName
  readonly committed: number
  readonly applied: number
  /** False while an apply is under way, or a copy: then the data are not those of *applied*. */
  readonly atRest: boolean
  readonly seeded: boolean
  /** The table of origins, and the name of the log, at *applied*; asked only at rest. */
  readonly snapshot: { readonly base: LogName, readonly rows: ReadonlyArray<readonly [number, OriginRow]>, readonly keys: ReadonlyArray<readonly [number, KeyRow]> }
  /** An apply that is under way ends there; else *applied*. */
  readonly applying: number
  readonly complete: boolean
  /** The data hold nothing that did not come by the log, or was there from the beginning on all members. */
  readonly settledData: boolean
}

/** What a peer has asked for, and waits for the end of an apply. One request for each peer: it has no more under way. */
type Request = Message & { type: 'copy' | 'verify' }

/**
 * Gives members that are not live what they lack: the committed log, or a copy of the data, chunk by chunk, each when it is asked
 * for. Only what is committed is given. See `spec/protocol.md`, "Catching up".
 */
export class Source {
  readonly #host: SourceHost
  readonly #fetching = new Map<MemberId, { readonly from: number, readonly common: number }>()
  readonly #waiting = new Map<MemberId, Request>()
  /** Observers that have all that was committed then, since when. */
  readonly #parked = new Map<MemberId, { readonly request: Message & { type: 'fetch' }, readonly committed: number, readonly since: number }>()
  /** Observers that say that they have caught up: others go on to something else when a fetch brings nothing. */
  readonly #following = new Set<MemberId>()
  /** The requests whose chunks are being read, one for each peer; false once its session is lost. */
  readonly #reading = new Map<MemberId, { readonly applied: number, isWanted: boolean }>()
  #digesting: { readonly peers: Set<MemberId>, readonly position: number } | null = null

  constructor (host: SourceHost) {
    this.#host = host
  }

  onDown (peer: MemberId): void {
    this.#fetching.delete(peer)
    this.#waiting.delete(peer)
    this.#parked.delete(peer)
    this.#following.delete(peer)
    this.#digesting?.peers.delete(peer)
    const reading = this.#reading.get(peer)
    if (reading !== undefined) reading.isWanted = false
  }

  onStatus (observer: MemberId, caughtUp: boolean): void {
    if (caughtUp) this.#following.add(observer)
    else this.#following.delete(observer)
  }

  onFetch (peer: MemberId, request: Message & { type: 'fetch' }, mayPark = true): void {
    const { tail, base, committed, complete, now } = this.#host
    if (!complete || this.#fetching.has(peer)) return
    const common = tail.common(request.outline)
    if (mayPark && common >= committed && this.#following.has(peer)) {
      this.#parked.set(peer, { request, committed, since: now })
    } else if (common < base.position || common >= tail.base || common >= committed) {
      this.#fetched(peer, common, tail.after(common))
    } else {
      this.#fetching.set(peer, { from: common + 1, common })
      this.#host.emit({ type: 'load', to: peer, from: common + 1 })
    }
  }

  onLoaded (peer: MemberId, from: number, groups: readonly Group[]): void {
    const fetching = this.#fetching.get(peer)
    if (fetching?.from !== from) return
    this.#fetching.delete(peer)
    // What follows may have been cut meanwhile.
    this.#fetched(peer, fetching.common, groups[0]?.first === from ? groups : [])
  }

  onRequest (peer: MemberId, request: Request): void {
    // A founder that writes its data into the log has more in them than the log has.
    if (!this.#host.complete || !this.#host.settledData) return
    this.#waiting.set(peer, request)
    this.serve()
  }

  /** Serves those who waited, if it is possible now. Called before each apply. */
  serve (): void {
    this.#unpark()
    for (const [peer, request] of this.#waiting) {
      if (!this.#host.atRest || this.#host.applied < request.applied || this.#reading.has(peer)) continue
      this.#waiting.delete(peer)
      if (request.type === 'verify') {
        this.#verify(peer)
      } else if (request.after === null) {
        this.#host.send(peer, { type: 'snapshot', ...this.#host.snapshot, seeded: this.#host.seeded })
      } else {
        this.#reading.set(peer, { applied: request.applied, isWanted: true })
        this.#host.emit({ type: 'chunk', to: peer, after: request.after })
      }
    }
  }

  onChunk (peer: MemberId, chunk: Omit<Message & { type: 'chunk' }, 'type' | 'applied' | 'high'>): void {
    const reading = this.#reading.get(peer)
    this.#reading.delete(peer)
    if (reading?.isWanted === true) this.#host.send(peer, { type: 'chunk', ...chunk, applied: reading.applied, high: this.#host.applying })
  }

  onDigested (position: number, digest: string): void {
    if (this.#digesting?.position !== position) return
    for (const peer of this.#digesting.peers) this.#host.send(peer, { type: 'digest', position, digest })
    this.#digesting = null
  }

  #unpark (): void {
    if (this.#parked.size === 0) return
    const { committed, now } = this.#host
    for (const [peer, parked] of this.#parked) {
      if (committed === parked.committed && now - parked.since < PARK_MS) continue
      this.#parked.delete(peer)
      this.onFetch(peer, parked.request, false)
    }
  }

  #verify (peer: MemberId): void {
    const position = this.#host.applied
    // One at a time: each reads all of the data.
    if (this.#digesting !== null && this.#digesting.position !== position) {
      this.#host.send(peer, { type: 'digest', position: 0, digest: '' })
      return
    }
    if (this.#digesting === null) {
      this.#digesting = { peers: new Set(), position }
      this.#host.emit({ type: 'digest', position })
    }
    this.#digesting.peers.add(peer)
    this.#host.send(peer, { type: 'verifying', position })
  }

  #fetched (peer: MemberId, common: number, log: readonly Group[]): void {
    const { base, committed, tail } = this.#host
    // Maybe only since it was read.
    if (common < base.position) {
      this.#host.send(peer, { type: 'fetched', common, commonEpoch: 0, committed, truncated: true, groups: [] })
      return
    }
    const groups: Group[] = []
    let bytes = 0
    for (const group of log) {
      // What was read may have been cut since.
      if (!tail.holds(group)) break
      if (lastPosition(group) > committed || bytes >= FETCH_BYTES || groups.length === FETCH_GROUPS) break
      groups.push(group)
      bytes += groupBytes(group)
    }
    this.#host.send(peer, { type: 'fetched', common, commonEpoch: tail.nameAt(common).epoch, committed, truncated: false, groups })
  }
}
