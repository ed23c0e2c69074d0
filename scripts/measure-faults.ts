/**
 * How long writes pause when a node of three dies and when it comes back, and when the members change; and what it takes to bring a
 * node up to date. Not a test: it judges nothing.
 *
 *     node --import tsx scripts/measure-faults.ts                          everything
 *     node --import tsx scripts/measure-faults.ts pauses changes log copy  these
 *
 * REPEAT (default 3): how often each pause is measured. WRITES (100,000): missed by the node that catches up by log.
 * MEGABYTES (1024): of data that are copied, in values of 1 KiB.
 */
import { performance } from 'node:perf_hooks'
import type { ReplicatorOptions } from '../index.ts'
import { startCluster } from '../test/support/cluster/cluster.ts'
import type { Cluster, ClusterOptions } from '../test/support/cluster/cluster.ts'
import type { ClusterNode } from '../test/support/cluster/cluster-node.ts'
import { inflict } from '../test/support/cluster/faults.ts'
import type { Fault } from '../test/support/cluster/faults.ts'

const repeat = Number(process.env.REPEAT ?? 3)
const writes = Number(process.env.WRITES ?? 100_000)
const megabytes = Number(process.env.MEGABYTES ?? 1024)
const patient = { minConsensus: 1, writeTimeoutMs: 600_000, readTimeoutMs: 600_000 }

/** One write after the other on each of these nodes, and when each of them was acknowledged. */
class Pulse {
  readonly #times: number[] = []
  readonly #loops: Array<Promise<void>>
  #running = true

