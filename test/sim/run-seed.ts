import { Random } from '../../lib/sim/index.ts'
import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { toText } from '../../lib/sim/disk.ts'
import { acceptedKey, vowKey } from '../../lib/store/layout.ts'
import { clusterOf } from './cluster-of.ts'
import { DurableVotes } from './durable-votes.ts'
import { Nemesis } from './nemesis.ts'
import { NodeErrors } from './node-errors.ts'
import { OneOrder } from './one-order.ts'
import { isObserver, Observers } from './observers.ts'
import { partOf } from './parts.ts'
import { Operator } from './operator.ts'
import { idOf, identityOf, Population } from './population.ts'
import type { ChangeKind, ChangeSettings, SimSettings } from './settings.ts'
import { excludes, leftOutMax, minConsensusOf, SMALL_LOG } from './settings.ts'
import { canGoOn } from './survivors.ts'
import { newRecords, recordsIn } from './log-view.ts'
import { judge, strangeFiles, strangeWitness } from './verdicts.ts'
import { Workload } from './workload.ts'

export interface SimResult {
  settings: SimSettings
  problems: string[]
  operations: number
  /** Reads and syncs on observers. */
  observed: number
  /** Writes that came from observers by way of a member that does not lead; and what was refused to them, as out of their part, and for an old disk. */
  relayed: number
  outside: number
  stale: number
  committed: number
  unknown: number
  events: number
  virtualMs: number
  faults: Nemesis['injected']
  changes: Partial<Record<ChangeKind, number>>
  traceHash: string
}

const votes = [vowKey, acceptedKey].map(toText)
const SAFETY_MS = 60_000
const LIVENESS_MS = 120_000
/** Where members are excluded and admitted: there are leases to wait for, and back-offs of up to 30 s. */
const LIVENESS_WITH_EXCLUSION_MS = 300_000

/** One run: a safety phase under faults, then everything is healed and progress is required, then the verdicts. */
export async function runSeed (settings: SimSettings, onLine: ((line: string) => void) | null = null): Promise<SimResult> {
  const run = new Run(settings, onLine)
  const problems = await run.play()
  const writes = run.workload.history.filter(operation => ['put', 'del', 'batch', 'clear'].includes(operation.kind))
  return {
    settings,
    problems,
    operations: run.workload.history.length,
    observed: run.workload.observed.filter(({ kind }) => kind === 'read' || kind === 'sync').length,
    relayed: run.workload.relayed,
    outside: run.workload.refused,
    stale: run.observers.refused,
    committed: writes.filter(write => write.outcome === 'ok').length,
    unknown: writes.filter(write => write.outcome === 'unknown').length,
    events: run.cluster.world.events,
    virtualMs: Math.round(run.cluster.world.now),
    faults: run.nemesis.injected,
    changes: run.operator.done,
    traceHash: run.cluster.world.traceHash
  }
}

class Run {
  readonly cluster: SimCluster
  readonly workload: Workload
  readonly nemesis: Nemesis
  readonly operator: Operator
  readonly observers: Observers
  readonly #population: Population
  readonly #settings: SimSettings
  readonly #order = new OneOrder((machine, copied) => this.#hasInitial(machine, copied) ? this.#initial : new Map())
  readonly #votes: DurableVotes
  readonly #errors = new NodeErrors()
  /** What node a begins with. */
  readonly #initial: ReadonlyMap<string, string>
  readonly #limitMs: number
  readonly #moves: Random
  #puts = 0
  #endOfFaults = Infinity
  /** With disks that were lost, something has gone without which nobody can go on. */
  #isLost = false

