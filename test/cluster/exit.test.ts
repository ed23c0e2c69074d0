import { once } from 'node:events'
import test from 'tape'
import { createCluster, startCluster } from '../support/cluster/cluster.ts'
import { NodeDiedError } from '../support/cluster/cluster-node.ts'

const timeout = 60_000

test('exit: a peer that refuses connections does not end the process', { timeout }, async function (t) {
  const cluster = await createCluster(t, { replicator: { failAfter: 2 } })
  const node = cluster.node('a')
  const failed = once(node, 'replicator:fail')
  await node.start()
  await failed

  const stats = await node.call('stats')
  t.equal(stats.status, 'notready', 'it goes on without being ready')
  t.deepEqual(await node.close(), { code: 0, signal: null }, 'it ends by itself once it is closed')
})

test('exit: a process whose peers are killed goes on, and ends when it is closed', { timeout }, async function (t) {
  const cluster = await startCluster(t)
  await cluster.ready()
  const node = cluster.node('a')
  await node.call('put', 'x', '1')
  const notReady = once(node, 'replicator:notready')
  await Promise.all([cluster.node('b').kill(), cluster.node('c').kill()])
  await notReady

  t.deepEqual(await node.close(), { code: 0, signal: null })
})

test('exit: closing in the middle of everything settles every promise', { timeout }, async function (t) {
  const cluster = await startCluster(t)
  await cluster.ready()
  const node = cluster.node('a')
  const calls: Array<Promise<unknown>> = []
  for (let i = 0; i < 50; i++) {
    calls.push(
      node.call('put', `k${i % 5}`, `${i}`),
      node.call('batch', [{ key: 'x', value: `${i}` }, { key: 'y', value: null }]),
      node.call('get', `k${i % 5}`),
      node.call('getMany', ['x', 'y']),
      node.call('range', {})
    )
  }
  calls.push(node.call('clear', {}), node.call('digest'))
  const settled = Promise.allSettled(calls)
  const exit = await node.close('closeAbruptly')

  t.deepEqual(exit, { code: 0, signal: null }, 'the process ends by itself')
  const unanswered = (await settled).filter((result) => result.status === 'rejected' && result.reason instanceof NodeDiedError)
  t.equal(unanswered.length, 0, 'every promise had settled before')
})

test('exit: closing while writes wait for a dead peer settles them', { timeout }, async function (t) {
  const cluster = await startCluster(t)
  await cluster.ready()
  const node = cluster.node('a')
  const notReady = once(node, 'replicator:notready')
  await cluster.node('c').kill()
  await notReady

  const writes = [node.call('put', 'x', '1'), node.call('del', 'y'), node.call('ready')]
  const settled = Promise.allSettled(writes)
  t.deepEqual(await node.close('closeAbruptly'), { code: 0, signal: null })
  for (const result of await settled) {
    t.ok(result.status === 'rejected' && !(result.reason instanceof NodeDiedError), 'rejected with a reason')
  }
})

test('exit: closing at once after the start', { timeout }, async function (t) {
  const cluster = await createCluster(t)
  const node = cluster.node('a')
  await node.start()
  t.deepEqual(await node.close('closeAbruptly'), { code: 0, signal: null })
})
