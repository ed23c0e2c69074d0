import type { SimMachine } from '../../lib/sim/index.ts'
import { toText } from '../../lib/sim/disk.ts'
import { logEnd, logStart } from '../../lib/store/layout.ts'
import { decodeGroupHeader } from '../../lib/wire/group.ts'

/** Whenever a write is acknowledged, every member has it on stable storage, also one that has died meanwhile. */
export class DurableVotes {
  readonly problems: string[] = []
  readonly #machines: readonly SimMachine[]
  /** For each machine, the ends of its log after each batch, and the end that is synced. */
  readonly #logs = new Map<SimMachine, { unsynced: Array<{ batch: number, end: number }>, durable: number }>()

  constructor (machines: readonly SimMachine[]) {
    this.#machines = machines
    for (const machine of machines) {
      const log = { unsynced: [] as Array<{ batch: number, end: number }>, durable: 0 }
      this.#logs.set(machine, log)
      machine.disk.onWritten = (batch, changes) => {
        for (const { key, value } of changes) {
          if (value === null || key < toText(logStart) || key >= toText(logEnd)) continue
          const { first, count } = decodeGroupHeader(value)
          log.unsynced.push({ batch, end: first + count - 1 })
        }
      }
      machine.disk.onSync = (batch) => {
        while (log.unsynced.length > 0 && (log.unsynced[0] as { batch: number }).batch <= batch) {
          log.durable = Math.max(log.durable, (log.unsynced.shift() as { end: number }).end)
        }
      }
    }
  }

  /** After a power cut, what is there is what was durable. */
  onDown (machine: SimMachine): void {
    const log = this.#logs.get(machine)
    if (log === undefined || machine.disk.unsynced > 0) return
    log.unsynced = []
    const last = machine.disk.range(toText(logStart), toText(logEnd)).pop()
    if (last === undefined) return
    const { first, count } = decodeGroupHeader(last[1])
    log.durable = Math.max(log.durable, first + count - 1)
  }

  /** A write was acknowledged on this machine, so it is applied there. */
  onAcknowledged (machine: SimMachine): void {
    const { applied } = machine.replicator.stats()
    for (const other of this.#machines) {
      const durable = this.#logs.get(other)?.durable ?? 0
      if (durable < applied) this.problems.push(`${machine.name} acknowledges a write at or before ${applied}, and ${other.name} has the log synced up to ${durable}`)
    }
  }
}
