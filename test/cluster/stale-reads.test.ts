/** A node that the others go on without does not answer consistent reads from what it has: not before, not during, not after. */
import test from 'tape'
import type { Test } from 'tape'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import { RemoteError } from '../support/cluster/cluster-node.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { inflict } from '../support/cluster/faults.ts'
import type { Fault } from '../support/cluster/faults.ts'
import { EVERYTHING, Load } from '../support/cluster/load.ts'

const timeout = 90_000
const random = new Random(Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6)))
const replicator = { minConsensus: 1, failureTimeoutMs: 1000, writeTimeoutMs: 30_000, readTimeoutMs: 300 }
let last = 0

test('stale reads: a node that is left behind rejects them, or waits', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await startCluster(t, { proxies: true, replicator })
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 0, keys: ['x'] })

  const [first, second] = random.sample(['cut', 'silence'] as const, 2)
  for (const [fault, leads] of [[first!, true], ['stop', true], [second!, false], ['stop', false]] as const) {
    const coordinator = await cluster.coordinatorOf(random.pick(cluster.nodes))
    const others = cluster.nodes.filter((node) => node !== coordinator)
    await leaveBehind(t, cluster, load, fault, leads ? coordinator : random.pick(others))
  }
  await audit(t, cluster, load)
})

async function leaveBehind (t: Test, cluster: Cluster, load: Load, fault: Fault, victim: ClusterNode): Promise<void> {
  const what = `${victim.name}, ${fault}`
  const survivors = cluster.nodes.filter((node) => node !== victim)
  const write = async (): Promise<string> => {
    const value = `v${++last}`
    await load.perform(survivors[last % survivors.length] as ClusterNode, value, { kind: 'put', key: 'x', value })
    return value
  }
  const read = (): Promise<unknown> => load.perform(victim, `reader${++last}`, { kind: 'get', key: 'x' })
  // What is read before and during is judged by the history: that all of it is linearizable.
  let running = true
  const loops = [
    repeat(() => running, write),
    repeat(() => running, read),
    repeat(() => running, () => load.perform(victim, `reader${++last}`, { kind: 'range', range: EVERYTHING }))
  ]
  await load.operations(100)

  const repair = await inflict(cluster, fault, [victim])
  await write()
  // The others have gone on without it. A process that stands still answers nothing; one that is cut off must not.
  if (fault !== 'stop') {
    const results = await Promise.allSettled([read(), read(), read()])
    t.ok(results.every((result) => result.status === 'rejected' && result.reason instanceof RemoteError && result.reason.code === 'LEVEL_TIMEOUT'), `${what}: reads reject`)
    t.notOk((await victim.call('stats')).readable, `${what}: and it says so`)
  }
  await load.operations(20)
  running = false
  if (fault !== 'stop') await Promise.all(loops)
  const value = await write()

  // Those that it finds when it goes on, before anything else.
  const waiting = fault === 'stop' ? [read(), read(), read()] : []
  const settled = Promise.allSettled(waiting)
  await repair()
  for (const result of await settled) {
    if (result.status === 'fulfilled') t.equal(result.value, value, `${what}: a read that waited sees the last write`)
    else t.equal((result.reason as RemoteError).code, 'LEVEL_TIMEOUT', `${what}: a read that waited rejects`)
  }
  await Promise.all(loops)
  t.equal(await firstAnswer(read), value, `${what}: the first answer after that is the last write`)
  await cluster.whenLive([victim.name], survivors[0] as ClusterNode)
}

/** One after the other, whether they reject or not. */
async function repeat (isRunning: () => boolean, operation: () => Promise<unknown>): Promise<void> {
  while (isRunning()) await operation().catch(() => {})
}

async function firstAnswer (read: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof RemoteError && error.code === 'LEVEL_TIMEOUT')) throw error
    }
  }
}
