import { changesOf, describe, inRange, isWrite, keysOf, observationsOf, versionOf } from './history.ts'
import type { Change, History, Operation, Problem, Read, Write } from './history.ts'

/** One atomic step that has to find its place between `invoked` and `completed`. */
export interface Call {
  operation: Operation
  invoked: number
  /** Infinity where nothing says when it must have happened. */
  completed: number
  /** False if it may also never happen. */
  required: boolean
  reads: readonly Change[]
  writes: readonly Change[]
}

export interface Prepared {
  calls: Call[]
  keys: string[]
  /** What is wrong already without looking for an order. */
  problems: Problem[]
}

export interface PrepareOptions {
  /** The state before the history begins. */
  initial?: ReadonlyMap<string, string>
}

/**
 * Turns a history into the calls that a search has to order. Since written values are unique, much is known beforehand,
 * and it makes the search fast: a write that somebody has read did happen, before that read was answered; an unknown
 * write that nobody has read need not be placed at all, unless it deletes.
 */
export function prepare (history: History, options: PrepareOptions = {}): Prepared {
  const initial = options.initial ?? new Map<string, string>()
  const keys = [...new Set([...keysOf(history), ...initial.keys()])].sort()
  const writers = findWriters(history)
  const problems: Problem[] = []
  const calls: Call[] = []

  // When each write was first seen, at the latest.
  const seenBy = new Map<number, number>()
  for (const operation of history) {
    if (isWrite(operation)) continue
    const reads = observationsOf(operation, keys)
    if (reads.length === 0) continue
    calls.push({ operation, invoked: operation.invoked, completed: operation.completed, required: true, reads, writes: [] })

    for (const { key, value } of reads) {
      if (value === null || initial.get(key) === value) continue
      const writer = writers.get(versionOf(key, value))
      const problem = judgeRead(operation, key, value, writer)
      if (problem !== null) problems.push(problem)
      else if (writer !== undefined) seenBy.set(writer.id, Math.min(seenBy.get(writer.id) ?? Infinity, operation.completed))
    }
  }

  for (const operation of history) {
    if (!isWrite(operation) || operation.outcome === 'aborted') continue
    const seen = seenBy.get(operation.id)
    const required = operation.outcome === 'ok' || seen !== undefined
    const completed = Math.min(operation.outcome === 'ok' ? operation.completed : Infinity, seen ?? Infinity)

    if (operation.kind === 'clear') {
      // A clear is a sequence of batches of deletions; of each key, something between its beginning and its end.
      for (const key of keys) {
        if (!inRange(key, operation.range)) continue
        calls.push({ operation, invoked: operation.invoked, completed, required, reads: [], writes: [{ key, value: null }] })
      }
      continue
    }

    const writes = changesOf(operation)
    if (!required && writes.every(({ value }) => value !== null)) continue
    calls.push({ operation, invoked: operation.invoked, completed, required, reads: [], writes })
  }

  return { calls, keys, problems }
}

/** Which operation wrote a value. Throws if two did: then the history was not recorded as it must be. */
export function findWriters (history: History): Map<string, Write> {
  const writers = new Map<string, Write>()
  for (const operation of history) {
    if (operation.kind !== 'put' && operation.kind !== 'batch') continue
    for (const { key, value } of changesOf(operation)) {
      if (value === null) continue
      const version = versionOf(key, value)
      const other = writers.get(version)
      if (other !== undefined) throw new TypeError(`Two operations write the same value: ${describe(other)}, ${describe(operation)}`)
      writers.set(version, operation)
    }
  }
  return writers
}

function judgeRead (read: Read, key: string, value: string, writer: Write | undefined): Problem | null {
  if (writer === undefined) {
    return { rule: 'phantom-value', message: `Nobody wrote ${key}=${value}, but it was read: ${describe(read)}`, operations: [read] }
  }
  if (writer.outcome === 'aborted') {
    return { rule: 'aborted-visible', message: `The write ${describe(writer)} was read: ${describe(read)}`, operations: [writer, read] }
  }
  if (read.completed < writer.invoked) {
    return { rule: 'read-before-write', message: `${describe(read)} saw a write that came later: ${describe(writer)}`, operations: [writer, read] }
  }
  return null
}
