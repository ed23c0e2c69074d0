import test from 'tape'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReplicatorError } from '../../../lib/errors.ts'
import { intercept } from '../../../lib/store/intercept.ts'
import type { InterceptOptions } from '../../../lib/store/intercept.ts'
import { RESERVED } from '../../../lib/store/keys.ts'
import type { DelayingGateOptions } from './delaying-gate.ts'
import { DelayingGate } from './delaying-gate.ts'
import { codeOf, outcomeOf, reservedKey } from './intercept-setup.ts'

const timeout = { timeout: 30000 }
const binary = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

function wrapMemory (gateOptions: DelayingGateOptions = {}, options: InterceptOptions = {}) {
  const db = new MemoryLevel<string, string>()
  const gate = new DelayingGate(gateOptions)
  const interception = intercept(db, gate, options)
  gate.store = interception.store
  return { db, gate, interception, store: interception.store }
}

test('every way to write is one write of the gate', timeout, async (t) => {
  const { db, gate } = wrapMemory()
  const sub = db.sublevel('s')
  const shape = () => gate.writes.splice(0).map(({ operations }) =>
    operations.map((op) => `${op.type} ${Buffer.from(op.key)}${op.type === 'put' ? `=${Buffer.from(op.value)}` : ''}`))

  await db.put('a', '1')
  t.same(shape(), [['put a=1']])
  await db.del('a')
  t.same(shape(), [['del a']])
  await db.batch([{ type: 'put', key: 'a', value: '2' }, { type: 'del', key: 'b' }, { type: 'put', key: 'c', value: 'é', sublevel: sub }])
  t.same(shape(), [['put a=2', 'del b', 'put !s!c=é']])
  await db.batch().put('d', '3').del('a').put('e', '4', { sublevel: sub }).write()
  t.same(shape(), [['put d=3', 'del a', 'put !s!e=4']])
  await sub.batch().put('f', '5').write()
  t.same(shape(), [['put !s!f=5']])
  await db.put('', 'empty')
  t.same(shape(), [['put =empty']])
  await sub.clear()
  t.same(shape(), [['del !s!c', 'del !s!e', 'del !s!f']])
  await db.clear({ gte: 'a', limit: 1, reverse: true })
  t.same(shape(), [['del d']])
  await db.clear()
  t.same(shape(), [['del ']])
  await db.clear()
  t.same(shape(), [])
  await db.close()
})

test('the memory of a write is the caller\'s again at once', timeout, async (t) => {
  const { db } = wrapMemory()
  await db.open()
  const key = Buffer.from('key')
  const value = Buffer.from('value')
  const promise = db.put<Buffer, Buffer>(key, value, binary)
  key.fill(0)
  value.fill(0)
  await promise
  t.is(await db.get('key'), 'value')

  const key2 = Buffer.from('two')
  const batch = db.batch().put<Buffer, Buffer>(key2, key2, binary)
  key2.fill(0)
  await batch.write()
  t.is(await db.get('two'), 'two')
  await db.close()
})

test('reserved keys are refused, and the whole batch with them', timeout, async (t) => {
  for (const key of [RESERVED, reservedKey(0), reservedKey(0xff, 0xff)]) {
    const { db, gate } = wrapMemory()
    const sub = db.sublevel('s')
    const k = Buffer.from(key)
    const tries = [
      () => db.put(k, k, binary),
      () => db.del(k, binary),
      () => db.batch<Buffer, Buffer>([{ type: 'put', key: Buffer.from('a'), value: k }, { type: 'del', key: k }], binary),
      () => db.batch().put('a', 'b').put(k, k, binary).write()
    ]
    for (const attempt of tries) t.same(await outcomeOf(attempt), ['LEVEL_RESERVED_KEY', 'aborted'])
    t.is(gate.writes.length, 0, 'nothing submitted')

    await sub.put(k, k, binary)
    t.same(await sub.get(k, binary), k, 'a sublevel has no reserved keys')
    t.is(await db.get('a'), undefined)
    await db.close()
  }
})

