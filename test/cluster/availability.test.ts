/** How many nodes may be dead, with which minConsensus: what goes on and what does not, and that it goes on when they come back. */
import test from 'tape'
import type { Test } from 'tape'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import { RemoteError } from '../support/cluster/cluster-node.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'

const timeout = 60_000
const patient = { failureTimeoutMs: 500, writeTimeoutMs: 30_000, readTimeoutMs: 30_000 }

/** The code with which this rejects; null if it does not. */
async function codeOf (call: Promise<unknown>): Promise<string | null> {
  return await call.then(() => null, (error: unknown) => error instanceof RemoteError ? error.code ?? '' : String(error))
}

async function assertAllGoOn (t: Test, cluster: Cluster, key: string): Promise<void> {
  await cluster.ready()
  for (const node of cluster.nodes) await node.call('put', `${key}-${node.name}`, node.name)
  const keys = cluster.nodes.map(({ name }) => `${key}-${name}`)
  for (const node of cluster.nodes) {
    t.deepEqual(await node.call('getMany', keys), cluster.nodes.map(({ name }) => name), `${key}: ${node.name} has a write of each`)
  }
  const [first, ...others] = await Promise.all(cluster.nodes.map((node) => node.call('digest')))
  for (const digest of others) t.deepEqual(digest, first, `${key}: digests are equal`)
}

test('availability: of two nodes one is killed, writes wait and reads go on', { timeout }, async function (t) {
  const replicator = { minConsensus: 1, failureTimeoutMs: 500, writeTimeoutMs: 1000 }
  const cluster = await startCluster(t, { names: ['a', 'b'], replicator })
  await cluster.ready()
  for (const [node, other] of [[cluster.nodes[0]!, cluster.nodes[1]!], [cluster.nodes[1]!, cluster.nodes[0]!]]) {
    await node!.call('put', 'x', `${other!.name} lives`)
    t.equal((await node!.call('stats')).lease, 'free', `${node!.name} needs no lease`)
    await other!.kill()
    await node!.whenNotReady()
    t.equal(await codeOf(node!.call('put', 'y', '1')), 'LEVEL_TIMEOUT', 'a write waits')
    t.equal(await node!.call('get', 'x'), `${other!.name} lives`, 'reads go on, even now')
    t.ok((await node!.call('stats')).readable)
    await other!.start()
    await assertAllGoOn(t, cluster, `after ${other!.name}`)
  }
})

test('availability: of three nodes two die, and the third waits', { timeout }, async function (t) {
  const cluster = await startCluster(t, { replicator: { ...patient, minConsensus: 1 } })
  await cluster.ready()
  const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]

  /** Resolves with what to wait for when the others are back. */
  const assertStands = async (node: ClusterNode, how: string): Promise<() => Promise<void>> => {
    await node.whenNotReady()
    // As long as its lease lasts, it may answer: nobody goes on before that.
    while ((await node.call('stats')).readable);
    const { status, lease } = await node.call('stats')
    t.ok(status === 'notready' && lease !== 'valid', `${how}: ${node.name} has lost its lease`)
    let isSettled = false
    const waiting = Promise.all([node.call('put', 'y', how), node.call('get', 'x')]).then(([, x]) => { t.ok(x, `${how}: they go on`) })
    void waiting.finally(() => { isSettled = true })
    // Answered behind them.
    await node.call('stats')
    t.notOk(isSettled, `${how}: its writes and reads wait`)
    return async () => { await waiting }
  }

  await a.call('put', 'x', '1')
  await b.kill()
  await a.call('put', 'x', '2')
  t.equal(await c.call('get', 'x'), '2', 'without one, the others go on')
  await c.kill()
  const first = await assertStands(a, 'one after the other')
  await Promise.all([b.start(), c.start()])
  await first()
  await assertAllGoOn(t, cluster, 'one-by-one')

  await Promise.all([a.kill(), b.kill()])
  const second = await assertStands(c, 'both at once')
  await Promise.all([a.start(), b.start()])
  await second()
  await assertAllGoOn(t, cluster, 'at-once')
})

test('availability: each node with a minConsensus of its own', { timeout }, async function (t) {
  const each = { a: { minConsensus: 2 }, b: { minConsensus: 1 }, c: { minConsensus: 1 } }
  const cluster = await startCluster(t, { replicator: patient, each })
  await cluster.ready()
  const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]

  for (const [victim, other] of [[c, b], [b, c]] as const) {
    await victim.kill()
    await a.whenNotReady()
    let isWritten = false
    const waiting = a.call('put', `a-without-${victim.name}`, '1').then(() => { isWritten = true })
    await other.call('put', 'x', `without ${victim.name}`)
    t.equal((await other.call('stats')).status, 'ready', `without ${victim.name}, ${other.name} is ready`)
    t.equal(await a.call('get', 'x'), `without ${victim.name}`, 'and a reads what it writes')
    t.equal((await a.call('stats')).status, 'notready', 'but is not ready')
    t.notOk(isWritten, 'and its writes wait')
    await victim.start()
    await waiting
    t.equal(await victim.call('get', `a-without-${victim.name}`), '1', `until ${victim.name} is back`)
    await assertAllGoOn(t, cluster, `after-${victim.name}`)
  }

  await a.kill()
  await Promise.all([b.call('put', 'x', '1'), c.call('put', 'y', '2')])
  t.deepEqual(await b.call('getMany', ['x', 'y']), ['1', '2'], 'without a, both go on')
  await a.start()
  await assertAllGoOn(t, cluster, 'after-a')
})
