import tape from 'tape'
import { CoreCluster } from '../support/core-cluster.ts'
import { ready } from './survive.ts'

// Nodes that follow, and never vote. The harness itself checks that what is acknowledged on one is applied there, and that nobody counts on it.

const timeout = 120_000

function observed (names = 'abc', minConsensus: number | null = 1): CoreCluster {
  const cluster = ready(names, { minConsensus })
  cluster.write('b', 'x', 'before')
  cluster.settle()
  cluster.join('o', { observer: true })
  return cluster
}

tape('an observer gets a copy, follows the log, and passes writes on', { timeout }, async (t) => {
  const cluster = observed()
  t.deepEqual(cluster.settle(), [])
  const observer = cluster.node('o')
  t.equal(observer.disk.data.get('x'), 'before')
  t.deepEqual(cluster.node('a').core?.known?.members.length, 3, 'it is no member')
  t.ok(cluster.nodes.every(({ core }) => core?.connected.includes(observer.id) === false), 'nor does anybody count it as connected')
  const here = cluster.write('o', 'y', 'from the observer')
  const there = cluster.write('c', 'z', 'from a member')
  cluster.run()
  t.equal(here.settlement?.outcome, 'committed', 'without a tick')
  t.equal(there.settlement?.outcome, 'committed')
  t.deepEqual(cluster.settle(), [])
  t.deepEqual([...observer.disk.data].sort(), [['x', 'before'], ['y', 'from the observer'], ['z', 'from a member']])
})

tape('an observer takes an origin only when it writes', { timeout }, async (t) => {
  const cluster = observed()
  cluster.settle()
  const { end } = cluster.node('a').core ?? { end: -1 }
  t.equal(cluster.node('a').core?.table.find(cluster.node('o').id, 1), undefined)
  cluster.write('o', 'y', 'first')
  cluster.write('o', 'y', 'second')
  t.deepEqual(cluster.settle(), [])
  t.equal(cluster.node('a').core?.end, end + 3, 'one OPEN, two writes')
})

tape('an observer waits for sync() until it has all that was acknowledged', { timeout }, async (t) => {
  const cluster = observed()
  cluster.settle()
  // It hears of nothing but answers to its question.
  for (const name of 'abc') cluster.frozen.add(`${name}>o`)
  const write = cluster.write('a', 'y', 'acknowledged')
  cluster.pass(200)
  t.equal(write.settlement?.outcome, 'committed')
  cluster.sync('o')
  cluster.pass(200)
  t.equal(cluster.node('o').core?.synced, 0, 'nobody has answered')
  cluster.frozen.clear()
  cluster.pass(500)
  t.equal(cluster.node('o').core?.synced, 1)
  t.equal(cluster.node('o').disk.data.get('y'), 'acknowledged')
  t.deepEqual(cluster.settle(), [])
})

tape('a member whose leases have passed tells no observer how far to go', { timeout }, async (t) => {
  const cluster = observed()
  cluster.settle()
  // c and the observer are cut off together.
  for (const other of 'ab') for (const name of 'co') cluster.disconnect(name, other)
  cluster.pass(3000)
  const write = cluster.write('a', 'y', 'without c')
  cluster.pass(1000)
  t.equal(write.settlement?.outcome, 'committed')
  cluster.sync('o')
  cluster.pass(3000)
  t.equal(cluster.node('o').core?.synced, 0)
  t.ok(cluster.node('o').core?.readable(0, 0), 'it answers from what it has')
  for (const other of 'ab') for (const name of 'co') cluster.connect(name, other)
  t.deepEqual(cluster.settle(), [])
  cluster.pass(1000)
  t.equal(cluster.node('o').core?.synced, 1)
})

/** A write on an observer, and at each step of it each victim dies in turn. Returns how often, or what went wrong. */
function dieAtEachStep (victims: string, create: () => CoreCluster): number | string {
  let deaths = 0
  for (let at = 0, isOver = false; !isOver; at++) {
    for (const victim of victims) {
      const cluster = create()
      const write = cluster.write('o', 'y', 'under way')
      let left = at
      cluster.run(() => left-- === 0)
      isOver = left >= 0
      cluster.crash(victim, at % 2)
      // The others go on, and so does the observer.
      if (victim !== 'o') cluster.pass(4000)
      const isSettled = victim === 'o' || write.settlement?.outcome === 'committed'
      cluster.start(victim)
      const problems = isSettled ? cluster.settle() : [JSON.stringify(write.settlement)]
      if (problems.length > 0) return `${victim} dies at step ${at}: ${problems.join('; ')}\n${cluster.transcript.join('\n')}`
      deaths++
    }
  }
  return deaths
}

tape('whoever dies at whatever step of a write on an observer, its outcome is true', { timeout }, async (t) => {
  const deaths = dieAtEachStep('abo', () => {
    const cluster = observed()
    cluster.settle()
    return cluster
  })
  t.ok(Number(deaths) > 60, `deaths: ${deaths}`)
})