test('keys next to the reserved space belong to the user', timeout, async (t) => {
  const { db } = wrapMemory()
  const keys = [Buffer.alloc(7, 0xff), Buffer.concat([Buffer.alloc(7, 0xff), Buffer.from([0xfe, 0xff, 0xff])])]
  for (const key of keys) await db.put<Buffer, Buffer>(key, key, binary)
  t.same(await db.keys({ keyEncoding: 'buffer' }).all(), keys)
  await db.close()
})

test('reserved keys cannot be read', timeout, async (t) => {
  for (const always of [false, true]) {
    const { db, store } = wrapMemory({ always })
    await db.put('a', '1')
    await store.batch([{ type: 'put', key: reservedKey(1), value: reservedKey(1) }], { sync: true })
    const k = Buffer.from(reservedKey(1))
    const a = Buffer.from('a')
    const snapshot = db.snapshot()

    for (const options of [binary, { ...binary, snapshot }]) {
      t.is(await db.get(k, options), undefined)
      t.is(await db.has(k, options), false)
      t.is(db.getSync(k, options), undefined)
      t.same(await db.getMany([k, a, k], options), [undefined, Buffer.from('1'), undefined])
      t.same(await db.hasMany([k, a, k], options), [false, true, false])
      t.same(await db.getMany([k], options), [undefined])

      for (const reverse of [false, true]) {
        t.same(await db.iterator({ ...options, reverse }).all(), [[a, Buffer.from('1')]])
        t.same(await db.keys({ ...options, reverse }).all(), [a])
        t.same(await db.values({ ...options, reverse, limit: 1 }).all(), [Buffer.from('1')])
        for (const range of [{ gte: k }, { gt: k }, { gte: Buffer.from(RESERVED), lte: k }]) {
          t.same(await db.iterator({ ...options, ...range, reverse }).all(), [], 'in the reserved space')
        }
        t.same(await db.keys({ ...options, reverse, lte: Buffer.from(reservedKey(5)) }).all(), [a])
        t.same(await db.keys({ ...options, reverse, lt: Buffer.from(RESERVED) }).all(), [a])

        const it = db.keys({ ...options, reverse })
        it.seek<Buffer>(k, {})
        t.same(await it.next(), reverse ? a : undefined, 'seek')
        it.seek<Buffer>(a, {})
        t.same(await it.next(), a)
        await it.close()
      }
    }

    await db.clear()
    t.same(await store.get(reservedKey(1)), k, 'survives clear()')
    await snapshot.close()
    await db.close()
  }
})

test('the store sees everything, in bytes', timeout, async (t) => {
  const { db, store } = wrapMemory()
  await db.put('a', '1')
  await store.batch([
    { type: 'put', key: reservedKey(1), value: new Uint8Array([9]) },
    { type: 'put', key: new Uint8Array([0x62]), value: new Uint8Array([2]) },
    { type: 'del', key: new Uint8Array([0x63]) }
  ], { sync: false })
  const chunks = []
  for await (const chunk of store.entries({}, 2)) chunks.push(chunk.map(([key, value]) => [...key, -1, ...value]))
  t.same(chunks, [[[0x61, -1, 0x31], [0x62, -1, 2]], [[...reservedKey(1), -1, 9]]])

  for await (const chunk of store.entries({ gt: new Uint8Array([0x61]), lt: RESERVED })) t.same(chunk.length, 1)
  await db.close()
  t.is(await codeOf(() => store.get(RESERVED)), 'LEVEL_REPLICATOR_CLOSED')
  t.is(await codeOf(() => store.batch([], { sync: false })), 'LEVEL_REPLICATOR_CLOSED')
})

test('what memory-level keeps is a Buffer that keeps no frame alive', timeout, async (t) => {
  const { db, store } = wrapMemory()
  await db.open()
  const frame = new Uint8Array(100000)
  await store.batch([{ type: 'put', key: frame.subarray(5, 8), value: frame.subarray(10, 20) }], { sync: true })
  const [key] = await db.keys<Buffer>({ keyEncoding: 'buffer' }).all() as [Buffer]
  const value = await db.get<Buffer, Buffer>(key, binary) as Buffer
  for (const bytes of [key, value]) {
    t.ok(Buffer.isBuffer(bytes))
    t.not(bytes.buffer, frame.buffer)
    t.ok(bytes.buffer.byteLength < 10000)
  }
  t.is(value.toString('hex'), '00'.repeat(10))
  await db.close()
})

