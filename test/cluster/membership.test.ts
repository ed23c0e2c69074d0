/** Clusters whose members change under load: nothing that was acknowledged is lost, and whoever does not die never fails a write. */
import { once } from 'node:events'
import test from 'tape'
import type { Test } from 'tape'
import type { SyncProgress } from '../../index.ts'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { assertNoneFailed, codeOf, join, leave, restart, whenMembers, writePlain } from '../support/cluster/changes.ts'
import { Load } from '../support/cluster/load.ts'
import { outlive } from '../support/cluster/outlive.ts'

const timeout = 150_000
const random = new Random(Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6)))
const replicator = { failureTimeoutMs: 1000, writeTimeoutMs: 60_000, readTimeoutMs: 60_000 }
const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']

function loadOn (cluster: Cluster, clientsPerNode = 1): Load {
  const load = new Load(cluster.nodes, { random, clientsPerNode, keys })
  load.start()
  return load
}

async function participantOf (cluster: Cluster, but: readonly ClusterNode[] = []): Promise<ClusterNode> {
  const coordinator = await cluster.coordinatorOf(random.pick(cluster.replicas))
  return random.pick(cluster.replicas.filter((node) => node !== coordinator && !but.includes(node)))
}

test('membership: three grow to five, and shrink to two and a witness, with kills in between', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await startCluster(t, { replicator: { ...replicator, minConsensus: 1 } })
  await cluster.ready()
  const load = loadOn(cluster, 2)
  await load.operations(50)

  const d = await join(cluster, load, 'd', { ...replicator, minConsensus: 1 })
  t.equal((await whenMembers(cluster.node('a'), 4)).live.length, 4, 'the fourth takes part')
  await load.operations(50)
  await outlive(t, cluster, load, 'kill', [await cluster.coordinatorOf(d)])

  // One that is there dies while the fifth joins.
  const e = await cluster.add({ name: 'e', knows: [d], replicator: { ...replicator, minConsensus: 1 } })
  await e.start()
  const victim = await cluster.coordinatorOf(d) === d ? cluster.node('a') : await cluster.coordinatorOf(d)
  await victim.kill()
  await victim.start()
  await cluster.ready()
  load.add(e)
  t.equal((await whenMembers(d, 5)).members.length, 5, `the fifth joins while ${victim.name} dies`)
  await load.operations(50)
  await outlive(t, cluster, load, 'kill', random.sample(cluster.nodes, 2))

  const participant = await participantOf(cluster)
  await leave(t, cluster, load, participant)
  await load.operations(50)
  await leave(t, cluster, load, await cluster.coordinatorOf(cluster.nodes[0]!))
  await load.operations(50)
  await outlive(t, cluster, load, 'kill', [random.pick(cluster.nodes)])

  const dead = random.pick(cluster.nodes)
  await load.retire(dead)
  await dead.kill()
  await cluster.forget(dead)
  await random.pick(cluster.nodes).call('removePeer', dead.name, false)
  for (const node of cluster.nodes) t.equal((await whenMembers(node, 2)).members.length, 2, `${node.name} goes on with one other, without the dead one`)
  await load.operations(50)

  // Two that need each other, and whoever votes with one of them.
  const witness = await cluster.add({ name: 'w', knows: [cluster.nodes[0]!], replicator: { role: 'witness' } })
  await witness.start()
  await witness.call('ready')
  for (const node of cluster.replicas) {
    Object.assign(node.config.replicator, { minConsensus: 0, consistency: 'strong' })
    await restart(cluster, load, node)
  }
  t.deepEqual((await whenMembers(cluster.replicas[0]!, 3)).witnesses.length, 1, 'two and a witness')
  t.equal(await codeOf(witness.call('get', 'k0')), 'LEVEL_WITNESS', 'which is not read')
  t.equal(await codeOf(witness.call('put', 'k0', 'x')), 'LEVEL_WITNESS', 'nor written')
  for (const node of random.sample(cluster.nodes, 3)) {
    await load.operations(50)
    await outlive(t, cluster, load, 'kill', [node])
  }

  await load.operations(50)
  await load.stop()
  assertNoneFailed(t, load)
  await audit(t, cluster, load)
})

