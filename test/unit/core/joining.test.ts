import tape from 'tape'
import type { CoreNode } from '../../support/core-cluster.ts'
import { CoreCluster } from '../../support/core-cluster.ts'

const timeout = 60_000

/** Three that have written something, and go on without any one of them. */
function cluster (names = 'abc', minConsensus: number | null = 1): CoreCluster {
  const made = new CoreCluster(names, { minConsensus }).startAll()
  made.run()
  made.write('a', 'x', '1')
  made.settle()
  return made
}

/** Who is a member, as all of these see it; or what they see. */
function membersOf (cluster: CoreCluster, among: string): string {
  const nameOf = (id: string): string => cluster.nodes.find(node => node.id === id)?.name ?? '?'
  const seen = [...among].map(name => cluster.node(name).core?.known?.members.map(nameOf).join('') ?? 'none')
  return seen.every(members => members === seen[0]) ? seen[0] as string : seen.join(' ')
}

/** A node that brings data along. */
function withData (cluster: CoreCluster, name: string, overwrite: boolean): CoreNode {
  const node = cluster.join(name, { overwrite })
  cluster.crash(name)
  node.disk.digest = '11'
  node.disk.data.set('old', '1')
  cluster.start(name)
  return node
}

tape('a node that reaches a cluster gets a copy and joins', { timeout }, async (t) => {
  for (const minConsensus of [1, null]) {
    const three = cluster('abc', minConsensus)
    three.join('d')
    t.deepEqual(three.settle(), [])
    t.equal(membersOf(three, 'abcd'), 'abcd')
    t.equal(three.counts.copies, 1, 'also where the log reaches back to its beginning')
    t.equal(three.node('a').core?.known?.leaseFree, minConsensus === null)
    const write = three.write('d', 'y', '2')
    t.deepEqual(three.settle(), [])
    t.equal(write.settlement?.outcome, 'committed')
  }
})

tape('several join, one after the other and at once', { timeout }, async (t) => {
  const one = new CoreCluster('a', { minConsensus: null }).startAll()
  one.settle()
  one.write('a', 'x', '1')
  for (const name of 'bcd') one.join(name)
  t.deepEqual(one.settle(), [])
  t.equal(membersOf(one, 'abcd'), 'abcd')
})

tape('who was interrupted while it joined goes on with it', { timeout }, async (t) => {
  const three = cluster()
  three.join('d')
  three.run(step => step.label.startsWith('d restores'))
  three.crash('d')
  three.run()
  three.start('d')
  t.deepEqual(three.settle(), [])
  t.equal(membersOf(three, 'abcd'), 'abcd')
})

tape('data of its own: it is refused, or they are overwritten', { timeout }, async (t) => {
  const three = cluster()
  const proud = withData(three, 'd', false)
  three.pass(1000)
  t.ok(proud.denied.includes('hasData'))
  t.deepEqual([membersOf(three, 'abc'), proud.core?.known], ['abc', null])
  t.deepEqual([...proud.disk.data.keys()], ['old'], 'and nothing was touched')

  const other = cluster()
  const meek = withData(other, 'd', true)
  t.deepEqual(other.settle(), [])
  t.equal(membersOf(other, 'abcd'), 'abcd')
  t.deepEqual([...meek.disk.data.keys()], ['x'])
})

tape('members leave, the coordinator too, and writes go on', { timeout }, async (t) => {
  for (const leader of [true, false]) {
    const three = cluster('abc', null)
    const name = three.nodes.find(node => (node === three.coordinator) === leader)?.name ?? ''
    const others = 'abc'.replace(name, '')
    three.remove(name, name)
    three.settleAmong(others)
    t.ok(three.node(name).gone, `${name} is told`)
    t.notOk(three.node(name).core?.readable(three.now, three.now), 'and answers no reads')
    three.crash(name)
    t.equal(membersOf(three, others), others)
    const write = three.write(others[0] ?? '', 'y', '2')
    t.deepEqual(three.settleAmong(others), [])
    t.equal(write.settlement?.outcome, 'committed')
  }
})

tape('a member that is down is removed, and told so when it is back', { timeout }, async (t) => {
  const three = cluster()
  three.crash('c')
  three.remove('a', 'c')
  three.pass(3000)
  t.deepEqual(three.settleAmong('ab'), [])
  t.equal(membersOf(three, 'ab'), 'ab')
  three.start('c')
  three.pass(500)
  t.ok(three.node('c').gone, 'it stops')
  t.equal(membersOf(three, 'ab'), 'ab', 'and does not join again')

  // Where nobody can be excluded, only on the word of a person.
  const free = cluster('abc', null)
  free.crash('c')
  free.remove('a', 'c')
  free.pass(3000)
  t.deepEqual([membersOf(free, 'ab'), free.node('a').denied], ['abc', ['down']])
  free.remove('a', 'c', true)
  t.deepEqual(free.settleAmong('ab'), [])
  t.equal(membersOf(free, 'ab'), 'ab')
})

tape('a coordinator that is gone for good is removed by those who are left', { timeout }, async (t) => {
  const free = cluster('abc', null)
  const leader = free.coordinator?.name ?? ''
  const others = 'abc'.replace(leader, '')
  free.crash(leader)
  free.remove(others[1] ?? '', leader, true)
  t.deepEqual(free.settleAmong(others), [])
  t.equal(membersOf(free, others), others)
})

tape('a node takes the place of one that is gone', { timeout }, async (t) => {
  const three = cluster()
  three.crash('c')
  three.node('c').gone = true
  three.join('d', { replaces: 'c' })
  t.deepEqual(three.settle(), [])
  t.equal(membersOf(three, 'abd'), 'abd')
  three.join('e', { replaces: 'b' })
  three.pass(5000)
  t.deepEqual([three.node('e').denied, membersOf(three, 'abd')], [['alive'], 'abd'])
})

tape('two and a witness survive any one of them', { timeout }, async (t) => {
  for (const name of 'abw') {
    const three = new CoreCluster('abw', { minConsensus: 0, witnesses: 'w' }).startAll()
    t.deepEqual(three.settle(), [])
    t.deepEqual([three.node('w').disk.data.size, three.node('w').disk.log.length], [0, 0])
    three.crash(name)
    const others = 'abw'.replace(name, '')
    const write = three.write(others[0] ?? '', 'x', '1')
    t.deepEqual(three.settleAmong(others), [], `without ${name}`)
    t.equal(write.settlement?.outcome, 'committed')
    three.start(name)
    t.deepEqual(three.settle(), [])
  }
})

tape('survivors without a majority go on as a new cluster', { timeout }, async (t) => {
  const five = cluster('abcde', 2)
  const before = five.node('a').core?.known?.cluster
  for (const name of 'cde') five.crash(name)
  five.recover('a', 'ab')
  five.pass(3000)
  t.equal(membersOf(five, 'ab'), 'abcde', 'not before all of them say so')
  five.recover('b', 'ab')
  five.pass(1000)
  t.equal(membersOf(five, 'ab'), 'ab')
  const { cluster: id } = five.node('b').core ?? {}
  t.ok(id !== before && id === five.node('a').core?.cluster, 'of another id')
  t.ok(five.node('a').core?.readable(five.now, five.now))
})
