import { assert } from '../errors.ts'
import type { Recovered } from './config.ts'
import type { Persist } from './effects.ts'
import type { Entry, Group, LogName } from './entry.ts'
import { groupBytes, lastPosition } from './entry.ts'
import { LogTail } from './log-tail.ts'
import { lastTouching, PendingKeys } from './pending.ts'
import { Retention } from './retention.ts'
import type { View } from './view.ts'

export interface LogHost {
  persist (step: Partial<Persist>, then?: () => void): void
  /** An entry is in the log; or was cut off. */
  onLogged (entry: Entry): void
  onCut (entry: Entry): void
}

/** This node's copy of the log, with its points: where it begins, what is durable, and what is committed. */
export class Log {
  readonly tail: LogTail
  readonly pending = new PendingKeys()
  readonly #host: LogHost
  readonly #retention: Retention
  #base: LogName
  #durableEnd: number
  #committed: number
  #cuts = 0

  constructor (host: LogHost, recovered: Recovered, bytesMax: number) {
    this.#host = host
    this.#base = recovered.base
    this.#committed = recovered.applied
    this.tail = new LogTail(recovered.applied, recovered.runs)
    for (const group of recovered.groups) {
      this.tail.append(group)
      this.pending.mark(group)
    }
    this.#durableEnd = this.tail.end.position
    this.#retention = new Retention(bytesMax, recovered.base.position, this.#durableEnd, recovered.logBytes)
  }

  /** Where it was truncated. */
  get base (): LogName { return this.#base }
  get end (): number { return this.tail.end.position }
  /** Everything up to here is durable. */
  get durableEnd (): number { return this.#durableEnd }
  /** Everything up to here is known to be committed. */
  get committed (): number { return this.#committed }
  /** About how many bytes it takes. */
  get bytes (): number { return this.#retention.bytes }
  /** How often a part of it was cut off: positions of before mean nothing after. */
  get cuts (): number { return this.#cuts }

  append (group: Group, then: () => void, view: View | null): void {
    this.tail.append(group)
    this.pending.mark(group)
    this.#retention.onAppended(lastPosition(group), groupBytes(group))
    for (const entry of group.entries) this.#host.onLogged(entry)

    const cuts = this.#cuts
    this.#host.persist({ groups: [group], view }, () => {
      // Unless it was cut on its way to the disk.
      if (cuts === this.#cuts) this.#durableEnd = lastPosition(group)
      then()
    })
  }

  cut (position: number): void {
    assert(position >= this.#committed, 'nothing that is committed is cut')
    for (const group of this.tail.cut(position)) for (const entry of group.entries) this.#host.onCut(entry)
    this.#cuts++
    this.#durableEnd = Math.min(this.#durableEnd, position)
    this.#retention.onCut(position)
    this.pending.clear()
    this.tail.visit(this.tail.base, (group) => { this.pending.mark(group); return true })
    // At once: whatever is lost next, the log on disk is the one in memory.
    this.#host.persist({ cut: this.tail.end })
  }

  /** Returns whether that is news. */
  commit (position: number): boolean {
    assert(position <= this.end, 'what is committed is in the log')
    if (position <= this.#committed) return false
    this.#committed = position
    return true
  }

  /** These groups are in the data. */
  onApplied (groups: readonly Group[]): void {
    for (const group of groups) this.pending.release(group)
    const last = groups[groups.length - 1]
    if (last !== undefined) this.tail.drop(lastPosition(last))
  }

  /** The last position after *applied* that touches a key for which `inRange` holds; 0 if none. */
  lastTouching (inRange: (key: Uint8Array) => boolean): number {
    return this.pending.empty ? 0 : lastTouching(this.tail.after(this.tail.base), inRange)
  }

  /** It begins anew, empty, after this name. */
  reset (base: LogName): void {
    this.tail.reset(base)
    this.pending.clear()
    this.#cuts++
    this.#base = base
    this.#committed = this.#durableEnd = base.position
    this.#retention.reset(base.position)
  }

  /** Drops what is not needed any more: see `Retention`. */
  truncate (byAll: number, byLive: number): void {
    const position = this.#retention.truncation(byAll, byLive)
    if (position === null || position <= this.#base.position || position > this.tail.base) return
    this.#base = this.tail.nameAt(position)
    this.tail.truncate(position)
    this.#retention.onTruncated(position)
    this.#host.persist({ truncate: this.#base })
  }
}