  constructor (nodes: readonly ClusterNode[]) {
    this.#loops = nodes.map(async (node) => {
      for (let i = 0; this.#running; i++) {
        await node.call('put', `pulse-${node.name}`, String(i))
        this.#times.push(performance.now())
      }
    })
  }

  /** The longest time without an acknowledgement since then. */
  pauseSince (time: number): number {
    const times = [time, ...this.#times.filter((other) => other > time)]
    return Math.max(...times.slice(1).map((other, i) => other - times[i]!))
  }

  /** Resolves once so many more are acknowledged. */
  async beats (count: number): Promise<void> {
    const until = this.#times.length + count
    while (this.#times.length < until) await new Promise((resolve) => { setImmediate(resolve) })
  }

  async stop (): Promise<{ perSecond: number, longest: number }> {
    this.#running = false
    await Promise.all(this.#loops)
    const [first = 0] = this.#times
    const last = this.#times[this.#times.length - 1] ?? 0
    return { perSecond: this.#times.length / Math.max(last - first, 1) * 1000, longest: this.pauseSince(first) }
  }
}

async function withCluster (options: ClusterOptions, use: (cluster: Cluster, nodes: [ClusterNode, ClusterNode, ClusterNode]) => Promise<void>): Promise<void> {
  let destroy = async (): Promise<void> => {}
  const cluster = await startCluster({ teardown: (callback) => { destroy = callback } }, options)
  try {
    await cluster.ready()
    await use(cluster, [cluster.node('a'), cluster.node('b'), cluster.node('c')])
  } finally {
    await destroy()
  }
}

function print (title: string, rows: readonly string[][]): void {
  console.log(`\n${title}`)
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  for (const row of rows) console.log(row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join('  '))
}

function median (values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function seconds (ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function mebibytes (bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}

async function measurePauses (failureTimeoutMs: number): Promise<void> {
  const rows = [['', 'writes pause', 'longest', 'admission', 'longest']]
  await withCluster({ proxies: true, replicator: { ...patient, failureTimeoutMs } }, async (cluster) => {
    for (const fault of ['kill', 'stop', 'cut', 'silence'] satisfies Fault[]) {
      for (const role of ['participant', 'coordinator']) {
        const pauses: number[] = []
        const admissions: number[] = []
        for (let i = 0; i < repeat; i++) {
          const coordinator = await cluster.coordinatorOf(cluster.node('a'))
          const victim = cluster.nodes.find((node) => (node === coordinator) === (role === 'coordinator'))!
          const survivors = cluster.nodes.filter((node) => node !== victim)
          const pulse = new Pulse(survivors)
          await pulse.beats(50)
          const struck = performance.now()
          const mend = await inflict(cluster, fault, [victim])
          await Promise.all(survivors.map((node) => node.call('put', 'after', fault)))
          await pulse.beats(20)
          pauses.push(pulse.pauseSince(struck))

          const mended = performance.now()
          await mend()
          await cluster.whenLive([victim.name], survivors[0]!)
          await pulse.beats(20)
          admissions.push(pulse.pauseSince(mended))
          await pulse.stop()
        }
        rows.push([`${fault} ${role}`, seconds(median(pauses)), seconds(Math.max(...pauses)), seconds(median(admissions)), seconds(Math.max(...admissions))])
      }
    }
  })
  print(`Three nodes, minConsensus 1, failureTimeoutMs ${failureTimeoutMs}: medians of ${repeat}`, rows)
}

interface Change {
  name: string
  options?: ReplicatorOptions
  /** What comes before. */
  prepare? (cluster: Cluster, writer: ClusterNode): Promise<void>
  /** Resolves when it is done. */
  change (cluster: Cluster, writer: ClusterNode, coordinator: ClusterNode): Promise<void>
  /** Nobody writes before: what is measured is the time until somebody can. */
  fromRest?: boolean
}

function otherThan (cluster: Cluster, ...nodes: readonly ClusterNode[]): ClusterNode {
  return cluster.nodes.find((node) => !nodes.includes(node))!
}

async function restart (node: ClusterNode): Promise<void> {
  await node.close()
  await node.start()
  await node.call('ready')
}

const changes: Change[] = [
  {
    name: 'a fourth joins',
    async change (cluster, writer) {
      const node = await cluster.add({ name: 'd', knows: [writer], replicator: patient })
      await node.start()
      await node.call('ready')
    }
  },
  { name: 'a participant leaves', change: async (cluster, writer, coordinator) => { await otherThan(cluster, writer, coordinator).leave() } },
  { name: 'the coordinator leaves', change: async (_cluster, _writer, coordinator) => { await coordinator.leave() } },
  {
    name: 'a dead one is removed',
    async prepare (cluster, writer) {
      const dead = otherThan(cluster, writer, await cluster.coordinatorOf(writer))
      await dead.kill()
      await cluster.forget(dead)
      await writer.whenStats(({ live }) => live.length === 2)
    },
    change: async (cluster, writer) => {
      const { peers } = await writer.call('stats')
      await writer.call('removePeer', peers.find(({ live }) => !live)!.name, false)
    }
  },
  { name: 'a participant restarts', change: async (cluster, writer, coordinator) => { await restart(otherThan(cluster, writer, coordinator)) } },
  { name: 'the coordinator restarts', change: async (_cluster, _writer, coordinator) => { await restart(coordinator) } },
  {
    name: 'the coordinator hands over to the writer',
    options: { coordinator: 'auto' },
    change: async (_cluster, writer) => { await writer.whenStats(({ isCoordinator }) => isCoordinator) }
  },
  {
    name: 'the last of three recovers',
    options: { minConsensus: undefined },
    fromRest: true,
    async prepare (cluster, writer) {
      for (const node of cluster.nodes) if (node !== writer) await node.kill()
      await writer.whenNotReady()
    },
    change: async (_cluster, writer) => { await writer.call('recover', [writer.name]) }
  }
]

/** Each in a cluster of its own, with one writer, on a participant. */
async function measureChanges (): Promise<void> {
  const rows = [['', 'writes pause', 'longest', 'change takes', 'longest']]
  for (const { name, options, prepare, change, fromRest = false } of changes) {
    const pauses: number[] = []
    const durations: number[] = []
    for (let i = 0; i < repeat; i++) {
      await withCluster({ replicator: { ...patient, failureTimeoutMs: 1000, coordinator: 'fixed', ...options } }, async (cluster) => {
        const coordinator = await cluster.coordinatorOf(cluster.node('a'))
        const writer = otherThan(cluster, coordinator)
        await prepare?.(cluster, writer)
        const pulse = new Pulse([writer])
        if (!fromRest) await pulse.beats(50)
        const begun = performance.now()
        await change(cluster, writer, coordinator)
        durations.push(performance.now() - begun)
        await pulse.beats(50)
        pauses.push(pulse.pauseSince(begun))
        await pulse.stop()
      })
    }
    rows.push([name, seconds(median(pauses)), seconds(Math.max(...pauses)), seconds(median(durations)), seconds(Math.max(...durations))])
  }
  print(`Changes of three nodes, minConsensus 1, failureTimeoutMs 1000, one writer: medians of ${repeat}`, rows)
}

/** Founds, takes c away, fills the others, and brings c back while they write. */
async function measureReturn (title: string, options: ClusterOptions, bulk: { count: number, bytes: number, perWrite: number }): Promise<void> {
  await withCluster(options, async (cluster, [a, b, c]) => {
    await c.kill()
    const begun = performance.now()
    await a.call('fill', { first: 0, ...bulk })
    const filled = performance.now() - begun
    // So that their peaks are those of what follows.
    for (const [node, other] of [[a, b], [b, a]] as const) {
      await node.kill()
      await node.start()
      await cluster.whenLive([node.name], other)
    }

    const before = await Promise.all([a, b].map((node) => node.call('peakMemory')))
    const pulse = new Pulse([a, b])
    await pulse.beats(20)
    const phases = new Map<string, { from: number, source: string }>()
    c.on('replicator:sync', ({ phase, source }: { phase: string, source: string }) => {
      if (!phases.has(phase)) phases.set(phase, { from: performance.now(), source: cluster.nameOf(source) })
    })
    const started = performance.now()
    await c.start()
    const listening = performance.now() - started
    await cluster.whenLive(['c'], a)
    const took = performance.now() - started
    const { perSecond, longest } = await pulse.stop()
    const after = await Promise.all([a, b, c].map((node) => node.call('peakMemory')))
    const digests = await Promise.all([a, b, c].map((node) => node.call('digest')))

    print(title, [
      ['written by the others before', `${bulk.count} entries of ${bulk.bytes} bytes in ${seconds(filled)}`],
      ['from start to live', `${seconds(took)}, listening after ${seconds(listening)}`],
      ...[...phases].map(([phase, { from, source }]) => [`phase ${phase} from ${source} began after`, seconds(from - started)]),
      ['others meanwhile', `${Math.round(perSecond)} writes/s, longest pause ${seconds(longest)}`],
      ['peak RSS a, before and at the end', `${mebibytes(before[0]!)}, ${mebibytes(after[0]!)}`],
      ['peak RSS b, before and at the end', `${mebibytes(before[1]!)}, ${mebibytes(after[1]!)}`],
      ['peak RSS c', mebibytes(after[2]!)],
      ['digests of the data are equal', String(new Set(digests.map(({ data }) => data)).size === 1)]
    ])
  })
}

const chosen = process.argv.slice(2)
const wants = (part: string): boolean => chosen.length === 0 || chosen.includes(part)

if (wants('pauses')) {
  await measurePauses(5000)
  await measurePauses(1000)
}
if (wants('changes')) await measureChanges()
if (wants('log')) {
  await measureReturn('Catching up by log', { replicator: patient }, { count: writes, bytes: 100, perWrite: 1 })
}
if (wants('copy')) {
  const count = megabytes * 1024
  await measureReturn('Copy of everything', { replicator: { ...patient, logBytesMax: 16 * 2 ** 20 } }, { count, bytes: 1024, perWrite: 64 })
}
