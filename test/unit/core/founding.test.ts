import tape from 'tape'
import { decideFounding, mayFound } from '../../../lib/core/founding.ts'
import type { FounderStatement } from '../../../lib/core/founding.ts'
import { CoreCluster } from '../../support/core-cluster.ts'
import { foundingOf } from '../../support/core-parts.ts'

function founder (statement: Partial<FounderStatement> = {}): FounderStatement {
  return { ...foundingOf(), minConsensus: 2, connected: ['a', 'b', 'c', 'd'], ...statement }
}

tape('founders wait until every configured peer has answered', { timeout: 30_000 }, async (t) => {
  const full = { a: founder({ required: ['b', 'c'] }), b: founder({ required: ['a', 'c'] }), c: founder({ required: ['a', 'b'] }) }
  const decide = (statements: Record<string, FounderStatement>): unknown => decideFounding('a', new Map(Object.entries(statements)))

  t.deepEqual(decide(full), { found: true, members: ['a', 'b', 'c'], witnesses: [], names: ['', '', ''], seeder: null })
  t.match(JSON.stringify(decide({ ...full, b: founder({ unresolved: 1 }) })), /waiting for other founders/)
  t.match(JSON.stringify(decide({ ...full, a: founder({ unresolved: 1 }) })), /waiting for configured peers/)
  t.match(JSON.stringify(decide({ a: founder(), b: founder() })), /waiting for 2 other nodes \(minConsensus\), of which 1 are there/)
  t.match(JSON.stringify(decide({ a: full.a, b: full.b })), /waiting for configured peers/)
  t.match(JSON.stringify(decide({ ...full, b: founder({ required: ['a', 'c'], connected: ['a'] }) })), /connect with one another/)
})

tape('a stranger whose conditions are not met holds up nobody', { timeout: 30_000 }, async (t) => {
  const statements = new Map([
    ['a', founder({ minConsensus: 1, required: ['b'] })],
    ['b', founder({ minConsensus: 1, required: ['a'] })],
    ['d', founder({ minConsensus: 2, required: ['a'], unresolved: 1 })]
  ])
  t.deepEqual(decideFounding('a', statements), { found: true, members: ['a', 'b'], witnesses: [], names: ['', ''], seeder: null })
})

tape('a late joiner that knows one peer is a founder; the first waits for as many as it asks for', { timeout: 30_000 }, async (t) => {
  const first = founder({ minConsensus: 2 })
  const joiner = founder({ minConsensus: 2, required: ['a'] })
  t.notOk(decideFounding('a', new Map([['a', first], ['b', joiner]])).found)
  t.deepEqual(decideFounding('a', new Map([['a', first], ['b', joiner], ['c', joiner]])), { found: true, members: ['a', 'b', 'c'], witnesses: [], names: ['', '', ''], seeder: null })
})

tape('data of founders: one seeds, equal ones stay, different ones are refused', { timeout: 30_000 }, async (t) => {
  const decide = (...data: string[]): unknown => {
    const decision = decideFounding('a', new Map(data.map((digest, i) => ['abc'[i] as string, founder({ data: digest })])))
    return decision.found ? decision.seeder : 'conflict' in decision && decision.conflict === 'data' ? 'conflict' : 'wait'
  }
  t.equal(decide('', '', ''), null)
  t.equal(decide('', '11', ''), 'b')
  t.equal(decide('', '11', '11'), 'b')
  t.equal(decide('11', '11', '11'), null)
  t.equal(decide('11', '22', ''), 'conflict')
})

tape('names of founders differ, and one of them at least holds the data', { timeout: 30_000 }, async (t) => {
  const decide = (...own: Array<Partial<FounderStatement>>): unknown => decideFounding('a', new Map(own.map((more, i) => ['abc'[i] as string, founder(more)])))
  t.deepEqual(decide({ name: 'x' }, { name: 'y', witness: true }, {}), { found: true, members: ['a', 'b', 'c'], witnesses: ['b'], names: ['x', 'y', ''], seeder: null })
  t.deepEqual(decide({ name: 'x' }, {}, { name: 'x' }), { found: false, conflict: 'names', why: "two founding nodes have the name 'x'" })
  t.match(JSON.stringify(decide({ witness: true }, { witness: true }, { witness: true })), /waiting for a member that is no witness/)

  const seeder = (...own: Array<Partial<FounderStatement>>): unknown => (decide(...own) as { seeder?: unknown }).seeder
  t.equal(seeder({ data: '11' }, { data: '11' }, { witness: true }), null, 'all that hold data hold the same')
  t.equal(seeder({ data: '11' }, {}, { witness: true }), 'a')
})

