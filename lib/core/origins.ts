import type { Entry, MemberId } from './entry.ts'

/** What the log says of one origin. */
export interface OriginRow {
  readonly node: MemberId
  readonly start: number
  /** It was no member when it opened. */
  readonly observer?: true
  /** The highest number that has an entry. */
  readonly highest: number
  /** The position of its last entry, the OPEN one included. */
  readonly last: number
  /** Which numbers up to the highest have not taken effect; absent if all have. */
  readonly rejected?: Rejected
}

export interface Rejected {
  /** The first and the last number of each run of them, rising. */
  readonly runs: readonly number[]
  /** What became of the numbers up to here is not known any more; 0 if of all it is. */
  readonly forgotten: number
}

/** More runs of rejected numbers than this are not kept; the oldest go. */
export const REJECTED_RUNS_MAX = 64

/**
 * What became of a write. `pending`: it has not entered the log, and may yet; `forgotten`: the table says nothing of it (any more).
 */
export type Fate = 'committed' | 'aborted' | 'pending' | 'forgotten'

/**
 * The table of origins: which numbers have entered the log, so that a write enters it once. A pure function of the
 * log up to some position, the same on every node. Holds at most `size` origins of members, and as many of observers, so that tabs that
 * come and go do not make members forget; the one of its kind with the oldest last entry leaves.
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

  fate (id: number, number: number): Fate {
    const row = this.#rows.get(id)
    if (row === undefined) return 'forgotten'
    if (number > row.highest) return 'pending'
    const { runs = [], forgotten = 0 } = row.rejected ?? {}
    if (number <= forgotten) return 'forgotten'
    return runs.some((first, i) => i % 2 === 0 && first <= number && number <= (runs[i + 1] as number)) ? 'aborted' : 'committed'
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
      const { node, start, observer } = entry
      this.#set(position, { node, start, ...observer === true ? { observer } : {}, highest: 0, last: position }, changed)
      const alike = [...this.#rows].filter(([, row]) => row.observer === observer)
      if (alike.length > this.#size) {
        const [oldest] = alike.reduce((a, b) => b[1].last < a[1].last ? b : a)
        this.#rows.delete(oldest)
        changed?.set(oldest, null)
      }
      return
    }

    const row = this.#rows.get(entry.origin)
    // Its id left the table between its submission and this position: nothing to keep.
    if (row === undefined) return
    const { highest } = row
    const { origin, number } = entry
    let { rejected } = row
    // What was passed over never enters the log any more.
    if (number > highest + 1) rejected = reject(rejected, highest + 1, number - 1)
    // No coordinator makes one that is not above all before it; if one did, the runs would not rise, and nobody could read them.
    if (entry.kind === 'skip' && entry.reason !== 'repeated' && number > highest) rejected = reject(rejected, number, number)
    const next = { ...row, highest: Math.max(highest, number), last: position }
    this.#set(origin, rejected === undefined ? next : { ...next, rejected }, changed)
  }

  #set (id: number, row: OriginRow, changed?: Map<number, OriginRow | null>): void {
    this.#rows.set(id, row)
    changed?.set(id, row)
  }
}

/** With one more run, after all others. */
function reject ({ runs, forgotten }: Rejected = { runs: [], forgotten: 0 }, first: number, last: number): Rejected {
  const end = runs[runs.length - 1]
  if (end === first - 1) return { runs: [...runs.slice(0, -1), last], forgotten }
  const all = [...runs, first, last]
  return all.length <= 2 * REJECTED_RUNS_MAX ? { runs: all, forgotten } : { runs: all.slice(2), forgotten: all[1] as number }
}
