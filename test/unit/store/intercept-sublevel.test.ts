import test from 'tape'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import type { AbstractLevel, AbstractSublevel } from 'abstract-level'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { intercept } from '../../../lib/store/intercept.ts'
import { DelayingGate } from './delaying-gate.ts'
import { codeOf, outcomeOf, reservedKey } from './intercept-setup.ts'

const timeout = { timeout: 30000 }
const binary = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

type Level = AbstractLevel<any, any, any>
type Sublevel = AbstractSublevel<any, any, any, any>

interface Setup {
  root: Level
  /** The wrapped one. */
  db: Level
  gate: DelayingGate
}

/** Runs on a sublevel of each kind of store, of which one has native text, and with reads that wait and that do not. */
function sublevel (name: string, run: (t: test.Test, setup: Setup) => Promise<void>): void {
  for (const always of [false, true]) {
    for (const store of ['memory', 'view', 'classic']) {
      for (const path of [['s'], ['outer', 's']]) {
        test(`${name} (${store}, ${path.join('/')}, ${always ? 'waiting' : 'not waiting'})`, timeout, async (t) => {
          const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
          const root: Level = store === 'classic'
            ? new ClassicLevel(directory)
            : new MemoryLevel({ storeEncoding: store === 'view' ? 'view' : 'buffer' })
          await root.batch([
            { type: 'put', key: '!r!x', value: 'before' },
            { type: 'put', key: '!t!x', value: 'after' },
            { type: 'put', key: '!outer!!r!x', value: 'before' },
            { type: 'put', key: '!outer!!t!x', value: 'after' }
          ])
          const db: Level = path.reduce((parent: Level, part) => parent.sublevel(part), root)
          const gate = new DelayingGate({ always })
          gate.store = intercept(db, gate).store
          await run(t, { root, db, gate })
          t.same(await root.getMany(['!r!x', '!t!x', '!outer!!r!x', '!outer!!t!x']), ['before', 'after', 'before', 'after'])
          await root.close()
          await rm(directory, { recursive: true, force: true })
        })
      }
    }
  }
}

function submitted (gate: DelayingGate): string[][] {
  return gate.writes.splice(0).map(({ operations }) => operations.map((op) => `${op.type} ${Buffer.from(op.key)}`))
}

sublevel('keys are relative to it', async (t, { root, db, gate }) => {
  await db.put('a', '1')
  await db.put('', '0')
  await db.batch([{ type: 'put', key: 'b', value: '2' }, { type: 'del', key: 'x' }])
  await db.batch().put('c', '3').write()
  t.same(submitted(gate), [['put a'], ['put '], ['put b', 'del x'], ['put c']])

  t.is(await db.get('a'), '1')
  t.is(await db.get(''), '0')
  t.is(await db.has('b'), true)
  t.is(db.getSync('a'), '1')
  t.same(await db.getMany(['a', 'x', 'c']), ['1', undefined, '3'])
  t.same(await db.hasMany(['a', 'x', 'c']), [true, false, true])
  t.same(await db.iterator().all(), [['', '0'], ['a', '1'], ['b', '2'], ['c', '3']])
  t.same(await db.iterator({ keys: false, reverse: true, limit: 1 }).all(), [[undefined, '3']])
  t.same(await db.iterator({ values: false, gt: 'a', lte: 'c' }).all(), [['b', undefined], ['c', undefined]])
  t.same(await db.keys({ gte: 'a', lt: 'c' }).all(), ['a', 'b'])
  t.same((await db.keys({ keyEncoding: 'view' }).nextv(2)).map((key) => [...key]), [[], [0x61]])
  t.same(await db.values({ reverse: true }).all(), ['3', '2', '1', '0'])

  const it = db.keys()
  it.seek('b')
  t.is(await it.next(), 'b')
  it.seek('z')
  t.is(await it.next(), undefined)
  it.seek('a')
  t.same(await it.nextv(2), ['a', 'b'])
  await it.close()

  const entries: string[] = []
  for await (const chunk of gate.store.entries({ gt: new Uint8Array([0x61]) })) {
    for (const [key, value] of chunk) entries.push(`${Buffer.from(key)}=${Buffer.from(value)}`)
  }
  t.same(entries, ['b=2', 'c=3'])
  t.is((await root.keys().all()).filter((key: string) => key.endsWith('!s!a')).length, 1)

  await db.clear({ gte: 'b' })
  t.same(await db.keys().all(), ['', 'a'])
  await db.clear()
  t.same(submitted(gate), [['del b', 'del c'], ['del ', 'del a']])
})

sublevel('it has a reserved space of its own', async (t, { db, gate }) => {
  const k = Buffer.from(reservedKey(1))
  const last = Buffer.concat([Buffer.alloc(7, 0xff), Buffer.from([0xfe])])
  t.same(await outcomeOf(() => db.put(k, k, binary)), ['LEVEL_RESERVED_KEY', 'aborted'])
  t.same(await outcomeOf(() => db.batch([{ type: 'del', key: k }], binary)), ['LEVEL_RESERVED_KEY', 'aborted'])
  await db.put(last, last, binary)
  await db.put('a', '1')
  await gate.store.batch([{ type: 'put', key: k, value: k }], { sync: true })

  t.is(await db.get(k, binary), undefined)
  t.is(await db.has(k, binary), false)
  t.is(db.getSync(k, binary), undefined)
  t.same(await db.getMany([k, last], binary), [undefined, last])
  t.same(await db.hasMany([k, last], binary), [false, true])
  t.is((await db.keys().all()).length, 2, 'as text')
  t.is((await db.values().all()).length, 2)
  t.is((await db.iterator({ reverse: true }).all()).length, 2)

  for (const reverse of [false, true]) {
    const user = [Buffer.from('a'), last]
    t.same(await db.keys({ keyEncoding: 'buffer', reverse }).all(), reverse ? user.reverse() : user)
    t.same(await db.keys({ keyEncoding: 'buffer', gte: k, reverse }).all(), [])
    const it = db.keys({ keyEncoding: 'buffer', reverse })
    it.seek(k)
    t.same(await it.next(), reverse ? last : undefined)
    await it.close()
    const text = db.keys({ reverse })
    text.seek(k, { keyEncoding: 'buffer' })
    t.is((await text.nextv(5)).length, reverse ? 2 : 0)
    await text.close()
  }

  await db.clear()
  t.same(await db.keys().all(), [])
  t.ok(await gate.store.get(k), 'survives clear()')
})

