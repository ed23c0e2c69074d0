import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../../index.ts'
import { allReady, createMember, createTrio, rejection, Switchboard, verdict, written } from './trio.ts'
import type { Database } from './trio.ts'

const timeout = 30_000

/** All that is stored, without a replicator in between. */
async function everything (db: Database): Promise<string[]> {
  return (await db.keys({ keyEncoding: 'hex' }).all()).map(String)
}

test('release() gives the plain database back', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  await db.open()
  const before = Reflect.ownKeys(db)
  const replicator = Replicator(db)
  await replicator.ready()
  await db.put('a', '1')
  t.notDeepEqual(Reflect.ownKeys(db), before, 'it was wrapped')
  await replicator.release()
  await replicator.release()
  t.equal(replicator.status, 'closed')
  t.deepEqual(Reflect.ownKeys(db), before, 'no property is left')

  t.ok((await everything(db)).some((key) => key.startsWith('ffffffffffffffff')), 'the records of the replicator are there')
  await db.put('b', '2')
  t.deepEqual(await db.getMany(['a', 'b']), ['1', '2'], 'it reads and writes without a replicator')

  const again = Replicator(db)
  await again.ready()
  t.equal(again.stats().id, replicator.stats().id, 'another replicator goes on from there')
  t.equal(await db.get('a'), '1')
  await again.release()
  await db.close()
})

test('a sublevel is released without residue', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  await db.open()
  const rootBefore = Reflect.ownKeys(db)
  const sublevel = db.sublevel('sub')
  await sublevel.open()
  const before = Reflect.ownKeys(sublevel)
  const replicator = Replicator(sublevel)
  await replicator.ready()
  await sublevel.put('a', '1')
  await replicator.release({ purge: true })
  t.deepEqual(Reflect.ownKeys(sublevel), before)
  t.deepEqual(Reflect.ownKeys(db), rootBefore, 'the root neither')
  t.deepEqual(await db.keys().all(), ['!sub!a'])
  await db.close()
})

test('release({ purge: true }) leaves nothing but the data', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  const [a, b, c] = trio
  await Promise.all(trio.map(({ db }, i) => db.batch([{ type: 'put', key: `k${i}`, value: 'x' }])))
  for (const { replicator } of trio) await replicator.close()
  for (const { replicator } of trio) await replicator.release({ purge: true, force: true })
  for (const { db } of [a, b, c]) t.deepEqual(await everything(db), ['6b30', '6b31', '6b32'])
  const before = new Set(Reflect.ownKeys(new MemoryLevel()))
  // Those of the fake disk are the test's.
  t.deepEqual(Reflect.ownKeys(a.db).filter((key) => !before.has(key)), ['_open', '_batch'])
})

test('a purged database founds another cluster', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  const first = Replicator(db)
  await db.put('a', '1')
  const { id, cluster } = first.stats()
  await first.release({ purge: true })
  const second = Replicator(db)
  await second.ready()
  t.notEqual(second.stats().id, id)
  t.notEqual(second.stats().cluster, cluster)
  t.equal(await db.get('a'), '1')
  await second.close()
  await db.close()
})

test('what was released is not purged', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  const replicator = Replicator(db)
  await db.put('a', '1')
  await replicator.release()
  const keys = await everything(db)
  t.equal(await verdict(replicator.release({ purge: true })), 'LEVEL_REPLICATOR_CLOSED -')
  t.deepEqual(await everything(db), keys)
  await db.close()
})

test('release() takes only what it knows', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [])
  await replicator.ready()
  t.ok(await rejection(replicator.release({ purge: 'yes' as unknown as boolean })) instanceof TypeError)
  t.equal(replicator.status, 'ready', 'nothing has happened')
})

test('entries that are not in the data yet are not purged', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { writeTimeoutMs: 1000 }, board)
  const [a, b, c] = trio
  await allReady(trio)
  await Promise.all(trio.map(({ db }) => written(db, 'a', '1')))

  // The coordinator has it in its log, and cannot commit it, because the disk of another is stuck.
  const leader = trio.find(({ replicator }) => replicator.stats().isCoordinator) ?? a
  const other = leader === a ? b : a
  const stuck = other.disk.hang()
  const write = verdict(leader.db.put('doubtful', '2'))
  await stuck
  await leader.replicator.close()
  t.match(await write, /^LEVEL_(TIMEOUT|REPLICATOR_CLOSED) unknown$/)
  const { end, applied } = leader.replicator.stats()
  t.ok(end > applied, `the log ends at ${end}, the data at ${applied}`)

  t.equal(await verdict(leader.replicator.release({ purge: true })), 'LEVEL_IN_DOUBT -')
  t.ok((await leader.db.keys().all()).length === 1, 'it is wrapped as before')
  t.equal(await verdict(leader.db.put('b', '3')), 'LEVEL_REPLICATOR_CLOSED aborted')
  await leader.replicator.release({ purge: true, force: true })
  t.deepEqual(await everything(leader.db), ['61'])
  other.disk.resume()
  await Promise.all([b, c].map(({ replicator }) => replicator.close()))
})

test('what a new replicator has not read yet is not purged either', { timeout }, async (t) => {
  const trio = createTrio(t, { writeTimeoutMs: 1000 })
  const [a, b] = trio
  await allReady(trio)
  await Promise.all(trio.map(({ db }) => written(db, 'a', '1')))
  const leader = trio.find(({ replicator }) => replicator.stats().isCoordinator) ?? a
  const other = leader === a ? b : a
  const stuck = other.disk.hang()
  const write = verdict(leader.db.put('doubtful', '2'))
  await stuck
  await leader.replicator.release()
  t.match(await write, / unknown$/)

  const again = Replicator(leader.db, { minConsensus: 2 })
  t.equal(await verdict(again.release({ purge: true })), 'LEVEL_IN_DOUBT -')
  await again.release()
})

test('release() of a closed database', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  const replicator = Replicator(db)
  await db.put('a', '1')
  await db.close()
  await replicator.release()
  t.equal(db.status, 'closed')
  await db.open()
  t.equal(await db.get('a'), '1')
  await db.put('b', '2')
  await db.close()
})
