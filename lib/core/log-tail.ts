import { assert } from '../errors.ts'
import type { Group, LogName } from './entry.ts'
import { emptyLog, groupBytes, lastPosition } from './entry.ts'
import type { LogOutline } from './messages.ts'

/**
 * What the core knows of this node's log: the groups after *applied* themselves, and the outline of all of it.
 */
export class LogTail {
  /** Groups with entries after `base`, in order. */
  #groups: Group[] = []
  /** Groups before this index are dropped already (the array is compacted now and then). */
  #head = 0
  /** The last position of each epoch, oldest first. */
  #runs: LogName[]
  #base: number
  #bytes = 0

  /** `runs` outlines the whole log up to `base`; its last run must end there. */
  constructor (base: number, runs: readonly LogName[]) {
    this.#base = base
    this.#runs = [...runs]
    assert(this.end.position === base, 'the outline ends at the base')
  }

  /** Everything up to here is dropped from memory. */
  get base (): number {
    return this.#base
  }

  get end (): LogName {
    return this.#runs[this.#runs.length - 1] ?? emptyLog
  }

  /** Of the groups in memory. */
  get bytes (): number {
    return this.#bytes
  }

  /** True if a group in memory ends there, or nothing after it is in memory. */
  isBoundary (position: number): boolean {
    if (position === this.#base) return true
    const group = this.#groups[this.#indexAfter(position - 1)]
    return group !== undefined && lastPosition(group) === position
  }

  append (group: Group): void {
    const end = this.end
    assert(group.entries.length > 0, 'a group is not empty')
    assert(group.first === end.position + 1, 'a group follows the end of the log')
    assert(group.epoch >= end.epoch, 'epochs never go back in a log')

    this.#groups.push(group)
    this.#bytes += groupBytes(group)
    const name = { position: lastPosition(group), epoch: group.epoch }
    if (end.epoch === group.epoch && this.#runs.length > 0) this.#runs[this.#runs.length - 1] = name
    else this.#runs.push(name)
  }

  /** The groups in memory after `position`, oldest first, until `take` returns false. */
  visit (position: number, take: (group: Group) => boolean): void {
    for (let i = this.#indexAfter(position); i < this.#groups.length; i++) {
      if (!take(this.#groups[i] as Group)) return
    }
  }

  /** The same, as an array. */
  after (position: number): Group[] {
    return this.#groups.slice(this.#indexAfter(position))
  }

  /** Forgets groups up to `position`, a group's end. */
  drop (position: number): void {
    while (this.#head < this.#groups.length) {
      const group = this.#groups[this.#head] as Group
      if (lastPosition(group) > position) break
      this.#bytes -= groupBytes(group)
      this.#head++
    }
    this.#base = Math.max(this.#base, position)

    // Shifting an array once per group would cost its length each time.
    if (this.#head > 1024 || this.#head === this.#groups.length) {
      this.#groups = this.#groups.slice(this.#head)
      this.#head = 0
    }
  }

  /** The log begins anew, after this name. */
  reset (name: LogName): void {
    this.#groups = []
    this.#head = 0
    this.#bytes = 0
    this.#base = name.position
    this.#runs = name.position === 0 ? [] : [name]
  }

  /** Removes what is after `position`, a group's end, and returns it. */
  cut (position: number): Group[] {
    assert(position >= this.#base, 'nothing that is applied is cut')
    const index = this.#indexAfter(position)
    const removed = this.#groups.splice(index)
    for (const group of removed) this.#bytes -= groupBytes(group)

    while (this.#runs.length > 0) {
      const previous = this.#runs[this.#runs.length - 2] ?? emptyLog
      if (this.end.position <= position) break
      if (previous.position >= position) this.#runs.pop()
      else {
        this.#runs[this.#runs.length - 1] = { position, epoch: this.end.epoch }
        break
      }
    }
    return removed
  }

  /** All of it: one that was cut short would make its owner cut more than it may. */
  outline (committed: number): LogOutline {
    return { base: committed, runs: this.#runs.filter(run => run.position > committed) }
  }

  /** The name of the log up to a position, not before where it was truncated: what is before has lost its epoch. */
  nameAt (position: number): LogName {
    // Nothing has no epoch, whatever follows on it.
    if (position === 0) return emptyLog
    return { position, epoch: this.#runs.find(run => run.position >= position)?.epoch ?? 0 }
  }

  /** Whether a log of this name is the beginning of this one. The same limit. */
  has ({ position, epoch }: LogName): boolean {
    return position <= this.end.position && this.nameAt(position).epoch === epoch
  }

  /** Whether this group, as read from the disk a while ago, is still part of the log. */
  holds (group: Group): boolean {
    return this.has({ position: lastPosition(group), epoch: group.epoch })
  }

  /** The log does not reach back beyond this position any more. */
  truncate (position: number): void {
    this.#runs = this.#runs.filter(run => run.position >= position)
  }

  /**
   * The last position up to which another log is the same as this one. Names that both have are common. So is what is
   * committed, unless something was lost: the other side compares the names there.
   */
  common (other: LogOutline): number {
    for (let i = other.runs.length - 1; i >= 0; i--) {
      const theirs = other.runs[i] as LogName
      const ours = this.#runs.find(run => run.epoch === theirs.epoch)
      if (ours !== undefined) return Math.min(this.end.position, Math.max(other.base, Math.min(theirs.position, ours.position)))
    }
    return Math.min(this.end.position, other.base)
  }

  // The groups in memory are consecutive, so a binary search finds the first that ends after a position.
  #indexAfter (position: number): number {
    let low = this.#head
    let high = this.#groups.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (lastPosition(this.#groups[middle] as Group) <= position) low = middle + 1
      else high = middle
    }
    return low
  }
}
