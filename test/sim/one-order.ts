import type { SimMachine } from '../../lib/sim/index.ts'
import type { DiskChange } from '../../lib/sim/disk.ts'
import { toBytes, toText } from '../../lib/sim/disk.ts'
import { isReserved } from '../../lib/store/keys.ts'
import { appliedKey, decodeApplied, logKey } from '../../lib/store/layout.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'

/**
 * Watches every disk: each apply must write exactly the operations of the next entries of the one log, and all logs must
 * be equal, byte by byte, wherever something was applied. So every local state is a prefix of one order, at every moment.
 */
export class OneOrder {
  readonly problems: string[] = []
  /** The log, as whoever applied a group first had it. */
  readonly #log = new Map<number, string>()

  watch (machine: SimMachine): void {
    const { disk } = machine
    let applied = this.appliedOn(machine)
    disk.onBatch = (changes) => {
      const record = changes.find(change => change.key === toText(appliedKey))?.value
      if (record === undefined || record === null) return
      const { position } = decodeApplied(record)
      this.#check(machine, applied, position, changes)
      applied = position
    }
  }

  appliedOn ({ disk }: SimMachine): number {
    const record = disk.get(toText(appliedKey))
    return record === undefined ? 0 : decodeApplied(record).position
  }

  #check (machine: SimMachine, from: number, to: number, changes: readonly DiskChange[]): void {
    if (to <= from) this.problems.push(`${machine.name} applies up to ${to} after ${from}`)
    const expected: DiskChange[] = []
    for (const [, record] of machine.disk.range(toText(logKey(from + 1)), toText(logKey(to + 1)))) {
      const group = decodeGroup(record)
      const text = toText(record)
      const canonical = this.#log.get(group.first)
      if (canonical === undefined) this.#log.set(group.first, text)
      else if (canonical !== text) this.problems.push(`${machine.name} applies another group at position ${group.first} than the first who did`)
      for (const entry of group.entries) {
        if (entry.kind !== 'write') continue
        for (const op of decodeOperations(entry.body)) expected.push({ key: toText(op.key), value: op.type === 'put' ? op.value : null })
      }
    }
    const actual = changes.filter(({ key }) => !isReserved(toBytes(key)))
    if (show(actual) !== show(expected)) this.problems.push(`${machine.name} applies ${from + 1} to ${to} as ${show(actual)}, and the log says ${show(expected)}`)
  }
}

function show (changes: readonly DiskChange[]): string {
  return JSON.stringify(changes.map(({ key, value }) => [key, value === null ? null : toText(value).slice(0, 40)]))
}
