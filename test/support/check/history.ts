/**
 * A recorded history: what clients of a cluster asked, when, and what they were told. The checkers judge a cluster by
 * it alone, whether it comes from real processes or from a simulator.
 */

/**
 * What the client learned. `'aborted'`: definitely not applied, now or later. `'unknown'`: may take effect at any time
 * after the invocation, or never. A read that failed is `'aborted'` and says nothing.
 */
export type Outcome = 'ok' | 'aborted' | 'unknown'

export interface KeyRange {
  gt?: string
  gte?: string
  lt?: string
  lte?: string
  limit?: number
  reverse?: boolean
}

/** One key's new value, or null where it is deleted or absent. */
export interface Change {
  key: string
  value: string | null
}

interface Recorded {
  /** Unique in the history. */
  id: number
  client: string
  node: string
  /** Taken before the request was sent, by the one monotonic clock (or counter) of the history. */
  invoked: number
  /** Taken after the answer came; with outcome `'unknown'`, when the client gave up, which means nothing. */
  completed: number
  outcome: Outcome
}

export interface Put extends Recorded { kind: 'put', key: string, value: string }
export interface Del extends Recorded { kind: 'del', key: string }
export interface Batch extends Recorded { kind: 'batch', changes: readonly Change[] }
export interface Clear extends Recorded { kind: 'clear', range: KeyRange }
/** Reads have a result if, and only if, their outcome is `'ok'`. */
export interface Get extends Recorded { kind: 'get', key: string, result?: string | null }
export interface GetMany extends Recorded { kind: 'getMany', keys: readonly string[], result?: ReadonlyArray<string | null> }
export interface Range extends Recorded { kind: 'range', range: KeyRange, result?: ReadonlyArray<readonly [key: string, value: string]> }

export type Write = Put | Del | Batch | Clear
export type Read = Get | GetMany | Range
/** A put or batch never writes a value that another one writes to the same key: so a read tells which write it saw. */
export type Operation = Write | Read
export type History = readonly Operation[]

/** One entry of the replicas' log: the changes of one committed write. */
export interface LogEntry {
  position: number
  changes: readonly Change[]
  /** The id of the operation in the history, where the recorder knows it; else it is recognised by its values. */
  write?: number
}

/** Something that must not happen, and did. */
export interface Problem {
  rule:
    /** No order of the operations explains what the clients saw. */
    | 'no-order'
    /** The order in the log contradicts real time, or a read saw a state that the log never had, or not then. */
    | 'log-order'
    | 'aborted-visible'
    | 'phantom-value'
    | 'read-before-write'
    | 'lost-write'
    | 'applied-twice'
    | 'torn-batch'
    | 'wrong-state'
    | 'different-replicas'
  message: string
  operations: readonly Operation[]
}

export type Verdict =
  | { verdict: 'ok', steps: number }
  | { verdict: 'violation', problems: readonly Problem[] }
  /** The budget of steps did not suffice. To be treated as a failure. */
  | { verdict: 'undecided', message: string }

export function isWrite (operation: Operation): operation is Write {
  return operation.kind === 'put' || operation.kind === 'del' || operation.kind === 'batch' || operation.kind === 'clear'
}

export function inRange (key: string, range: KeyRange): boolean {
  return !(
    (range.gt !== undefined && !(key > range.gt)) ||
    (range.gte !== undefined && !(key >= range.gte)) ||
    (range.lt !== undefined && !(key < range.lt)) ||
    (range.lte !== undefined && !(key <= range.lte))
  )
}

/** The changes with only the last one of each key, in key order: what remains of them in the state. */
export function netChanges (changes: readonly Change[]): Change[] {
  const last = new Map<string, Change>()
  for (const change of changes) last.set(change.key, change)
  return [...last.values()].sort((a, b) => a.key < b.key ? -1 : 1)
}

/** What a write changes. Not known beforehand for a clear, which is not atomic either: see `prepare`. */
export function changesOf (operation: Put | Del | Batch): Change[] {
  switch (operation.kind) {
    case 'put': return [{ key: operation.key, value: operation.value }]
    case 'del': return [{ key: operation.key, value: null }]
    case 'batch': return netChanges(operation.changes)
  }
}

/**
 * What a read says about each key that it covers, absences included. `keys` are all keys that any operation touches:
 * about others there is nothing to contradict.
 */
export function observationsOf (operation: Read, keys: Iterable<string>): Change[] {
  if (operation.outcome !== 'ok' || operation.result === undefined) return []

  switch (operation.kind) {
    case 'get': return [{ key: operation.key, value: operation.result }]
    case 'getMany': {
      const result = operation.result
      return operation.keys.map((key, i) => ({ key, value: result[i] ?? null }))
    }
    case 'range': {
      const found = new Map(operation.result)
      const last = operation.result[operation.result.length - 1]?.[0]
      const cut = operation.range.limit !== undefined && operation.result.length >= operation.range.limit
      const observations: Change[] = []
      for (const key of new Set([...keys, ...found.keys()])) {
        if (!inRange(key, operation.range)) continue
        // A read that stopped at its limit says nothing about what lies behind the last key.
        if (cut && (last === undefined || (operation.range.reverse === true ? key < last : key > last))) continue
        observations.push({ key, value: found.get(key) ?? null })
      }
      return observations
    }
  }
}

/** All keys that the history mentions. */
export function keysOf (history: History): Set<string> {
  const keys = new Set<string>()
  for (const operation of history) {
    switch (operation.kind) {
      case 'put': case 'del': case 'get': keys.add(operation.key); break
      case 'batch': for (const { key } of operation.changes) keys.add(key); break
      case 'getMany': for (const key of operation.keys) keys.add(key); break
      case 'range': for (const [key] of operation.result ?? []) keys.add(key); break
      case 'clear': break
    }
  }
  return keys
}

/** The name of one value of one key. Values are unique only for their key. */
export function versionOf (key: string, value: string): string {
  return `${key}\u0000${value}`
}

/** One line about an operation, for messages. */
export function describe (operation: Operation): string {
  const time = `${operation.invoked}..${operation.outcome === 'unknown' ? '?' : operation.completed}`
  return `#${operation.id} ${operation.client}@${operation.node} [${time}] ${body(operation)} ${operation.outcome}`
}

export function describeChanges (changes: readonly Change[]): string {
  return changes.map(({ key, value }) => `${key}=${value ?? '(none)'}`).join(' ')
}

function body (operation: Operation): string {
  switch (operation.kind) {
    case 'put': return `put ${operation.key}=${operation.value}`
    case 'del': return `del ${operation.key}`
    case 'batch': return `batch ${describeChanges(operation.changes)}`
    case 'clear': return `clear ${JSON.stringify(operation.range)}`
    case 'get': return `get ${operation.key} -> ${operation.result ?? '(none)'}`
    case 'getMany': return `getMany ${operation.keys.map((key, i) => `${key} -> ${operation.result?.[i] ?? '(none)'}`).join(' ')}`
    case 'range': return `range ${JSON.stringify(operation.range)} -> ${(operation.result ?? []).map((pair) => pair.join('=')).join(' ')}`
  }
}
