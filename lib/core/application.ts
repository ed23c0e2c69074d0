import type { Effect } from './effects.ts'
import type { Group } from './entry.ts'
import { lastPosition } from './entry.ts'
import type { KeyRow } from './idempotency.ts'
import { KeyTable } from './idempotency.ts'
import type { LogTail } from './log-tail.ts'
import type { OriginRow } from './origins.ts'
import { OriginTable } from './origins.ts'

export interface ApplicationState {
  readonly position: number
  readonly seeded: boolean
  readonly rows: Iterable<readonly [number, OriginRow]>
  readonly keys: Iterable<readonly [number, KeyRow]>
}

/**
 * What of the log is in the data, with what is a function of that: the tables of origins and keys, and whether the founders' data are there.
 * One apply is under way at a time.
 */
export class Application {
  readonly #originsMax: number
  readonly #keysMax: number
  readonly #bytesMax: number
  #applied: number
  /** *applied*, or where it will be after the apply under way: the point of `table` and `seeded`. */
  #at: number
  #table: OriginTable
  #keys: KeyTable
  #seeded: boolean
  #seededApplied: boolean

  constructor (originsMax: number, keysMax: number, bytesMax: number, state: ApplicationState) {
    this.#originsMax = originsMax
    this.#keysMax = keysMax
    this.#bytesMax = bytesMax
    this.#applied = this.#at = state.position
    this.#seeded = this.#seededApplied = state.seeded
    this.#table = new OriginTable(originsMax, state.rows)
    this.#keys = new KeyTable(keysMax, state.keys)
  }

  get applied (): number { return this.#applied }
  get at (): number { return this.#at }
  get atRest (): boolean { return this.#at === this.#applied }
  get table (): OriginTable { return this.#table }
  get keys (): KeyTable { return this.#keys }
  /** The mark that ends a founder's data is applied. */
  get seeded (): boolean { return this.#seededApplied }

  /** A copy begins here. */
  reset (state: ApplicationState): void {
    this.#applied = this.#at = state.position
    this.#seeded = this.#seededApplied = state.seeded
    this.#table = new OriginTable(this.#originsMax, state.rows)
    this.#keys = new KeyTable(this.#keysMax, state.keys)
  }

  /** The tables, and whether the founders' data are in the log, at its end. */
  atEnd (tail: LogTail): { table: OriginTable, keys: KeyTable, seeded: boolean } {
    const table = this.#table.clone()
    const keys = this.#keys.clone()
    let seeded = this.#seeded
    tail.visit(this.#at, (group) => {
      group.entries.forEach((entry, i) => {
        table.take(group.first + i, entry)
        keys.take(group.first + i, entry)
        if (entry.kind === 'seeded') seeded = true
      })
      return true
    })
    return { table, keys, seeded }
  }

  /** The next apply, up to `through` at most; null if there is nothing to apply, or one is under way. */
  next (tail: LogTail, through: number): Effect | null {
    if (!this.atRest || through <= this.#applied) return null
    const groups: Group[] = []
    const rows = new Map<number, OriginRow | null>()
    let bytes = 0
    tail.visit(this.#applied, (group) => {
      if (lastPosition(group) > through) return false
      groups.push(group)
      for (const entry of group.entries) bytes += entry.kind === 'write' ? entry.body.length : 0
      return bytes < this.#bytesMax
    })
    const last = groups[groups.length - 1]
    if (last === undefined) return null

    const gone = this.#keys.excess.splice(0)
    for (const group of groups) {
      group.entries.forEach((entry, i) => {
        this.#table.take(group.first + i, entry, rows)
        this.#keys.take(group.first + i, entry, gone)
        if (entry.kind === 'seeded') this.#seeded = true
      })
    }
    this.#at = lastPosition(last)
    return { type: 'apply', groups, through: this.#at, epoch: last.epoch, rows, gone, seeded: this.#seeded }
  }

  /** The apply under way is done: returns what it applied. */
  done (tail: LogTail): Group[] {
    const groups: Group[] = []
    tail.visit(this.#applied, (group) => {
      if (lastPosition(group) > this.#at) return false
      groups.push(group)
      return true
    })
    this.#applied = this.#at
    this.#seededApplied = this.#seeded
    return groups
  }
}