/** An observer with no way to the coordinator. */
function relayed (windowWrites = 100): CoreCluster {
  const cluster = ready('abc', { minConsensus: 1, windowWrites })
  cluster.apart.add('o>a')
  cluster.join('o', { observer: true })
  const problems = cluster.settle()
  if (problems.length > 0) throw new Error(problems.join('; '))
  return cluster
}

tape('an observer that does not reach the coordinator writes through another member', { timeout }, async (t) => {
  const cluster = relayed(2)
  const writes = Array.from({ length: 7 }, (_, i) => cluster.write('o', 'y', String(i)))
  cluster.run()
  t.ok(writes.every(({ settlement }) => settlement?.outcome === 'committed'), 'without a tick')
  t.equal(cluster.node('a').core?.table.get(cluster.node('o').core?.submissions.id ?? 0)?.observer, true)
  cluster.disconnect('o', 'b')
  const through = cluster.write('o', 'y', 'through c')
  cluster.pass(100)
  t.equal(through.settlement?.outcome, 'committed')
  t.deepEqual(cluster.settle(), [])
  cluster.disconnect('c', 'a')
  cluster.run()
  t.equal(cluster.node('o').core?.ready, false, 'nobody is left who reaches the coordinator')
})

tape('what is lost between a member and the coordinator is submitted again, and nothing in its place', { timeout }, async (t) => {
  const cluster = relayed()
  cluster.write('o', 'y', 'first')
  cluster.settle()
  cluster.disconnect('o', 'c')
  cluster.frozen.add('b>a')
  const lost = cluster.write('o', 'y', 'lost')
  cluster.run()
  cluster.disconnect('a', 'b')
  cluster.frozen.clear()
  cluster.frozen.add('b>o')
  cluster.connect('a', 'b')
  const next = cluster.write('o', 'y', 'next')
  cluster.run()
  cluster.frozen.clear()
  t.deepEqual(cluster.settle(), [])
  cluster.pass(2000)
  t.deepEqual([lost, next].map(({ settlement }) => settlement?.outcome), ['committed', 'committed'])
  t.equal(cluster.node('a').disk.data.get('y'), 'next')
})

tape('whoever dies at whatever step of a write that is passed on, its outcome is true', { timeout }, async (t) => {
  const deaths = dieAtEachStep('abco', relayed)
  t.ok(Number(deaths) > 80, `deaths: ${deaths}`)
})

tape('an observer that was restarted learns through another member what became of its write', { timeout }, async (t) => {
  const cluster = relayed()
  cluster.write('o', 'y', 'first')
  cluster.settle()
  const { id } = cluster.node('o').core?.submissions ?? { id: 0 }
  cluster.crash('o')
  cluster.start('o')
  t.deepEqual(cluster.settle(), [])
  cluster.ask('o', `${id}:2`)
  cluster.pass(200)
  t.equal(cluster.node('o').core?.table.fate(id, 2), 'aborted')
})

tape('a question about a number that an observer has not given yet does not stop its writes', { timeout }, async (t) => {
  const cluster = relayed()
  cluster.write('o', 'y', 'first')
  cluster.settle()
  cluster.ask('c', `${cluster.node('o').core?.submissions.id}:5`)
  cluster.pass(500)
  for (const value of ['second', 'third']) {
    const write = cluster.write('o', 'y', value)
    cluster.pass(500)
    t.equal(write.settlement?.outcome, 'committed')
  }
  t.deepEqual(cluster.settle(), [])
})

tape('what is relayed in one view and arrives in the next counts once, and in order', { timeout }, async (t) => {
  const cluster = relayed()
  cluster.write('o', 'y', 'first')
  cluster.settle()
  cluster.disconnect('o', 'c')
  cluster.frozen.add('b>a')
  const writes = ['1', '2', '3'].map(value => cluster.write('o', 'y', value))
  cluster.run()
  // c is excluded by the same coordinator, with the promise of b, which goes another way.
  const epoch = cluster.node('a').core?.known?.epoch ?? 0
  cluster.crash('c')
  cluster.pass(100)
  cluster.frozen.clear()
  cluster.pass(100)
  t.ok(writes.every(({ settlement }) => settlement === null), 'with c live and dead, nothing commits')
  writes.push(cluster.write('o', 'y', '4'))
  cluster.pass(3000)
  t.ok((cluster.node('a').core?.known?.epoch ?? 0) > epoch)
  t.deepEqual(writes.map(({ settlement }) => settlement?.outcome), Array(4).fill('committed'))
  t.equal(cluster.node('a').disk.data.get('y'), '4')
  cluster.start('c')
  t.deepEqual(cluster.settle(), [])
})

