import test from 'tape'
import type { ReplicatorError } from '../../../index.ts'
import type { Member } from './trio.ts'
import { allReady, createMember, createTrio, rejection, Switchboard, verdict, written } from './trio.ts'

const timeout = 30_000

/** The coordinator first. */
function inOrder (trio: readonly Member[]): [Member, Member, Member] {
  const leads = ({ replicator }: Member): boolean => replicator.stats().coordinator?.id === replicator.stats().id
  return [...trio].sort((a, b) => Number(leads(b)) - Number(leads(a))) as [Member, Member, Member]
}

/** A write on the coordinator: it is in the log when its time is over, because the disk of another stands still. */
async function doubtful (trio: readonly Member[], key: string): Promise<ReplicatorError> {
  const [coordinator, { disk }] = inOrder(trio)
  // From then on, it has a number for what is called there.
  await written(coordinator.db, 'before', '1')
  void disk.hang()
  const error = await rejection(coordinator.db.put(key, '1'))
  disk.resume()
  return error as ReplicatorError
}

test('any node tells what became of a write', { timeout }, async (t) => {
  const trio = createTrio(t, { writeTimeoutMs: 500 })
  await allReady(trio)
  const error = await doubtful(trio, 'x')
  t.equal(error.outcome, 'unknown')
  t.match(String(error.transaction), /^\d+:\d+$/)
  const told = await Promise.all(trio.map(({ replicator }) => replicator.outcome(error.transaction as string)))
  t.equal(new Set(told).size, 1, `all alike: ${told[0]}`)
  t.ok(['committed', 'aborted'].includes(told[0] as string))
  t.equal(await trio[2].db.get('x'), told[0] === 'committed' ? '1' : undefined, 'and so it is')

  t.equal(await trio[1].replicator.outcome('0:0'), 'aborted', 'what was never submitted')
  t.equal(await trio[1].replicator.outcome('123456789:1'), 'forgotten', 'an origin that nobody knows')
  for (const wrong of ['', '1', '1:', 'a:b', '1:-1', '1:2:3', `1:${'9'.repeat(16)}`, 7, null]) {
    t.ok(await rejection(trio[0].replicator.outcome(wrong as string)) instanceof TypeError, `${String(wrong)} is no id`)
  }
  await trio[0].replicator.close()
  t.equal(await verdict(trio[0].replicator.outcome('1:1')), 'LEVEL_REPLICATOR_CLOSED -')
})

test('what was not submitted has a name, too', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2], { queueMax: 1, writeTimeoutMs: 50 })
  await db.open()
  const first = rejection(db.put('a', '1'))
  t.deepEqual([(await rejection(db.put('b', '1')))?.transaction, (await first)?.transaction], ['0:0', '0:0'])
  t.equal((await rejection(db.put('x'.repeat(70_000), '1')))?.transaction, '0:0')
  t.equal(await replicator.outcome('0:0'), 'aborted')
})

test('a write of a node that is gone is settled by the question', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1, writeTimeoutMs: 500, failureTimeoutMs: 5000 })
  await allReady(trio)
  const [a, b, c] = inOrder(trio)
  const { transaction } = await doubtful(trio, 'x')
  const [origin, number] = String(transaction).split(':').map(Number) as [number, number]
  const later = `${origin}:${number + 100}`
  t.equal(await b.replicator.outcome(later), 'pending', 'while its node is there, it may yet call it')
  t.equal(await a.replicator.outcome(later), 'pending')
  await a.replicator.close()
  t.equal(await c.replicator.outcome(later), 'aborted')
  t.equal(await b.replicator.outcome(later), 'aborted')
  t.notEqual(await b.replicator.outcome(transaction as string), 'pending')
  await b.db.put('y', '1')
  t.equal(await c.db.get('y'), '1', 'and writes go on')
})

