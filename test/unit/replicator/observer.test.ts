import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../../index.ts'
import type { WriteOutcome } from '../../../index.ts'
import { fixedLimits } from '../../../lib/limits.ts'
import { addressOf, allReady, createMember, createTrio, next, rejection, Switchboard, verdict } from './trio.ts'
import type { Database, Member, MemberOptions, Trio } from './trio.ts'
import type { Test } from 'tape'

const timeout = 60_000

/** Three members, and an observer at port 9 that knows one of them. */
async function observed (t: Test, options: MemberOptions = {}): Promise<{ board: Switchboard, trio: Trio, observer: Member }> {
  const board = new Switchboard()
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 400 }, board)
  await allReady(trio)
  await trio[0].db.put('before', '1')
  const observer = createMember(t, board, 9, [2], { role: 'observer', knowsItself: false, ...options })
  await observer.replicator.ready()
  return { board, trio, observer }
}

test('an observer holds a copy, follows, and passes writes on', { timeout }, async (t) => {
  const { trio: [one, two, three], observer } = await observed(t)
  t.equal(await observer.db.get('before'), '1')
  await observer.db.put('mine', '2')
  t.equal(await observer.db.get('mine'), '2', 'it sees its own')
  t.equal(await three.db.get('mine'), '2', 'and so does everybody')
  await observer.db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'del', key: 'before' }])
  await two.db.put('theirs', '3')
  await observer.replicator.sync()
  t.deepEqual(await observer.db.iterator().all(), [['a', '1'], ['mine', '2'], ['theirs', '3']])
  t.deepEqual(await observer.replicator.digest(), await one.replicator.digest())

  const { role, members, live, peers, minConsensus } = observer.replicator.stats()
  t.deepEqual([role, members.length, live.length, minConsensus], ['observer', 3, 3, 0])
  t.equal(peers.length, 3, 'it has found the others')
  const seen = one.replicator.stats()
  t.equal(seen.members.length, 3)
  t.deepEqual(seen.peers.filter(peer => peer.observer).map(({ live, why }) => [live, why]), [[false, '']])
})

test('an observer goes on when a member dies, and reads when all are gone', { timeout }, async (t) => {
  const { board, trio, observer } = await observed(t, { writeTimeoutMs: 2000 })
  await observer.db.put('a', '1')
  const leader = trio.find(({ replicator }) => replicator.stats().isCoordinator) as Member
  const view = next(observer.replicator, 'view', ({ live }) => live.length === 2)
  board.unplug(leader.address.port)
  await view
  const others = trio.filter(member => member !== leader)
  while (await verdict(observer.db.put('b', '2')) !== 'resolved');
  await observer.replicator.sync()
  t.equal(await others[0]?.db.get('b'), '2')

  const gone = next(observer.replicator, 'notready')
  for (const { address } of others) board.unplug(address.port)
  await gone
  t.equal(await observer.db.get('b'), '2')
  t.equal(await verdict(observer.db.put('c', '3')), 'LEVEL_TIMEOUT aborted')
  board.plug(leader.address.port)
  for (const { address } of others) board.plug(address.port)
  await observer.replicator.ready()
  await observer.db.put('c', '3')
  await observer.replicator.sync()
  t.equal(await observer.db.get('c'), '3')
})

test('sync() without a member', { timeout }, async (t) => {
  const { board, trio, observer } = await observed(t, { readTimeoutMs: 300 })
  for (const { address } of trio) board.unplug(address.port)
  t.equal((await rejection(observer.replicator.sync()))?.code, 'LEVEL_TIMEOUT')
  const waiting = rejection(observer.replicator.sync())
  await observer.replicator.close()
  t.equal((await waiting)?.code, 'LEVEL_REPLICATOR_CLOSED')
  t.equal((await rejection(observer.replicator.sync()))?.code, 'LEVEL_REPLICATOR_CLOSED')
})

test('sync() on a member waits like a consistent read', { timeout }, async (t) => {
  const { trio: [one, two] } = await observed(t)
  await one.db.put('a', '1')
  await two.replicator.sync()
  t.equal(await two.db.get('a'), '1')
})

