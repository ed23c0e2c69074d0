import type { SimMachine } from '../../lib/sim/index.ts'
import type { DiskChange } from '../../lib/sim/disk.ts'
import { toBytes, toText } from '../../lib/sim/disk.ts'
import { isReserved, RESERVED } from '../../lib/store/keys.ts'
import { partOf } from './parts.ts'
import { appliedKey, copyKey, decodeApplied } from '../../lib/store/layout.ts'
import type { Group } from '../../lib/core/entry.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'
import type { LogView } from './log-view.ts'
import { durableLogOf, logOf } from './log-view.ts'

/**
 * Watches every disk: each apply must write the operations of the next entries of the one log, and nothing else; and all logs must be
 * equal, byte by byte, wherever something was applied. A copy, and what is applied again after a crash, must end in a state that the
 * log went through. So every local state is a prefix of one order, at every moment.
 */
export class OneOrder {
  readonly problems: string[] = []
  /** The log, as whoever applied a group first had it, from the beginning: no disk holds all of it for ever. */
  readonly log = new Map<number, Uint8Array>()
  readonly #applied = new Map<SimMachine, number>()
  readonly #before: (machine: SimMachine, copied: boolean) => ReadonlyMap<string, string>
  /** Whose data are a copy: what was there before is gone. */
  readonly #copied = new Set<SimMachine>()
  /** Of whom a copy is under way. */
  readonly #copying = new Set<SimMachine>()

  /** `before`: what was in the data of a machine, which may have got a copy since, before the log began, and need not be in the log. */
  constructor (before: (machine: SimMachine, copied: boolean) => ReadonlyMap<string, string> = () => new Map()) {
    this.#before = before
  }

  /** At the beginning, and whenever a process has ended, or the disk is another. */
  onDown (machine: SimMachine): void {
    this.#applied.set(machine, appliedOn(machine))
  }

  onBatch (machine: SimMachine, changes: readonly DiskChange[]): void {
    const [copy, applied] = [copyKey, appliedKey].map(toText)
    const has = (key: string | undefined): boolean => changes.some(change => change.key === key)
    if (!has(applied) && !has(copy)) return

    if (has(copy)) this.#copied.add(machine)
    const before = this.#applied.get(machine) ?? 0
    const now = appliedOn(machine)
    this.#applied.set(machine, now)
    // Until a copy is complete, the data are nothing.
    const wasCopying = this.#copying.has(machine)
    if (machine.disk.get(toText(copyKey)) !== undefined) {
      this.#copying.add(machine)
      // It may be the first that applies this; but where the copy begins, its log is what it was before.
      if (wasCopying && now > before) this.#take(machine, before, now)
      return
    }
    this.#copying.delete(machine)
    if (has(copy)) this.#checkWhole(machine, now, 'a copy')
    else if (now === before) this.#checkWhole(machine, now, 'applied again')
    else this.#checkApplied(machine, before, now, changes)
  }

  #checkApplied (machine: SimMachine, from: number, to: number, changes: readonly DiskChange[]): void {
    if (to < from) this.problems.push(`${machine.name} applies up to ${to} after ${from}`)
    const expected = this.#take(machine, from, to)
    const actual = changes.filter(({ key }) => !isReserved(toBytes(key)))
    if (show(actual) !== show(expected)) this.problems.push(`${machine.name} applies ${from + 1} to ${to} as ${show(actual)}, and the log says ${show(expected)}`)
  }

  /** The entries of the one log that are applied on a machine. Returns what they change there. */
  #take (machine: SimMachine, from: number, to: number): DiskChange[] {
    const expected: DiskChange[] = []
    for (const [, record] of appendedTo(machine).range(from + 1, to + 1)) {
      const group = decodeGroup(record)
      const canonical = this.log.get(group.first)
      if (canonical === undefined) this.log.set(group.first, record)
      else if (toText(canonical) !== toText(record)) this.problems.push(`${machine.name} applies another group at position ${group.first} than the first who did`)
      expected.push(...changesOf(group, machine))
    }
    return expected
  }

  #checkWhole (machine: SimMachine, position: number, what: string): void {
    const expected = new Map<string, Uint8Array>([...this.#before(machine, this.#copied.has(machine))].filter(([key]) => key.startsWith(partOf(machine))).map(([key, value]) => [key, new TextEncoder().encode(value)]))
    let end = 0
    for (const [first, record] of [...this.log].sort(([a], [b]) => a - b)) {
      if (first > position) break
      const group = decodeGroup(record)
      end = first + group.entries.length - 1
      for (const { key, value } of changesOf(group, machine)) {
        if (value === null) expected.delete(key)
        else expected.set(key, value)
      }
    }
    if (end !== position) this.problems.push(`${machine.name} has ${what} as of ${position}, and only ${end} was applied anywhere`)
    const actual = machine.disk.range(null, toText(RESERVED))
    const sorted = [...expected].sort(([a], [b]) => a < b ? -1 : 1)
    if (showAll(actual) !== showAll(sorted)) this.problems.push(`${machine.name} has ${what} as of ${position} with ${show(asChanges(actual))}, and the log says ${show(asChanges(sorted))}`)
  }
}

/** What is in the data; as it will be, if the last write is torn. */
export function appliedOn ({ disk }: SimMachine): number {
  const record = disk.torn ? disk.durable(toText(appliedKey)) : disk.get(toText(appliedKey))
  return record === undefined ? 0 : decodeApplied(record).position
}

/** Nothing is applied that a synced log does not have: a power cut may take it back. Without syncs, it has to be written. */
function appendedTo ({ disk }: SimMachine): LogView {
  const log = logOf(disk)
  return log.inFiles ? durableLogOf(disk) : log
}

/** As far as the machine holds what is changed. */
function changesOf (group: Group, machine: SimMachine): DiskChange[] {
  const part = partOf(machine)
  const changes: DiskChange[] = []
  for (const entry of group.entries) {
    if (entry.kind !== 'write') continue
    for (const op of decodeOperations(entry.body)) {
      const key = toText(op.key)
      if (key.startsWith(part)) changes.push({ key, value: op.type === 'put' ? op.value : null })
    }
  }
  return changes
}

function asChanges (entries: ReadonlyArray<readonly [string, Uint8Array]>): DiskChange[] {
  return entries.map(([key, value]) => ({ key, value }))
}

function show (changes: readonly DiskChange[]): string {
  return JSON.stringify(changes.map(({ key, value }) => [key, value === null ? null : toText(value).slice(0, 40)]))
}

function showAll (entries: ReadonlyArray<readonly [string, Uint8Array]>): string {
  return JSON.stringify(entries.map(([key, value]) => [key, toText(value)]))
}
