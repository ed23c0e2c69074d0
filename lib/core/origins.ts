import type { Entry, MemberId } from './entry.ts'

/** What the log says of one origin. */
export interface OriginRow {
  readonly node: MemberId
  readonly start: number
  /** The highest number that has an entry. */
  readonly highest: number
  /** The position of its last entry, the OPEN one included. */
  readonly last: number
}

/**
 * The table of origins: which numbers have entered the log, so that a write enters it once. A pure function of the
 * log up to some position, the same on every node. Holds at most `size` origins; the one with the oldest last entry
 * leaves.
 */
export class OriginTable {
  readonly #rows: Map<number, OriginRow>
  readonly #size: number

  constructor (size: number, rows: Iterable<readonly [number, OriginRow]> = []) {
    this.#size = size
    this.#rows = new Map(rows)
  }

  get (id: number): OriginRow | undefined {
    return this.#rows.get(id)
  }

  /** The id of the origin that this start of this node opened. */
  find (node: MemberId, start: number): number | undefined {
    for (const [id, row] of this.#rows) if (row.node === node && row.start === start) return id
    return undefined
  }

  entries (): IterableIterator<[number, OriginRow]> {
    return this.#rows.entries()
  }

  clone (): OriginTable {
    return new OriginTable(this.#size, this.#rows)
  }

  /** Takes in the next entry. Rows that it changes are set in `changed`, null for one that left. */
  take (position: number, entry: Entry, changed?: Map<number, OriginRow | null>): void {
    if (entry.kind === 'open') {
      this.#set(position, { node: entry.node, start: entry.start, highest: 0, last: position }, changed)
      if (this.#rows.size > this.#size) {
        const oldest = this.#oldest()
        this.#rows.delete(oldest)
        changed?.set(oldest, null)
      }
      return
    }

    const row = this.#rows.get(entry.origin)
    // Its id left the table between its submission and this position: nothing to keep.
    if (row === undefined) return
    this.#set(entry.origin, { ...row, highest: Math.max(row.highest, entry.number), last: position }, changed)
  }

  #set (id: number, row: OriginRow, changed?: Map<number, OriginRow | null>): void {
    this.#rows.set(id, row)
    changed?.set(id, row)
  }

  #oldest (): number {
    let oldest = 0
    let last = Number.MAX_SAFE_INTEGER
    for (const [id, row] of this.#rows) {
      if (row.last < last) {
        last = row.last
        oldest = id
      }
    }
    return oldest
  }
}