test('what becomes of a write on an observer, anybody can tell', { timeout }, async (t) => {
  const { board, trio: [one, two], observer } = await observed(t, { writeTimeoutMs: 300 })
  await observer.db.put('a', '1')
  // It may be on its way, and no answer comes.
  for (const port of [1, 2, 3]) board.refuse(9, port)
  const error = await rejection(observer.db.put('b', '2', { idempotencyKey: 'once' } as object))
  t.ok(error !== null)
  for (const port of [1, 2, 3]) board.allow(9, port)
  await observer.replicator.ready()
  const ask = async ({ replicator }: Member): Promise<WriteOutcome> => {
    const outcome = await replicator.outcome(error?.transaction ?? '')
    // The observer is there again, and sees to it.
    return outcome === 'pending' ? await ask({ replicator } as Member) : outcome
  }
  const outcome = await ask(two)
  t.equal(outcome, await one.db.has('b') ? 'committed' : 'aborted')
  t.equal(await ask(observer), outcome, 'the observer tells the same')
  await observer.db.put('b', '2', { idempotencyKey: 'once' } as object)
  await two.db.put('b', '2', { idempotencyKey: 'once' } as object)
  t.equal(await one.db.get('b'), '2')
  t.equal(await observer.replicator.outcome('0:0'), 'aborted')
})

test('an observer is no member, and changes none', { timeout }, async (t) => {
  const { trio: [one], observer } = await observed(t)
  t.equal((await rejection(observer.replicator.removePeer(one.replicator.stats().id)))?.code, 'LEVEL_NOT_MEMBER')
  t.equal((await rejection(observer.replicator.recover([one.replicator.stats().id])))?.code, 'LEVEL_NOT_MEMBER')
  await observer.replicator.leave()
  t.deepEqual([observer.replicator.status, observer.replicator.stats().waitingFor], ['closed', ''])
  t.equal(one.replicator.stats().members.length, 3)
})

test('a database that was a member\'s is no observer\'s, and the other way round', { timeout }, async (t) => {
  const { board, trio: [one, two, three], observer } = await observed(t)
  await three.replicator.close()
  await three.replicator.release()
  const wrong = createMember(t, board, 3, [1, 2], { db: three.db, role: 'observer', knowsItself: false })
  const refused = await rejection(wrong.replicator.ready())
  t.equal(refused?.code, 'LEVEL_CHANGE_REFUSED')
  t.equal(await rejection(wrong.replicator.leave()), refused, 'it has not left')
  t.equal(wrong.replicator.status, 'failed')
  await wrong.replicator.release()
  const part = createMember(t, board, 3, [1, 2], { db: three.db, role: 'observer', sublevel: 'lists', knowsItself: false })
  t.match(String(await rejection(part.replicator.leave())), /start it again as role: 'member'/, 'nor where it is just starting')
  await part.replicator.release()
  await three.db.close()
  const opening = createMember(t, board, 3, [1, 2], { db: three.db, role: 'observer', knowsItself: false })
  const opened = three.db.open()
  t.equal((await rejection(opening.replicator.leave()))?.code, 'LEVEL_CHANGE_REFUSED', 'nor where the database is just opening')
  await opened

  // It has the cluster's data, and joins.
  await observer.replicator.close()
  await observer.replicator.release()
  const member = createMember(t, board, 4, [1, 2], { db: observer.db, minConsensus: 1 })
  await member.replicator.ready()
  t.equal(member.replicator.stats().members.length, 4)
  await member.db.put('x', 'y')
  for (const { db } of [one, two]) t.equal(await db.get('x'), 'y')
})

test('an observer with data of its own is refused, or loses them', { timeout }, async (t) => {
  const { board } = await observed(t)
  const filled = async (): Promise<Database> => {
    const db = new MemoryLevel<string, string>()
    await db.put('own', '1')
    return db
  }
  const proud = createMember(t, board, 7, [1], { db: await filled(), role: 'observer', knowsItself: false })
  t.equal((await rejection(proud.replicator.ready()))?.code, 'LEVEL_HAS_DATA')
  const meek = createMember(t, board, 8, [1], { db: await filled(), role: 'observer', overwrite: true, knowsItself: false })
  await meek.replicator.ready()
  t.deepEqual(await meek.db.keys().all(), ['before'])
})

test('an observer opens with what it had', { timeout }, async (t) => {
  const { board, trio, observer } = await observed(t)
  await observer.db.put('a', '1')
  await observer.db.close()
  for (const { address } of trio) board.unplug(address.port)
  await observer.db.open()
  t.equal(await observer.db.get('a'), '1', 'without a connection')
  for (const { address } of trio) board.plug(address.port)
  await observer.replicator.ready()
})

