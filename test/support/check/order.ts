import { describe, describeChanges, versionOf } from './history.ts'
import type { Problem, Verdict } from './history.ts'
import type { Call } from './prepare.ts'
import { search } from './search.ts'
import type { SearchProblem, Stuck } from './search.ts'

/** Looks for an order of the calls that explains all reads. `title` begins the message if there is none. */
export function findOrder (calls: readonly Call[], initial: ReadonlyMap<string, string>, budget: number, title: string): Verdict {
  const { problem, names } = number(calls, initial)
  const result = search(problem, budget)

  switch (result.verdict) {
    case 'ok': return { verdict: 'ok', steps: result.steps }
    case 'undecided': return { verdict: 'undecided', message: `${title}: undecided after ${result.steps} steps, ${calls.length} calls` }
    case 'violation': return { verdict: 'violation', problems: [explain(calls, names, result.stuck, title)] }
  }
}

/** Replaces keys and values by numbers. */
function number (calls: readonly Call[], initial: ReadonlyMap<string, string>): { problem: SearchProblem, names: string[] } {
  const keyNumbers = new Map<string, number>()
  const versionNumbers = new Map<string, number>()
  const keyOf: number[] = []
  const names: string[] = []
  const state: number[] = []

  const problem = {
    keyOf,
    initial: state,
    calls: calls.map((call) => ({
      invoked: call.invoked,
      completed: call.completed,
      required: call.required,
      reads: call.reads.map(({ key, value }) => version(key, value)),
      writes: call.writes.map(({ key, value }) => version(key, value))
    }))
  }
  return { problem, names }

  function version (key: string, value: string | null): number {
    let keyNumber = keyNumbers.get(key)
    if (keyNumber === undefined) {
      keyNumber = keyNumbers.size
      keyNumbers.set(key, keyNumber)
      state[keyNumber] = -1
      state[keyNumber] = version(key, initial.get(key) ?? null)
    }

    const name = value === null ? key : versionOf(key, value)
    const known = versionNumbers.get(name)
    if (known !== undefined) return known
    versionNumbers.set(name, keyOf.length)
    keyOf.push(keyNumber)
    names.push(describeChanges([{ key, value }]))
    return keyOf.length - 1
  }
}

function explain (calls: readonly Call[], names: readonly string[], stuck: Stuck, title: string): Problem {
  const line = (index: number): string => `  ${describe(calls[index]!.operation)}`
  // The ones that nobody waits for would only hide what got stuck.
  const next = stuck.next.filter((index) => calls[index]!.required)
  const shown = new Set([...stuck.last, ...next, ...stuck.waiting].map((index) => calls[index]!.operation))

  const message = [
    `${title}: ${stuck.placed} of ${calls.length} calls can be put in order. The last ones:`,
    ...stuck.last.map(line),
    `Then the state is: ${stuck.state.map((version) => names[version]).join(', ')}`,
    'and none of these can come next:',
    ...next.map(line),
    ...(stuck.waiting.length === 0 ? [] : ['for these saw that state, but did not begin before:', ...stuck.waiting.map(line)])
  ].join('\n')
  return { rule: 'no-order', message, operations: [...shown] }
}