tape('so many founders as were asked for', { timeout: 30_000 }, async (t) => {
  const decide = (founders: number): unknown => decideFounding('a', new Map(['a', 'b', 'c'].map(id => [id, founder({ minConsensus: 0, founders: id === 'b' ? founders : 0 })])))
  t.match(JSON.stringify(decide(3)), /"found":true/)
  t.match(JSON.stringify(decide(4)), /"found":true,"members":\["a","c"\]/, 'b waits for one more, and holds up nobody')
  const own = decideFounding('a', new Map([['a', founder({ minConsensus: 0, founders: 2 })]]))
  t.match(JSON.stringify(own), /waiting for 2 founders, of which 1 are there/)
})

tape('whether a node agrees to found', { timeout: 30_000 }, async (t) => {
  const may = (members: string, more: Partial<FounderStatement> = {}, up = 'bcd'): boolean =>
    mayFound([...members], { self: 'a', founding: founder(more), minConsensus: more.minConsensus ?? 1 }, id => up.includes(id))
  t.ok(may('abc'))
  t.notOk(may('bc'), 'without itself')
  t.notOk(may('a'), 'with fewer than its minConsensus asks for')
  t.notOk(may('abc', { founders: 4 }), 'with fewer founders than it asks for')
  t.notOk(may('abc', { required: ['d'] }), 'without one of its peers')
  t.notOk(may('abc', { unresolved: 1 }), 'before all of them have answered')
  t.notOk(may('abc', {}, 'b'), 'before it is connected with each')
  t.ok(may('abc', { vowed: ['a', 'b', 'c'], unresolved: 1, founders: 9 }, ''), 'bound is bound')
  t.notOk(may('ab', { vowed: ['a', 'b', 'c'] }))
  t.notOk(mayFound(['a', 'b'], { self: 'a', founding: null, minConsensus: 0 }, () => true), 'one that founds nothing')
})

tape('a founder whose data are different is told, and no cluster forms', { timeout: 30_000 }, async (t) => {
  const cluster = new CoreCluster('abc')
  cluster.node('a').disk.digest = '11'
  cluster.node('b').disk.digest = '22'
  cluster.startAll().run()
  t.ok(cluster.nodes.every(node => node.core?.view === null), 'no view')
  t.ok(cluster.nodes.every(node => node.conflicts.length > 0), 'every founder says why')
})

tape('nobody is ready before the data of the seeding founder are in the log', { timeout: 30_000 }, async (t) => {
  const cluster = new CoreCluster('abc')
  cluster.node('b').disk.digest = '11'
  cluster.startAll().run()
  t.ok(cluster.node('b').core?.mustSeed, 'the founder with data is asked for them')
  t.notOk(cluster.nodes.some(node => node.core?.readable(0, 0) === true), 'nobody can be read')

  const write = cluster.write('a', 'x', '1')
  cluster.run()
  t.equal(write.settlement, null, 'writes wait')
  cluster.crash('b')
  cluster.start('b')
  cluster.run()
  t.ok(cluster.node('b').core?.mustSeed, 'after a restart it begins anew')
  cluster.seeded('b')
  cluster.run()
  t.equal(write.settlement?.outcome, 'committed', 'then they go on')
  t.deepEqual(cluster.differences(), [])
})

tape('a single node founds a cluster of its own, and leads again after a restart', { timeout: 30_000 }, async (t) => {
  const cluster = new CoreCluster('a').startAll()
  cluster.run()
  cluster.write('a', 'x', '1')
  cluster.run()
  cluster.crash('a')
  cluster.start('a')
  cluster.run()
  t.equal(cluster.node('a').core?.view?.epoch, 2, 'in a new epoch')
  t.deepEqual(cluster.differences(), [])
})

tape('a founder that restarts when the end of its data is in the log writes them no second time', { timeout: 30_000 }, async (t) => {
  for (const landed of [0, 1]) {
    const cluster = new CoreCluster('abc')
    cluster.node('b').disk.digest = '11'
    cluster.startAll().run()
    cluster.seeded('b')
    // The mark is on its way to the disk of b, and is applied nowhere.
    cluster.run(step => step.label.startsWith('b persists'))
    cluster.crash('b', landed)
    cluster.run()
    cluster.start('b')
    // As its shell would if it looked at what is applied alone.
    cluster.seeded('b')
    cluster.run()
    const marks = cluster.node('a').disk.entriesAfter(0).filter(entry => (entry as { kind: string }).kind === 'seeded')
    t.equal(marks.length, 1, `one mark, ${landed} persists landed`)
    t.deepEqual(cluster.differences(), [])
  }
})
