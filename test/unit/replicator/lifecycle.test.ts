import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { Replicator, ReplicatorError } from '../../../index.ts'
import { allReady, createMember, createTrio, next, rejection, Switchboard, verdict } from './trio.ts'

const timeout = 30_000

test('a replicator is made with and without new', { timeout }, async (t) => {
  for (const make of [(db: MemoryLevel) => Replicator(db), (db: MemoryLevel) => new Replicator(db)]) {
    const db = new MemoryLevel()
    const replicator = make(db)
    t.ok(replicator instanceof Replicator, 'instanceof')
    t.equal(Object.getPrototypeOf(replicator), Replicator.prototype, 'prototype')
    t.equal(replicator.db, db)
    await replicator.ready()
    await db.put('a', '1')
    t.equal(await db.get('a'), '1')
    await replicator.close()
    await db.close()
  }
})

test('ready() rejects when the database cannot open', { timeout }, async (t) => {
  const db = new MemoryLevel()
  const level = db as unknown as { _open (): Promise<void> }
  level._open = async () => { throw new Error('no such disk') }
  const replicator = Replicator(db)
  const error = await rejection(replicator.ready())
  t.equal(error?.code, 'LEVEL_STORE_FAILED')
  t.match(error?.message ?? '', /^The database could not be opened: no such disk\. /)
  t.equal(replicator.status, 'failed')
  for (const call of [() => replicator.leave(), () => replicator.removePeer('b'), () => replicator.recover(['a'])]) {
    t.equal(await rejection(call()), error, 'what changes a cluster rejects with the same')
  }
  await replicator.close()
  t.equal(replicator.status, 'closed')
})

test('ready() rejects after close, and so does all that needs connections', { timeout }, async (t) => {
  const db = new MemoryLevel()
  const replicator = Replicator(db)
  await replicator.ready()
  await replicator.close()
  t.equal(await verdict(replicator.ready()), 'LEVEL_REPLICATOR_CLOSED -')
  t.equal(await verdict(replicator.listen(0)), 'LEVEL_REPLICATOR_CLOSED -')
  t.throws(() => { replicator.addPeer({ host: 'localhost', port: 3000 }) }, ReplicatorError)
  await db.close()
})

test('ready() rejects when the replicator fails, and tells why', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [])
  member.disk.fail(new Error('disk full'))
  const error = await rejection(member.replicator.ready())
  t.equal(error?.code, 'LEVEL_STORE_FAILED')
  t.match(error?.message ?? '', /disk full/)
  t.equal(member.replicator.status, 'failed')
  t.equal(await verdict(member.replicator.ready()), 'LEVEL_STORE_FAILED -', 'a later call, too')
  t.equal(await verdict(member.db.put('a', '1')), 'LEVEL_STORE_FAILED aborted')
})

test('the statuses of a life, in order', { timeout }, async (t) => {
  const board = new Switchboard()
  const member = createMember(t, board, 1, [2])
  t.equal(member.replicator.status, 'opening')
  await next(member.replicator, 'reconnect')
  t.equal(member.replicator.status, 'notready')
  createMember(t, board, 2, [1])
  await member.replicator.ready()
  t.equal(member.replicator.status, 'ready')
  await member.replicator.close()
  t.equal(member.replicator.status, 'closed')
})

test('when the database closes, the replicator closes, and opens with it again', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b, c] = trio
  await allReady(trio)
  await a.db.put('before', '1')

  const events: string[] = []
  a.replicator.on('notready', () => { events.push('notready') })
  a.replicator.on('closed', () => { events.push('closed') })
  a.replicator.on('ready', () => { events.push('ready') })
  const others = [next(b.replicator, 'notready'), next(c.replicator, 'notready')]
  await a.db.close()
  t.deepEqual(events, ['notready', 'closed'])
  t.equal(a.replicator.status, 'closed')
  await Promise.all(others)
  t.pass('the others are not ready without it')

  // It waits until the member is back.
  const write = b.db.put('between', '2')
  await a.db.open()
  await allReady(trio)
  await write
  t.deepEqual(events, ['notready', 'closed', 'ready'])
  t.equal(a.replicator.status, 'ready')
  for (const { db } of trio) t.deepEqual(await db.getMany(['before', 'between']), ['1', '2'])
  await a.db.put('after', '3')
  t.equal(await c.db.get('after'), '3')
})

test('a closed database opens and closes again and again', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  for (let i = 0; i < 5; i++) {
    await db.open()
    await replicator.ready()
    await db.put(`key-${i}`, 'x')
    await db.close()
    t.equal(replicator.status, 'closed')
  }
  // Before it has recovered.
  await db.open()
  await db.close()
  await db.open()
  t.equal((await db.keys().all()).length, 5)
})

test('consistent reads of a closed database open again are consistent', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  await a.db.close()
  await a.db.open()
  await allReady(trio)
  for (let i = 0; i < 20; i++) {
    await b.db.put('k', String(i))
    t.equal(await a.db.get('k'), String(i))
  }
})
