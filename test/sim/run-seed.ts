import { SimCluster } from '../../lib/sim/index.ts'
import type { SimMachine } from '../../lib/sim/index.ts'
import { DurableVotes } from './durable-votes.ts'
import { Nemesis } from './nemesis.ts'
import { NodeErrors } from './node-errors.ts'
import { OneOrder } from './one-order.ts'
import type { FaultKind, SimSettings } from './settings.ts'
import { excludes, leftOutMax, minConsensusOf, SMALL_LOG } from './settings.ts'
import { canGoOn } from './survivors.ts'
import { judge } from './verdicts.ts'
import { Workload } from './workload.ts'

export interface SimResult {
  settings: SimSettings
  problems: string[]
  operations: number
  committed: number
  unknown: number
  events: number
  virtualMs: number
  faults: Partial<Record<FaultKind, number>>
  traceHash: string
}

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
    committed: writes.filter(write => write.outcome === 'ok').length,
    unknown: writes.filter(write => write.outcome === 'unknown').length,
    events: run.cluster.world.events,
    virtualMs: Math.round(run.cluster.world.now),
    faults: run.nemesis.injected,
    traceHash: run.cluster.world.traceHash
  }
}

class Run {
  readonly cluster: SimCluster
  readonly workload: Workload
  readonly nemesis: Nemesis
  readonly #settings: SimSettings
  readonly #order = new OneOrder()
  readonly #votes: DurableVotes
  readonly #errors = new NodeErrors()
  /** What node a begins with. */
  readonly #initial: ReadonlyMap<string, string>
  readonly #limitMs: number

  constructor (settings: SimSettings, onLine: ((line: string) => void) | null) {
    this.#settings = settings
    this.#limitMs = excludes(settings) ? LIVENESS_WITH_EXCLUSION_MS : LIVENESS_MS
    this.cluster = clusterOf(settings)
    this.cluster.world.onLine = onLine
    const { machines } = this.cluster
    this.workload = new Workload(this.cluster, settings)
    this.#votes = new DurableVotes(machines, machine => minConsensusOf(settings, machines.indexOf(machine)))
    this.nemesis = new Nemesis(this.cluster, settings, {
      onDown: (machine) => {
        this.workload.onDown(machine)
        this.#order.onDown(machine)
      },
      onResume: (machine) => { this.workload.onResume(machine) }
    })
    this.#initial = new Map(settings.foundingData ? ['k0', 'k1', 'old'].map(key => [key, `founding.${key}`]) : [])
    this.#watch()
  }

  async play (): Promise<string[]> {
    const { cluster, workload, nemesis } = this
    this.#bringData()
    cluster.start()
    workload.start()
    nemesis.start()
    await cluster.run(() => workload.done, SAFETY_MS)

    cluster.world.say('the safety phase is over')
    workload.stop()
    const problem = await this.#recover()
    return [
      ...problem === null ? judge(workload.history, cluster.machines, this.#initial, this.#order.log) : [problem],
      ...this.#order.problems, ...this.#votes.problems, ...this.#errors.problems, ...nemesis.problems, ...workload.problems
    ]
  }

  #watch (): void {
    const { machines } = this.cluster
    for (const machine of machines) {
      machine.disk.onBatch = (changes) => {
        this.#votes.onBatch(machine, changes)
        this.#order.onBatch(machine, changes)
      }
      this.#errors.watch(machine)
    }
    if (this.#settings.durability === 'disk') this.workload.onAcknowledged = (machine, changes) => { this.#votes.onAcknowledged(machine, changes) }
  }

  #bringData (): void {
    const { disk } = this.cluster.machines[0] as SimMachine
    const text = new TextEncoder()
    if (this.#initial.size > 0) disk.sync(disk.write([...this.#initial].map(([key, value]) => ({ key, value: text.encode(value) }))))
  }

  /** All faults end, and progress is required. Returns what is wrong. */
  async #recover (): Promise<string | null> {
    const { machines } = this.cluster
    const leftOut = this.#chooseLeftOut()
    this.nemesis.stop(leftOut)

    if (leftOut.length > 0) {
      const rest = machines.filter(machine => !leftOut.includes(machine))
      const problem = await this.#progress(rest)
      // The newest view may have been chosen in this very moment, with none of the rest in it.
      if (problem !== null && canGoOn(rest, machines)) return `without ${leftOut.map(({ name }) => name).join(', ')}: ${problem}`
      if (problem === null) await this.#fillLog(rest)
      this.cluster.world.say('the rest comes back')
      this.nemesis.letIn()
    }
    return await this.#progress(machines)
  }

  /** Machines without which the others have to go on; nobody, if they cannot be expected to. */
  #chooseLeftOut (): SimMachine[] {
    const { machines } = this.cluster
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
    if (!await cluster.run(() => isAtRest(machines), this.#limitMs)) return failed('liveness without new writes')

    // A last write through every node and a read of everything: then all is decided and applied everywhere. With short
    // time-outs, some of these may come to nothing.
    const before = endOf(machines)
    const until = cluster.world.now + this.#limitMs
    for (let i = 1; endOf(machines) <= before; i++) {
      if (cluster.world.now > until) return failed('no progress')
      for (const machine of machines) this.#perform(machine, { kind: 'put', key: `last-${machine.name}`, value: `done-${machines.length}-${i}` })
      if (!await cluster.run(() => settled() && ready(), this.#limitMs)) return failed('liveness at the end')
    }
    for (const machine of machines) this.#perform(machine, { kind: 'range', range: {} })
    return await cluster.run(() => settled() && isAtRest(machines), this.#limitMs) ? null : failed('liveness at the end')
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

function clusterOf (settings: SimSettings): SimCluster {
  const { nodes, writeTimeoutMs, failureTimeoutMs, delayMaxMs, bandwidth, syncMs, driftMax, durability, logBytesMax } = settings
  const names = [...'abcdefg'].slice(0, nodes)
  return new SimCluster({
    seed: settings.seed,
    names,
    replicator: {
      consistency: 'strong',
      writeTimeoutMs,
      readTimeoutMs: writeTimeoutMs,
      failureTimeoutMs,
      durability,
      logBytesMax,
      failAfter: 1000,
      queueMax: settings.queueMax
    },
    replicators: Object.fromEntries(names.map((name, i) => [name, { minConsensus: minConsensusOf(settings, i) }])),
    network: { delayMinMs: 0.02, delayMaxMs, bandwidth },
    disk: { syncMs },
    driftMax
  })
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