test('limits', timeout, async (t) => {
  const { db, gate } = wrapMemory({}, { keyBytesMax: 10, writeBytesMax: 100 })
  await db.put('k'.repeat(10), 'v')
  t.same(await outcomeOf(() => db.put('k'.repeat(11), 'v')), ['LEVEL_TOO_LARGE', 'aborted'])
  t.same(await outcomeOf(() => db.put('k', 'v'.repeat(101))), ['LEVEL_TOO_LARGE', 'aborted'])
  t.same(await outcomeOf(() => db.put('k', 'v'.repeat(98))), ['LEVEL_TOO_LARGE', 'aborted'], 'encoded')
  const batch = db.batch()
  for (let i = 0; i < 20; i++) batch.put(`${i}`, 'vvvvvvvvvv')
  t.same(await outcomeOf(() => batch.write()), ['LEVEL_TOO_LARGE', 'aborted'])
  await db.batch().put('k', 'v'.repeat(200)).clear().put('k', 'v').write()
  t.is(gate.writes.length, 2)
  await db.close()
})

test('clear() is a sequence of bounded writes', timeout, async (t) => {
  const { db, gate } = wrapMemory()
  await db.batch(Array.from({ length: 2500 }, (_, i) => ({ type: 'put', key: `${i}`.padStart(4, '0'), value: 'v' })))
  gate.writes.length = 0
  await db.clear({ gte: '0100' })
  t.same(gate.writes.map(({ operations }) => operations.length), [1000, 1000, 400])
  t.is((await db.keys().all()).length, 100)

  gate.writes.length = 0
  const long = Array.from({ length: 40 }, (_, i) => `${i}`.padStart(60000, 'x'))
  await db.batch(long.map((key) => ({ type: 'put', key, value: 'v' })))
  await db.clear({ gte: 'x' })
  t.same(gate.writes.slice(1).map(({ operations }) => operations.length), [17, 17, 6])
  await db.close()
})

test('clear() from a snapshot, and one that fails half way', timeout, async (t) => {
  const { db, gate, store } = wrapMemory()
  await db.put('a', '1')
  const snapshot = db.snapshot()
  await db.put('b', '2')
  await db.clear({ snapshot })
  t.same(await db.keys().all(), ['b'])
  await snapshot.close()

  await db.batch(Array.from({ length: 1500 }, (_, i) => ({ type: 'put', key: `${i}`, value: 'v' })))
  const batch = store.batch.bind(store)
  gate.store = {
    ...store,
    async batch (operations, options) {
      await batch(operations, options)
      gate.failure = new ReplicatorError('LEVEL_TIMEOUT', 'too late', { outcome: 'aborted' })
    }
  }
  t.same(await outcomeOf(() => db.clear()), ['LEVEL_TIMEOUT', 'unknown'], 'some of it was applied')
  t.same(await outcomeOf(() => db.clear()), ['LEVEL_TIMEOUT', 'aborted'], 'none of it was applied')
  await db.close()
})

test('a store that keeps text is refused', timeout, async (t) => {
  const db = new MemoryLevel({ storeEncoding: 'utf8' })
  t.is(await codeOf(() => intercept(db, new DelayingGate())), 'LEVEL_NOT_SUPPORTED')
  t.is(await codeOf(() => intercept(db.sublevel('s'), new DelayingGate())), 'LEVEL_NOT_SUPPORTED')
  await db.close()
})

test('a database is wrapped once, and uninstall() leaves nothing behind', timeout, async (t) => {
  for (const db of [new MemoryLevel(), new MemoryLevel().sublevel('s')]) {
    const before = Reflect.ownKeys(db)
    const listeners = db.listenerCount('open')
    const mine = async () => undefined
    Object.assign(db, { _getMany: mine })

    const { uninstall } = intercept(db, new DelayingGate())
    t.is(await codeOf(() => intercept(db, new DelayingGate())), 'LEVEL_ALREADY_WRAPPED')
    uninstall()
    uninstall()

    t.same(new Set(Reflect.ownKeys(db)), new Set([...before, '_getMany']))
    t.is((db as unknown as { _getMany: unknown })._getMany, mine)
    Reflect.deleteProperty(db, '_getMany')
    t.is(db.listenerCount('open'), listeners)
    await db.put('a', '1')
    t.is(await db.get('a'), '1')
    await db.close()
  }
})

