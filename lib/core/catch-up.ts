import type { CoreConfig } from './config.ts'
import type { CopyState } from './effects.ts'
import type { Group, LogName, MemberId } from './entry.ts'
import { lastPosition } from './entry.ts'
import type { Host } from './host.ts'
import type { LogTail } from './log-tail.ts'
import type { Message } from './messages.ts'
import type { KeyRow } from './idempotency.ts'
import type { OriginRow } from './origins.ts'
import type { Part } from './part.ts'
import { beforePart, isBeyondPart, isInPart } from './part.ts'
import type { View } from './view.ts'

/** How far a member that catches up has come: positions of the log, or bytes of a copy (`total` 0: not known). */
export interface Progress {
  readonly phase: 'log' | 'copy' | 'verify'
  readonly done: number
  readonly total: number
  readonly source: MemberId
}

export interface CatchUpHost extends Host {
  /** This node's clock, in milliseconds. */
  readonly now: number
  readonly tail: LogTail
  /** Where the log was truncated. */
  readonly base: LogName
  readonly committed: number
  readonly applied: number
  /** No apply is under way. */
  readonly atRest: boolean
  /** This node has promised a view beyond the newest known, in which others may count on its log. */
  readonly isPromised: boolean
  /** The copy that is under way, as it is on disk; null if none. */
  readonly copy: CopyState | null
  /** Whatever this node holds is nothing to the cluster: it begins with a copy. */
  readonly mustCopy: boolean
  /** Connected members that are live, have installed the newest view known, and can be asked; not the coordinator first. */
  readonly sources: readonly MemberId[]
  cut (position: number): void
  append (group: Group, then: () => void): void
  commit (position: number, view: null): void
  /** The log, the table of origins and all positions begin anew. */
  reset (base: LogName, seeded: boolean, rows: ReadonlyArray<readonly [number, OriginRow]>, keys: ReadonlyArray<readonly [number, KeyRow]>): void
  restore (effect: { after: Uint8Array, through: Uint8Array | null, entries: ReadonlyArray<readonly [Uint8Array, Uint8Array]>, copy: CopyState }): void
  /** The copy is complete, and verified: `onCopied` follows once that is durable. */
  copied (): void
  onCaughtUp (): void
  onDiverged (position: number, peer: MemberId): void
}

/** A digest reads all of the data. */
const DIGEST_MS = 600_000
/** How many times as long as at first an answer may take in the end. */
const PATIENCE_TIMES_MAX = 64

interface Verification {
  readonly position: number
  /** Our digest is under way, or done. */
  begun: boolean
  readonly at: number
  /** Empty: this store cannot give one. */
  ours: string | null
  theirs: string | null
}

/**
 * Brings a member that is not live up to date: fetches the committed log from one that is, or, where that log does not reach back so
 * far, a copy of the data, chunk by chunk, with pieces of the log in between; and has a copy verified by a digest. One request
 * is under way at a time, so the other side never sends more than is wanted. See `spec/protocol.md`, "Catching up".
 */
export class CatchUp {
  readonly #host: CatchUpHost
  /** How long an answer may take before another member is asked; at least so long. */
  readonly #patienceMinMs: number
  #patienceMs: number
  /** Nothing more is fetched while so much waits to be applied. */
  readonly #tailBytesMax: number
  readonly #follows: boolean
  readonly #part: Part | null
  #source: MemberId | null = null
  #waiting: 'fetch' | 'copy' | 'verify' | 'digest' | 'disk' | null = null
  #askedAt = 0
  /** After a chunk, a piece of the log. */
  #fetchNext = true
  #caughtUp = false
  #total = 0
  #copied = 0
  /** How many bytes are still to be copied; 0 if that is not known. */
  #left = 0
  #verifying: Verification | null = null

  /** `observer`: there is always more to come, and it may hold only a part of the data. */
  constructor (host: CatchUpHost, patienceMs: number, tailBytesMax: number, { observer = false, part = null }: Partial<Pick<CoreConfig, 'observer' | 'part'>> = {}) {
    this.#host = host
    this.#follows = observer
    this.#part = part
    this.#patienceMinMs = this.#patienceMs = patienceMs
    this.#tailBytesMax = tailBytesMax
  }

  get caughtUp (): boolean {
    return this.#caughtUp
  }

  /** It has not begun. */
  get idle (): boolean {
    return this.#source === null
  }

  /** Nothing beyond this is applied, until a digest is begun there; null: no limit. */
  get applyLimit (): number | null {
    return this.#verifying?.begun === false ? this.#verifying.position : null
  }