  constructor (settings: SimSettings, onLine: ((line: string) => void) | null) {
    this.#settings = settings
    this.#moves = new Random(settings.seed ^ 0x30e5)
    this.#limitMs = excludes(settings) ? LIVENESS_WITH_EXCLUSION_MS : LIVENESS_MS
    this.cluster = clusterOf(settings)
    this.cluster.world.onLine = onLine
    const { cluster } = this
    const { machines } = cluster
    const population = this.#population = new Population(cluster)
    this.workload = new Workload(cluster, settings)
    this.#votes = new DurableVotes({
      others: (machine, invoked) => {
        // It asks for nothing: what is committed, all live members of some view have.
        if (isObserver(machine)) return population.leastLive(invoked)
        if (settings.changes === null) return minConsensusOf(settings, machines.indexOf(machine))
        return settings.changes.minConsensus ?? population.leastOthers(machine, invoked)
      },
      holders: (machine, invoked) => {
        const holders = settings.changes === null ? this.#founders : population.holdersSince(machine, invoked)
        return isObserver(machine) ? [...holders, machine] : holders
      }
    })
    this.nemesis = new Nemesis(cluster, settings, {
      onDown: (machine) => {
        this.workload.onDown(machine)
        this.#order.onDown(machine)
        this.operator.onDown(machine)
        this.#moveLog(machine)
      },
      onResume: (machine) => { this.workload.onResume(machine) }
    }, {
      get targets () { return settings.changes === null ? machines : population.those('in', 'back', 'stale', 'observer') },
      mayRun: machine => population.mayRun(machine),
      isBeyondRepair: machine => this.operator.isBeyondRepair(machine)
    })
    this.operator = new Operator(cluster, settings, {
      population,
      workload: this.workload,
      nemesis: this.nemesis,
      onAdded: (machine) => {
        this.#watch(machine)
        this.workload.add(machine)
      }
    })
    this.observers = new Observers(cluster, settings, { population, nemesis: this.nemesis })
    this.#initial = new Map(settings.foundingData ? ['k0', 'k1', 'old'].map(key => [key, `founding.${key}`]) : [])
    for (const machine of machines) this.#watch(machine)
    if (settings.durability === 'disk') this.workload.onAcknowledged = (machine, changes, invoked) => { this.#votes.onAcknowledged(machine, changes, invoked) }
  }

  async play (): Promise<string[]> {
    const { cluster, workload, nemesis } = this
    this.#bringData()
    this.observers.start()
    cluster.start()
    workload.start()
    nemesis.start()
    this.operator.start()
    await cluster.run(() => workload.done, SAFETY_MS)

    cluster.world.say('the safety phase is over')
    workload.stop()
    this.observers.stop()
    this.#endOfFaults = cluster.world.stamp()
    const problem = (this.#settings.changes === null ? await this.#recover() : await this.#recoverAll()) ?? await this.#behindWalls()
    // Nobody waits for what is done with files in the background.
    await cluster.run(() => this.#judged.every(machine => strangeFiles(machine).length === 0), LIVENESS_MS)
    return [
      ...this.#isLost ? [] : problem === null ? judge(workload.history, workload.observed, this.#judged, this.#initial, this.#order.log) : [problem],
      ...this.#settings.changes === null ? [] : this.#population.members.filter(machine => !this.#judged.includes(machine)).flatMap(strangeWitness),
      ...this.#order.problems, ...this.#votes.problems, ...this.#errors.problems, ...nemesis.problems, ...workload.problems,
      ...this.#population.problems, ...this.operator.problems, ...this.observers.problems
    ]
  }

  /** The machines that hold the data in the end. */
  get #judged (): readonly SimMachine[] {
    return this.#settings.changes === null ? this.cluster.machines : [...this.#population.holders, ...this.observers.machines]
  }

  get #founders (): readonly SimMachine[] {
    return this.cluster.machines.filter(machine => !isObserver(machine))
  }

  #watch (machine: SimMachine): void {
    machine.disk.onBatch = (changes) => {
      this.#votes.onRecords(machine, recordsIn(changes))
      this.#order.onBatch(machine, changes)
      this.#population.onBatch(machine, changes)
      if (!isObserver(machine) && changes.some(({ key }) => votes.includes(key))) this.nemesis.onVote()
    }
    const seen = new WeakMap<object, number>()
    machine.disk.files.onChange = () => { this.#votes.onRecords(machine, newRecords(machine.disk, seen)) }
    machine.disk.onReplace = () => {
      this.#order.onDown(machine)
      this.workload.onReplaced(machine)
    }
    machine.onView = (view) => { this.#population.onView(machine, view) }
    this.#errors.watch(machine, this.#settings.changes !== null || (this.#settings.observers?.images ?? 0) > 0)
  }

  /** Data that all founders hold alike do not go through the log; others do, but whoever brings them along has them before. */
  #hasInitial ({ disk }: SimMachine, copied: boolean): boolean {
    const { seeder } = this.#population
    return seeder === null || (seeder === idOf(disk) && !copied)
  }

  /** The next start may find that its log is to be elsewhere. */
  #moveLog (machine: SimMachine): void {
    const { logMoves } = this.#settings
    if (logMoves === 0 || !this.#moves.chance(logMoves)) return
    const log = machine.options.log === 'files' ? 'store' : 'files'
    this.cluster.world.say(`the log of ${machine.name} is to be in ${log === 'files' ? 'files' : 'the store'}`)
    machine.options = { ...machine.options, log }
  }

  #bringData (): void {
    const { disk } = this.cluster.machines[0] as SimMachine
    const text = new TextEncoder()
    if (this.#initial.size > 0) disk.sync(disk.write([...this.#initial].map(([key, value]) => ({ key, value: text.encode(value) }))))
  }

  /** All faults end, and progress is required. Returns what is wrong. */
  async #recover (): Promise<string | null> {
    const machines = this.#founders
    const leftOut = this.#chooseLeftOut()
    this.nemesis.stop(leftOut)

    if (leftOut.length > 0) {
      const rest = machines.filter(machine => !leftOut.includes(machine))
      const problem = await this.#progress([...rest, ...this.observers.thatKnow(rest)])
      // The newest view may have been chosen in this very moment, with none of the rest in it.
      if (problem !== null && canGoOn(rest, machines)) return `without ${leftOut.map(({ name }) => name).join(', ')}: ${problem}`
      if (problem === null) await this.#fillLog(rest)
      this.cluster.world.say('the rest comes back')
      this.nemesis.letIn()
    }
    return await this.#progress(this.cluster.machines)
  }

  /** The same where the members change. First all that was begun is finished, then some changes are to succeed without any fault. */
  async #recoverAll (): Promise<string | null> {
    const { cluster, operator, nemesis } = this
    const population = this.#population
    operator.stop()
    nemesis.stop()
    const settled = await cluster.run(() => operator.idle && population.isSettled, this.#limitMs)
    // A disk may have been lost in the very moment in which a view was chosen that nobody else can go on from.
    this.#isLost = !settled && !population.canGoOn
    if (this.#isLost) return null
    if (!settled) return `the members do not settle: ${this.#describe(cluster.machines)}`
    const random = new Random(this.#settings.seed ^ 0xe4d)
    return await this.#progressOfMembers() ?? await this.#withoutSome(random) ?? await this.#lastChanges(random)
  }

  /** All is well, and the observers get on with a way to one member that does not lead. */
  async #behindWalls (): Promise<string | null> {
    const members = this.#settings.changes === null ? this.#founders : this.#population.holders
    if (this.#isLost || !this.observers.wallIn(members)) return null
    this.cluster.world.say('observers are behind walls')
    this.#endOfFaults = this.cluster.world.stamp()
    const problem = await this.#progressOfAll()
    return problem === null ? null : `behind walls: ${problem}`
  }

  async #progressOfMembers (): Promise<string | null> {
    const { members } = this.#population
    const problem = await this.#progress([...members, ...this.observers.machines])
    // One that was leaving when it was killed may be told only now that it has left.
    const hasLeft = members.some(machine => this.#population.standing(machine) === 'out')
    return problem !== null && hasLeft ? await this.#progressOfAll() : problem
  }

  #progressOfAll (): Promise<string | null> {
    return this.#progress([...this.#population.members, ...this.observers.machines])
  }

  /** All are members and live: the others go on without one, or without as many as they can be expected to. */
  async #withoutSome (random: Random): Promise<string | null> {
    const population = this.#population
    const { leftOut, changes } = this.#settings
    const { members } = population
    const [out] = members.filter(machine => population.mayLose(machine, 1 + (changes?.minConsensus ?? Infinity))).sort(() => random.next() - 0.5)
    if (leftOut === 0 || out === undefined || members.some(machine => machine.replicator.stats().lease === 'free')) return null
    const rest = members.filter(machine => machine !== out)
    this.nemesis.leaveOut([out])
    const problem = await this.#progress([...rest, ...this.observers.machines])
    if (problem !== null) return `without ${out.name}: ${problem}`
    await this.#fillLog(population.holders.filter(machine => machine !== out))
    this.cluster.world.say('it comes back')
    this.nemesis.letIn()
    return await this.#progressOfAll()
  }

  /** Without any fault, a node joins, a member leaves, an old image is refused, and a minority is declared to be the cluster. */
  async #lastChanges (random: Random): Promise<string | null> {
    const { operator, cluster, nemesis } = this
    const population = this.#population
    const { minConsensus, recover } = this.#settings.changes as ChangeSettings
    const settles = async (what: string): Promise<string | null> => {
      if (!await cluster.run(() => operator.idle && population.isSettled, this.#limitMs)) return `${what}: ${this.#describe(cluster.machines)}`
      return await this.#progressOfAll()
    }

    if (random.chance(0.5) && operator.join() !== null) {
      const problem = await settles('a node does not get in')
      if (problem !== null) return problem
    }
    if (random.chance(0.3)) {
      const machine = random.pick(population.holders)
      const image = machine.image()
      nemesis.kill(machine)
      machine.start()
      if (!await cluster.run(() => machine.replicator.status === 'ready' && population.allHaveSeen(idOf(machine.disk), identityOf(image).start, machine, false), this.#limitMs)) {
        return `a restarted node is not ready, or not seen: ${this.#describe(cluster.machines)}`
      }
      if (operator.putBack(machine, image)) {
        const problem = await settles('a disk that was put back is not refused, or not replaced')
        if (problem !== null) return problem
      }
    }
    if (random.chance(0.5) && population.members.length > 1) {
      const machine = random.pick(population.members)
      const isLast = population.holders.length === 1 && population.holders.includes(machine)
      const isTooFew = population.holders.includes(machine) && minConsensus !== null && population.holders.length - 2 < minConsensus
      let left: boolean | null = null
      void operator.leave(machine).then(done => { left = done })
      await cluster.run(() => left !== null, this.#limitMs)
      if (left !== !(isLast || isTooFew)) return `${machine.name} is told ${String(left)} when it is to leave: ${this.#describe(cluster.machines)}`
      const problem = await settles('a member does not leave')
      if (problem !== null) return problem
    }
    const holders = population.holders.slice(0, 1 + (minConsensus ?? 0))
    const survivors = population.members.filter(machine => holders.includes(machine) || (population.newest?.witnesses.includes(idOf(machine.disk)) === true && random.chance(0.5)))
    if (!recover || 2 * survivors.length > population.members.length) return await this.#progressOfAll()
    this.observers.takeDown()
    for (const machine of population.members) if (!survivors.includes(machine)) nemesis.kill(machine)
    for (const machine of this.cluster.machines) if (!survivors.includes(machine)) population.set(machine, 'out')
    let recovered: boolean | null = null
    const ids = survivors.map(({ disk }) => idOf(disk))
    const isAlone = ({ replicator }: SimMachine): boolean => replicator.stats().peers.every(({ id, connected }) => !connected || ids.includes(id)) &&
      (replicator.status !== 'ready' || replicator.stats().role === 'witness')
    await cluster.run(() => survivors.every(isAlone), this.#limitMs)
    void operator.recover(survivors).then(done => { recovered = done })
    await cluster.run(() => recovered !== null, this.#limitMs)
    if (recovered !== true) return `the survivors do not recover: ${this.#describe(cluster.machines)}`
    this.observers.bringBack(survivors[0] as SimMachine)
    return await settles('the survivors do not go on')
  }

  /** Machines without which the others have to go on; nobody, if they cannot be expected to. */
  #chooseLeftOut (): SimMachine[] {
    const machines = this.#founders
    const { leftOut, seed, durability } = this.#settings
    // After a crash, a log in memory proves nothing: the rest may have to wait for whoever has not crashed.
    if (durability === 'memory') return []
    const count = Math.min(leftOut, leftOutMax(this.#settings))
    if (count <= 0) return []
    for (let i = 0; i < machines.length; i++) {
      const chosen = machines.filter((_, j) => (j + seed + i) % machines.length < count)
      // Nobody but a has the data that it brings along.
      if (this.#initial.size > 0 && chosen.includes(machines[0] as SimMachine)) continue
      if (canGoOn(machines.filter(machine => !chosen.includes(machine)), machines)) return chosen
    }
    return []
  }

  /** These get ready, settle, come to rest, and commit something new. Returns what is wrong. */
  async #progress (machines: readonly SimMachine[]): Promise<string | null> {
    const { cluster } = this
    const settled = (): boolean => machines.every(machine => this.workload.pendingOn(machine) === 0)
    const ready = (): boolean => machines.every(machine => machine.up && machine.replicator.status === 'ready')
    const failed = (what: string): string => `${what}: ${this.#describe(machines)}`

    if (!await cluster.run(() => settled() && ready(), this.#limitMs)) return failed('liveness')
    const holders = machines.filter(machine => machine.replicator.stats().role !== 'witness')
    if (!await cluster.run(() => isAtRest(holders), this.#limitMs)) return failed('liveness without new writes')

    // A last write through every node and a read of everything: then all is decided and applied everywhere. With short
    // time-outs, some of these may come to nothing.
    const before = endOf(holders)
    const until = cluster.world.now + this.#limitMs
    while (endOf(holders) <= before) {
      if (cluster.world.now > until) return failed('no progress')
      for (const machine of holders) this.#perform(machine, { kind: 'put', key: `${partOf(machine)}last-${machine.name}`, value: `done-${++this.#puts}` })
      if (!await cluster.run(() => settled() && ready(), this.#limitMs)) return failed('liveness at the end')
    }
    for (const machine of holders.filter(isObserver)) {
      while (!this.#takesWrites(machine)) {
        if (cluster.world.now > until) return failed(`${machine.name} passes no write on`)
        this.#perform(machine, { kind: 'put', key: `${partOf(machine)}last-${machine.name}`, value: `done-${++this.#puts}` })
        if (!await cluster.run(() => settled() && ready(), this.#limitMs)) return failed('liveness at the end')
      }
    }
    for (const machine of holders) this.#perform(machine, isObserver(machine) ? { kind: 'snapshot', keys: [], range: {} } : { kind: 'range', range: {} })
    return await cluster.run(() => settled() && isAtRest(holders), this.#limitMs) ? null : failed('liveness at the end')
  }

  /** An observer has had a write acknowledged since the faults ended; where the time-out is long enough for that. */
  #takesWrites ({ name }: SimMachine): boolean {
    const { writeTimeoutMs, delayMaxMs, syncMs } = this.#settings
    return writeTimeoutMs < 20 * (delayMaxMs + syncMs) || this.workload.observed.some(event => event.kind === 'written' && event.observer === name && event.completed > this.#endOfFaults)
  }

  /** Who comes back shall need a copy, where the log is small. */
  async #fillLog (machines: readonly SimMachine[]): Promise<void> {
    if (this.#settings.logBytesMax > SMALL_LOG) return
    const value = '.'.repeat(SMALL_LOG / 8)
    for (let i = 0; i < 20; i++) {
      const machine = machines[i % machines.length] as SimMachine
      this.#perform(machine, { kind: 'put', key: `fill-${i % 4}`, value: `${i}${value}` })
      await this.cluster.run(() => this.workload.pendingOn(machine) === 0, this.#limitMs)
    }
  }

  #perform (machine: SimMachine, request: Parameters<Workload['perform']>[2]): void {
    void this.workload.perform(machine, `last-${machine.name}`, request)
  }

  #describe (machines: readonly SimMachine[]): string {
    const pending = machines.reduce((sum, machine) => sum + this.workload.pendingOn(machine), 0)
    return `${pending} operations are not settled; ${this.cluster.machines.map(describe).join('; ')}`
  }
}

/** Everything that is in any of these logs is decided and applied everywhere. */
function isAtRest (machines: readonly SimMachine[]): boolean {
  if (!machines.every(machine => machine.up)) return false
  const stats = machines.map(machine => machine.replicator.stats())
  return stats.every(({ end, applied, pendingWrites }) => end === applied && end === stats[0]?.end && pendingWrites === 0)
}

function endOf (machines: readonly SimMachine[]): number {
  return Math.max(...machines.map(machine => machine.replicator.stats().end))
}

function describe (machine: SimMachine): string {
  if (!machine.up) return `${machine.name} is down`
  const { status, epoch, live, lease, end, committed, applied, pendingWrites, queuedWrites, waitingFor, peers, lastError } = machine.replicator.stats()
  return `${machine.name} ${status} epoch ${epoch} live ${live.length} lease ${lease} end ${end} committed ${committed} applied ${applied} ` +
    `pending ${pendingWrites}+${queuedWrites} peers ${peers.filter(peer => peer.connected).length} ${status === 'failed' ? String(lastError) : waitingFor}`
}
