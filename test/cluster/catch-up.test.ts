/** A node that was away for long gets what it lacks, by log or by copy, while the others write. */
import test from 'tape'
import type { SyncProgress } from '../../index.ts'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import type { Bulk } from '../support/cluster/bulk.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { Load } from '../support/cluster/load.ts'

/** Puts that a node misses while it is away. */
const MISSED = Number(process.env.TEST_MISSED ?? 20_000)
const timeout = 60_000 + MISSED * 5
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6))
const replicator = { minConsensus: 1, failureTimeoutMs: 1000, writeTimeoutMs: 60_000, readTimeoutMs: 30_000 }
const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']

type Trio = [ClusterNode, ClusterNode, ClusterNode]

/** What a node says of its catching up from now on. */
function watch (node: ClusterNode): { phases: Set<string>, steps: SyncProgress[] } {
  const seen = { phases: new Set<string>(), steps: [] as SyncProgress[] }
  node.on('replicator:sync', (progress: SyncProgress) => {
    seen.phases.add(progress.phase)
    seen.steps.push(progress)
  })
  return seen
}

/** Writes entries in bulk, and knows which. */
class Filler {
  readonly bulks: Bulk[] = []

  async fill (node: ClusterNode, count: number, bytes: number): Promise<void> {
    const last = this.bulks[this.bulks.length - 1]
    const bulk = { first: last === undefined ? 0 : last.first + last.count, count, bytes }
    await node.call('fill', bulk)
    this.bulks.push(bulk)
  }
}

test('catch-up: a node that was away for many writes gets them from the log', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const cluster = await startCluster(t, { replicator })
  await cluster.ready()
  const [a, b, c] = cluster.nodes as Trio
  const filler = new Filler()
  await c.kill()
  await filler.fill(a, MISSED, 64)
  const load = new Load([a, b], { random: new Random(seed), clientsPerNode: 2, keys })
  load.start()
  await load.operations(20)

  const seen = watch(c)
  await c.start()
  await cluster.whenLive(['c'], a)
  await load.operations(50)
  await load.stop()
  t.deepEqual([...seen.phases], ['log'], 'by log, and not by copy')
  t.ok(seen.steps.some(({ done, total }) => done < total) && seen.steps.some(({ total }) => total > MISSED), 'it tells how far it is')
  await audit(t, cluster, load, { bulks: filler.bulks })
})

/** Enough data for some ten chunks, so that there is a middle. */
const CHUNKS = 10

async function foundAndFill (cluster: Cluster, filler: Filler): Promise<Trio> {
  await cluster.ready()
  const [a, b, c] = cluster.nodes as Trio
  await c.kill()
  await filler.fill(a, CHUNKS * 256, 4096)
  return [a, b, c]
}

test('catch-up: a node behind the beginning of the log gets a copy', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const cluster = await startCluster(t, { replicator: { ...replicator, logBytesMax: 256 * 1024 } })
  const filler = new Filler()
  const [a, b, c] = await foundAndFill(cluster, filler)
  const load = new Load([a, b], { random: new Random(seed), clientsPerNode: 1, keys })
  load.start()
  await load.operations(20)

  const seen = watch(c)
  await c.start()
  await cluster.whenLive(['c'], a)
  t.ok(seen.phases.has('copy') && seen.phases.has('verify'), `by copy, which is verified: ${[...seen.phases].join(', ')}`)

  // Again, and the node that is being copied to dies in the middle.
  await c.kill()
  await filler.fill(b, 500, 4096)
  const halted = new Promise((resolve) => { c.once('halted', resolve) })
  await c.start({ haltAt: 'copy' })
  await halted
  await c.kill()
  t.pass('killed in the middle of a copy')
  await load.operations(20)
  seen.phases.clear()
  await c.start()
  await cluster.whenLive(['c'], a)
  t.ok(seen.phases.has('copy'), 'it goes on with the copy')

  await load.operations(50)
  await load.stop()
  await audit(t, cluster, load, { bulks: filler.bulks })
})

test('catch-up: the source of a copy is killed in the middle', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const cluster = await startCluster(t, { replicator: { ...replicator, logBytesMax: 256 * 1024 } })
  const filler = new Filler()
  const [, , c] = await foundAndFill(cluster, filler)
  const seen = watch(c)
  const halted = new Promise((resolve) => { c.once('halted', resolve) })
  await c.start({ haltAt: 'copy' })
  await halted
  const { source } = seen.steps[seen.steps.length - 1]!
  const victim = cluster.node(cluster.nameOf(source))
  const other = cluster.nodes.find((node) => node !== victim && node !== c)!
  await victim.kill()
  c.release()

  // One live node, and one that is not yet: the first write tells that the copy is complete, from another source.
  const load = new Load([other], { random: new Random(seed), clientsPerNode: 2, keys })
  load.start()
  await load.perform(other, 'first', { kind: 'put', key: 'k0', value: 'written' })
  await cluster.whenLive(['c'], other)
  t.ok(seen.steps.some((step) => step.source !== source), `not ${victim.name} any more`)
  await victim.start()
  await cluster.whenLive([victim.name], other)
  await load.operations(50)
  await load.stop()
  await audit(t, cluster, load, { bulks: filler.bulks })
})
