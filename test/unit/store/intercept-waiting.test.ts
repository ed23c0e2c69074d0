import test from 'tape'
import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codes, ReplicatorError } from '../../../lib/errors.ts'
import { intercept } from '../../../lib/store/intercept.ts'
import { DelayingGate } from './delaying-gate.ts'
import { codeOf } from './intercept-setup.ts'

const timeout = { timeout: 30000 }

type Level = AbstractLevel<string | Buffer | Uint8Array, string, string>

interface Setup {
  db: Level
  gate: DelayingGate
}

/** One put of `b` waits in the gate. Runs with both kinds of stores: with and without key iterators of their own. */
function held (name: string, run: (t: test.Test, setup: Setup) => Promise<void>): void {
  test(name, timeout, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
    const dbs: Level[] = [new MemoryLevel<string, string>() as Level, new ClassicLevel<string, string>(directory) as Level]
    for (const db of dbs) {
      const gate = new DelayingGate()
      gate.store = intercept(db, gate).store
      await db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'put', key: 'b', value: '2' }])
      gate.hold()
      const put = db.put('b', '3')
      await run(t, { db, gate })
      await db.close()
      await put
    }
    await rm(directory, { recursive: true, force: true })
  })
}

held('reads wait for what is pending on their keys, and only for that', async (t, { db, gate }) => {
  const settled: string[] = []
  const track = async (name: string, promise: Promise<unknown>) => {
    const result = await promise
    settled.push(name)
    return result
  }
  const b = Buffer.from('b')
  const waiting = [
    track('get', db.get('b')),
    track('get buffer', db.get<Buffer, string>(b, { keyEncoding: 'buffer', valueEncoding: 'utf8' })),
    track('has', db.has('b')),
    track('getMany', db.getMany(['a', 'b', 'c'])),
    track('hasMany', db.hasMany(['b', 'c'])),
    track('iterator', db.iterator().all()),
    track('keys', db.keys({ gte: 'b' }).all()),
    track('values', db.values({ reverse: true }).next()),
    track('clear', db.clear({ gt: 'b' }))
  ]
  b.fill(0)

  t.is(await db.get('a'), '1')
  t.is(await db.has('a'), true)
  t.same(await db.getMany(['a', 'c']), ['1', undefined])
  t.same(await db.keys({ lt: 'b' }).all(), ['a'])
  // Nothing is pending in its range.
  await waiting.at(-1)
  t.same(settled, ['clear'])
  t.is(db.getSync('b'), '2', 'getSync() does not wait')
  const snapshot = db.snapshot()

  gate.release()
  t.same(await Promise.all(waiting), [
    '3', '3', true, ['1', '3', undefined], [true, false], [['a', '1'], ['b', '3']], ['b'], '3', undefined
  ])
  t.is(await db.get('b', { snapshot }), '2', 'snapshot() did not wait')
  await snapshot.close()
})

held('a snapshot is read without waiting', async (t, { db }) => {
  const snapshot = db.snapshot()
  t.is(await db.get('b', { snapshot }), '2')
  t.is(await db.has('b', { snapshot }), true)
  t.same(await db.getMany(['a', 'b'], { snapshot }), ['1', '2'])
  t.same(await db.hasMany(['a', 'b'], { snapshot }), [true, true])
  t.same(await db.iterator({ snapshot }).all(), [['a', '1'], ['b', '2']])
  t.same(await db.keys({ snapshot }).all(), ['a', 'b'])
  t.same(await db.values({ snapshot }).all(), ['1', '2'])
  await snapshot.close()
})

held('a waiting iterator sees what was pending and nothing later', async (t, { db, gate }) => {
  const it = db.iterator()
  const keys = db.keys()
  const later = db.batch([{ type: 'put', key: 'c', value: '4' }, { type: 'del', key: 'a' }])
  gate.release()
  await later
  t.same(await it.next(), ['a', '1'])
  t.same(await it.nextv(10), [['b', '3']])
  t.same(await it.next(), undefined)
  t.same(await keys.all(), ['a', 'b'])
  await it.close()
})

