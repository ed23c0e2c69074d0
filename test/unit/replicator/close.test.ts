import test from 'tape'
import { allReady, createMember, createTrio, next, Switchboard, verdict, written } from './trio.ts'

const timeout = 30_000

test('closing twice settles twice, and emits once', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [])
  let closed = 0
  replicator.on('closed', () => { closed++ })
  await replicator.ready()
  await Promise.all([replicator.close(), replicator.close()])
  await replicator.close()
  await replicator[Symbol.asyncDispose]()
  t.equal(closed, 1)
})

test('closing before the first turn', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  const ready = verdict(replicator.ready())
  const write = verdict(db.put('a', '1'))
  await replicator.close()
  t.equal(await ready, 'LEVEL_REPLICATOR_CLOSED -')
  t.equal(await write, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.equal(replicator.status, 'closed')
  t.equal(await db.get('a'), undefined)
})

test('closing before it is ready', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2, 3])
  await db.open()
  const waiting = [replicator.ready(), db.get('a'), db.iterator().all(), replicator.digest()].map(verdict)
  const writes = [db.put('a', '1'), db.batch([{ type: 'del', key: 'b' }]), db.batch().put('c', '1').write()].map(verdict)
  await next(replicator, 'reconnect')
  t.equal(replicator.stats().queuedWrites, 3)
  await replicator.close()
  for (const result of waiting) t.equal(await result, 'LEVEL_REPLICATOR_CLOSED -')
  for (const result of writes) t.equal(await result, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.deepEqual(await db.iterator().all(), [], 'reads are answered from what is here')
})

