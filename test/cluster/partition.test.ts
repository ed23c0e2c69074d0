import test from 'tape'
import { startCluster } from '../support/cluster/cluster.ts'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { Load } from '../support/cluster/load.ts'

const timeout = 120_000
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6))
const replicator = { writeTimeoutMs: 1000, readTimeoutMs: 1000, failureTimeoutMs: 500 }

test('nodes are cut off and frozen under load', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const cluster = await startCluster(t, { proxies: true, replicator })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 3, keys: ['k0', 'k1', 'k2', 'k3'] })
  load.start()

  for (const node of random.sample(cluster.nodes, 3)) {
    await load.operations(random.integer(50, 200))
    const others = cluster.nodes.filter((other) => other !== node).map(({ name }) => name)
    cluster.partition(others)
    await node.whenNotReady()
    await load.operations(random.integer(1, 20))
    cluster.heal()
    await cluster.ready()
    t.pass(`cut off and healed: ${node.name}`)

    node.stop()
    await cluster.node(others[0] as string).whenNotReady()
    await load.operations(random.integer(1, 20))
    node.cont()
    await cluster.ready()
    t.pass(`frozen and thawed: ${node.name}`)
  }

  await load.operations(100)
  await load.stop()
  await audit(t, cluster, load)
})
