import type { Run } from '../results.ts'
import { summarize } from './statistics.ts'
import type { Summary } from './statistics.ts'

/** Finds a figure of one run. */
export type Find = (scenario: string, row: string, key: string) => number

class NotMeasured extends Error {}

/** Something that is computed from the figures of one run. */
export type Compute = (find: Find) => number

/**
 * Computed for each run by itself, and then summarized: so what is compared was measured at about the same time. Runs that lack one of
 * the figures are left out; null if all do.
 */
export function computeAll (runs: readonly Run[], compute: Compute): Summary | null {
  const values: number[] = []
  for (const run of runs) {
    try {
      values.push(compute((scenario, row, key) => find(run, scenario, row, key)))
    } catch (error) {
      if (!(error instanceof NotMeasured)) throw error
    }
  }
  return summarize(values)
}

function find (run: Run, scenario: string, row: string, key: string): number {
  const value = run[scenario]?.find(({ name }) => name === row)?.values[key]
  if (value === undefined) throw new NotMeasured(`${scenario}: ${row}: ${key}`)
  return value
}
