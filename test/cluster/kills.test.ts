import test from 'tape'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { Load } from '../support/cluster/load.ts'

const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7']

/** The same seed gives the same plan; the timing of real processes is never the same. */
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6))

test('nodes are killed and restarted under load from all nodes', { timeout: 240_000 }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const cluster = await startCluster(t, { replicator: { writeTimeoutMs: 800, readTimeoutMs: 800 } })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 3, keys: KEYS })
  load.start()

  // Each node twice, in any order; then all at once, in the middle and at the end.
  const rounds = [...random.sample(cluster.nodes, 3), ...cluster.nodes, ...random.sample(cluster.nodes, 3), ...cluster.nodes]
    .map((node) => [node])
  rounds.splice(3, 3, [...cluster.nodes])
  rounds.splice(-3, 3, [...cluster.nodes])

  for (const victims of rounds) {
    await load.operations(random.integer(200, 800))
    const names = victims.map(({ name }) => name).join(', ')
    await Promise.all(victims.map((node) => node.kill()))

    // With all of them gone there is nobody left to count the operations of.
    if (victims.length < cluster.nodes.length) await load.operations(random.integer(1, 30))
    await Promise.all(victims.map((node) => node.start()))
    // Now and then the next one dies while this one has not caught up yet.
    if (random.next() < 0.7) await cluster.ready()
    t.pass(`killed and restarted: ${names}`)
  }

  await cluster.ready()
  t.pass('all are ready again')
  await load.operations(1000)
  await load.stop()
  await audit(t, cluster, load)
})
