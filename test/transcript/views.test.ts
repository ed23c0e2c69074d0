import tape from 'tape'
import { Random } from '../../lib/sim/random.ts'
import type { CoreCluster, CoreNode, Step } from '../support/core-cluster.ts'
import { ready } from './survive.ts'

// What has gone wrong in protocols of this kind, one by one.

const timeout = 60_000

/** The newest view that a node has installed: its epoch, who leads, and who is live since when. */
function viewOf (cluster: CoreCluster, name: string): string {
  const view = cluster.node(name).core?.view
  if (view == null) return 'none'
  const nameOf = (id: string): string => cluster.nodes.find(node => node.id === id)?.name ?? '?'
  return `${view.epoch}: ${nameOf(view.coordinator)} leads ${view.live.map(({ id, since }) => `${nameOf(id)}${since}`).join(' ')}`
}

/** Lets time pass, a little at a time, until something is so. */
function passUntil (cluster: CoreCluster, isSo: () => boolean): void {
  for (let i = 0; i < 400; i++) {
    if (isSo()) return
    cluster.pass(50)
  }
  throw new Error(`it never is:\n${cluster.transcript.slice(-100).join('\n')}`)
}

/** Runs, and lets time pass, until this is what would happen next. */
function runUpTo (cluster: CoreCluster, label: string): void {
  for (let i = 0; i < 400; i++) {
    cluster.run(step => step.label.startsWith(label))
    if (cluster.steps()[0]?.label.startsWith(label) === true) return
    cluster.tick(50)
  }
  throw new Error(`it never comes to ${label}:\n${cluster.transcript.slice(-100).join('\n')}`)
}

function count (cluster: CoreCluster, line: RegExp): number {
  return cluster.transcript.filter(label => line.test(label)).length
}