for (const minConsensus of [1, 2]) {
  test(`membership: a rolling restart, minConsensus ${minConsensus}`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await startCluster(t, { replicator: { ...replicator, minConsensus } })
    await cluster.ready()
    const load = loadOn(cluster, 2)
    for (const node of random.sample(cluster.nodes, 3)) {
      await load.operations(50)
      await restart(cluster, load, node)
      t.pass(`restarted: ${node.name}`)
    }
    await load.operations(50)
    await load.stop()
    t.deepEqual(load.failures, [], 'nothing has failed')
    await audit(t, cluster, load)
  })
}

for (const [how, options] of [['with leases', { minConsensus: 1 }], ['where nobody goes on without anybody', {}]] as const) {
  test(`membership: a new machine takes the place of a dead one, ${how}`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await startCluster(t, { replicator: { ...replicator, ...options } })
    await cluster.ready()
    const load = loadOn(cluster)

    for (const isCoordinator of [false, true]) {
      await load.operations(50)
      const some = random.pick(cluster.nodes)
      const dead = isCoordinator ? await cluster.coordinatorOf(some) : await participantOf(cluster)
      await load.retire(dead)
      await dead.kill()
      await cluster.forget(dead)
      const others = [...cluster.nodes]
      await join(cluster, load, dead.name, { ...replicator, ...options, replaces: dead.name })
      for (const node of others) {
        const { members, live } = await whenMembers(node, 3)
        t.deepEqual([members.length, live.length], [3, 3], `${node.name} goes on with the new ${dead.name}, ${isCoordinator ? 'a coordinator' : 'a participant'} before`)
      }

      // The old one has to do with nothing any more.
      await dead.start()
      t.teardown(() => dead.kill())
      t.equal(await codeOf(dead.call('ready')), 'LEVEL_REMOVED', 'the old one has been removed')
      await load.operations(50)
      await dead.kill()
    }

    await load.stop()
    assertNoneFailed(t, load)
    await audit(t, cluster, load)
  })
}

test('membership: where nobody goes on without anybody, a person removes the dead, and anybody the living', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await startCluster(t, { names: ['a', 'b', 'c', 'd'], replicator })
  await cluster.ready()
  const load = loadOn(cluster)

  for (const isCoordinator of random.sample([true, false], 2)) {
    await load.operations(50)
    const dead = isCoordinator ? await cluster.coordinatorOf(cluster.nodes[0]!) : await participantOf(cluster)
    await load.retire(dead)
    await dead.kill()
    await cluster.forget(dead)
    const [one, ...others] = cluster.nodes as [ClusterNode, ...ClusterNode[]]
    await one.whenNotReady()
    // Where the coordinator is dead, there is nobody to refuse it at once.
    if (!isCoordinator) t.equal(await codeOf(one.call('removePeer', dead.name, false)), 'LEVEL_CHANGE_REFUSED', 'it may be alive')
    await one.call('removePeer', dead.name, true)
    await cluster.ready()
    for (const node of others) await whenMembers(node, cluster.nodes.length)
    t.pass(`${dead.name} is removed, ${isCoordinator ? 'the coordinator' : 'a participant'}`)
  }

  await load.operations(50)
  const [one, other] = cluster.nodes as [ClusterNode, ClusterNode]
  await load.retire(other)
  await one.call('removePeer', other.name, false)
  t.equal(await codeOf(other.call('ready')), 'LEVEL_REMOVED', 'one that is up is told')
  await cluster.forget(other)
  await load.operations(50)
  await load.stop()
  assertNoneFailed(t, load)
  await audit(t, cluster, load)
})

test('membership: who joins dies in the middle of the copy, and then who it is copied from', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const options = { ...replicator, minConsensus: 1 }
  const cluster = await startCluster(t, { replicator: options })
  await cluster.ready()
  // Enough for some ten chunks, so that there is a middle.
  const bulk = { first: 0, count: 2560, bytes: 4096, perWrite: 64 }
  await cluster.node('a').call('fill', bulk)
  const load = loadOn(cluster)

  const d = await cluster.add({ name: 'd', knows: [cluster.node('a')], replicator: options })
  await startHalfway(d)
  await d.kill()
  await load.operations(50)
  t.equal((await cluster.node('a').call('stats')).members.length, 3, 'who does not finish is no member')
  await d.start()
  await cluster.ready()
  load.add(d)
  await whenMembers(cluster.node('b'), 4)

  const e = await cluster.add({ name: 'e', knows: [d], replicator: options })
  const source = cluster.node(cluster.nameOf(await startHalfway(e)))
  await source.kill()
  e.release()
  await e.call('ready')
  load.add(e)
  await source.start()
  await cluster.ready()
  t.equal((await whenMembers(d, 5)).live.length, 5, `goes on without ${source.name}`)

  await load.operations(50)
  await load.stop()
  assertNoneFailed(t, load)
  await audit(t, cluster, load, { bulks: [bulk] })
})

