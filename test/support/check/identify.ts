import { changesOf, describe, describeChanges, inRange, isWrite, netChanges, versionOf } from './history.ts'
import type { Change, History, LogEntry, Operation, Problem, Write } from './history.ts'
import { findWriters } from './prepare.ts'

/** An entry that only deletes, and that any of several writes may have caused. */
export interface Deletion {
  index: number
  changes: readonly Change[]
  signature: string
}

export interface Identified {
  /** The indexes in the log, not the positions, at which each operation stands; several only for a clear. */
  indexesOf: Map<number, number[]>
  deletions: Deletion[]
  problems: Problem[]
}

/** Finds out which operation each entry of the log comes from: by its values, which are unique. */
export function identify (history: History, log: readonly LogEntry[]): Identified {
  const writers = findWriters(history)
  const byId = new Map<number, Operation>(history.map((operation) => [operation.id, operation]))
  const indexesOf = new Map<number, number[]>()
  const deletions: Deletion[] = []
  const problems: Problem[] = []

  log.forEach((entry, index) => {
    const changes = netChanges(entry.changes)
    const operation = sourceOf(entry, changes)
    if (operation === null) {
      if (changes.length > 0) deletions.push({ index, changes, signature: signatureOf(changes) })
      return
    }
    if (operation === undefined) {
      problems.push({ rule: 'phantom-value', message: `Nobody wrote what is at position ${entry.position}: ${describeChanges(changes)}`, operations: [] })
      return
    }

    const indexes = indexesOf.get(operation.id) ?? []
    indexesOf.set(operation.id, [...indexes, index])
    if (operation.outcome === 'aborted') {
      problems.push({ rule: 'aborted-visible', message: `In the log at position ${entry.position}: ${describe(operation)}`, operations: [operation] })
    }
    if (operation.kind === 'clear') return
    if (indexes.length > 0) {
      const first = log[indexes[0]!]!.position
      problems.push({ rule: 'applied-twice', message: `In the log at positions ${first} and ${entry.position}: ${describe(operation)}`, operations: [operation] })
    }
    if (signatureOf(changes) !== signatureOf(changesOf(operation))) {
      problems.push({ rule: 'torn-batch', message: `Position ${entry.position} holds ${describeChanges(changes)}, but it was ${describe(operation)}`, operations: [operation] })
    }
  })

  return { indexesOf, deletions, problems }

  // Null: a deletion of anybody's. Undefined: nobody's.
  function sourceOf (entry: LogEntry, changes: readonly Change[]): Write | null | undefined {
    if (entry.write !== undefined) {
      const operation = byId.get(entry.write)
      return operation !== undefined && isWrite(operation) ? operation : undefined
    }
    for (const { key, value } of changes) if (value !== null) return writers.get(versionOf(key, value))
    return null
  }
}

/** What a write that only deletes would look like in the log; null for other operations. */
export function deletionSignature (operation: Operation): string | null {
  if (operation.kind !== 'del' && operation.kind !== 'batch') return null
  const changes = changesOf(operation)
  return changes.length > 0 && changes.every(({ value }) => value === null) ? signatureOf(changes) : null
}

/** One of the writes that may have caused a deletion, and the indexes between which it must stand, both included. */
export interface Claim {
  operation: Operation
  from: number
  to: number
}

/**
 * Can the deletions of one signature be told apart so that each claim that `mustHave` an entry gets one of its own, and
 * each entry belongs to a claim or a clear? Both by themselves are matchings on intervals, for which taking the claim that
 * ends first is optimal; that both hold at once follows from the theorem of Mendelsohn and Dulmage.
 */
export function matchDeletions (
  deletions: readonly Deletion[],
  claims: readonly Claim[],
  clears: readonly Claim[],
  mustHave: (operation: Operation) => boolean
): { unmatchedClaims: Claim[], unmatchedDeletions: Deletion[] } {
  const byClear = ({ index, changes }: Deletion): boolean => clears.some(({ operation, from, to }) => {
    return from <= index && index <= to && operation.kind === 'clear' && changes.every(({ key }) => inRange(key, operation.range))
  })
  const { unmatchedClaims } = assign(deletions, claims.filter(({ operation }) => mustHave(operation)))
  const { unmatchedDeletions } = assign(deletions.filter((deletion) => !byClear(deletion)), claims)
  return { unmatchedClaims, unmatchedDeletions }
}

function assign (deletions: readonly Deletion[], claims: readonly Claim[]): { unmatchedClaims: Claim[], unmatchedDeletions: Deletion[] } {
  const open = new Set(claims)
  const unmatchedDeletions: Deletion[] = []

  for (const deletion of deletions) {
    let best: Claim | undefined
    for (const claim of open) {
      if (claim.from > deletion.index || claim.to < deletion.index) continue
      if (best === undefined || claim.to < best.to) best = claim
    }
    if (best === undefined) unmatchedDeletions.push(deletion)
    else open.delete(best)
  }
  return { unmatchedClaims: [...open], unmatchedDeletions }
}

function signatureOf (changes: readonly Change[]): string {
  return JSON.stringify(netChanges(changes).map(({ key, value }) => [key, value]))
}
