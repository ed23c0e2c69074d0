import type { History, LogEntry, Verdict } from './history.ts'
import { checkAgainstLog } from './log-order.ts'
import { findOrder } from './order.ts'
import { prepare } from './prepare.ts'
import type { PrepareOptions } from './prepare.ts'

export interface SerializabilityOptions extends PrepareOptions {
  /**
   * All committed writes from the beginning, in the order of the replicas' log. With it the check is exact and takes
   * O(n log n); without it, an order is searched.
   */
  log?: readonly LogEntry[]
  /** The most steps of the search. */
  budget?: number
}

/**
 * Is there one order of all operations, with each of them between its beginning and its end, in which every read of
 * several keys saw one state, and every batch is one step?
 */
export function checkSerializability (history: History, options: SerializabilityOptions = {}): Verdict {
  const { calls, problems } = prepare(history, options)
  if (problems.length > 0) return { verdict: 'violation', problems }

  if (options.log !== undefined) return checkAgainstLog(history, options.log, options)
  return findOrder(calls, options.initial ?? new Map(), options.budget ?? 2_000_000, 'Not strictly serializable')
}