/** Starts a node that stands still in the middle of its copy. Resolves with the id of the source. */
async function startHalfway (node: ClusterNode): Promise<string> {
  let source = ''
  node.on('replicator:sync', (progress: SyncProgress) => { source = progress.source })
  const halted = once(node, 'halted')
  await node.start({ haltAt: 'copy' })
  await halted
  return source
}

test('membership: what is refused', { timeout }, async function (t: Test) {
  const cluster = await startCluster(t, { names: ['a', 'b', 'c'], replicator: { ...replicator, minConsensus: 1 } })
  await cluster.ready()
  const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]
  await a.call('put', 'x', '1')

  t.equal(await codeOf(a.call('recover', ['a'])), 'LEVEL_CHANGE_REFUSED', 'to recover a cluster that works')
  const twin = await cluster.add({ name: 'a', knows: [b], replicator })
  await twin.start()
  t.equal(await codeOf(twin.call('ready')), 'LEVEL_NAME_TAKEN', 'a second one of a name')
  await cluster.forget(twin)

  const usurper = await cluster.add({ name: 'd', knows: [b], replicator: { ...replicator, replaces: 'c' } })
  await usurper.start()
  t.equal(await codeOf(usurper.call('ready')), 'LEVEL_CHANGE_REFUSED', 'to replace one that lives')
  await cluster.forget(usurper)

  await c.leave()
  await cluster.forget(c)
  await whenMembers(a, 2)
  t.equal(await codeOf(b.leave()), 'LEVEL_CHANGE_REFUSED', 'to leave one that asks for two')
  await b.call('put', 'x', '2')
  t.equal(await a.call('get', 'x'), '2', 'it goes on as before')
  t.equal((await b.leave({ force: true })).code, 0, 'unless it is forced')
  await cluster.forget(b)
  await whenMembers(a, 1)
  t.equal(await codeOf(a.leave()), 'LEVEL_CHANGE_REFUSED', 'the last one')
  t.equal((await a.call('stats')).status, 'notready', 'which waits for another')

  // Its own data are worth more than a mistake.
  await c.start()
  t.teardown(() => c.kill())
  t.equal(await codeOf(c.call('ready')), 'LEVEL_REMOVED', 'one that has left does not come back')
  const d = await join(cluster, null, 'd', { ...replicator, minConsensus: 1 }, [a])
  await a.call('put', 'x', '3')
  t.equal(await d.call('get', 'x'), '3', 'another one is welcome')
  const alone = await cluster.add({ name: 'e', knows: [], replicator })
  await alone.start()
  await alone.call('put', 'own', '1')
  await alone.call('addPeer', { host: a.config.host, port: a.config.port })
  await alone.call('put', 'own', '2')
  t.deepEqual([await alone.call('get', 'own'), (await a.call('stats')).members.length], ['2', 2], 'two clusters do not mix')
})

test('membership: a node with data of its own gives them up only where it is told to', { timeout }, async function (t) {
  const cluster = await startCluster(t, { names: ['a', 'b'], replicator })
  await cluster.ready()
  const [a] = cluster.nodes as [ClusterNode]
  await a.call('put', 'x', '1')

  const c = await cluster.add({ name: 'c', knows: [a], replicator })
  await writePlain(c.config.location, 'own', '1')
  await c.start()
  t.equal(await codeOf(c.call('ready')), 'LEVEL_HAS_DATA')
  await c.close()
  Object.assign(c.config.replicator, { overwrite: true })
  await c.start()
  await c.call('ready')
  t.deepEqual(await c.call('getMany', ['own', 'x']), [null, '1'], 'they are deleted, and those of the cluster are there')
  t.equal((await whenMembers(a, 3)).live.length, 3)
  const digests = await Promise.all(cluster.nodes.map((node) => node.call('digest')))
  // An entry that changes no data may be on its way.
  for (const { data } of digests) t.equal(data, digests[0]!.data)
})