test('closing during the recovery', { timeout }, async (t) => {
  const { db, disk, replicator } = createMember(t, new Switchboard(), 1, [2])
  await disk.hang()
  let dialled = false
  replicator.on('reconnect', () => { dialled = true })
  const write = verdict(db.put('a', '1'))
  const closed = replicator.close()
  disk.resume()
  await closed
  t.equal(await write, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.equal(replicator.status, 'closed')
  t.notOk(dialled, 'nobody was dialled')
  t.equal(await verdict(replicator.ready()), 'LEVEL_REPLICATOR_CLOSED -')
})

test('closing while writing: what was acknowledged stays, and every write settles', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b, c] = trio
  await allReady(trio)
  await a.db.put('first', 'x')

  const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`)
  const results = Promise.all(keys.map((key, i) => verdict((i % 3 === 0 ? a : i % 3 === 1 ? b : c).db.put(key, 'x'))))
  await a.replicator.close()
  const late = await verdict(a.db.put('late', 'x'))
  t.equal(late, 'LEVEL_REPLICATOR_CLOSED aborted')
  await b.replicator.close()
  await c.replicator.close()

  const outcomes = await results
  const allowed = new Set(['resolved', 'LEVEL_REPLICATOR_CLOSED aborted', 'LEVEL_REPLICATOR_CLOSED unknown'])
  t.deepEqual(outcomes.filter((outcome) => !allowed.has(outcome)), [], 'outcomes are told')
  t.ok(outcomes.filter((_, i) => i % 3 === 0).every((outcome) => outcome === 'resolved'), 'those of the first to close had their chance')

  // All are closed, so these are reads of what is on each disk; the log may hold more.
  const stored = await a.db.getMany(keys)
  const lost = keys.filter((_, i) => i % 3 === 0 && outcomes[i] === 'resolved' && stored[i] !== 'x')
  t.deepEqual(lost, [], 'its own acknowledged writes are in its data')
  const aborted = keys.filter((_, i) => outcomes[i]?.endsWith('aborted') === true)
  for (const { db } of trio) t.notOk((await db.getMany(aborted)).some((value) => value !== undefined), 'nothing aborted is applied')
})

test('closing leaves reads and refuses writes', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  await db.put('a', '1')
  const sublevel = db.sublevel('sub')
  await sublevel.put('b', '2')
  await replicator.close()

  t.equal(await db.get('a'), '1')
  t.equal(await sublevel.get('b'), '2')
  t.deepEqual(await db.getMany(['a', 'c']), ['1', undefined])
  t.ok(await db.has('a'))
  t.deepEqual(await db.keys().all(), ['!sub!b', 'a'])
  const writes = [
    db.put('c', '3'), db.del('a'), db.batch([{ type: 'put', key: 'c', value: '3' }]), db.batch().del('a').write(),
    db.clear(), sublevel.put('c', '3'), sublevel.clear()
  ]
  for (const write of writes) t.equal(await verdict(write), 'LEVEL_REPLICATOR_CLOSED aborted')
  t.deepEqual(await db.keys().all(), ['!sub!b', 'a'])
})

test("closing while a peer's disk is stuck takes no longer than a write", { timeout }, async (t) => {
  const trio = createTrio(t, { writeTimeoutMs: 300 })
  const [a, b, c] = trio
  await allReady(trio)
  await Promise.all([written(a.db, 'a', '0'), written(b.db, 'b', '0')])
  const notReady = next(c.replicator, 'notready')
  const stuck = c.disk.hang()
  const writes = [a.db.put('a', '1'), b.db.put('b', '2')].map(verdict)
  await stuck
  await Promise.all([a.replicator.close(), b.replicator.close()])
  t.pass('both have closed')
  for (const write of writes) t.match(await write, /^LEVEL_(TIMEOUT|REPLICATOR_CLOSED) unknown$/)
  await notReady
  t.pass('the third knows')
})

test('closing the database while its store fails', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  a.disk.fail(new Error('disk full'))
  const write = verdict(a.db.put('a', '1'))
  await a.db.close()
  t.equal(a.db.status, 'closed')
  t.match(await write, / (aborted|unknown)$/)

  a.disk.mend()
  await a.db.open()
  await allReady(trio)
  await a.db.put('b', '2')
  t.equal(await b.db.get('b'), '2', 'it goes on when the store is repaired')
})

test('closing the database after its store has failed', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  const failed = next(a.replicator, 'error', (error) => (error as { code?: string }).code === 'LEVEL_STORE_FAILED')
  a.disk.fail(new Error('disk full'))
  const write = verdict(b.db.put('a', '1'))
  await failed
  t.equal(a.replicator.status, 'failed')
  await a.db.close()
  t.equal(a.replicator.status, 'closed')
  a.disk.mend()
  await a.db.open()
  await allReady(trio)
  t.equal(await write, 'resolved', 'the write of another has waited for it')
  t.equal(await a.db.get('a'), '1')
})

test('consistent reads stay consistent while closing', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  const own = Promise.all(Array.from({ length: 20 }, (_, i) => a.db.put(`own-${i}`, 'x')))
  let stale = 0
  let fresh = 0
  // Until the first cannot commit any more, because the member that closes is gone.
  const others = Promise.all(Array.from({ length: 20 }, async (_, i) => {
    for (let round = 0; ; round++) {
      if (await verdict(b.db.put(`key-${i}`, String(round))) !== 'resolved' || a.replicator.status === 'closed') return
      const read = await a.db.get(`key-${i}`).catch((error: { code?: string }) => error.code)
      if (read === String(round)) fresh++
      else if (read !== 'LEVEL_REPLICATOR_CLOSED') stale++
    }
  }))
  const closing = a.replicator.close()
  await own
  const read = await a.db.getMany(['own-0', 'own-19']).catch((error: { code?: string }) => error.code)
  // Between the last write and the end, a read may be refused, but not answered with less.
  if (read !== 'LEVEL_REPLICATOR_CLOSED') t.deepEqual(read, ['x', 'x'], 'its own')
  await closing
  t.deepEqual(await a.db.getMany(['own-0', 'own-19']), ['x', 'x'], 'its own, when it is closed')
  await b.replicator.close()
  await others
  t.equal(stale, 0, `none of ${fresh} reads was stale`)
})

test('a node that closes says so: the others do not wait for its silence', { timeout }, async (t) => {
  // Silence would be noticed after a minute only, and no write waits for so long.
  for (const closing of ['replicator', 'db'] as const) {
    for (const first of [true, false]) {
      const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 60_000, writeTimeoutMs: 20_000 })
      await allReady(trio)
      const coordinator = trio.findIndex(({ replicator }) => replicator.stats().coordinator?.id === replicator.stats().id)
      const leaver = trio[first ? coordinator : (coordinator + 1) % 3]
      const others = trio.filter(member => member !== leaver)
      await leaver?.[closing].close()
      t.deepEqual(await Promise.all(others.map(({ db }) => verdict(db.put('a', '1')))), ['resolved', 'resolved'], `${closing}.close() of ${first ? 'the coordinator' : 'another'}`)
      t.equal(others[0]?.replicator.stats().live.length, 2)
    }
  }
})