held('a seek before the wait ends is remembered', async (t, { db, gate }) => {
  for (const it of [db.keys(), db.keys()]) {
    it.seek('z')
    it.seek('b')
    const next = it.next()
    t.is(await codeOf(() => it.seek('a')), 'LEVEL_ITERATOR_BUSY')
    gate.release()
    t.is(await next, 'b')
    it.seek('a')
    t.same(await it.nextv(5), ['a', 'b'])
    await it.close()
  }
})

held('closing a waiting iterator ends the wait', async (t, { db }) => {
  for (const it of [db.iterator(), db.keys(), db.values()]) {
    const next = codeOf(() => it.next())
    await it.close()
    t.is(await next, 'LEVEL_ITERATOR_NOT_OPEN')
    t.is(await codeOf(() => it.next()), 'LEVEL_ITERATOR_NOT_OPEN')
  }
  for (const it of [db.iterator(), db.keys(), db.values()]) await it.close()
  const ended = (async () => { for await (const key of db.keys()) t.fail(key) })()
  const failed = codeOf(() => ended)
  await db.close()
  t.is(await failed, 'LEVEL_ITERATOR_NOT_OPEN', 'by closing the database')
})

held('aborting a waiting iterator', async (t, { db, gate }) => {
  const controller = new AbortController()
  const iterators = [db.iterator({ signal: controller.signal }), db.keys({ signal: controller.signal })]
  const idle = db.values({ signal: controller.signal })
  const results = iterators.map((it) => codeOf(() => it.next()))
  controller.abort()
  t.same(await Promise.all(results), ['LEVEL_ABORTED', 'LEVEL_ABORTED'])
  t.is(await codeOf(() => idle.next()), 'LEVEL_ABORTED')
  t.is(await codeOf(() => db.keys({ signal: controller.signal }).next()), 'LEVEL_ABORTED', 'aborted before')
  gate.release()
  for (const it of [...iterators, idle]) await it.close()
})

held('the limit counts through a wait', async (t, { db, gate }) => {
  const it = db.keys({ limit: 1, reverse: true })
  gate.release()
  t.is(await it.next(), 'b')
  t.is(await it.next(), undefined)
  await it.close()
})

test('the error of a wait comes out of the read', timeout, async (t) => {
  const db = new MemoryLevel()
  const gate = new DelayingGate()
  gate.store = intercept(db, gate).store
  await db.put('a', '1')
  const error = () => Promise.reject(new ReplicatorError(codes.inDoubt, 'test'))
  Object.defineProperty(gate, 'open', { value: false })
  gate.waitForKey = gate.waitForKeys = gate.waitForRange = error

  const iterator = db.iterator()
  const idle = db.keys()
  const reads = [
    () => db.get('a'), () => db.has('a'), () => db.getMany(['a']), () => db.hasMany(['a']),
    () => iterator.next(), () => db.keys().nextv(3), () => db.values().all(), () => db.clear()
  ]
  for (const read of reads) t.is(await codeOf(read), 'LEVEL_IN_DOUBT')
  await iterator.close()
  await idle.close()
  await db.close()
})

test('a read that is still waiting when the database has closed does not touch the store', timeout, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
  const db = new ClassicLevel<string, string>(directory) as Level
  const gate = new DelayingGate()
  gate.store = intercept(db, gate).store
  await db.put('a', '1')

  let end!: () => void
  const wait = new Promise<void>((resolve) => { end = resolve })
  Object.defineProperty(gate, 'open', { value: false })
  gate.waitForKey = gate.waitForKeys = gate.waitForRange = () => wait

  const reads = [db.get('a'), db.has('a'), db.getMany(['a']), db.hasMany(['a']), db.clear()].map((read) => codeOf(() => read))
  const keys = db.keys()
  const next = codeOf(() => keys.next())
  await db.close()
  end()
  t.same(await Promise.all(reads), Array(5).fill('LEVEL_REPLICATOR_CLOSED'))
  t.is(await next, 'LEVEL_ITERATOR_NOT_OPEN')
  await rm(directory, { recursive: true, force: true })
})

test('a chained batch that cannot commit does not hold up the closing of the database', timeout, async (t) => {
  const db = new MemoryLevel()
  const gate = new DelayingGate()
  gate.store = intercept(db, gate).store
  await db.open()
  gate.hold()
  const write = db.batch().put('a', '1').write()
  await db.close()
  await write
  t.same(gate.calls, ['open', 'closing', 'drained'])
})