test('a write that may yet come is pending, for those who have no connection to its node, too', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { minConsensus: 1, writeTimeoutMs: 500, readTimeoutMs: 1000, failureTimeoutMs: 60_000 }, board)
  await allReady(trio)
  const [a, b, c] = inOrder(trio)
  await written(a.db, 'before', '1')
  t.equal(await b.db.get('before'), '1', 'that is decided')
  const links = [[a, b], [b, a]].map((ends) => ends.map(({ address }) => address.port) as [number, number])
  for (const [from, to] of links) board.refuse(from, to)
  const error = await rejection(a.db.put('x', '1'))
  t.equal(error?.outcome, 'unknown', 'it needs b')
  t.equal(await b.replicator.outcome(error?.transaction as string), 'pending')
  for (const [from, to] of links) board.allow(from, to)
  const told = new Set<string>()
  for (const { replicator, db } of [a, b, c]) {
    let outcome: string
    do outcome = await replicator.outcome(error?.transaction as string).catch(() => 'pending'); while (outcome === 'pending')
    told.add(outcome)
    t.equal(await db.get('x'), outcome === 'committed' ? '1' : undefined)
  }
  t.equal(told.size, 1, `all alike: ${[...told].join()}`)
})

test('a write under a key takes effect once', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b, c] = trio
  await allReady(trio)
  const idempotencyKey = 'order 17'
  await a.db.put('x', '1', { idempotencyKey })
  await b.db.put('x', '2')
  await c.db.put('x', '1', { idempotencyKey })
  await a.db.put('x', '1', { idempotencyKey })
  t.equal(await c.db.get('x'), '2', 'a repetition changes nothing')

  await Promise.all(trio.map(({ db }) => db.batch([{ type: 'del', key: 'x' }, { type: 'put', key: 'y', value: '1' }], { idempotencyKey: 'at once' })))
  t.deepEqual(await b.db.getMany(['x', 'y']), [undefined, '1'])
  await b.db.put('x', '3')
  await a.db.batch().del('x').put('y', '1').write({ idempotencyKey: 'at once' })
  t.equal(await b.db.get('x'), '3', 'a chained batch of the same operations is the same write')
  await b.db.del('x', { idempotencyKey: 'gone' })
  await b.db.put('x', '4')
  await c.db.del('x', { idempotencyKey: 'gone' })
  t.equal(await a.db.get('x'), '4')
  const sublevel = a.db.sublevel('s')
  await sublevel.put('x', '1', { idempotencyKey: 'in a sublevel' })
  await sublevel.put('x', '2')
  await sublevel.put('x', '1', { idempotencyKey: 'in a sublevel' })
  t.equal(await sublevel.get('x'), '2')

  const error = await rejection(c.db.put('x', 'other', { idempotencyKey }))
  t.deepEqual([error?.code, error?.outcome], ['LEVEL_KEY_REUSED', 'aborted'])
  t.equal(await b.replicator.outcome(error?.transaction as string), 'aborted')
  t.equal(await verdict(a.db.put('x', '5', { idempotencyKey: 'x'.repeat(128) })), 'resolved')
  t.equal(await verdict(a.db.put('x', '5', { idempotencyKey: 'x'.repeat(129) })), 'LEVEL_TOO_LARGE aborted')
  for (const wrong of ['', '\ud800', 7, null, {}]) {
    t.ok(await rejection(a.db.put('x', '5', { idempotencyKey: wrong as string })) instanceof TypeError, JSON.stringify(wrong))
  }
})

test('keys and outcomes are known after restarts, and to who gets a copy', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { minConsensus: 1, writeTimeoutMs: 2000 }, board)
  await allReady(trio)
  const [a, b] = trio
  await a.db.put('x', '1', { idempotencyKey: 'k' })
  const reused = await rejection(a.db.put('x', 'other', { idempotencyKey: 'k' }))
  await b.db.put('x', '2')
  const d = createMember(t, board, 4, [1], { minConsensus: 1 })
  await d.replicator.ready()
  await d.db.put('x', '1', { idempotencyKey: 'k' })
  t.equal(await d.db.get('x'), '2', 'a new member has the keys with its copy')
  t.equal(await d.replicator.outcome(reused?.transaction as string), 'aborted')

  const all = [...trio, d]
  for (const { db } of all) await db.close()
  for (const { db } of all) await db.open()
  await allReady(all)
  for (const { db } of all) await db.put('x', '1', { idempotencyKey: 'k' })
  t.equal(await a.db.get('x'), '2')
  for (const { replicator } of all) t.equal(await replicator.outcome(reused?.transaction as string), 'aborted')
})
