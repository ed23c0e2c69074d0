import tape from 'tape'
import { CoreCluster } from '../support/core-cluster.ts'
import { ready } from './survive.ts'

// A member has caught up, or nearly, and then falls behind again, until the log of the others does not reach back to it.

const timeout = 60_000
const few = { failureTimeoutMs: 5000, logBytesMax: 500, groupBytesMax: 100 }

/** c was away, is back without a session with a, and waits for an answer of b; a and b go on, and truncate beyond its log. */
function leaveBehind (cluster: CoreCluster): void {
  cluster.crash('c')
  cluster.pass(7000)
  cluster.start('c')
  cluster.disconnect('a', 'c')
  cluster.pass(1000)
  cluster.frozen.add('b>c')
  cluster.pass(100)
  for (let i = 0; i < 12; i++) {
    cluster.write('a', `k${i % 3}`, `away ${i}`)
    cluster.pass(50)
  }
  cluster.pass(600)
  cluster.write('a', 'z', 'last')
  cluster.pass(600)
  const [a, c] = [cluster.node('a').core, cluster.node('c').core]
  if (a === null || c === null || a.base.position <= c.end || !c.caughtUp) throw new Error('c is not left behind')
}

tape('a digest of a copy says nothing of the next one', { timeout }, async (t) => {
  const cluster = ready('abc', { ...few, minConsensus: 1 })
  cluster.crash('c')
  cluster.pass(7000)
  for (let i = 0; i < 16; i++) {
    cluster.write('a', `k${i}`, `away ${i}`)
    cluster.pass(50)
  }
  cluster.pass(600)
  cluster.start('c')
  const c = cluster.node('c')

  // Its own digest is slow.
  let isSlow = true
  const advance = (): void => {
    const step = cluster.steps().find(({ label }) => !isSlow || label !== 'c digests')
    if (step === undefined) cluster.tick(50)
    else step.run()
  }
  const advanceUntil = (isSo: () => boolean): void => {
    for (let i = 0; i < 5000; i++) {
      if (isSo()) return
      advance()
    }
    throw new Error(`it never is:\n${cluster.transcript.slice(-50).join('\n')}`)
  }
  advanceUntil(() => c.work.some(({ type }) => type === 'digest') && cluster.transcript.some(line => /^\w>c digest/.test(line)))
  const source = cluster.nodes.find(({ id }) => id === c.core?.progress?.source)?.name ?? ''

  cluster.frozen.add(`c>${source}`)
  for (let i = 0; i < 24; i++) {
    cluster.write('a', `new ${i}`, `later ${i}`)
    cluster.tick(50)
    advanceUntil(() => cluster.steps().every(({ label }) => label === 'c digests'))
  }
  cluster.frozen.clear()
  const copies = (): number => cluster.transcript.filter(line => /^\w>c snapshot/.test(line)).length
  advanceUntil(() => copies() === 2 && c.persists.length === 0)
  isSlow = false
  advanceUntil(() => c.work.length === 0)
  t.equal(c.core?.complete, false, 'the copy that has just begun is not complete')
  t.deepEqual(cluster.settle(), [])
})

tape('a member that says it has caught up and cannot follow does not stand in the way of a majority', { timeout }, async (t) => {
  const cluster = ready('abc', { ...few, minConsensus: 1 })
  leaveBehind(cluster)
  cluster.node('b').paused = true
  cluster.connect('a', 'c')
  const write = cluster.write('a', 'q', 'x')
  t.deepEqual(cluster.settleAmong('ac'), [])
  t.equal(write.settlement?.outcome, 'committed')
  t.ok(cluster.counts.copies > 0, 'it has got a copy')
})

tape('nor is it live in a view that is free of leases', { timeout }, async (t) => {
  const minConsensusOf = { a: 1, b: 2, c: 2 }
  const cluster = new CoreCluster('abc', { ...few, minConsensusOf }).startAll()
  t.deepEqual(cluster.settle(), [])
  leaveBehind(cluster)
  minConsensusOf.a = 2
  cluster.crash('a')
  cluster.start('a')
  cluster.pass(1000)
  cluster.frozen.clear()
  const write = cluster.write('b', 'q', 'x')
  t.deepEqual(cluster.settle(), [])
  t.equal(write.settlement?.outcome, 'committed')
  t.ok(cluster.node('a').core?.view?.leaseFree, 'in the end all are live')
})
