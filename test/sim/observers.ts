import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import type { Nemesis } from './nemesis.ts'
import type { Population } from './population.ts'
import type { SimSettings } from './settings.ts'

export function isObserver (machine: SimMachine): boolean {
  return machine.options.role === 'observer'
}

/** The machines that only follow: what happens to them, and to nobody else. */
export class Observers {
  readonly machines: readonly SimMachine[]
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #population: Population
  readonly #nemesis: Nemesis
  readonly #random: Random
  #active = true

  constructor (cluster: SimCluster, settings: SimSettings, { population, nemesis }: { population: Population, nemesis: Nemesis }) {
    this.machines = cluster.machines.filter(isObserver)
    this.#cluster = cluster
    this.#settings = settings
    this.#population = population
    this.#nemesis = nemesis
    this.#random = new Random(settings.seed ^ 0x0b5e)
  }

  /** Before the cluster starts. */
  start (): void {
    for (const machine of this.machines) this.#bringData(machine)
    const { wipes } = this.#settings.observers ?? { wipes: 0 }
    if (wipes > 0) this.#next(wipes)
  }

  stop (): void {
    this.#active = false
  }

  /** Those that can be expected to find one of these: they know an address of theirs. */
  thatKnow (machines: readonly SimMachine[]): SimMachine[] {
    return this.machines.filter(({ peers }) => machines.some(({ name }) => peers.includes(name)))
  }

  /** A person declares some members to be the cluster: it is another one, and nobody shall be connected to it meanwhile. */
  takeDown (): void {
    for (const machine of this.machines) {
      this.#nemesis.kill(machine)
      this.#population.set(machine, 'out')
    }
  }

  /** They begin anew, and know this one. */
  bringBack (known: SimMachine): void {
    for (const machine of this.machines) {
      machine.wipe()
      machine.peers = [known.name]
      this.#population.set(machine, 'observer')
      machine.start()
    }
  }

  #next (rate: number): void {
    this.#cluster.world.schedule(this.#random.skewed(1, 4000 / rate), 'an observer loses its disk', () => {
      if (!this.#active) return
      // A newcomer could not tell a copy of a node from that node, if it met the copy first.
      if (this.#population.those('stale').length === 0) this.#wipe(this.#random.pick(this.machines))
      this.#next(rate)
    })
  }

  #wipe (machine: SimMachine): void {
    const { injected } = this.#nemesis
    injected.wipeObserver = (injected.wipeObserver ?? 0) + 1
    this.#nemesis.kill(machine)
    machine.wipe()
    this.#bringData(machine)
    machine.start()
  }

  /** One key that the others write too, and one that only a copy takes away. */
  #bringData ({ disk }: SimMachine): void {
    if (this.#settings.observers?.own !== true) return
    disk.sync(disk.write(['k1', 'own'].map(key => ({ key, value: new TextEncoder().encode('own') }))))
  }
}
