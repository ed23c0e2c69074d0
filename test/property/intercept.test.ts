import fc from 'fast-check'
import test from 'tape'
import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { intercept } from '../../lib/store/intercept.ts'
import { DelayingGate } from '../unit/store/delaying-gate.ts'

// Random operations on a wrapped database and on a plain memory-level look the same to their user, while the gate
// applies each write a turn later and reserved keys lie in the wrapped one. Most calls are not awaited before the next.

type Level = AbstractLevel<any, any, any>

const ff = (count: number, ...rest: number[]) => Buffer.from([...Array(count).fill(0xff), ...rest])

const texts = ['', 'a', 'aa', 'b', '!', '!n', '!n!', '!n!a', '!o', 'é', '\u{10ffff}']
const userBytes = [ff(1), ff(6), ff(7), ff(7, 0), ff(7, 0xfe), ff(7, 0xfe, 0xff, 0xff), Buffer.from([0]), Buffer.from([0xf4, 0x8f])]
const reservedBytes = [ff(8), ff(8, 0), ff(9), ff(12, 1)]

/** A key with the encoding in which it is given. */
interface Key {
  key: string | Buffer
  keyEncoding: 'utf8' | 'buffer'
}

const textKey: fc.Arbitrary<Key> = fc.constantFrom(...texts).map((key) => ({ key, keyEncoding: 'utf8' }))
const bytesKey: fc.Arbitrary<Key> = fc.constantFrom(...userBytes, ...texts.map((text) => Buffer.from(text)))
  .map((key) => ({ key, keyEncoding: 'buffer' }))
const anyBytes: fc.Arbitrary<Key> = fc.constantFrom(...userBytes, ...reservedBytes).map((key) => ({ key, keyEncoding: 'buffer' }))
const writeKey = fc.oneof(textKey, bytesKey)
const readKey = fc.oneof(textKey, bytesKey, anyBytes)
const value = fc.string({ maxLength: 3 })
const where = fc.constantFrom('db', 'nested')

const op = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key: writeKey, value }),
  fc.record({ type: fc.constant('del' as const), key: writeKey })
)

const bound = fc.option(readKey.map(({ key }) => Buffer.from(key)), { nil: null })
const range = fc.record({
  lower: bound,
  upper: bound,
  lowerName: fc.constantFrom('gt', 'gte'),
  upperName: fc.constantFrom('lt', 'lte'),
  reverse: fc.boolean(),
  limit: fc.constantFrom(-1, -1, 0, 1, 3),
  keyEncoding: fc.constantFrom('utf8', 'buffer')
})

type Range = typeof range extends fc.Arbitrary<infer T> ? T : never

/** Bounds as text only if they are text. */
function rangeOptions ({ lower, upper, lowerName, upperName, reverse, limit, keyEncoding }: Range): object {
  const isText = (bytes: Buffer) => Buffer.from(bytes.toString()).equals(bytes)
  if ([lower, upper].some((bytes) => bytes !== null && !isText(bytes))) keyEncoding = 'buffer'
  const encode = (bytes: Buffer) => keyEncoding === 'buffer' ? bytes : bytes.toString()
  return {
    ...(lower === null ? null : { [lowerName]: encode(lower) }),
    ...(upper === null ? null : { [upperName]: encode(upper) }),
    reverse,
    limit,
    keyEncoding
  }
}

const seeks = fc.array(fc.record({ target: readKey, size: fc.integer({ min: 1, max: 4 }) }), { maxLength: 3 })

