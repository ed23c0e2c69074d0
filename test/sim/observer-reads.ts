import { describe, isWrite, keysOf, observationsOf } from '../support/check/history.ts'
import type { Change, History, LogEntry, Operation } from '../support/check/history.ts'
import { deletionSignature, identify } from '../support/check/identify.ts'
import { Versions } from '../support/check/versions.ts'
import type { Observed } from './observed.ts'

/** How far an observer has shown itself to be: states of the log, by their numbers. */
interface Floor {
  /** The last of its own acknowledged writes. */
  written: number
  /** What it was seen in, or was to have reached, since it last lost some of it. */
  seen: number
}

interface Moment {
  readonly time: number
  readonly happens: () => void
}

/**
 * Each read on an observer has to be a state that the log went through, at least as new as the last of the observer's own writes that was
 * acknowledged before, as what it was last seen in, and as everything that anybody was told before a `sync()` that it had done. And whatever
 * an observer has shown is in the past for everybody: what begins later, on whichever node, comes behind that, or sees it.
 *
 * A sweep in real time puts each operation at the first state that it can have been at; that is never too late.
 */
export function checkObserverReads (history: History, observed: readonly Observed[], log: readonly LogEntry[], initial: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  if (observed.length === 0) return problems
  const { indexesOf } = identify(history, log)
  const versions = new Versions(log, initial)
  const keys = new Set([...keysOf(history), ...initial.keys(), ...log.flatMap(entry => entry.changes.map(({ key }) => key))])
  const placed = new Map<number, number>()
  const floors = new Map<string, Floor>()
  /** What somebody has seen, or was told. */
  let past = 0
  /** The same, of what observers have shown. */
  let shown = { state: 0, what: '' }

  const floorOf = (observer: string): Floor => {
    const floor = floors.get(observer) ?? { written: 0, seen: 0 }
    floors.set(observer, floor)
    return floor
  }
  /** How many entries are at or before a position. */
  const stateAt = (position: number): number => log.filter(entry => entry.position <= position).length
  const disagrees = (what: string, state: number, reads: readonly Change[], why: string): string =>
    `${what} is at no state of the log from ${state} on; ${why}. There the state is ${reads.map(({ key }) => `${key}=${versions.valueAt(key, state) ?? '(none)'}`).join(' ')}`

  const begins = (operation: Operation): void => {
    if (!isWrite(operation)) {
      const reads = observationsOf(operation, keys)
      const state = versions.nextMatch(reads, Math.max(past, shown.state))
      if (state >= 0) placed.set(operation.id, state)
      // Otherwise others say it.
      else if (versions.nextMatch(reads, past) >= 0) problems.push(disagrees(describe(operation), shown.state, reads, `before it began, that was ${shown.what}`))
      return
    }
    const states = indexesOf.get(operation.id)?.map(index => index + 1) ?? []
    if (states.length > 0) {
      placed.set(operation.id, Math.max(...states))
      if (Math.min(...states) <= shown.state) problems.push(`${describe(operation)} makes state ${Math.min(...states)} of the log; before it began, state ${shown.state} was ${shown.what}`)
    } else if (deletionSignature(operation) !== null) {
      // Which entry it is, nobody can tell; but it is behind what was there before.
      const changes = operation.kind === 'batch' ? operation.changes : operation.kind === 'del' ? [{ key: operation.key, value: null }] : []
      const state = versions.nextMatch(changes, past)
      if (state >= 0) placed.set(operation.id, state)
    }
  }
  const ends = ({ id }: Operation): void => { past = Math.max(past, placed.get(id) ?? 0) }

  const observe = (event: Observed): Moment[] => {
    const floor = floorOf(event.observer)
    switch (event.kind) {
      case 'read': {
        let state = 0
        const what = event.reads.map(describe).join('; ')
        const begin = (): void => {
          const all = event.reads.flatMap(read => observationsOf(read, keys))
          const reads = all.filter(({ key }) => key.startsWith(event.part))
          const strange = all.find(({ key, value }) => value !== null && !key.startsWith(event.part))
          if (strange !== undefined) problems.push(`${what} has ${strange.key}, and ${event.observer} holds ${event.part} only`)
          const least = Math.max(floor.written, floor.seen)
          state = versions.nextMatch(reads, least)
          if (state >= 0) return
          const why = versions.nextMatch(reads, 0) < 0 ? 'nor before' : `it was at ${floor.seen} already, and its own writes are up to ${floor.written}`
          problems.push(disagrees(what, least, reads, why))
        }
        const end = (): void => {
          floor.seen = Math.max(floor.seen, state)
          past = Math.max(past, state)
          if (state > shown.state) shown = { state, what: `shown by ${what}` }
        }
        return [{ time: event.invoked, happens: begin }, { time: event.completed, happens: end }]
      }
      case 'sync': {
        let reached = 0
        return [
          { time: event.invoked, happens: () => { reached = past } },
          { time: event.completed, happens: () => { floor.seen = Math.max(floor.seen, reached) } }
        ]
      }
      case 'written':
        return [{ time: event.completed, happens: () => { floor.written = Math.max(floor.written, placed.get(event.write) ?? 0) } }]
      case 'new':
      case 'down': {
        const mayForget = event.kind === 'new' || event.mayForget
        const happens = (): void => {
          const end = stateAt(event.end)
          floor.seen = Math.min(floor.seen, end)
          if (mayForget) floor.written = Math.min(floor.written, end)
        }
        return [{ time: event.completed, happens }]
      }
    }
  }

  const moments: Moment[] = history.flatMap(operation => [
    { time: operation.invoked, happens: () => { begins(operation) } },
    ...operation.outcome === 'ok' ? [{ time: operation.completed, happens: () => { ends(operation) } }] : []
  ])
  moments.push(...observed.flatMap(observe))
  for (const { happens } of moments.sort((a, b) => a.time - b.time)) happens()
  return problems.map(problem => `observers: ${problem}`)
}
