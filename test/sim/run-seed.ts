import { SimCluster } from '../../lib/sim/index.ts'
import type { SimMachine } from '../../lib/sim/index.ts'
import { DurableVotes } from './durable-votes.ts'
import { Nemesis } from './nemesis.ts'
import { OneOrder } from './one-order.ts'
import type { FaultKind, SimSettings } from './settings.ts'
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

/** One run: a safety phase under faults, then everything is healed and progress is required, then the verdicts. */
export async function runSeed (settings: SimSettings, onLine: ((line: string) => void) | null = null): Promise<SimResult> {
  const { nodes, writeTimeoutMs, failureTimeoutMs, delayMaxMs, bandwidth, syncMs, driftMax, durability } = settings
  const cluster = new SimCluster({
    seed: settings.seed,
    names: [...'abcdefg'].slice(0, nodes),
    replicator: { writeTimeoutMs, readTimeoutMs: writeTimeoutMs, failureTimeoutMs, durability, failAfter: 1000, queueMax: settings.queueMax },
    network: { delayMinMs: 0.02, delayMaxMs, bandwidth },
    disk: { readMs: 0.2, writeMs: 0.2, syncMs, failedWrites: 0, failedReads: 0, full: false },
    driftMax
  })
  cluster.world.onLine = onLine
  const order = new OneOrder()
  const workload = new Workload(cluster, settings)
  const votes = new DurableVotes(cluster.machines)
  if (durability === 'disk') workload.onAcknowledged = machine => { votes.onAcknowledged(machine) }
  const watch = (machine: SimMachine): void => {
    workload.onDown(machine)
    votes.onDown(machine)
    order.watch(machine)
  }
  const nemesis = new Nemesis(cluster, settings, watch)
  const initial = new Map<string, string>()
  if (settings.foundingData) {
    for (const key of ['k0', 'k1', 'old']) initial.set(key, `founding.${key}`)
    const text = new TextEncoder()
    ;(cluster.machines[0] as SimMachine).disk.sync((cluster.machines[0] as SimMachine).disk.write([...initial].map(([key, value]) => ({ key, value: text.encode(value) }))))
  }
  for (const machine of cluster.machines) order.watch(machine)

  cluster.start()
  workload.start()
  nemesis.start()
  await cluster.run(() => workload.done, SAFETY_MS)

  cluster.world.say('the safety phase is over')
  workload.stop()
  nemesis.stop()
  const problems: string[] = []
  const live = await cluster.run(() => workload.pending === 0 && cluster.ready, LIVENESS_MS)
  if (!live) problems.push(`liveness: ${describeStuck(cluster, workload)}`)
  else if (!await cluster.run(() => isAtRest(cluster), LIVENESS_MS)) problems.push(`liveness without new writes: ${describeStuck(cluster, workload)}`)
  else if (!await finish(cluster, workload)) problems.push(`liveness at the end: ${describeStuck(cluster, workload)}`)
  else problems.push(...judge(workload.history, cluster.machines, initial))
  problems.push(...order.problems, ...votes.problems, ...workload.problems)

  const writes = workload.history.filter(operation => ['put', 'del', 'batch', 'clear'].includes(operation.kind))
  return {
    settings,
    problems,
    operations: workload.history.length,
    committed: writes.filter(write => write.outcome === 'ok').length,
    unknown: writes.filter(write => write.outcome === 'unknown').length,
    events: cluster.world.events,
    virtualMs: Math.round(cluster.world.now),
    faults: nemesis.injected,
    traceHash: cluster.world.traceHash
  }
}

/** A last write through every node and a read of everything: then all is decided and applied everywhere. */
async function finish (cluster: SimCluster, workload: Workload): Promise<boolean> {
  for (const machine of cluster.machines) {
    void workload.perform(machine, `last-${machine.name}`, { kind: 'put', key: `last-${machine.name}`, value: 'done' })
  }
  if (!await cluster.run(() => workload.pending === 0, LIVENESS_MS)) return false
  for (const machine of cluster.machines) {
    void workload.perform(machine, `last-${machine.name}`, { kind: 'range', range: {} })
  }
  return await cluster.run(() => workload.pending === 0 && isAtRest(cluster), LIVENESS_MS)
}

/** Everything that is in any log is decided and applied everywhere. */
function isAtRest (cluster: SimCluster): boolean {
  const stats = cluster.machines.map(machine => machine.replicator.stats())
  return stats.every(({ end, applied, pendingWrites }) => end === applied && end === stats[0]?.end && pendingWrites === 0)
}

function describeStuck (cluster: SimCluster, workload: Workload): string {
  const nodes = cluster.machines.map((machine) => {
    if (!machine.up) return `${machine.name} is down`
    const { status, epoch, end, committed, applied, pendingWrites, queuedWrites, waitingFor, peers } = machine.replicator.stats()
    return `${machine.name} ${status} epoch ${epoch} end ${end} committed ${committed} applied ${applied} pending ${pendingWrites}+${queuedWrites} peers ${peers.filter(peer => peer.connected).length} ${waitingFor}`
  })
  return `${workload.pending} operations are not settled; ${nodes.join('; ')}`
}