tape('two proposers duel, and one view results', { timeout }, async (t) => {
  const views = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed)
    const cluster = ready('abcde', { minConsensus: 2, failureTimeoutMs: 1000 })
    cluster.crash('a')
    // b proposes, and is heard by nobody before it is the turn of c.
    for (let i = 0; i < 100 && count(cluster, /^c>\w propose\(2\)/) === 0; i++) {
      cluster.run(step => /^[bc]>\w propose/.test(step.label))
      if (cluster.steps().some(({ label }) => label.startsWith('b>c propose'))) for (const other of 'cde') cluster.frozen.add(`b>${other}`)
      if (cluster.steps().some(({ label }) => /^c>\w propose\(2\)/.test(label))) break
      cluster.tick(50)
    }
    cluster.frozen.clear()
    const labels = cluster.steps().map(({ label }) => label)
    if (!labels.some(label => label.startsWith('b>')) || !labels.some(label => /^c>\w propose\(2\)/.test(label))) return t.fail(`no duel: ${labels.join('; ')}`)
    const write = cluster.write('e', 'x', '1')
    const differences = cluster.settle(possible => random.pick(possible), cluster.nodes.filter(({ name }) => name !== 'a'))
    if (differences.length > 0 || write.settlement?.outcome !== 'committed') return t.fail(`seed ${seed}: ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
    const [view] = new Set([...'bcde'].map(name => viewOf(cluster, name)))
    views.add(view?.replace(/^\d+: (\w).*/, '$1') ?? '')
    if (cluster.nodes.filter(({ core }) => core?.leads === true).length !== 1) return t.fail(`seed ${seed}: two lead`)
  }
  t.ok(views.size > 0, `led by ${[...views].join(' or ')}`)
})

/** a excludes e, which is dead, and dies itself when `accepted` others have accepted that. Then e is back. */
function halfAccepted (accepted: number): CoreCluster {
  const cluster = ready('abcde', { minConsensus: 2 })
  cluster.crash('e')
  runUpTo(cluster, 'a>b accept(2')
  for (const other of 'bcd'.slice(accepted)) cluster.frozen.add(`a>${other}`)
  // Its own acceptance, not yet durable, is lost with it.
  cluster.node('a').stalled = true
  cluster.run()
  cluster.crash('a')
  cluster.frozen.clear()
  cluster.start('e')
  return cluster
}

tape('a view that only a minority has accepted is found, and the next goes on from it', { timeout }, async (t) => {
  const found = halfAccepted(1)
  t.deepEqual([...'bcde'].map(name => found.node(name).disk.accepted?.epoch), [2, 1, 1, 1])
  passUntil(found, () => !viewOf(found, 'b').startsWith('1'))
  t.match(viewOf(found, 'b'), /^\d+: b leads b1 c1 d1$/, 'e is not live in it, although it has lost nothing')
  t.deepEqual(found.settleAmong('bcde'), [])
  t.match(viewOf(found, 'b'), /^\d+: b leads b1 c1 d1 e[^1]/, 'it is admitted later')
  found.start('a')
  t.deepEqual(found.settle(), [])
})

tape('a view that nobody has accepted never was', { timeout }, async (t) => {
  const lost = halfAccepted(0)
  t.deepEqual([...'bcde'].map(name => lost.node(name).disk.accepted?.epoch), [1, 1, 1, 1])
  passUntil(lost, () => !viewOf(lost, 'b').startsWith('1'))
  t.match(viewOf(lost, 'b'), /^\d+: b leads b1 c1 d1 e1$/)
})

tape('a coordinator that is cut off commits nothing, and its callers learn that the outcome is unknown', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1 })
  cluster.disconnect('a', 'b')
  cluster.disconnect('a', 'c')
  const [logged, queued] = [cluster.write('a', 'x', 'minority', 5000), cluster.write('a', 'y', 'minority too', 5000)]
  t.deepEqual(cluster.settleAmong('bc'), [])
  const write = cluster.write('b', 'x', 'majority')
  t.deepEqual(cluster.settleAmong('bc'), [])
  t.equal(write.settlement?.outcome, 'committed')
  t.equal(logged.settlement, null)
  const core = cluster.node('a').core
  t.notOk(core?.readable(cluster.now, cluster.now), 'nor does it answer reads')
  cluster.pass(5000)
  t.notEqual(logged.settlement?.outcome, 'committed')
  t.notEqual(queued.settlement?.outcome, 'committed')
  t.ok(logged.settlement !== null && queued.settlement !== null)
  t.equal(cluster.node('a').disk.data.get('x'), undefined)
  cluster.connect('a', 'b')
  cluster.connect('a', 'c')
  t.deepEqual(cluster.settle(), [])
})

tape('a member that is admitted, and has not installed that, is no survivor', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1, memory: true })
  // Stopped in order: it is sure of the log that it has.
  cluster.stop('c')
  cluster.run()
  cluster.end('c')
  cluster.settleAmong('ab')
  cluster.write('a', 'x', '1')
  cluster.settleAmong('ab')
  cluster.start('c')
  // c has promised and accepted the view that admits it; what a says then does not arrive.
  runUpTo(cluster, 'a>c view(3')
  cluster.frozen.add('a>c')
  cluster.run()
  t.deepEqual([...'abc'].map(name => viewOf(cluster, name).slice(0, 2)), ['3:', '3:', '1:'])
  // Processes that are killed cannot tell whether their logs end where they did.
  cluster.crash('a')
  cluster.crash('b')
  cluster.frozen.clear()
  cluster.start('b')
  cluster.pass(10_000)
  t.notOk(cluster.coordinator, 'b may have lost something, and c is not sure to have got everything')
  cluster.start('a')
  t.deepEqual(cluster.settle(), [], 'whatever anybody has kept is there when all are')
  t.equal(cluster.node('c').disk.data.get('x'), '1')
})

tape('a member that may have lost the end of its log is no survivor', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1, memory: true })
  cluster.crash('c')
  cluster.settleAmong('ab')
  const write = cluster.write('a', 'x', '1')
  cluster.settleAmong('ab')
  t.equal(write.settlement?.outcome, 'committed')
  const end = cluster.node('b').core?.end
  cluster.crash('b', 0, 0)
  t.ok(cluster.counts.losses > 0)
  cluster.frozen.add('a>b')
  cluster.start('b')
  cluster.run()
  t.notEqual(cluster.node('b').core?.end, end, 'b lacks what it has voted for')
  cluster.crash('a')
  cluster.frozen.clear()
  cluster.start('c')
  cluster.pass(10_000)
  t.notOk(cluster.coordinator, 'b and c wait for a')
  cluster.start('a')
  t.deepEqual(cluster.settle(), [])
  t.equal(cluster.node('b').disk.data.get('x'), '1')
})

tape('a member that was stopped in order has lost nothing, synced or not', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1, memory: true })
  cluster.write('a', 'x', '1')
  cluster.settle()
  for (const name of 'abc') cluster.stop(name)
  for (const name of 'abc') cluster.end(name)
  cluster.start('b')
  cluster.start('c')
  t.deepEqual(cluster.settleAmong('bc'), [], 'they need not wait for a')
  t.equal(cluster.node('b').disk.data.get('x'), '1')
  cluster.start('a')
  t.deepEqual(cluster.settle(), [])
})

tape('a participant that has cut, and died before it installed the view, is a survivor', { timeout }, async (t) => {
  const cluster = ready('abcd', { minConsensus: 1 })
  // A group reaches c alone. It does not go on, for b reaches more.
  cluster.disconnect('c', 'd')
  cluster.frozen.add('a>b').add('a>d')
  cluster.write('a', 'x', 'cut')
  cluster.run()
  cluster.crash('a', 1)
  cluster.frozen.clear()
  const groups = cluster.node('c').disk.log.length
  runUpTo(cluster, 'c persists view 2')
  t.match(viewOf(cluster, 'b'), /^2: b leads b1 c1 d1$/)
  t.match(viewOf(cluster, 'c'), /^1:/)
  cluster.crash('c')
  t.equal(cluster.node('c').disk.log.length, groups - 1, 'the cut is durable')
  cluster.crash('b')
  cluster.start('a')
  cluster.start('c')
  cluster.disconnect('a', 'd')
  cluster.connect('c', 'd')
  passUntil(cluster, () => !/^[12]:/.test(viewOf(cluster, 'd')))
  t.match(viewOf(cluster, 'd'), /^\d+: c leads c1 d1$/)
  cluster.start('b')
  cluster.connect('a', 'd')
  t.deepEqual(cluster.settle(), [])
})

tape('a coordinator that restarts proposes at once', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1 })
  const before = cluster.now
  const write = cluster.write('b', 'x', '1')
  cluster.crash('a')
  cluster.start('a')
  cluster.run()
  t.match(viewOf(cluster, 'b'), /^2: a leads a1 b1 c1$/)
  t.equal(write.settlement?.outcome, 'committed')
  t.equal(cluster.now, before, 'no time has passed')
  t.deepEqual(cluster.differences(), [])
})

tape('a member that stops in order is excluded without waiting for its silence', { timeout }, async (t) => {
  for (const [stops, view] of [['c', /^2: a leads a1 b1$/], ['a', /^2: b leads b1 c1$/]] as const) {
    const cluster = ready('abc', { minConsensus: 1, failureTimeoutMs: 1e6 })
    const before = cluster.now
    cluster.stop(stops)
    cluster.run()
    cluster.end(stops)
    cluster.run()
    // The first of those that are left has no turn to wait for.
    t.match(viewOf(cluster, 'b'), view, `${stops} stops`)
    t.equal(cluster.now, before, 'no time has passed')
    t.deepEqual(cluster.settleAmong([...'abc'].filter(name => name !== stops).join('')), [])
  }
})

tape('a disk that does not get on leads to exclusion, and to admission when it does', { timeout }, async (t) => {
  for (const [stalled, others] of [['c', 'ab'], ['a', 'bc']] as const) {
    const cluster = ready('abc', { minConsensus: 1 })
    cluster.node(stalled).stalled = true
    const write = cluster.write('b', 'x', '1')
    cluster.pass(900)
    t.match(viewOf(cluster, 'b'), /^1:/, 'it is waited for')
    t.equal(write.settlement, null)
    t.deepEqual(cluster.settleAmong(others), [])
    t.equal(write.settlement?.outcome, 'committed', `without ${stalled}`)
    t.notOk(viewOf(cluster, 'b').includes(`${stalled}1`))
    cluster.node(stalled).stalled = false
    t.deepEqual(cluster.settle(), [])
  }
})

tape('a write settles when as many live members hold it as its own node asks for', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensusOf: { a: 2, b: 1, c: 0 } })
  // All that c lacks when it dies is in the log of a and b.
  const [strict, lax] = [cluster.write('a', 'x', 'of a'), cluster.write('b', 'y', 'of b')]
  cluster.run(step => step.label.startsWith('c persists'))
  cluster.crash('c')
  cluster.pass(3000)
  t.match(viewOf(cluster, 'a'), /^2: a leads a1 b1$/)
  t.equal(lax.settlement?.outcome, 'committed')
  t.equal(cluster.node('a').disk.data.get('x'), 'of a', 'what was inherited is decided, and visible')
  t.equal(strict.settlement, null, 'but two hold it')
  const late = cluster.write('a', 'z', 'of a, later')
  cluster.pass(1000)
  t.equal(late.settlement, null)
  t.notOk(cluster.node('a').core?.ready)
  t.ok(cluster.node('b').core?.ready)
  cluster.start('c')
  t.deepEqual(cluster.settle(), [])
  t.deepEqual([strict, late].map(({ settlement }) => settlement?.outcome), ['committed', 'committed'])
})

tape('a write that was decided among too few is unknown at its deadline', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensusOf: { a: 2, b: 1, c: 0 } })
  const write = cluster.write('a', 'x', '1', 3000)
  cluster.run(step => step.label.startsWith('c persists'))
  cluster.crash('c')
  cluster.pass(2500)
  t.equal(cluster.node('b').disk.data.get('x'), '1')
  t.equal(write.settlement, null)
  cluster.pass(1000)
  t.equal(write.settlement?.outcome, 'unknown')
})

tape('what a live member has not applied is not truncated, however long the log is', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1, logBytesMax: 300, failureTimeoutMs: 1e6 })
  const applies = (label: string): boolean => label === 'c applies'
  for (let i = 0; i < 30; i++) {
    cluster.write('a', 'x', `${i}`)
    cluster.run(step => applies(step.label), possible => possible.find(({ label }) => !applies(label)) ?? possible[0] as typeof possible[0])
    cluster.tick(50)
  }
  const [a, c] = [cluster.node('a'), cluster.node('c')]
  t.ok(a.disk.applied > c.disk.applied + 20, 'c is behind')
  t.ok(a.disk.base.position <= c.disk.applied)
  cluster.crash('c')
  cluster.start('c')
  t.deepEqual(cluster.settle(), [])
  t.equal(cluster.counts.copies, 0, 'it gets everything from the log')
  cluster.write('a', 'x', 'last')
  cluster.pass(1000)
  t.ok(a.disk.base.position > 10, 'then the log is truncated')
})

tape('nobody waits for the lease of a node that was stopped in order', { timeout }, async (t) => {
  for (const which of ['coordinator', 'participant']) {
    const cluster = ready('abc', { minConsensus: 1 })
    cluster.pass(1000)
    const stopped = cluster.nodes.find(node => (node === cluster.coordinator) === (which === 'coordinator')) as CoreNode
    const other = cluster.nodes.find(node => node !== stopped) as CoreNode
    cluster.stop(stopped.name)
    // Its last words arrive before what others say because of them.
    const isLastWord = ({ label }: Step): boolean => label.startsWith(`${stopped.name}>`)
    cluster.run(undefined, steps => steps.find(isLastWord) ?? steps[0] as Step)
    cluster.end(stopped.name)
    const write = cluster.write(other.name, 'x', 'at once')
    // Far less than a lease lasts.
    cluster.pass(200)
    t.equal(write.settlement?.outcome, 'committed', `the ${which}`)
  }
})

tape('a participant is told of a commit later than another, and the coordinator dies before that', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1 })
  cluster.write('a', 'x', 'before')
  cluster.settle()
  const write = cluster.write('b', 'x', 'after')
  // The store of the coordinator does not get on: b, whose write it is, is told at once, c with the rest.
  const isHeld = ({ label }: Step): boolean => label.startsWith('a applies')
  cluster.run(isHeld, steps => steps.find(step => !isHeld(step)) ?? steps[0] as Step)
  t.equal(write.settlement?.outcome, 'committed', 'it is acknowledged')
  const [b, c] = [cluster.node('b'), cluster.node('c')]
  t.same([b.disk.data.get('x'), c.disk.data.get('x')], ['after', 'before'])
  t.ok(c.core !== null && c.core.positionOf([new TextEncoder().encode('x')]) > c.core.applied, 'a read waits there')
  cluster.crash('a')
  cluster.crash('b')
  cluster.start('b')
  t.same(cluster.settleAmong('bc'), [])
  t.equal(c.disk.data.get('x'), 'after')
  cluster.start('a')
  t.same(cluster.settle(), [])
})

tape('without syncs, both live members lose power, and the one that was catching up has more', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1, memory: true })
  cluster.write('a', 'x', 'before')
  cluster.pass(500)
  cluster.crash('c')
  cluster.pass(4000)
  for (let i = 0; i < 5; i++) {
    cluster.write('a', `k${i}`, `without c ${i}`)
    cluster.pass(100)
  }
  // It reaches one of them: it gets what there is, and is not admitted.
  cluster.apart.add('a>c')
  cluster.start('c')
  cluster.pass(1000)
  t.equal(cluster.node('c').disk.data.get('k4'), 'without c 4')
  for (const name of 'ab') cluster.crash(name, 0, 0)
  t.notEqual(cluster.node('a').disk.data.get('k4'), 'without c 4', 'they have lost it')
  cluster.apart.clear()
  for (const name of 'ab') cluster.start(name)
  t.deepEqual(cluster.settle(), [])
  const write = cluster.write('a', 'x', 'after')
  t.deepEqual(cluster.settle(), [])
  t.equal(write.settlement?.outcome, 'committed')
  for (const { disk } of cluster.nodes) t.equal(disk.data.get('k4'), 'without c 4')
})
