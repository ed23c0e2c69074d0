import { deletionSignature, identify, matchDeletions } from './identify.ts'
import { changesOf, describe, describeChanges, isWrite, netChanges, versionOf } from './history.ts'
import type { History, LogEntry, Operation, Problem, Verdict, Write } from './history.ts'
import { findWriters, prepare } from './prepare.ts'
import type { PrepareOptions } from './prepare.ts'

export interface DurabilityOptions extends PrepareOptions {
  /** The data of the replicas when all is over. */
  state: ReadonlyMap<string, string>
  /** All committed writes from the beginning. Without it, only what the state tells is checked. */
  log?: readonly LogEntry[]
}

/**
 * Every acknowledged write took place exactly once, every aborted one never, every unknown one at most once, batches all
 * or nothing: in the log, in the final state, and in what was read.
 */
export function checkDurability (history: History, options: DurabilityOptions): Verdict {
  const problems = [...prepare(history, options).problems]
  problems.push(...judgeState(history, options))
  if (options.log !== undefined) problems.push(...judgeLog(history, options.log), ...judgeReplay(options.log, options))
  return problems.length > 0 ? { verdict: 'violation', problems } : { verdict: 'ok', steps: history.length }
}

function judgeLog (history: History, log: readonly LogEntry[]): Problem[] {
  const { indexesOf, deletions, problems } = identify(history, log)
  const everywhere = (operation: Operation): { operation: Operation, from: number, to: number } => ({ operation, from: 0, to: log.length })
  const clears = history.filter(({ kind, outcome }) => kind === 'clear' && outcome !== 'aborted').map(everywhere)
  const deleting = new Map<string, Write[]>()

  for (const operation of history) {
    if (!isWrite(operation) || operation.kind === 'clear' || operation.outcome === 'aborted' || indexesOf.has(operation.id)) continue
    const signature = deletionSignature(operation)
    if (signature !== null) deleting.set(signature, [...deleting.get(signature) ?? [], operation])
    else if (operation.outcome === 'ok' && changesOf(operation).length > 0) problems.push(lost(operation, 'is not in the log'))
  }

  for (const signature of new Set([...deleting.keys(), ...deletions.map((deletion) => deletion.signature)])) {
    const { unmatchedClaims, unmatchedDeletions } = matchDeletions(
      deletions.filter((deletion) => deletion.signature === signature),
      (deleting.get(signature) ?? []).map(everywhere), clears, ({ outcome }) => outcome === 'ok')
    for (const { operation } of unmatchedClaims) problems.push(lost(operation, 'is not in the log often enough'))
    for (const { index, changes } of unmatchedDeletions) {
      problems.push({ rule: 'applied-twice', message: `One deletion more in the log than was asked for, at position ${log[index]!.position}: ${describeChanges(changes)}`, operations: [] })
    }
  }
  return problems
}

/** The final state must be what the log says. */
function judgeReplay (log: readonly LogEntry[], { state, initial }: DurabilityOptions): Problem[] {
  const expected = new Map(initial)
  for (const entry of log) {
    for (const { key, value } of entry.changes) {
      if (value === null) expected.delete(key)
      else expected.set(key, value)
    }
  }

  const problems: Problem[] = []
  for (const key of new Set([...expected.keys(), ...state.keys()])) {
    if (expected.get(key) === state.get(key)) continue
    const message = `At the end ${key} is ${state.get(key) ?? '(none)'}, but the log says ${expected.get(key) ?? '(none)'}`
    problems.push({ rule: 'wrong-state', message, operations: [] })
  }
  return problems
}

/** What can be said from the final state alone: every value was written, and was not surely overwritten before the end. */
function judgeState (history: History, { state, initial }: DurabilityOptions): Problem[] {
  const problems: Problem[] = []
  const writers = findWriters(history)
  // The last beginning of an acknowledged write of each key: what ended before that was overwritten.
  const overwritten = new Map<string, Write>()
  for (const operation of history) {
    if (!isWrite(operation) || operation.kind === 'clear' || operation.outcome !== 'ok') continue
    for (const { key } of changesOf(operation)) {
      const other = overwritten.get(key)
      if (other === undefined || other.invoked < operation.invoked) overwritten.set(key, operation)
    }
  }

  for (const [key, value] of state) {
    const later = overwritten.get(key)
    if (initial?.get(key) === value) {
      if (later !== undefined) problems.push(lost(later, `is lost: at the end ${key} is still ${value}`))
      continue
    }
    const writer = writers.get(versionOf(key, value))
    if (writer === undefined) {
      problems.push({ rule: 'phantom-value', message: `Nobody wrote ${key}=${value}, but it is there at the end`, operations: [] })
    } else if (writer.outcome === 'aborted') {
      problems.push({ rule: 'aborted-visible', message: `There at the end: ${describe(writer)}`, operations: [writer] })
    } else if (writer.outcome === 'ok' && later !== undefined && writer.completed < later.invoked) {
      problems.push(lost(later, `is lost: at the end ${key} is still ${value}`))
    } else problems.push(...judgeBatch(writer, state, history))
  }

  for (const [key, writer] of overwritten) {
    if (state.has(key) || history.some((operation) => mayDelete(operation, key, writer))) continue
    problems.push(lost(writer, `is lost: at the end there is no ${key}`))
  }
  return problems
}

/** If one key of a batch has its value at the end, the others have theirs, unless something may have overwritten them. */
function judgeBatch (writer: Write, state: ReadonlyMap<string, string>, history: History): Problem[] {
  if (writer.kind !== 'batch') return []
  const missing = netChanges(writer.changes).filter(({ key, value }) => {
    return (state.get(key) ?? null) !== value && !history.some((operation) => mayFollow(operation, key, writer))
  })
  if (missing.length === 0) return []
  return [{ rule: 'torn-batch', message: `At the end ${describeChanges(missing)} is missing of ${describe(writer)}`, operations: [writer] }]
}

function mayDelete (operation: Operation, key: string, write: Write): boolean {
  if (operation.kind === 'clear') return operation.outcome !== 'aborted' && mayEndAfter(operation, write)
  return mayFollow(operation, key, write) && isWrite(operation) &&
    changesOf(operation).some((change) => change.key === key && change.value === null)
}

/** May this have come after that write, and changed that key? The write itself may, if it is the deletion. */
function mayFollow (operation: Operation, key: string, write: Write): boolean {
  if (!isWrite(operation) || operation.outcome === 'aborted' || !mayEndAfter(operation, write)) return false
  if (operation.kind === 'clear') return true
  if (operation === write) return changesOf(operation).some((change) => change.key === key && change.value === null)
  return changesOf(operation).some((change) => change.key === key)
}

function mayEndAfter (operation: Operation, write: Write): boolean {
  return operation.outcome === 'unknown' || operation.completed >= write.invoked
}

function lost (operation: Operation, how: string): Problem {
  return { rule: 'lost-write', message: `Acknowledged, but ${how}: ${describe(operation)}`, operations: [operation] }
}
