import { codes } from '../../lib/errors.ts'
import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { isIdle } from './log-view.ts'
import { isDamage } from './node-errors.ts'

const LOOK_MS = 10

/**
 * Starts machines on whose disk the last batch is torn. The node has to notice, and to refuse to start without changing
 * anything; then the batch is removed, as by a store that keeps its promise, and the node starts again.
 */
export class TornTails {
  readonly problems: string[] = []
  readonly #cluster: SimCluster
  readonly #onRefused: (machine: SimMachine) => void

  /** `onRefused` has to mend the disk and to start the machine again. */
  constructor (cluster: SimCluster, onRefused: (machine: SimMachine) => void) {
    this.#cluster = cluster
    this.#onRefused = onRefused
  }

  start (machine: SimMachine): void {
    if (machine.up) return
    const { tornKey } = machine.disk
    // The node looks at it no more than at what was there before.
    if (tornKey !== null && isIdle(machine.disk, tornKey)) machine.disk.mend()
    const { torn } = machine.disk
    const written = writtenOn(machine)
    machine.start()
    if (torn) this.#look(machine, machine.replicator, written)
  }

  #look (machine: SimMachine, replicator: SimMachine['replicator'], written: number): void {
    this.#cluster.world.schedule(LOOK_MS, 'looks for a torn tail', () => {
      // Another start has its own.
      if (!machine.up || machine.replicator !== replicator || !machine.disk.torn) return
      const { status, lastError } = replicator.stats()
      if (status === 'opening') return this.#look(machine, replicator, written)
      // Closed, or failed for another reason: it says nothing.
      if (status === 'closed' || (status === 'failed' && (lastError as { code?: unknown } | null)?.code === codes.storeFailed)) return

      if (status !== 'failed') this.problems.push(`${machine.name} starts on a torn disk and is ${status}`)
      else if (!isDamage(lastError)) this.problems.push(`${machine.name} does not start on a torn disk, because of: ${String(lastError)}`)
      if (writtenOn(machine) !== written) this.problems.push(`${machine.name} writes to a torn disk`)
      this.#cluster.world.say(`${machine.name} has found that its last write is torn`)
      this.#onRefused(machine)
    })
  }
}

function writtenOn ({ disk }: SimMachine): number {
  return disk.written + disk.files.written
}
