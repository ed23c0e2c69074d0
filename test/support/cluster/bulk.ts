/**
 * Many entries, each written once, beside those of a history, which ends before them. So they need not be recorded: what must be
 * there at the end follows from their numbers.
 */
export interface Bulk {
  /** The number of the first. */
  first: number
  count: number
  /** Of each value, at least 8. */
  bytes: number
  /** How many are written in one batch. */
  perWrite?: number
}

/** All keys of entries in bulk begin with this, and no other key does. */
export const BULK = '~'

export function bulkKey (number: number): string {
  return BULK + String(number).padStart(8, '0')
}

export function bulkValue (number: number, bytes: number): string {
  return String(number).padStart(8, '0').repeat(Math.ceil(bytes / 8)).slice(0, bytes)
}

/** What is missing or wrong in a state, for people; empty if nothing is. */
export function missingOf (bulks: readonly Bulk[], state: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  let count = 0
  for (const bulk of bulks) {
    count += bulk.count
    for (let number = bulk.first; number < bulk.first + bulk.count; number++) {
      const value = state.get(bulkKey(number))
      if (value !== bulkValue(number, bulk.bytes)) problems.push(`${bulkKey(number)} is ${value === undefined ? 'missing' : 'wrong'}`)
    }
  }
  const found = [...state.keys()].filter((key) => key.startsWith(BULK)).length
  if (found > count) problems.push(`${found} entries instead of ${count}`)
  return problems
}
