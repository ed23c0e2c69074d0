import { deletionSignature, identify, matchDeletions } from './identify.ts'
import type { Claim, Deletion, Identified } from './identify.ts'
import { describe, describeChanges, inRange, isWrite, keysOf, observationsOf } from './history.ts'
import type { Change, History, LogEntry, Operation, Problem, Verdict, Write } from './history.ts'
import type { PrepareOptions } from './prepare.ts'
import { Versions } from './versions.ts'

interface Event {
  time: number
  operation: Operation
  end: boolean
}

/**
 * Does the order of the log explain the history? A sweep in real time keeps the earliest state that all finished
 * operations allow. Each read is put at the first state from there on that agrees with it: the earliest choice is never
 * worse for what comes later. A write that begins after that must stand behind that state.
 */
export function checkAgainstLog (history: History, log: readonly LogEntry[], options: PrepareOptions = {}): Verdict {
  const identified = identify(history, log)
  const problems = [...identified.problems]
  const versions = new Versions(log, options.initial ?? new Map())
  const keys = new Set([...keysOf(history), ...log.flatMap((entry) => entry.changes.map(({ key }) => key))])
  const events = eventsOf(history)
  const earliest = sweepForward(events, { identified, versions, keys, log, problems })

  if (identified.deletions.length > 0 || history.some((operation) => operation.outcome === 'ok' && deletionSignature(operation) !== null)) {
    const latest = sweepBackward(events, { identified, versions, keys })
    problems.push(...judgeDeletions(history, log, identified, earliest, latest))
  }

  return problems.length > 0 ? { verdict: 'violation', problems } : { verdict: 'ok', steps: events.length }
}

interface Sweep {
  identified: Identified
  versions: Versions
  keys: Set<string>
  log: readonly LogEntry[]
  problems: Problem[]
}

/** Returns, for each operation, the last state known to be in the past when it began. */
function sweepForward (events: readonly Event[], { identified, versions, keys, log, problems }: Sweep): Map<number, number> {
  const floors = new Map<number, number>()
  const placed = new Map<number, number>()
  let floor = 0
  // The operation that raised the floor, to name it.
  let witness: Operation | null = null

  for (const { operation, end } of events) {
    if (end) {
      const state = placed.get(operation.id)
      if (operation.outcome === 'ok' && state !== undefined && state > floor) {
        floor = state
        witness = operation
      }
      continue
    }

    floors.set(operation.id, floor)
    if (isWrite(operation)) {
      const states = (identified.indexesOf.get(operation.id) ?? []).map((index) => index + 1)
      if (states.length > 0) placed.set(operation.id, Math.max(...states))
      const early = states.find((state) => state <= floor)
      if (early !== undefined) {
        problems.push({
          rule: 'log-order',
          message: `At position ${log[early - 1]!.position} of the log stands ${describe(operation)}\nbut before it began, this had seen or written position ${positionAt(log, floor)}: ${witness === null ? '' : describe(witness)}`,
          operations: witness === null ? [operation] : [operation, witness]
        })
      }
      if (operation.kind === 'clear' && operation.outcome === 'ok') {
        // It found each key absent, or made it so, at some time; for each by itself.
        for (const key of keys) {
          if (!inRange(key, operation.range)) continue
          const state = versions.nextMatch([{ key, value: null }], floor)
          if (state < 0) problems.push({ rule: 'lost-write', message: `${key} was never absent after ${describe(operation)}`, operations: [operation] })
          else placed.set(operation.id, Math.max(placed.get(operation.id) ?? 0, state))
        }
      }
      continue
    }

    const reads = observationsOf(operation, keys)
    const state = versions.nextMatch(reads, floor)
    if (state >= 0) placed.set(operation.id, state)
    else {
      problems.push({
        rule: 'log-order',
        message: `No state of the log from position ${positionAt(log, floor)} on agrees with ${describe(operation)}\nThere the state is ${describeChanges(reads.map(({ key }) => ({ key, value: versions.valueAt(key, floor) })))}${witness === null ? '' : `\nIt is that late because of ${describe(witness)}`}`,
        operations: witness === null ? [operation] : [operation, witness]
      })
    }
  }
  return floors
}

/** Returns, for each operation, the first state known to be in the future when it ended. */
function sweepBackward (events: readonly Event[], { identified, versions, keys }: Pick<Sweep, 'identified' | 'versions' | 'keys'>): Map<number, number> {
  const ceilings = new Map<number, number>()
  let ceiling = versions.count

  for (let i = events.length - 1; i >= 0; i--) {
    const { operation, end } = events[i]!
    if (end) {
      ceilings.set(operation.id, operation.outcome === 'ok' ? ceiling : versions.count)
      continue
    }
    if (isWrite(operation)) {
      for (const index of identified.indexesOf.get(operation.id) ?? []) ceiling = Math.min(ceiling, index)
    } else {
      const state = versions.previousMatch(observationsOf(operation, keys), ceilings.get(operation.id) ?? versions.count)
      if (state >= 0) ceiling = Math.min(ceiling, state)
    }
  }
  return ceilings
}

function judgeDeletions (
  history: History,
  log: readonly LogEntry[],
  { indexesOf, deletions }: Identified,
  earliest: ReadonlyMap<number, number>,
  latest: ReadonlyMap<number, number>
): Problem[] {
  const problems: Problem[] = []
  const claim = (operation: Operation): Claim => ({
    operation,
    from: earliest.get(operation.id) ?? 0,
    // State i comes after the entry with index i - 1.
    to: (latest.get(operation.id) ?? log.length) - 1
  })
  const open = history.filter((operation): operation is Write => isWrite(operation) && operation.outcome !== 'aborted' && !indexesOf.has(operation.id))
  const clears = open.filter(({ kind }) => kind === 'clear').map(claim)
  const claimsOf = group(open.filter((operation) => deletionSignature(operation) !== null), (operation) => deletionSignature(operation) as string)
  const deletionsOf = group(deletions, (deletion: Deletion) => deletion.signature)

  for (const signature of new Set([...claimsOf.keys(), ...deletionsOf.keys()])) {
    const { unmatchedClaims, unmatchedDeletions } = matchDeletions(
      deletionsOf.get(signature) ?? [], (claimsOf.get(signature) ?? []).map(claim), clears, ({ outcome }) => outcome === 'ok')
    for (const { operation, from, to } of unmatchedClaims) {
      problems.push({ rule: 'log-order', message: `No entry of the log, from index ${from} to ${to}, can be ${describe(operation)}`, operations: [operation] })
    }
    for (const { index, changes } of unmatchedDeletions) {
      problems.push({ rule: 'log-order', message: `Nobody can have written, at that time, position ${log[index]!.position}: ${describeChanges(changes as Change[])}`, operations: [] })
    }
  }
  return problems
}

function eventsOf (history: History): Event[] {
  const events: Event[] = []
  for (const operation of history) {
    events.push({ time: operation.invoked, operation, end: false })
    events.push({ time: operation.outcome === 'ok' ? operation.completed : Infinity, operation, end: true })
  }
  // At the same time beginnings come first: the operations overlap.
  return events.sort((a, b) => (a.time === b.time ? 0 : a.time - b.time) || Number(a.end) - Number(b.end))
}

function positionAt (log: readonly LogEntry[], state: number): number {
  return state === 0 ? 0 : log[state - 1]!.position
}

function group<T> (items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const found = groups.get(key)
    if (found === undefined) groups.set(key, [item])
    else found.push(item)
  }
  return groups
}
