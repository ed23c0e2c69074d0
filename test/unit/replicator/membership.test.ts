import test from 'tape'
import { allReady, addressOf, createMember, createTrio, next, Switchboard } from './trio.ts'
import type { MemoryReplicator } from './trio.ts'

const timeout = 30_000

async function nextError (replicator: MemoryReplicator, code: string): Promise<string> {
  const [error] = await next(replicator, 'error', (error) => (error as { code?: string }).code === code)
  return error.message
}

test("durability 'memory' works end to end", { timeout }, async (t) => {
  const trio = createTrio(t, { durability: 'memory' })
  const [a, b, c] = trio
  await allReady(trio)
  await Promise.all(Array.from({ length: 100 }, (_, i) => trio[i % 3]?.db.put(`key-${i}`, String(i))))
  for (const { db } of trio) t.equal((await db.keys().all()).length, 100)

  // A restarted member answers reads only when it has heard from all others.
  await b.db.close()
  const write = a.db.put('between', '1')
  await b.db.open()
  t.equal(await b.db.get('key-99'), '99')
  await write
  t.equal(await b.db.get('between'), '1')
  await allReady(trio)
  await b.db.put('after', '2')
  t.equal(await c.db.get('after'), '2')
  const digests = await Promise.all(trio.map(({ replicator }) => replicator.digest()))
  t.deepEqual(digests[1], digests[0])
  t.deepEqual(digests[2], digests[0])
})

test("durability 'memory' syncs no log", { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [], { durability: 'memory' })
  await member.db.put('a', '1')
  await member.db.close()
  await member.db.open()
  t.equal(await member.db.get('a'), '1', 'and still finds it')
})

test('two clusters do not mix', { timeout }, async (t) => {
  const board = new Switchboard()
  const first = [createMember(t, board, 1, [2]), createMember(t, board, 2, [1])] as const
  const second = [createMember(t, board, 3, [4]), createMember(t, board, 4, [3])] as const
  await allReady([...first, ...second])
  await first[0].db.put('a', '1')
  await second[0].db.put('a', '2')

  const errors = [
    nextError(first[0].replicator, 'LEVEL_CLUSTER_MISMATCH'),
    nextError(second[0].replicator, 'LEVEL_CLUSTER_MISMATCH')
  ]
  first[0].replicator.addPeer(addressOf(3))
  second[0].replicator.addPeer(addressOf(1))
  for (const message of await Promise.all(errors)) t.match(message, /That peer belongs to another cluster .* was not let in/, 'refused on both sides, where nothing is to be done')
  await first[1].db.put('b', '1')
  await second[1].db.put('b', '2')
  t.deepEqual(await first[0].db.getMany(['a', 'b']), ['1', '1'])
  t.deepEqual(await second[0].db.getMany(['a', 'b']), ['2', '2'])
  t.notEqual(first[0].replicator.stats().cluster, second[0].replicator.stats().cluster)
  for (const { replicator } of [...first, ...second]) t.equal(replicator.stats().members.length, 2)
})

test('founders join by knowing one', { timeout }, async (t) => {
  const board = new Switchboard()
  const options = { minConsensus: 2 }
  const first = createMember(t, board, 1, [], options)
  const others = [createMember(t, board, 2, [1], options), createMember(t, board, 3, [1], options)]
  await allReady([first, ...others])
  await first.db.put('a', '1')
  for (const { db, replicator } of others) {
    t.equal(await db.get('a'), '1')
    t.equal(replicator.stats().members.length, 3)
  }
})
