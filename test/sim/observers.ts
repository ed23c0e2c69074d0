import { codes } from '../../lib/errors.ts'
import type { DiskImage } from '../../lib/sim/disk.ts'
import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import type { Nemesis } from './nemesis.ts'
import { partOf } from './parts.ts'
import type { Population } from './population.ts'
import { idOf, identityOf } from './population.ts'
import type { SimSettings } from './settings.ts'
import { plainObservers } from './settings.ts'

export function isObserver (machine: SimMachine): boolean {
  return machine.options.role === 'observer'
}

function leads (machine: SimMachine): boolean {
  return machine.up && machine.replicator.stats().isCoordinator
}

/** The machines that only follow: what happens to them, and to nobody else. */
export class Observers {
  readonly machines: readonly SimMachine[]
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #population: Population
  readonly #nemesis: Nemesis
  readonly #random: Random
  readonly problems: string[] = []
  /** How often one was found to run on an old image. */
  refused = 0
  readonly #images = new Map<SimMachine, DiskImage>()
  /** Whose disks are, or were, old images. */
  readonly #putBack = new Set<SimMachine>()
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
    const { wipes, walls, images } = this.#settings.observers ?? { ...plainObservers, wipes: 0 }
    if (wipes > 0) this.#next(wipes, 'an observer loses its disk', () => { this.#lose(this.#random.pick(this.machines)) })
    if (walls > 0) this.#next(walls, 'a wall', () => { this.#wall(this.#random.pick(this.machines)) })
    if (images > 0) {
      this.#next(2 * images, 'an old image', () => { this.#imageOf(this.#random.pick(this.machines)) })
      this.#look()
    }
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
      this.#putBack.delete(machine)
      machine.wipe()
      machine.peers = [known.name]
      this.#population.set(machine, 'observer')
      machine.start()
    }
  }

  /** Without any fault, each has a way to one of these only, which does not lead. Returns whether that is possible. */
  wallIn (members: readonly SimMachine[]): boolean {
    if ((this.#settings.observers?.walls ?? 0) === 0) return false
    const ways = this.machines.map(machine => this.#othersOf(machine, members).filter(other => !leads(other)))
    if (ways.some(others => others.length === 0)) return false
    this.machines.forEach((machine, i) => {
      const kept = this.#random.pick(ways[i] as SimMachine[])
      this.#nemesis.wall(machine, members.filter(other => other !== kept))
    })
    return true
  }

  #next (rate: number, what: string, act: () => void): void {
    this.#cluster.world.schedule(this.#random.skewed(1, 4000 / rate), what, () => {
      if (!this.#active) return
      act()
      this.#next(rate, what, act)
    })
  }

  /** From now on it has a way to some members only, rarely to the one that leads. */
  #wall (machine: SimMachine): void {
    const random = this.#random
    const members = this.#population.those('in')
    const [kept] = members.filter(other => !leads(other) && random.chance(0.5))
    this.#nemesis.wall(machine, members.filter(other => other !== kept && random.chance(leads(other) ? 0.9 : 0.5)))
    // Some stand until the end of all faults.
    if (random.chance(0.3)) return
    this.#cluster.world.schedule(random.skewed(10, random.pick([500, 5000, 20_000])), 'the end of a wall', () => { if (this.#active) this.#nemesis.raze(machine) })
  }

  /** Those with which it has a session. */
  #othersOf (machine: SimMachine, members: readonly SimMachine[]): SimMachine[] {
    const connected = machine.replicator.stats().peers.flatMap(peer => peer.connected ? [peer.id] : [])
    return members.filter(({ disk }) => connected.includes(idOf(disk)))
  }

  /** An image of its disk is kept; or its disk is put back to the one that is. */
  #imageOf (machine: SimMachine): void {
    const image = this.#images.get(machine)
    const isOwn = image !== undefined && identityOf(image).id === idOf(machine.disk)
    if (machine.disk.torn || idOf(machine.disk) === '') return
    if (!isOwn || this.#random.chance(0.3)) {
      this.#images.set(machine, machine.image())
      return
    }
    if (this.#population.those('stale').length > 0) return
    this.#nemesis.count('putBackObserver')
    this.#nemesis.kill(machine)
    machine.restore(image)
    this.#putBack.add(machine)
    machine.start()
  }

  /** Whose disk was put back, and who is told so by others, begins anew. */
  #look (): void {
    for (const machine of this.machines) {
      if (!machine.up || machine.replicator.status !== 'failed' || machine.replicator.stats().failure?.code !== codes.staleIdentity) continue
      if (!this.#putBack.has(machine)) this.problems.push(`${machine.name} believes that its disk is of another time`)
      this.refused++
      this.#tellOfMembers(machine)
      this.#wipe(machine)
    }
    this.#cluster.world.schedule(100, 'looks after observers', () => { this.#look() })
  }

  /** After the faults, one that begins anew is to find the cluster, also without the member that it knows. */
  #tellOfMembers (machine: SimMachine): void {
    const members = this.#population.those('in').filter(({ up }) => up).map(({ name }) => name)
    if (!this.#active && !members.some(name => machine.peers.includes(name))) machine.peers = members
  }

  #lose (machine: SimMachine): void {
    // A newcomer could not tell a copy of a node from that node, if it met the copy first.
    if (this.#population.those('stale').length > 0) return
    this.#nemesis.count('wipeObserver')
    this.#wipe(machine)
  }

  #wipe (machine: SimMachine): void {
    this.#putBack.delete(machine)
    this.#nemesis.kill(machine)
    machine.wipe()
    this.#bringData(machine)
    machine.start()
  }

  /** One key that the others write too, and one that only a copy takes away. */
  #bringData (machine: SimMachine): void {
    if (this.#settings.observers?.own !== true) return
    const { disk } = machine
    const inPart = partOf(machine) === '' ? [] : [`${partOf(machine)}own`]
    disk.sync(disk.write([...inPart, 'k1', 'own'].map(key => ({ key, value: new TextEncoder().encode('own') }))))
  }
}