  get progress (): Progress | null {
    const { copy, applied, tail } = this.#host
    const source = this.#source
    if (source === null) return null
    if (this.#verifying !== null) return { phase: 'verify', done: applied, total: this.#verifying.position, source }
    if (copy !== null) return { phase: 'copy', done: this.#copied, total: copy.after !== null && this.#left === 0 ? 0 : this.#copied + this.#left, source }
    if (this.#total === 0) return null
    return { phase: 'log', done: Math.min(tail.end.position, this.#total), total: this.#total, source }
  }

  /** This node is live, or in no cluster: there is nothing to catch up with. */
  stop (): void {
    if (this.#source === null) return
    this.#source = null
    this.#waiting = null
    this.#verifying = null
    this.#fetchNext = true
    this.#setCaughtUp(false)
  }

  onDown (peer: MemberId): void {
    if (this.#source === peer) this.#giveUp()
  }

  /** Called with each tick, and after everything that may be waited for. */
  go (): void {
    const { now, sources } = this.#host
    if (this.#waiting !== null && this.#waiting !== 'disk' && now - this.#askedAt > this.#patienceMs) {
      // The others may be as far away: what nobody can send in this time would never come.
      this.#patienceMs = Math.min(2 * this.#patienceMs, PATIENCE_TIMES_MAX * this.#patienceMinMs)
      this.#giveUp()
    }
    const verifying = this.#verifying
    if (verifying !== null && now - verifying.at > (verifying.begun ? DIGEST_MS : this.#patienceMs)) this.#giveUp()
    if (this.#waiting !== null) return
    if (this.#source === null || !sources.includes(this.#source)) {
      // Not the one that has just not answered, if there is another.
      this.#source = sources.find(id => id !== this.#source) ?? sources[0] ?? null
      this.#verifying = null
    }
    if (this.#source !== null) this.#next(this.#source)
  }

  onFetched (from: MemberId, { common, commonEpoch, committed, truncated, groups }: Message & { type: 'fetched' }): void {
    if (!this.#answers(from, 'fetch')) return
    const { tail } = this.#host
    const differs = !truncated && common >= this.#host.base.position && common <= tail.end.position && !tail.has({ position: common, epoch: commonEpoch })
    // An answer to an earlier request may tell of a log that was cut since, here or there.
    if (differs && common > Math.min(committed, this.#host.committed)) return
    if (differs && this.#host.copy === null) {
      this.#waiting = 'disk'
      this.#host.onDiverged(common, from)
      return
    }
    if (truncated || differs) {
      // What this member has promised with its log, it shall keep.
      if (this.#host.isPromised) return
      // A copy that is under way fell too far behind, or is of other data: it begins anew, and what is being compared is nothing to it.
      this.#verifying = null
      this.#ask(from, 'copy', { type: 'copy', after: null, applied: this.#host.applied })
      return
    }
    // A source that is itself behind has nothing for us yet.
    if (common < this.#host.committed) return
    const end = tail.end.position
    const last = groups[groups.length - 1]
    const first = groups[0]
    const isInOrder = common <= end && tail.isBoundary(common) &&
      (first === undefined || (first.first === common + 1 && first.epoch >= tail.nameAt(common).epoch)) &&
      (last === undefined || lastPosition(last) <= committed)
    if (!isInOrder) {
      this.#host.emit({ type: 'disconnect', peer: from, reason: 'sends a log out of order' })
      return
    }

    this.#total = committed
    if (common < end && groups.length > 0) this.#host.cut(common)
    let left = groups.length
    if (left > 0) this.#waiting = 'disk'
    for (const group of groups) {
      this.#host.append(group, () => {
        if (--left > 0) return
        if (this.#waiting === 'disk') this.#waiting = null
        this.go()
      })
    }
    this.#host.commit(Math.min(committed, last === undefined ? common : lastPosition(last)), null)
    this.#setCaughtUp(tail.end.position >= committed && this.#host.copy === null)
    this.#fetchNext = groups.length > 0 && tail.end.position < committed
    // While the data are compared, or the source has nothing new, there is nothing else to do, and the next tick is soon enough.
    const { copy } = this.#host
    // An observer asks at once: whoever is asked answers when there is more.
    if (this.#follows && copy === null && groups.length === 0) this.go()
    if (copy !== null && this.#verifying === null && (groups.length > 0 || this.#host.committed >= copy.high)) this.go()
  }

  onSnapshot (from: MemberId, { base, seeded, rows, keys }: Message & { type: 'snapshot' }): void {
    if (!this.#answers(from, 'copy')) return
    // What is applied here is never undone.
    if (base.position < this.#host.applied || !this.#host.atRest || this.#host.isPromised) return
    this.#copied = 0
    this.#verifying = null
    this.#waiting = 'disk'
    this.#host.reset(base, seeded, rows, keys)
  }

  onChunk (from: MemberId, { after, through, applied, high, left, entries }: Message & { type: 'chunk' }): void {
    const { copy } = this.#host
    if (!this.#answers(from, 'copy')) return
    // The answer to an earlier request may be older than what has been applied since.
    if (copy === null || copy.after === null || !sameBytes(this.#after(copy.after), after) || applied !== this.#host.applied || !this.#host.atRest) return
    this.#waiting = 'disk'
    this.#left = left
    for (const [key, value] of entries) this.#copied += key.length + value.length
    const part = this.#part
    const end = through === null || (part !== null && isBeyondPart(part, through)) ? null : through
    this.#host.restore({ after: copy.after, through: end, entries: entries.filter(([key]) => isInPart(part, key)), copy: { after: end, high: Math.max(copy.high, high) } })
    this.#fetchNext = true
  }

  onRestored (): void {
    if (this.#waiting === 'disk') this.#waiting = null
    this.go()
  }

  onCopied (): void {
    this.#verifying = null
    this.onRestored()
  }

  onVerifying (from: MemberId, position: number): void {
    if (!this.#answers(from, 'verify')) return
    if (position < this.#host.applied) return
    this.#verifying = { position, at: this.#host.now, begun: false, ours: null, theirs: null }
    this.onApplied()
    this.go()
  }

  /** Theirs. */
  onDigest (from: MemberId, { position, digest }: Message & { type: 'digest' }): void {
    if (this.#waiting === 'verify' && this.#answers(from, 'verify')) return
    if (from !== this.#source || this.#verifying?.position !== position) return
    this.#verifying.theirs = digest
    this.#compare()
  }

  /** Ours. */
  onDigested (position: number, digest: string): void {
    if (this.#verifying?.position !== position) return
    this.#verifying.ours = digest
    this.#compare()
  }

  /** Something was applied: before anything more is. */
  onApplied (): void {
    const verifying = this.#verifying
    if (verifying?.begun === false && this.#host.atRest && this.#host.applied === verifying.position) {
      verifying.begun = true
      this.#host.emit({ type: 'digest', position: verifying.position })
    }
    if (this.#source !== null) this.go()
  }

  #next (source: MemberId): void {
    const { copy, applied, committed, atRest, tail, mustCopy, isPromised } = this.#host
    if (mustCopy) {
      if (atRest && !isPromised) this.#ask(source, 'copy', { type: 'copy', after: null, applied })
      return
    }
    if (tail.bytes > this.#tailBytesMax && applied < committed) return
    if (copy === null || this.#fetchNext || committed < copy.high || this.#verifying !== null) {
      this.#ask(source, 'fetch', { type: 'fetch', outline: this.#host.tail.outline(committed) })
      return
    }
    // A chunk is newer than all that is applied here: so nothing is applied while it is on its way.
    if (!atRest || applied < committed) {
      this.#fetchNext = false
      return
    }
    if (copy.after !== null) {
      this.#ask(source, 'copy', { type: 'copy', after: this.#after(copy.after), applied })
    } else if (this.#part !== null) {
      // Nobody has the digest of a part.
      this.#waiting = 'disk'
      this.#host.copied()
    } else this.#ask(source, 'verify', { type: 'verify', applied })
  }

  /** After which key to ask for the next chunk, if the copy has got so far. What is before a part is of no use. */
  #after (key: Uint8Array): Uint8Array {
    return key.length === 0 && this.#part !== null ? beforePart(this.#part) : key
  }

  #compare (): void {
    const verifying = this.#verifying
    if (verifying === null || verifying.theirs === null || verifying.ours === null) return
    const { ours, theirs, position } = verifying
    // Once.
    verifying.ours = verifying.theirs = null
    this.#waiting = 'disk'
    const differ = ours !== theirs && ours !== '' && theirs !== ''
    if (differ) this.#host.onDiverged(position, this.#source ?? '')
    else this.#host.copied()
  }

  #ask (source: MemberId, waiting: 'fetch' | 'copy' | 'verify', message: Message): void {
    this.#waiting = waiting
    this.#askedAt = this.#host.now
    this.#host.send(source, message)
  }

  #answers (from: MemberId, to: 'fetch' | 'copy' | 'verify'): boolean {
    if (from !== this.#source || this.#waiting !== to) return false
    this.#waiting = null
    this.#patienceMs = Math.max(this.#patienceMinMs, 2 * (this.#host.now - this.#askedAt))
    return true
  }

  #giveUp (): void {
    if (this.#waiting !== 'disk') this.#waiting = null
    const { sources } = this.#host
    const others = sources.filter(id => id !== this.#source)
    this.#source = others[0] ?? sources[0] ?? null
    this.#verifying = null
    this.#setCaughtUp(false)
  }

  #setCaughtUp (caughtUp: boolean): void {
    if (caughtUp === this.#caughtUp) return
    this.#caughtUp = caughtUp
    this.#host.onCaughtUp()
  }
}

/** The members that can be asked, not the coordinator first: live ones that have installed the view. `installed`: which one each has. */
export function sourcesIn (view: View | null, self: MemberId, installed: (id: MemberId) => number | undefined): MemberId[] {
  if (view === null) return []
  const sources = view.live.map(({ id }) => id).filter(id => id !== self && installed(id) === view.epoch)
  return sources.sort((a, b) => Number(a === view.coordinator) - Number(b === view.coordinator))
}

function sameBytes (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