test('the gate is told of opening and closing', timeout, async (t) => {
  const { db, gate, interception } = wrapMemory()
  t.is(interception.isOpen, false)
  t.same(gate.calls, [])
  await db.put('a', '1')
  t.same(gate.calls, ['open'])
  t.is(interception.isOpen, true)
  await db.close()
  t.same(gate.calls, ['open', 'closing', 'drained'])
  t.is(interception.isOpen, false)
  await db.open()
  t.is(await db.get('a'), '1', 'works again')
  t.same(gate.calls.splice(0), ['open', 'closing', 'drained', 'open'])
  interception.uninstall()
  await db.close()
  t.same(gate.calls, [])
})

test('wrapping an open, a closed and an opening database', timeout, async (t) => {
  const open = new MemoryLevel()
  await open.open()
  const closed = new MemoryLevel()
  await closed.close()
  const opening = new MemoryLevel()
  const promise = opening.open()

  for (const db of [open, closed, opening]) {
    const gate = new DelayingGate()
    gate.store = intercept(db, gate).store
    if (db === closed) await db.open()
    await db.put('a', '1')
    t.is(await db.get('a'), '1')
    t.same(gate.calls, ['open'])
    await db.close()
    await db.open()
    t.is(await db.get('a'), '1')
    await db.close()
    t.same(gate.calls, ['open', 'closing', 'drained', 'open', 'closing', 'drained'])
  }
  await promise
})

test('a classic-level that fails to open', timeout, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
  const db = new ClassicLevel(directory, { createIfMissing: false })
  const gate = new DelayingGate()
  gate.store = intercept(db, gate).store
  t.is(await codeOf(() => db.get('a')), 'LEVEL_DATABASE_NOT_OPEN')
  t.same(gate.calls, ['unopened'])
  await db.open({ createIfMissing: true })
  await db.put('a', '1')
  t.is(await db.get('a'), '1')
  await db.close()
  await rm(directory, { recursive: true, force: true })
})

test('the storage works while the database closes', timeout, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))

  for (const name of ['root', 'sublevel']) {
    const root = new ClassicLevel(directory)
    const db = name === 'root' ? root : root.sublevel('s')
    const gate = new DelayingGate()
    const { store } = intercept(db, gate)
    gate.store = store
    gate.onClosing = async () => {
      await store.batch([{ type: 'put', key: reservedKey(1), value: RESERVED }], { sync: true })
      t.same(Uint8Array.from(await store.get(reservedKey(1)) as Uint8Array), RESERVED)
      for await (const chunk of store.entries({})) t.is(chunk.length, 1)
    }
    await db.open()
    await root.close()
    t.same(gate.calls, ['open', 'closing', 'drained'], name)
    t.is(await codeOf(async () => { for await (const chunk of store.entries({})) t.fail(`${chunk.length}`) }), 'LEVEL_REPLICATOR_CLOSED')
    await root.open()
    await root.clear()
    await root.close()
    if (name === 'root') {
      const plain = new ClassicLevel(directory)
      await plain.clear()
      await plain.close()
    }
  }
  await rm(directory, { recursive: true, force: true })
})

test('hooks and events are those of abstract-level', timeout, async (t) => {
  const { db } = wrapMemory()
  const events: unknown[] = []
  db.on('write', (ops) => { for (const op of ops) events.push([op.type, op.key]) })
  db.on('clear', () => events.push('clear'))
  db.hooks.prewrite.add((op, batch) => {
    if (op.key === 'a') batch.add({ type: 'put', key: 'hooked', value: 'x' })
  })
  await db.put('a', '1')
  t.same(await db.keys().all(), ['a', 'hooked'])
  await db.clear()
  t.same(events, [['put', 'a'], ['put', 'hooked'], 'clear'])
  await db.close()
})
