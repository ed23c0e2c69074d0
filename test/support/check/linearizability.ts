import type { Change, History, Verdict } from './history.ts'
import { findOrder } from './order.ts'
import { prepare } from './prepare.ts'
import type { Call, PrepareOptions } from './prepare.ts'

export interface LinearizabilityOptions extends PrepareOptions {
  /** The most steps for each key. */
  budget?: number
}

/**
 * Is the history linearizable, each key taken for itself? That is enough for operations on single keys (Herlihy and
 * Wing's locality). Operations on several keys count here as one on each of their keys, at any time between their
 * beginning and their end; whether they are atomic is asked by `checkSerializability`.
 */
export function checkLinearizability (history: History, options: LinearizabilityOptions = {}): Verdict {
  const { calls, keys, problems } = prepare(history, options)
  if (problems.length > 0) return { verdict: 'violation', problems }

  const callsOf = new Map<string, Call[]>(keys.map((key) => [key, []]))
  for (const call of calls) {
    for (const key of touched(call)) {
      callsOf.get(key)?.push({ ...call, reads: only(call.reads, key), writes: only(call.writes, key) })
    }
  }

  const initial = options.initial ?? new Map<string, string>()
  let steps = 0
  for (const [key, ofKey] of callsOf) {
    const verdict = findOrder(ofKey, initial, options.budget ?? 2_000_000, `Key ${JSON.stringify(key)} is not linearizable`)
    if (verdict.verdict !== 'ok') return verdict
    steps += verdict.steps
  }
  return { verdict: 'ok', steps }
}

function touched (call: Call): Set<string> {
  return new Set([...call.reads, ...call.writes].map(({ key }) => key))
}

function only (changes: readonly Change[], key: string): Change[] {
  return changes.filter((change) => change.key === key)
}
