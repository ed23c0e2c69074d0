/** Clusters that need not all of their nodes lose some of them, in every way, under load from all of them. */
import test from 'tape'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Fault } from '../support/cluster/faults.ts'
import { Load } from '../support/cluster/load.ts'
import { outlive } from '../support/cluster/outlive.ts'

const timeout = 150_000
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6))
const replicator = { failureTimeoutMs: 1000, writeTimeoutMs: 30_000, readTimeoutMs: 5000 }

test('faults: three nodes, each is killed, stopped and cut off', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const cluster = await startCluster(t, { proxies: true, replicator: { ...replicator, minConsensus: 1 } })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 2, keys: ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'] })
  load.start()

  for (const faults of random.sample([['kill'], ['stop'], ['cut', 'silence']] as const, 3)) {
    const first = await cluster.coordinatorOf(random.pick(cluster.nodes))
    t.comment(`${first.name} is the coordinator`)
    for (const victim of [first, ...random.sample(cluster.nodes.filter((node) => node !== first), 2)]) {
      await load.operations(50)
      await outlive(t, cluster, load, random.pick<Fault>(faults), [victim])
    }
  }

  await load.operations(100)
  await load.stop()
  await audit(t, cluster, load)
})

test('faults: five nodes, two at a time', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const names = ['a', 'b', 'c', 'd', 'e']
  const cluster = await startCluster(t, { names, proxies: true, replicator: { ...replicator, minConsensus: 2 } })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 1, keys: ['k0', 'k1', 'k2', 'k3'] })
  load.start()

  for (const fault of random.sample(['kill', 'stop', 'cut'] as const, 3)) {
    await load.operations(50)
    const coordinator = await cluster.coordinatorOf(random.pick(cluster.nodes))
    const [other] = random.sample(cluster.nodes.filter((node) => node !== coordinator), 1)
    await outlive(t, cluster, load, fault, [coordinator, other!])
  }

  await load.operations(100)
  await load.stop()
  await audit(t, cluster, load)
})
