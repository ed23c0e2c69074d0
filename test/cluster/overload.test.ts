/** Much more is called than can be written, and a peer is slow: what waits stays bounded, and the callers are told. */
import test from 'tape'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import type { FloodReport } from '../support/cluster/flood.ts'

const timeout = 120_000
const FULL = 'LEVEL_QUEUE_FULL aborted'
/** Views change for no other reason than that somebody is excluded. */
const replicator = { minConsensus: 1, coordinator: 'fixed' } as const

/** Resolves when so many more writes have resolved, and so many more were refused. */
async function flooded (node: ClusterNode, { ok = 0, refused = 0 }): Promise<void> {
  const count = async (): Promise<{ ok: number, refused: number }> => {
    const { outcomes } = await node.call('flooded')
    return { ok: outcomes['ok'] ?? 0, refused: outcomes[FULL] ?? 0 }
  }
  const before = await count()
  for (;;) {
    const now = await count()
    if (now.ok - before.ok >= ok && now.refused - before.refused >= refused) return
  }
}

/** Who takes part. On a busy machine, a lease may run out for a moment: then reads and writes wait, and nobody is excluded. */
async function standing (cluster: Cluster): Promise<object[]> {
  return await Promise.all(cluster.nodes.map(async (node) => {
    const { epoch, live } = await node.call('stats')
    return { name: node.name, epoch, live: live.length }
  }))
}

/** Nothing waits any more, writes are taken everywhere, and all have the same. */
async function goesOn (cluster: Cluster): Promise<string[]> {
  const problems: string[] = []
  for (const node of cluster.nodes) {
    const { pendingWrites, queuedWrites } = await node.call('stats')
    if (pendingWrites + queuedWrites > 0) problems.push(`${pendingWrites + queuedWrites} writes wait on ${node.name}`)
    await node.call('put', `last-${node.name}`, 'x')
  }
  const digests = await Promise.all(cluster.nodes.map(async (node) => JSON.stringify(await node.call('digest'))))
  if (new Set(digests).size > 1) problems.push('the data differ')
  return problems
}

function describe (node: ClusterNode, { outcomes, longestMs, longestTurnMs, mostWaiting, rss }: FloodReport): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`
  return `${node.name}: ${JSON.stringify(outcomes)}, at most ${mostWaiting} waited, the slowest for ${Math.round(longestMs)} ms; a turn took at most ${Math.round(longestTurnMs)} ms; ${mib(rss.before)}, at most ${mib(rss.most)}`
}

test('overload: what is beyond the queue is refused at once, and what is in it is written', { timeout }, async function (t) {
  const queueMax = 500
  const writeTimeoutMs = 30_000
  const cluster = await startCluster(t, { replicator: { ...replicator, queueMax, failureTimeoutMs: 10_000, writeTimeoutMs } })
  await cluster.ready()
  const before = await standing(cluster)
  await Promise.all(cluster.nodes.map((node) => node.call('flood', { prefix: `${node.name}-`, keys: 100, bytes: 100, perTurn: 200 })))
  await Promise.all(cluster.nodes.map((node) => flooded(node, { ok: 2000, refused: 10_000 })))

  for (const node of cluster.nodes) {
    const report = await node.call('calm')
    t.comment(describe(node, report))
    t.deepEqual(Object.keys(report.outcomes).sort(), [FULL, 'ok'], 'a write is taken and written in time, or is refused')
    t.ok(report.mostWaiting <= queueMax, `no more than queueMax wait on ${node.name}`)
    t.ok(report.longestMs <= writeTimeoutMs, 'no longer than writeTimeoutMs')
  }
  t.deepEqual(await standing(cluster), before, 'nobody was taken for dead')
  t.deepEqual(await goesOn(cluster), [], 'when it is over, all goes on')
})

test('overload: a peer that does not read slows the writers down, and nothing piles up', { timeout }, async function (t) {
  const queueMax = 2000
  const bytes = 16 * 1024
  const cluster = await startCluster(t, { replicator: { ...replicator, queueMax, queueBytesMax: 8 * 2 ** 20, failureTimeoutMs: 30_000, writeTimeoutMs: 60_000 } })
  await cluster.ready()
  const coordinator = await cluster.coordinatorOf(cluster.node('a'))
  const [slow, other] = cluster.nodes.filter((node) => node !== coordinator) as [ClusterNode, ClusterNode]
  const writers = [coordinator, other]
  const before = await standing(cluster)
  await Promise.all(writers.map((node) => node.call('flood', { prefix: `${node.name}-`, keys: 100, bytes, perTurn: 50 })))

  const refused = 10_000
  for (let round = 0; round < 3; round++) {
    // Its sockets stay open, and fill.
    slow.stop()
    await Promise.all(writers.map((node) => flooded(node, { refused })))
    slow.cont()
    await Promise.all(writers.map((node) => flooded(node, { ok: 200 })))
  }

  for (const node of writers) {
    const report = await node.call('calm')
    t.comment(describe(node, report))
    t.deepEqual(Object.keys(report.outcomes).sort(), [FULL, 'ok'], 'a write is written, or refused')
    t.ok(report.mostWaiting <= queueMax, `no more than queueMax wait on ${node.name}`)
    const grown = report.rss.most - report.rss.before
    t.ok(grown < (report.outcomes[FULL] ?? 0) * bytes, 'what was refused is not kept')
  }
  t.comment(`${slow.name}: ${Math.round(await slow.call('peakMemory') / 2 ** 20)} MiB at most`)
  t.deepEqual(await standing(cluster), before, 'nobody was taken for dead')
  t.deepEqual(await goesOn(cluster), [], 'all goes on')
})
