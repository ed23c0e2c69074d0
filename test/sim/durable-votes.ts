import type { SimMachine } from '../../lib/sim/index.ts'
import { toText } from '../../lib/sim/disk.ts'
import { appliedKey, copyKey, decodeApplied } from '../../lib/store/layout.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'
import type { Change } from '../support/check/history.ts'
import type { LogRecord } from './log-view.ts'
import { durableLogOf } from './log-view.ts'
import { isObserver } from './observers.ts'
import type { Holder } from './population.ts'

/** Where a write is: in the group that begins there and has these bytes. */
interface Place {
  readonly position: number
  readonly first: number
  readonly record: string
}

const [applied, copy] = [appliedKey, copyKey].map(toText) as [string, string]

/** What a write that was called on a machine, at a moment of the history, needs. */
export interface DurabilityRules {
  /** How many others must have it. */
  others (machine: SimMachine, invoked: number): number
  /** Who of them count. */
  holders (machine: SimMachine, invoked: number): readonly Holder[]
}

/**
 * Whenever a write is acknowledged, the node on which it was called and at least so many others as it is set to have it on
 * stable storage, in the log or in the data. It does not matter whether they are up.
 */
export class DurableVotes {
  readonly problems: string[] = []
  readonly #rules: DurabilityRules
  /** For each machine, where its log has, or had, each version of each key. */
  readonly #places = new Map<SimMachine, Map<string, Place>>()

  constructor (rules: DurabilityRules) {
    this.#rules = rules
  }

  /** These are written to a log; whether they are durable by now, is another matter. */
  onRecords (machine: SimMachine, records: readonly LogRecord[]): void {
    const places = this.#places.get(machine) ?? new Map<string, Place>()
    this.#places.set(machine, places)
    for (const [first, bytes] of records) {
      const record = toText(bytes)
      decodeGroup(bytes).entries.forEach((entry, i) => {
        if (entry.kind !== 'write') return
        const place = { position: first + i, first, record }
        for (const op of decodeOperations(entry.body)) {
          if (op.type === 'put') places.set(version(toText(op.key), toText(op.value)), place)
        }
      })
    }
  }

  /** Deletions cannot be told apart, so of a write that only deletes nothing is known. `invoked`: when it was called. */
  onAcknowledged (machine: SimMachine, changes: readonly Change[], invoked: number): void {
    const put = changes.find(change => change.value !== null)
    if (put === undefined) return
    const place = this.#places.get(machine)?.get(version(put.key, put.value as string))
    // It came with a copy of the data.
    if (place === undefined) return

    const needed = this.#rules.others(machine, invoked)
    const holders = this.#rules.holders(machine, invoked).filter(other => holds(other, place, other.disk === machine.disk && isObserver(machine)))
    const others = holders.filter(({ disk }) => disk !== machine.disk).length
    if (holders.length > others && others >= needed) return
    this.problems.push(`${machine.name} acknowledges a write at position ${place.position}, which only ${holders.map(({ name }) => name).join(', ') || 'nobody'} has on stable storage; ` +
      `it needs ${needed} others`)
  }
}

/** Whether it would be there after a power cut. */
function holds ({ disk }: Holder, { position, first, record }: Place, mayCopy: boolean): boolean {
  // Data that are being copied are of no use to anybody; but to an observer itself, which goes on copying, and answers nothing before it is done.
  if (!mayCopy && disk.durable(copy) !== undefined) return false
  const log = durableLogOf(disk)
  const inLog = log.get(first)
  if (inLog !== undefined && toText(inLog) === record) return true
  // What is applied need not be durable, unless the store or the log says so.
  const state = disk.durable(applied)
  return state !== undefined && Math.max(decodeApplied(state).durable, log.base.position) >= position
}

function version (key: string, value: string): string {
  return `${key}\0${value}`
}