tape('an observer that would take the place of members submits again when there is room', { timeout }, async (t) => {
  const cluster = relayed(12_000)
  cluster.disconnect('o', 'c')
  cluster.write('o', 'y', 'first')
  cluster.settleAmong('abc')
  cluster.pass(500)
  // The coordinator takes nothing into the log without c.
  cluster.disconnect('a', 'c')
  const writes = Array.from({ length: 6000 }, (_, i) => cluster.write('o', 'y', String(i)))
  const line = cluster.transcript.length
  const own = cluster.write('b', 'z', 'own')
  cluster.run()
  const ended = cluster.transcript.slice(line).filter(entry => entry.endsWith(' disconnect'))
  t.deepEqual([...new Set(ended)], ['b and o disconnect'], 'it loses its session, and members keep theirs')
  cluster.connect('a', 'c')
  t.deepEqual(cluster.settle(), [])
  t.equal(own.settlement?.outcome, 'committed')
  t.ok(writes.every(({ settlement }) => settlement?.outcome === 'committed'))
  t.equal(cluster.node('a').disk.data.get('y'), '5999')
})

tape('without any member, an observer reads what it has, also after a restart, and takes no write for done', { timeout }, async (t) => {
  const cluster = observed()
  cluster.settle()
  for (const name of 'abc') cluster.crash(name)
  const write = cluster.write('o', 'y', 'offline', 1000)
  cluster.pass(500)
  t.equal(cluster.node('o').core?.ready, false)
  t.equal(write.settlement, null)
  cluster.pass(1000)
  t.equal(write.settlement?.outcome, 'aborted')
  cluster.crash('o')
  cluster.start('o')
  cluster.pass(100)
  t.ok(cluster.node('o').core?.readable(0, 0), 'it is the cluster\'s')
  t.equal(cluster.node('o').disk.data.get('x'), 'before')
  cluster.startAll()
  t.deepEqual(cluster.settle(), [])
})

tape('an observer on an old image of its disk, whom nobody remembers, notices before it writes', { timeout }, async (t) => {
  for (const isLate of [false, true]) {
    // The log of the members reaches back to the image, or they have nothing but a copy for it.
    for (const copies of [false, true]) {
      const cluster = ready('abc', { minConsensus: 1, ...copies ? { logBytesMax: 500 } : {} })
      cluster.join('o', { observer: true })
      t.deepEqual(cluster.settle(), [])
      const node = cluster.node('o')
      const image = node.disk.image()
      cluster.crash('o')
      cluster.start('o')
      const first = cluster.write('o', 'y', 'first')
      cluster.settle()
      cluster.crash('o')
      for (let i = 0; i < (copies ? 20 : 0); i++) {
        cluster.write('a', 'x', `more ${i}`.padEnd(200))
        cluster.pass(100)
      }
      node.disk.putBack(image)
      const before = cluster.transcript.length
      cluster.start('o')
      t.equal(node.disk.start, 2, 'the same start again')
      if (isLate) cluster.pass(500)
      const second = cluster.write('o', 'y', 'second', 1000)
      cluster.pass(2000)
      t.deepEqual([first, second].map(({ settlement }) => settlement?.outcome), ['committed', 'aborted'])
      t.ok(node.denied.length > 0 && node.denied.every(why => why === 'stale'), node.denied.join())
      t.equal(cluster.node('a').disk.data.get('y'), 'first')
      t.equal(cluster.transcript.slice(before).some(line => line.includes('snapshot')), copies, copies ? 'it began a copy' : 'it got the log')
    }
  }
})

tape('an observer on an old image of its disk that had written nothing since goes on', { timeout }, async (t) => {
  const cluster = observed()
  cluster.write('o', 'y', 'first')
  cluster.settle()
  const image = cluster.node('o').disk.image()
  for (let i = 0; i < 3; i++) {
    cluster.crash('o')
    cluster.start('o')
    cluster.settle()
  }
  cluster.crash('o')
  cluster.node('o').disk.putBack(image)
  cluster.start('o')
  const after = cluster.write('o', 'y', 'after')
  t.deepEqual(cluster.settle(), [])
  t.equal(after.settlement?.outcome, 'committed')
})

tape('an observer that has data of its own is refused, or loses them', { timeout }, async (t) => {
  const cluster = ready('abc', { minConsensus: 1 })
  cluster.settle()
  const own = (overwrite: boolean): string => {
    const name = overwrite ? 'p' : 'o'
    const node = cluster.join(name, { observer: true, overwrite })
    cluster.crash(name)
    node.disk.data.set('mine', 'own')
    node.disk.digest = '11'
    cluster.start(name)
    cluster.pass(2000)
    return [...node.denied, ...node.disk.data.keys()].join()
  }
  t.equal(own(true), '', 'overwritten')
  t.match(own(false), /hasData.*mine/, 'refused')
})