const step = fc.oneof(
  fc.record({ name: fc.constant('batch' as const), where, ops: fc.array(op, { minLength: 1, maxLength: 4 }) }),
  fc.record({ name: fc.constant('single' as const), where, op }),
  fc.record({ name: fc.constant('chained' as const), where, ops: fc.array(op, { maxLength: 4 }) }),
  fc.record({ name: fc.constant('delegated' as const), ops: fc.array(fc.record({ op, where }), { minLength: 1, maxLength: 3 }) }),
  fc.record({ name: fc.constant('get' as const), where, key: readKey }),
  fc.record({ name: fc.constant('many' as const), where, keys: fc.array(readKey.map(({ key }) => Buffer.from(key)), { maxLength: 4 }) }),
  fc.record({ name: fc.constant('all' as const), where, range, kind: fc.constantFrom('iterator', 'keys', 'values') }),
  fc.record({ name: fc.constant('seek' as const), where, range, kind: fc.constantFrom('iterator', 'keys', 'values'), seeks }),
  fc.record({ name: fc.constant('clear' as const), where, range }),
  fc.record({ name: fc.constant('settle' as const) })
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never

const flat = ({ key: { key, keyEncoding }, ...rest }: Op) => ({ ...rest, key, keyEncoding })

/** Runs the steps. Returns what their user sees. */
async function run (db: Level, steps: readonly Step[]): Promise<unknown[]> {
  const nested = db.sublevel('n')
  const at = (name: string): Level => name === 'db' ? db : nested as Level
  await nested.open()
  const results: Array<Promise<unknown>> = []

  for (const step of steps) {
    switch (step.name) {
      case 'batch':
        results.push(at(step.where).batch(step.ops.map(flat)))
        break
      case 'single': {
        const { type, key: { key, keyEncoding } } = step.op
        results.push(type === 'put'
          ? at(step.where).put(key, step.op.value, { keyEncoding })
          : at(step.where).del(key, { keyEncoding }))
        break
      }
      case 'chained': {
        const batch = at(step.where).batch()
        for (const { type, key: { key, keyEncoding }, ...rest } of step.ops) {
          if (type === 'put') batch.put(key, (rest as { value: string }).value, { keyEncoding })
          else batch.del(key, { keyEncoding })
        }
        results.push(batch.write())
        break
      }
      case 'delegated':
        results.push(db.batch(step.ops.map(({ op, where }) => where === 'db' ? flat(op) : { ...flat(op), sublevel: nested })))
        break
      case 'get': {
        const { key, keyEncoding } = step.key
        results.push(at(step.where).get(key, { keyEncoding }), at(step.where).has(key, { keyEncoding }))
        break
      }
      case 'many':
        results.push(
          at(step.where).getMany(step.keys, { keyEncoding: 'buffer' }),
          at(step.where).hasMany(step.keys, { keyEncoding: 'buffer' }))
        break
      case 'all':
        results.push(at(step.where)[step.kind as 'iterator'](rangeOptions(step.range)).all())
        break
      case 'seek': {
        const it = at(step.where)[step.kind as 'iterator'](rangeOptions(step.range))
        results.push((async () => {
          const seen = []
          for (const { target: { key, keyEncoding }, size } of step.seeks) {
            it.seek(key, { keyEncoding })
            seen.push(await it.nextv(size))
          }
          await it.close()
          return seen
        })())
        break
      }
      case 'clear':
        // Not one write, so it is not compared while others go on.
        await Promise.all(results)
        await at(step.where).clear(rangeOptions(step.range))
        break
      case 'settle':
        await Promise.all(results)
    }
  }

  const seen = await Promise.all(results)
  return [...seen, await db.iterator({ keyEncoding: 'hex' }).all(), await nested.keys({ keyEncoding: 'hex' }).all()]
}

/** Buffers and views alike. */
function plain (seen: unknown): string {
  return JSON.stringify(seen, (_, value) => value === undefined
    ? 'undefined'
    : value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value)
}

function property (name: string, numRuns: number, make: (directory: string) => { root: Level, db: Level }): void {
  for (const always of [false, true]) {
    test(`${name} looks like a plain database (${always ? 'every read waits' : 'reads wait for writes'})`, { timeout: 120000 }, async (t) => {
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
        const model = new MemoryLevel()
        const { root, db } = make(directory)
        const gate = new DelayingGate({ always })
        gate.store = intercept(db, gate).store
        await db.open()
        await gate.store.batch(reservedBytes.map((key) => ({ type: 'put', key, value: key })), { sync: true })

        try {
          const expected = await run(model.sublevel('s'), steps)
          const actual = await run(db, steps)
          if (plain(actual) !== plain(expected)) throw new Error(`${plain(actual)} is not ${plain(expected)}`)
          for (const key of reservedBytes) {
            if (await gate.store.get(key) === undefined) throw new Error('A reserved key is gone')
          }
        } finally {
          await root.close()
          await model.close()
          await rm(directory, { recursive: true, force: true })
        }
      }), { numRuns })
      t.pass(`${numRuns} runs`)
    })
  }
}

const itself = (root: Level) => ({ root, db: root })

property('a memory-level', 150, () => itself(new MemoryLevel()))
property('a memory-level of views', 150, () => itself(new MemoryLevel({ storeEncoding: 'view' })))
property('a sublevel of memory-level', 150, () => {
  const root = new MemoryLevel()
  return { root, db: root.sublevel(['x', 'y']) }
})
property('a classic-level', 60, (directory) => itself(new ClassicLevel(directory)))
property('a sublevel of classic-level', 60, (directory) => {
  const root = new ClassicLevel(directory)
  return { root, db: root.sublevel('x') }
})
