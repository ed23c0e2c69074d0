import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import { isObserver } from './observers.ts'
import type { FaultKind, SimSettings } from './settings.ts'
import { faultKinds, minConsensusOf } from './settings.ts'
import { TornTails } from './torn-tails.ts'

const HOUR_MS = 3_600_000
/**
 * The protocol relies on one of the two clocks of a node: on the wall clock while the machine is suspended, on the other
 * one where somebody sets the wall clock back. So these two keep so much distance: more than any lease lasts.
 */
const CLOCK_PEACE_MS = 5000

/** What has become of the clocks of a machine. */
interface Clocks {
  suspended: boolean
  /** When it was last suspended, or resumed. */
  suspendedAt: number
  setBackAt: number
}

/** What the nemesis tells of. */
export interface NemesisEvents {
  /** A machine's process has gone. */
  onDown (machine: SimMachine): void
  /** A machine goes on after a pause, in the middle of what it was about to do. */
  onResume (machine: SimMachine): void
}

/** Whom it may do harm to, and what it mends. */
export interface NemesisScope {
  /** Machines that take part, or try to. */
  readonly targets: readonly SimMachine[]
  mayRun (machine: SimMachine): boolean
  /** It has failed, and a restart is no remedy. */
  isBeyondRepair (machine: SimMachine): boolean
}

/** What happens to observers only. */
export type ObserverFault = 'wipeObserver' | 'wall' | 'putBackObserver'

/** Does harm to a cluster, at random moments, until it is told to stop; then mends everything, or everything but some machines. */
export class Nemesis {
  readonly injected: Partial<Record<FaultKind | 'ambush' | 'strike' | ObserverFault, number>> = {}
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #random: Random
  readonly #events: NemesisEvents
  readonly #scope: NemesisScope
  readonly #torn: TornTails
  readonly #clocks = new Map<SimMachine, Clocks>()
  /** Whose database was told to close. */
  readonly #closing = new Set<string>()
  /** To whom a machine has no way, whatever else is healed. */
  readonly #walls = new Map<SimMachine, readonly SimMachine[]>()
  #leftOut: readonly SimMachine[] = []
  #active = true
  /** By an ambush. */
  #isSplit = false