test('a write of an observer has at most 1 MiB', { timeout }, async (t) => {
  const { trio: [one], observer } = await observed(t)
  const { value } = fixedLimits.observerWriteBytes
  await observer.db.put('k', 'x'.repeat(value - 16))
  t.equal((await one.db.get('k'))?.length, value - 16)
  t.equal(await verdict(observer.db.put('k', 'x'.repeat(value))), 'LEVEL_TOO_LARGE aborted')
  // As many as can be under way at a time, in one frame if the connection is new.
  await Promise.all([1, 2, 3, 4, 5].map(i => observer.db.put(`k${i}`, 'y'.repeat(value - 16))))
  t.equal(one.replicator.stats().peers.filter(peer => peer.observer).length, 1, 'it is still connected')
})

test('options that are for members are no observer\'s', { timeout }, async (t) => {
  for (const options of [{ minConsensus: 1 }, { founders: 2 }, { replaces: 'a' }]) {
    t.throws(() => Replicator(new MemoryLevel(), { role: 'observer', peers: [addressOf(1)], ...options }), /for members, and an observer is none/)
  }
})

test('an observer of a sublevel holds that, and nothing else', { timeout }, async (t) => {
  const { board, trio: [one, two] } = await observed(t)
  const lists = one.db.sublevel('lists')
  const lower = one.db.sublevel(['lists', 'a'])
  // Around it, and so many inside that they take several chunks.
  for (const key of ['!lists', '!lists ', '!lists!', '!lists"x', '!list!a', '!listt!a', '~']) await one.db.put(key, 'around')
  await lists.batch(Array.from({ length: 30 }, (_, i) => ({ type: 'put', key: `k${i}`, value: 'x'.repeat(100_000) })))
  await lower.put('deep', '1')

  const part = createMember(t, board, 5, [2], { role: 'observer', sublevel: 'lists', knowsItself: false })
  await part.replicator.ready()
  const held = async (): Promise<string[]> => (await part.db.keys().all()).filter(key => !key.startsWith('!lists!k'))
  t.deepEqual(await held(), ['!lists!', '!lists!!a!deep'])
  t.equal((await part.db.keys({ gte: '!lists!k', lt: '!lists!l' }).all()).length, 30)

  await part.db.sublevel('lists').put('mine', '2')
  await two.db.batch([{ type: 'put', key: '!lists!both', value: '3' }, { type: 'put', key: 'both', value: '3' }, { type: 'del', key: '!lists!!a!deep' }])
  await part.replicator.sync()
  t.deepEqual(await held(), ['!lists!', '!lists!both', '!lists!mine'])
  t.equal(await lists.get('mine'), '2')
  t.equal(await verdict(part.db.put('elsewhere', '4')), 'LEVEL_NOT_SUPPORTED aborted')
  t.equal(await verdict(part.db.batch([{ type: 'put', key: '!lists!x', value: '4' }, { type: 'del', key: 'elsewhere' }])), 'LEVEL_NOT_SUPPORTED aborted')

  await part.db.close()
  await part.db.open()
  await part.replicator.ready()
  t.deepEqual(await held(), ['!lists!', '!lists!both', '!lists!mine'])
  await part.replicator.close()
  await part.replicator.release()
  for (const sublevel of ['other', undefined]) {
    const changed = createMember(t, board, 5, [2], { db: part.db, role: 'observer', knowsItself: false, overwrite: true, ...sublevel === undefined ? {} : { sublevel } })
    t.equal((await rejection(changed.replicator.ready()))?.code, 'LEVEL_CHANGE_REFUSED', 'it cannot become another one, whatever may be overwritten')
    await changed.replicator.close()
    await changed.replicator.release()
  }
})

test('an observer of a sublevel that brings other data along loses them', { timeout }, async (t) => {
  const { board, trio: [one] } = await observed(t)
  await one.db.sublevel('a').put('x', '1')
  const db = new MemoryLevel<string, string>()
  for (const key of ['0', '!a!own', '!b!own', 'z']) await db.put(key, 'own')
  const part = createMember(t, board, 5, [1], { db, role: 'observer', sublevel: ['a'], overwrite: true, knowsItself: false })
  await part.replicator.ready()
  t.deepEqual(await db.iterator().all(), [['!a!x', '1']])
  for (const sublevel of ['', '!', [], ['a', ''], 7]) t.throws(() => Replicator(new MemoryLevel(), { role: 'observer', peers: [], sublevel } as object), /'sublevel' must be/)
  t.throws(() => Replicator(new MemoryLevel(), { peers: [], sublevel: 'a' }), /for observers/)
})
