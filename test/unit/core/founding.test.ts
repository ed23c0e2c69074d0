import tape from 'tape'
import { decideFounding } from '../../../lib/core/founding.ts'
import type { FounderStatement } from '../../../lib/core/founding.ts'
import { CoreCluster } from '../../support/core-cluster.ts'

function founder (statement: Partial<FounderStatement> = {}): FounderStatement {
  return { minConsensus: 2, required: [], unresolved: 0, connected: ['a', 'b', 'c', 'd'], data: '', vowed: [], ...statement }
}

tape('founders wait until every configured peer has answered', { timeout: 30_000 }, async (t) => {
  const full = { a: founder({ required: ['b', 'c'] }), b: founder({ required: ['a', 'c'] }), c: founder({ required: ['a', 'b'] }) }
  const decide = (statements: Record<string, FounderStatement>): unknown => decideFounding('a', new Map(Object.entries(statements)))

  t.deepEqual(decide(full), { found: true, members: ['a', 'b', 'c'], seeder: null })
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
  t.deepEqual(decideFounding('a', statements), { found: true, members: ['a', 'b'], seeder: null })
})

tape('a late joiner that knows one peer is a founder; the first waits for as many as it asks for', { timeout: 30_000 }, async (t) => {
  const first = founder({ minConsensus: 2 })
  const joiner = founder({ minConsensus: 2, required: ['a'] })
  t.notOk(decideFounding('a', new Map([['a', first], ['b', joiner]])).found)
  t.deepEqual(decideFounding('a', new Map([['a', first], ['b', joiner], ['c', joiner]])), { found: true, members: ['a', 'b', 'c'], seeder: null })
})

tape('data of founders: one seeds, equal ones stay, different ones are refused', { timeout: 30_000 }, async (t) => {
  const decide = (...data: string[]): unknown => {
    const decision = decideFounding('a', new Map(data.map((digest, i) => ['abc'[i] as string, founder({ data: digest })])))
    return decision.found ? decision.seeder : 'conflict' in decision ? 'conflict' : 'wait'
  }
  t.equal(decide('', '', ''), null)
  t.equal(decide('', '11', ''), 'b')
  t.equal(decide('', '11', '11'), 'b')
  t.equal(decide('11', '11', '11'), null)
  t.equal(decide('11', '22', ''), 'conflict')
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