  constructor (cluster: SimCluster, settings: SimSettings, events: NemesisEvents, scope: NemesisScope) {
    this.#cluster = cluster
    this.#settings = settings
    this.#random = new Random(settings.seed ^ 0xbad)
    this.#events = events
    this.#scope = scope
    this.#torn = new TornTails(cluster, (machine) => {
      this.#down(machine, () => {
        machine.kill()
        machine.disk.mend()
      })
      this.#start(machine)
    })
  }

  get problems (): readonly string[] {
    return this.#torn.problems
  }

  start (): void {
    for (const kind of faultKinds) {
      const rate = this.#settings.faults[kind]
      if (rate > 0) this.#next(kind, rate)
    }
  }

  /**
   * Ends all faults: what is down starts, what is cut is mended, what has failed is restarted. Only the machines that are
   * left out stay dead, or cut off from all others, until `letIn()`.
   */
  stop (leftOut: readonly SimMachine[] = []): void {
    this.#active = false
    this.#walls.clear()
    // What was sent last may be lost with its session, and nothing comes after it.
    if (this.#random.chance(0.5)) {
      for (const a of this.#cluster.names) for (const b of this.#cluster.names) if (a < b) this.#cluster.reset(a, b)
    }
    this.#heal()
    for (const machine of this.#cluster.machines) {
      Object.assign(machine.behaviour, { full: false, hangs: false, failedWrites: 0, failedReads: 0 })
      this.#resume(machine)
    }
    this.leaveOut(leftOut)
    this.#mend()
  }

  /** Without any fault, these stay dead, or cut off from all others, until `letIn()`. */
  leaveOut (leftOut: readonly SimMachine[]): void {
    this.#leftOut = leftOut
    for (const machine of leftOut) {
      if (this.#settings.leftOutHow === 'dead') this.#down(machine, () => { machine.kill() })
      else this.#cutOff(machine, this.#cluster.machines.filter(other => !leftOut.includes(other)))
    }
  }

  /** A machine has no way to these any more, until `raze()`, or until all is mended. */
  wall (machine: SimMachine, others: readonly SimMachine[]): void {
    this.count('wall')
    this.#walls.set(machine, others)
    this.#cutOff(machine, others)
  }

  raze (machine: SimMachine): void {
    if (this.#walls.delete(machine)) this.#heal()
  }

  /** A machine goes down, unless it is. */
  kill (machine: SimMachine): void {
    this.#resume(machine)
    this.#down(machine, () => { machine.kill() })
  }

  /** A machine has promised, or accepted a view: a bad moment for the network to split. */
  onVote (): void {
    if (this.#settings.ambush === 0 || this.#isSplit || !this.#active || !this.#random.chance(this.#settings.ambush)) return
    this.#isSplit = true
    const { world } = this.#cluster
    // While the answers, and what follows from them, are on their way.
    world.schedule(2 * this.#random.next() * this.#settings.delayMaxMs, 'an ambush', () => {
      if (!this.#active) return
      this.count('ambush')
      this.#split()
      world.schedule(this.#random.skewed(0.5, this.#random.pick([50, 500, 1500])), 'end of the ambush', () => {
        this.#isSplit = false
        if (this.#active) this.#heal()
      })
    })
  }

  /** Those that were left out come back. */
  letIn (): void {
    this.#leftOut = []
    this.#heal()
  }

  #heal (): void {
    this.#cluster.heal()
    for (const [machine, others] of this.#walls) this.#cutOff(machine, others)
  }

  /** A node whose disk has failed, or that was closed, comes back by a restart. What was begun on a bad disk may fail yet. */
  #mend (): void {
    for (const machine of this.#cluster.machines) {
      if (this.#leftOut.includes(machine) && this.#settings.leftOutHow === 'dead') continue
      if (!this.#scope.mayRun(machine) || (machine.up && this.#scope.isBeyondRepair(machine))) continue
      const isOver = machine.up && (this.#closing.delete(machine.name) || ['failed', 'closed'].includes(machine.replicator.status))
      if (isOver) this.#down(machine, () => { machine.kill() })
      this.#start(machine)
    }
    this.#cluster.world.schedule(500, 'mends', () => { this.#mend() })
  }

  #next (kind: FaultKind, rate: number): void {
    const pause = this.#random.skewed(1, 3000 / rate)
    this.#cluster.world.schedule(pause, `fault ${kind}`, () => {
      if (!this.#active) return
      this.count(kind)
      this.#inject(kind)
      this.#next(kind, rate)
    })
  }

  count (kind: FaultKind | 'ambush' | 'strike' | ObserverFault): void {
    this.injected[kind] = (this.injected[kind] ?? 0) + 1
  }

  #inject (kind: FaultKind): void {
    const random = this.#random
    const { world } = this.#cluster
    const machines = this.#scope.targets
    if (machines.length === 0) return
    const machine = random.pick(machines)
    const other = random.pick(machines).name
    const later = (fn: () => void): void => {
      world.schedule(random.skewed(0.5, random.pick(this.#settings.brief ? [50, 500, 1500] : [5, 500, 10_000])), `end of ${kind}`, () => { if (this.#active) fn() })
    }

    switch (kind) {
      case 'kill':
        this.#down(machine, () => { machine.kill() })
        later(() => { this.#start(machine) })
        break
      case 'killCoordinator': {
        const coordinator = machines.find(each => each.up && each.replicator.stats().isCoordinator)
        if (coordinator === undefined) break
        this.#down(coordinator, () => { coordinator.kill() })
        later(() => { this.#start(coordinator) })
        break
      }
      case 'powerCut':
        this.#cutPower(machine, false, later)
        break
      case 'tornTail': {
        const tearable = machines.filter(each => each.up && each.disk.unsynced > 0)
        this.#cutPower(tearable.length > 0 ? random.pick(tearable) : machine, true, later)
        break
      }
      case 'killAll':
      case 'powerCutAll':
        for (const each of machines) {
          this.#down(each, () => { kind === 'killAll' ? each.kill() : each.cutPower(this.#settings.faults.tornTail > 0 && random.chance(0.3)) })
          later(() => { this.#start(each) })
        }
        break
      case 'pause':
        machine.pause()
        later(() => { this.#resume(machine) })
        break
      case 'suspend':
        this.#suspend(machine)
        later(() => { this.#resume(machine) })
        break
      case 'clockJump':
        this.#jumpClock(machine)
        break
      case 'isolate':
        this.#cutOff(machine, machines.filter(each => each !== machine))
        later(() => { this.#heal() })
        break
      case 'oneWay':
        if (other !== machine.name) this.#cluster.cut(machine.name, other)
        later(() => { this.#heal() })
        break
      case 'cutLink':
        if (other !== machine.name) this.#cutOff(machine, machines.filter(each => each.name === other))
        later(() => { this.#heal() })
        break
      case 'split':
        this.#split()
        later(() => { this.#heal() })
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
      case 'hangDisk':
        world.say(`the disk of ${machine.name} hangs`)
        machine.behaviour.hangs = true
        later(() => { machine.behaviour.hangs = false })
        break
      case 'failedWrite':
        this.#spoil(machine, later, { failedWrites: 0.3 }, { failedWrites: 0 })
        break
      case 'failedRead':
        this.#spoil(machine, later, { failedReads: 0.3 }, { failedReads: 0 })
        break
      case 'close':
        if (machine.up) {
          this.#closing.add(machine.name)
          void machine.db.close().catch(() => {})
        }
        later(() => {
          this.#down(machine, () => { machine.kill() })
          this.#start(machine)
        })
        break
      default:
        kind satisfies never
    }
  }

  #cutPower (machine: SimMachine, tear: boolean, later: (fn: () => void) => void): void {
    if (!this.#mayLosePower(machine)) return
    this.#down(machine, () => { machine.cutPower(tear) })
    later(() => { this.#start(machine) })
  }

  /** For a while, a machine's disk is bad; afterwards its process is restarted, as a person would. */
  #spoil (machine: SimMachine, later: (fn: () => void) => void, bad: object, good: object): void {
    this.#cluster.world.say(`the disk of ${machine.name} goes bad: ${Object.keys(bad).join()}`)
    Object.assign(machine.behaviour, bad)
    later(() => {
      Object.assign(machine.behaviour, good)
      this.#down(machine, () => { machine.kill() })
      this.#start(machine)
    })
  }

  #cutOff (machine: SimMachine, others: readonly SimMachine[]): void {
    for (const other of others) {
      this.#cluster.cut(machine.name, other.name)
      this.#cluster.cut(other.name, machine.name)
    }
  }

  #split (): void {
    const machines = this.#scope.targets
    const side = machines.filter(() => this.#random.chance(0.5))
    for (const one of side) this.#cutOff(one, machines.filter(each => !side.includes(each)))
  }

  #suspend (machine: SimMachine): void {
    const clocks = this.#clocksOf(machine)
    if (this.#isRecent(clocks.setBackAt) || !machine.up) return machine.pause()
    clocks.suspended = true
    clocks.suspendedAt = this.#cluster.world.now
    machine.suspend()
  }

  #resume (machine: SimMachine): void {
    const clocks = this.#clocksOf(machine)
    if (clocks.suspended) clocks.suspendedAt = this.#cluster.world.now
    clocks.suspended = false
    if (!machine.up || machine.process.running) return
    machine.resume()
    this.#events.onResume(machine)
  }

  #jumpClock (machine: SimMachine): void {
    const clocks = this.#clocksOf(machine)
    const ms = Math.ceil(this.#random.next() * this.#random.pick([10, 1000, 10_000, HOUR_MS, 5 * HOUR_MS]))
    const back = this.#random.chance(0.5) && !clocks.suspended && !this.#isRecent(clocks.suspendedAt)
    if (back) clocks.setBackAt = this.#cluster.world.now
    machine.jumpClock(back ? -ms : ms)
  }

  #clocksOf (machine: SimMachine): Clocks {
    const clocks = this.#clocks.get(machine) ?? { suspended: false, suspendedAt: -Infinity, setBackAt: -Infinity }
    this.#clocks.set(machine, clocks)
    return clocks
  }

  #isRecent (at: number): boolean {
    return this.#cluster.world.now - at < CLOCK_PEACE_MS
  }

  /** In memory, a write survives the power cut of one machine at a time, if it is on another. */
  #mayLosePower (machine: SimMachine): boolean {
    const machines = this.#cluster.machines.filter(each => !isObserver(each))
    if (this.#settings.durability === 'disk' || isObserver(machine)) return true
    const others = machines.filter(other => other !== machine)
    return others.length > 0 && machines.every((_, i) => minConsensusOf(this.#settings, i) > 0) &&
      others.every(other => other.up && other.replicator.status === 'ready')
  }

  #start (machine: SimMachine): void {
    if (!this.#scope.mayRun(machine)) return
    const wasDown = !machine.up
    this.#torn.start(machine)
    if (wasDown) this.#strike(machine)
  }

  /** Where a start may have to move the log: it ends in the middle of that. */
  #strike (machine: SimMachine): void {
    const { logMoves, syncMs } = this.#settings
    if (logMoves === 0 || !this.#active || !this.#random.chance(0.2)) return
    const { world } = this.#cluster
    world.schedule(this.#random.next() * (3 + 5 * syncMs), 'a strike', () => {
      if (!this.#active || !machine.up) return
      this.count('strike')
      this.#down(machine, () => { this.#random.chance(0.5) ? machine.kill() : machine.cutPower() })
      world.schedule(this.#random.skewed(0.5, 50), 'end of the strike', () => { if (this.#active) this.#start(machine) })
    })
  }

  #down (machine: SimMachine, end: () => void): void {
    this.#closing.delete(machine.name)
    if (!machine.up) return
    end()
    this.#clocksOf(machine).suspended = false
    this.#events.onDown(machine)
  }
}