sublevel('sublevels below it go through it', async (t, { db, gate }) => {
  const inner: Sublevel = db.sublevel('n')
  const deep: Sublevel = inner.sublevel('d', { valueEncoding: 'json' })
  const sibling: Sublevel = db.sublevel('m')

  await inner.put('a', '1')
  await deep.put('b', { x: 2 })
  await inner.batch([{ type: 'put', key: 'c', value: '3' }, { type: 'put', key: 'e', value: '5', sublevel: sibling }])
  await db.batch([{ type: 'put', key: 'f', value: { y: 6 }, sublevel: deep }])
  await db.batch().put('g', '7', { sublevel: inner }).del('zz').write()
  await deep.batch().put('h', [8]).write()
  t.same(submitted(gate), [
    ['put !n!a'], ['put !n!!d!b'], ['put !n!c', 'put !m!e'], ['put !n!!d!f'], ['put !n!g', 'del zz'], ['put !n!!d!h']
  ])

  t.is(await inner.get('a'), '1')
  t.same(await deep.getMany(['b', 'zz']), [{ x: 2 }, undefined])
  t.same(await inner.hasMany(['a', 'zz']), [true, false])
  t.same(await inner.keys().all(), ['!d!b', '!d!f', '!d!h', 'a', 'c', 'g'])
  t.same(await inner.keys({ gt: 'a', reverse: true }).all(), ['g', 'c'])
  t.same(await deep.iterator({ gte: 'f' }).all(), [['f', { y: 6 }], ['h', [8]]])
  t.same(await deep.values({ limit: 1 }).all(), [{ x: 2 }])
  t.same(await deep.keys({ keyEncoding: 'buffer', lt: Buffer.from('f') }).all(), [Buffer.from('b')])
  t.same(await sibling.iterator().all(), [['e', '5']])

  const it = deep.keys()
  it.seek('g')
  t.is(await it.next(), 'h')
  it.seek('f')
  t.is(await it.next(), 'f')
  await it.close()

  gate.hold()
  const put = deep.put('b', { x: 3 })
  const values = deep.values().all()
  const all = inner.keys().all()
  gate.release()
  await put
  t.same(await values, [{ x: 3 }, { y: 6 }, [8]], 'waits')
  t.is((await all).length, 6)

  const snapshot = inner.snapshot()
  submitted(gate)
  await deep.clear({ gt: 'b', limit: 1 })
  await inner.clear({ gte: 'c' })
  t.same(submitted(gate), [['del !n!!d!f'], ['del !n!c', 'del !n!g']])
  t.same(await inner.keys({ snapshot }).all(), ['!d!b', '!d!f', '!d!h', 'a', 'c', 'g'])
  await inner.clear({ snapshot })
  await db.clear()
  t.same(submitted(gate), [['del !n!!d!b', 'del !n!!d!f', 'del !n!!d!h', 'del !n!a', 'del !n!c', 'del !n!g'], ['del !m!e']])
  await snapshot.close()
})

sublevel('nothing beside it can be in its batch', async (t, { root, db, gate }) => {
  const beside: Sublevel = root.sublevel('beside')
  await db.open()
  const op = { type: 'put', key: 'a', value: '1', sublevel: beside } as const
  t.same(await outcomeOf(() => db.batch([{ type: 'put', key: 'b', value: '2' }, op])), ['LEVEL_NOT_SUPPORTED', 'aborted'])
  t.same(await outcomeOf(() => db.batch().put('b', '2').put('a', '1', { sublevel: beside }).write()), ['LEVEL_NOT_SUPPORTED', 'aborted'])
  t.is(gate.writes.length, 0)
})

sublevel('closing and reopening', async (t, { root, db, gate }) => {
  const inner: Sublevel = db.sublevel('n')
  await inner.put('a', '1')
  await db.close()
  t.is(inner.status, 'closed')
  await db.open()
  await inner.open()
  t.same(await inner.keys().all(), ['a'])
  submitted(gate)
  await inner.clear()
  t.same(submitted(gate), [['del !n!a']])
  t.same(gate.calls, ['open', 'closing', 'drained', 'open'])
  t.is(await codeOf(() => root.get('!r!x')), undefined)
})

test('sublevels made before, but in the same turn, and uninstall()', timeout, async (t) => {
  const root = new MemoryLevel()
  const db = root.sublevel('s')
  const inner = db.sublevel('n')
  const deep = inner.sublevel('d')
  const gate = new DelayingGate()
  const interception = intercept(db, gate)
  gate.store = interception.store

  await deep.put('a', '1')
  await deep.clear()
  t.same(submitted(gate), [['put !n!!d!a'], ['del !n!!d!a']])

  interception.uninstall()
  await deep.put('a', '1')
  t.same(await deep.iterator().all(), [['a', '1']])
  t.same(await deep.keys().all(), ['a'])
  await deep.clear()
  t.same(await deep.values().all(), [])
  t.same(submitted(gate), [])
  await root.close()
})
