/** A majority is gone for good, and a person says so: the survivors are a cluster of their own, with all that was acknowledged. */
import test from 'tape'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { codeOf, join, restart } from '../support/cluster/changes.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { Load } from '../support/cluster/load.ts'

const timeout = 120_000
const random = new Random(Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6)))
const replicator = { failureTimeoutMs: 1000, writeTimeoutMs: 60_000, readTimeoutMs: 60_000 }
const keys = ['k0', 'k1', 'k2', 'k3']

test('recovery: two of three are gone, and the third goes on', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await startCluster(t, { replicator })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 2, keys })
  load.start()
  await load.operations(200)

  const [survivor, ...dead] = random.sample(cluster.nodes, 3) as [ClusterNode, ClusterNode, ClusterNode]
  const old = (await survivor.call('stats')).cluster
  await Promise.all(dead.map((node) => node.kill()))
  for (const node of dead) {
    await load.retire(node)
    await cluster.forget(node)
  }
  await survivor.whenNotReady()
  const [other] = dead as [ClusterNode, ClusterNode]
  t.equal(await codeOf(survivor.call('recover', [other.name])), 'LEVEL_CHANGE_REFUSED', 'who recovers is one of the survivors')

  const { cluster: id } = await survivor.call('recover', [survivor.name])
  t.notEqual(id, old, 'it is a new cluster')
  await survivor.call('ready')
  await load.operations(50)

  // One of the old cluster is none of the new one.
  await other.start()
  t.teardown(() => other.kill())
  const fresh = await join(cluster, load, 'd', replicator, [survivor])
  await load.operations(50)
  t.deepEqual([(await survivor.call('stats')).members.length, (await other.call('stats')).status], [2, 'notready'], 'a new node joins, an old one does not')
  await other.kill()

  t.equal((await fresh.call('stats')).cluster, id)
  await load.stop()
  await audit(t, cluster, load)
})

test('recovery: three of five are gone, and two go on', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await startCluster(t, { names: ['a', 'b', 'c', 'd', 'e'], replicator: { ...replicator, minConsensus: 2 } })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 1, keys })
  load.start()
  await load.operations(200)

  const dead = random.sample(cluster.nodes, 3)
  await Promise.all(dead.map((node) => node.kill()))
  for (const node of dead) {
    await load.retire(node)
    await cluster.forget(node)
  }
  const survivors = [...cluster.nodes]
  await Promise.all(survivors.map((node) => node.whenNotReady()))
  const names = survivors.map(({ name }) => name)
  const results = await Promise.all(survivors.map((node) => node.call('recover', names)))
  t.equal(results[0]!.cluster, results[1]!.cluster, 'both are in the same cluster')

  // Two are fewer than each of them asks for. What waits for more will not be there when they start again with less.
  for (const node of survivors) {
    node.config.replicator.minConsensus = 1
    await node.kill()
    await node.start()
  }
  await cluster.ready()
  await load.operations(50)
  await restart(cluster, load, survivors[0]!)
  await load.operations(50)
  await load.stop()
  await audit(t, cluster, load)
})
