import tape from 'tape'
import type { CopyState, Effect } from '../../../lib/core/effects.ts'
import type { DataChunk } from '../../../lib/store/copy.ts'
import { digestData, readChunk, restore, verificationDigest } from '../../../lib/store/copy.ts'
import { RESERVED } from '../../../lib/store/keys.ts'
import { copyKey } from '../../../lib/store/layout.ts'
import { recover } from '../../../lib/store/recovery.ts'
import type { Store } from '../../../lib/store/store.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import type { RecordingStore } from './store-setup.ts'
import { bytes, contentsOf, crashes, dataOf, openStore, plainCopy, recordingStore, write } from './store-setup.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'

const timeout = { timeout: 30_000 }
const start = new Uint8Array(0)

async function fill (store: Store, data: Record<string, string>): Promise<void> {
  await store.batch(Object.entries(data).map(([key, value]): Operation => ({ type: 'put', key: bytes(key), value: bytes(value) })), { sync: true })
}

function numbered (prefix: string, count: number, value: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${String(i).padStart(5, '0')}`, value]))
}

function keysOf ({ entries, through }: DataChunk): [keys: string[], through: string | null] {
  return [entries.map(([key]) => Buffer.from(key).toString()), through === null ? null : Buffer.from(through).toString()]
}

function restoreOf (after: Uint8Array, { entries, through }: Omit<DataChunk, 'left'>, high = 5): Effect & { type: 'restore' } {
  return { type: 'restore', after, through, entries, copy: { after: through, high } }
}

/** Copies all data, from where `copy` is, in chunks of this size. */
async function copyAll (from: Store, to: Store, after: Uint8Array | null, bytesMax: number): Promise<number> {
  let chunks = 0
  while (after !== null) {
    const chunk = await readChunk(from, after, bytesMax)
    await restore(to, restoreOf(after, chunk))
    after = chunk.through
    chunks++
  }
  return chunks
}

tape('a chunk holds what follows a key, up to a size', timeout, async (t) => {
  const store = await openStore()
  t.deepEqual(keysOf(await readChunk(store, start, 100)), [[], null], 'no data')

  await fill(store, { a: '1', b: '2', c: 'x'.repeat(200), d: '4', e: '5' })
  await store.batch([{ type: 'put', key: RESERVED, value: bytes('not data') }], { sync: true })
  t.deepEqual(keysOf(await readChunk(store, start, 100)), [['a', 'b'], 'b'], 'a large entry would have made it too large')
  t.deepEqual(keysOf(await readChunk(store, bytes('b'), 100)), [['c'], 'c'], 'but there is at least one')
  t.deepEqual(keysOf(await readChunk(store, bytes('c'), 100)), [['d', 'e'], null], 'the end of the data')
  t.deepEqual(keysOf(await readChunk(store, bytes('bb'), 10_000)), [['c', 'd', 'e'], null], 'after a key that is not there')
  t.deepEqual(keysOf(await readChunk(store, bytes('e'), 100)), [[], null], 'nothing follows')
})

tape('a chunk does not end with the empty key', timeout, async (t) => {
  const from = await openStore()
  await fill(from, { '': 'x'.repeat(200), a: '1', b: '2' })
  t.deepEqual(keysOf(await readChunk(from, start, 10)), [['', 'a'], 'a'])

  const to = await openStore()
  await copyAll(from, to, start, 10)
  t.deepEqual(await dataOf(to), await dataOf(from))
  await from.batch([{ type: 'del', key: start }], { sync: true })
  await copyAll(from, to, start, 10)
  t.deepEqual(await dataOf(to), [['a', '1'], ['b', '2']], 'nor is it left over')
})

tape('a restored chunk is exactly that, and nothing else is touched', timeout, async (t) => {
  const store = await recordingStore()
  await fill(store, { a: 'old', b: 'old', c: 'old', d: 'old', e: 'old', f: 'old' })
  await store.batch([{ type: 'put', key: RESERVED, value: bytes('not data') }], { sync: true })

  await restore(store, restoreOf(bytes('a'), { entries: [[bytes('bb'), bytes('new')], [bytes('c'), bytes('new')]], through: bytes('d') }))
  t.deepEqual(await dataOf(store), [['a', 'old'], ['bb', 'new'], ['c', 'new'], ['e', 'old'], ['f', 'old']], 'the last key is part of it, the first is not')
  const last = store.batches[store.batches.length - 1]
  t.equal(compareBytes(last?.operations[last.operations.length - 1]?.key ?? start, copyKey), 0, 'the state of the copy is the last')
  t.ok(store.batches.slice(2).every(({ sync }) => sync), 'everything is synced: nothing later may outlive it')

  await restore(store, restoreOf(bytes('d'), { entries: [], through: null }))
  t.deepEqual(await dataOf(store), [['a', 'old'], ['bb', 'new'], ['c', 'new']], 'up to the end of the data')
  t.equal(Buffer.from(await store.get(RESERVED) ?? []).toString(), 'not data')
})

tape('entries out of order are restored all the same', timeout, async (t) => {
  const store = await openStore()
  await fill(store, { a: 'old', b: 'old', c: 'old' })
  await restore(store, restoreOf(start, { entries: [[bytes('c'), bytes('1')], [bytes('a'), bytes('2')]], through: null }))
  t.deepEqual(await dataOf(store), [['a', '2'], ['c', '1']])
})

tape('what is in the way is deleted in pieces', timeout, async (t) => {
  const store = await recordingStore()
  await fill(store, numbered('k', 3500, 'old'))
  store.batches.length = 0
  await restore(store, restoreOf(start, { entries: [[bytes('k00500'), bytes('new')]], through: bytes('k02999') }))
  t.ok(store.batches.every(({ operations }) => operations.length <= 1000))
  const data = await dataOf(store)
  t.deepEqual([data.length, data[0], data[1]], [501, ['k00500', 'new'], ['k03000', 'old']])
})

tape('a copy of all data, chunk by chunk', timeout, async (t) => {
  const from = await openStore()
  await fill(from, { ...numbered('a', 700, 'v'.repeat(50)), ...numbered('c', 300, 'w') })
  const to = await openStore()
  await fill(to, { ...numbered('a', 10, 'other'), ...numbered('b', 200, 'gone'), z: 'gone' })
  t.ok(await copyAll(from, to, start, 4096) > 5)
  t.deepEqual(await dataOf(to), await dataOf(from))
  t.equal(await verificationDigest(to), await verificationDigest(from))
})

tape('a copy goes on after a crash, at any of its batches', timeout, async (t) => {
  const from = await openStore()
  await fill(from, { ...numbered('a', 40, 'new'), ...numbered('c', 40, 'new') })
  const to = await recordingStore()
  await fill(to, { ...numbered('a', 20, 'old'), ...numbered('b', 20, 'old'), ...numbered('x', 20, 'old') })
  await write(to, { reset: { base: { position: 5, epoch: 1 }, seeded: false, rows: [], keys: [] } })
  const before = [...to.batches]
  await copyAll(from, to, start, 200)

  // Meanwhile, what it is copied from has moved on.
  await from.batch([{ type: 'del', key: bytes('a00003') }, { type: 'put', key: bytes('c00007'), value: bytes('newer') }], { sync: true })
  const digest = await verificationDigest(from)
  const seen = new Set<string>()
  for (const crashed of await crashes(before, to.batches.slice(before.length))) {
    const copy = (await recover(crashed)).recovered.copy as CopyState
    seen.add(JSON.stringify(plainCopy(copy)))
    // All chunks from the noted one on; those before it are brought up to date by the log.
    await catchUp(from, crashed, copy.after)
    await copyAll(from, crashed, copy.after, 300)
    t.equal(await verificationDigest(crashed), digest)
  }
  t.ok(seen.has('{"after":"","high":5}') && seen.has('{"after":null,"high":5}') && seen.size > 5, 'at the beginning, in between, and at the end')
})

/** Stands for the entries of the log: what changed among the keys that are copied. */
async function catchUp (from: Store, to: RecordingStore, after: Uint8Array | null): Promise<void> {
  for (const key of [bytes('a00003'), bytes('c00007')]) {
    if (after !== null && compareBytes(key, after) > 0) continue
    const value = await from.get(key)
    await to.batch([value === undefined ? { type: 'del', key } : { type: 'put', key, value }], { sync: false })
  }
}

tape('a digest tells the data as they are in the turn of the call', timeout, async (t) => {
  const store = await openStore()
  const empty = await verificationDigest(store)
  t.notEqual(empty, '', 'also if there are none')
  t.deepEqual(await digestData(store), { digest: '', entries: 0 })

  await fill(store, numbered('k', 2500, 'v'))
  const before = await verificationDigest(store)
  const [digest] = await Promise.all([verificationDigest(store), fill(store, { k00000: 'changed', k02499: 'changed' })])
  t.equal(digest, before, 'whatever is written meanwhile')
  t.notEqual(await verificationDigest(store), before)
  t.notEqual(before, empty)

  await store.batch([{ type: 'put', key: copyKey, value: bytes('x') }], { sync: true })
  await fill(store, { k00000: 'v', k02499: 'v' })
  t.equal(await verificationDigest(store), before, 'records are no part of it')
  t.ok((await contentsOf(store)).length === 2501)
})

tape('a store without snapshots gives no digest', timeout, async (t) => {
  const store = await recordingStore()
  t.ok(store.snapshots)
  store.snapshots = false
  t.equal(await verificationDigest(store), '')
})
