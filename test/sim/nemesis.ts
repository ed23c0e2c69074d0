import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import type { FaultKind, SimSettings } from './settings.ts'
import { faultKinds } from './settings.ts'

/** Does harm to a cluster, at random moments, until it is told to stop; then mends everything. */
export class Nemesis {
  readonly injected: Partial<Record<FaultKind, number>> = {}
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #random: Random
  readonly #onDown: (machine: SimMachine) => void
  /** Whose database was told to close. */
  readonly #closing = new Set<string>()
  #active = true

  /** `onDown` is called when a machine's process has gone. */
  constructor (cluster: SimCluster, settings: SimSettings, onDown: (machine: SimMachine) => void) {
    this.#cluster = cluster
    this.#settings = settings
    this.#random = new Random(settings.seed ^ 0xbad)
    this.#onDown = onDown
  }

  start (): void {
    for (const kind of faultKinds) {
      const rate = this.#settings.faults[kind]
      if (rate > 0) this.#next(kind, rate)
    }
  }

  /** Ends all faults: what is down starts, what is cut is mended, what has failed is restarted. */
  stop (): void {
    this.#active = false
    // What was sent last may be lost with its session, and nothing comes after it.
    if (this.#random.chance(0.5)) {
      for (const a of this.#cluster.names) for (const b of this.#cluster.names) if (a < b) this.#cluster.reset(a, b)
    }
    this.#cluster.heal()
    for (const machine of this.#cluster.machines) {
      Object.assign(machine.behaviour, { full: false, failedWrites: 0, failedReads: 0 })
      machine.resume()
    }
    this.#mend()
  }

  /** A node whose disk has failed, or that was closed, comes back by a restart. What was begun on a bad disk may fail yet. */
  #mend (): void {
    for (const machine of this.#cluster.machines) {
      if (machine.up && (this.#closing.delete(machine.name) || ['failed', 'closed'].includes(machine.replicator.status))) this.#down(machine, () => { machine.kill() })
      machine.start()
    }
    this.#cluster.world.schedule(500, 'mends', () => { this.#mend() })
  }

  #next (kind: FaultKind, rate: number): void {
    const pause = this.#random.skewed(1, 3000 / rate)
    this.#cluster.world.schedule(pause, `fault ${kind}`, () => {
      if (!this.#active) return
      this.injected[kind] = (this.injected[kind] ?? 0) + 1
      this.#inject(kind)
      this.#next(kind, rate)
    })
  }

  #inject (kind: FaultKind): void {
    const random = this.#random
    const { machines, names, world } = this.#cluster
    const machine = random.pick(machines)
    const other = random.pick(names)
    const later = (fn: () => void): void => {
      world.schedule(random.skewed(0.5, random.pick([5, 500, 10_000])), `end of ${kind}`, () => { if (this.#active) fn() })
    }

    switch (kind) {
      case 'kill':
      case 'powerCut':
        // In memory, a write survives the power cuts of all but one at a time.
        if (kind === 'powerCut' && this.#settings.durability === 'memory' && !this.#othersAreReady(machine)) break
        this.#down(machine, () => { kind === 'kill' ? machine.kill() : machine.cutPower() })
        later(() => { machine.start() })
        break
      case 'killAll':
      case 'powerCutAll':
        for (const each of machines) {
          this.#down(each, () => { kind === 'killAll' ? each.kill() : each.cutPower() })
          later(() => { each.start() })
        }
        break
      case 'pause':
        machine.pause()
        later(() => { machine.resume() })
        break
      case 'isolate':
        for (const name of names) {
          if (name === machine.name) continue
          this.#cluster.cut(machine.name, name)
          this.#cluster.cut(name, machine.name)
        }
        later(() => { this.#cluster.heal() })
        break
      case 'oneWay':
        if (other !== machine.name) this.#cluster.cut(machine.name, other)
        later(() => { this.#cluster.heal() })
        break
      case 'reset':
        if (other !== machine.name) this.#cluster.reset(machine.name, other)
        break
      case 'slow':
        if (other !== machine.name) this.#cluster.slow(machine.name, other, random.pick([3, 30]))
        break
      case 'diskFull':
        this.#spoil(machine, later, { full: true }, { full: false })
        break
      case 'failedWrite':
        this.#spoil(machine, later, { failedWrites: 0.3 }, { failedWrites: 0 })
        break
      case 'failedRead':
        this.#spoil(machine, later, { failedReads: 0.3 }, { failedReads: 0 })
        break
      case 'close':
        this.#closing.add(machine.name)
        if (machine.up) void machine.db.close().catch(() => {})
        later(() => {
          this.#down(machine, () => { machine.kill() })
          machine.start()
        })
        break
      default:
        kind satisfies never
    }
  }

  /** For a while, a machine's disk is bad; afterwards its process is restarted, as a person would. */
  #spoil (machine: SimMachine, later: (fn: () => void) => void, bad: object, good: object): void {
    this.#cluster.world.say(`the disk of ${machine.name} goes bad: ${Object.keys(bad).join()}`)
    Object.assign(machine.behaviour, bad)
    later(() => {
      Object.assign(machine.behaviour, good)
      this.#down(machine, () => { machine.kill() })
      machine.start()
    })
  }

  #othersAreReady (machine: SimMachine): boolean {
    const others = this.#cluster.machines.filter(other => other !== machine)
    return others.length > 0 && others.every(other => other.up && other.replicator.status === 'ready')
  }

  #down (machine: SimMachine, end: () => void): void {
    this.#closing.delete(machine.name)
    if (!machine.up) return
    end()
    this.#onDown(machine)
  }
}
