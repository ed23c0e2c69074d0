import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import { Random } from '../../../lib/sim/random.ts'
import { AGAIN_BYTES, Applier } from '../../../lib/store/apply.ts'
import { appliedKey, decodeApplied, decodeRow, originKey } from '../../../lib/store/layout.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import type { RecordingStore } from './store-setup.ts'
import { bytes, nodeA, recordingStore } from './store-setup.ts'

const timeout = { timeout: 30_000 }

/** The write at this position; the three keys change again and again, and go. */
function writeAt (position: number, size = 0): Operation[] {
  const key = bytes(`k${position % 3}`)
  return [position % 7 === 0 ? { type: 'del', key } : { type: 'put', key, value: bytes(`${position}${'.'.repeat(size)}`) }]
}

function effect (from: number, through: number, size = 0): Effect & { type: 'apply' } {
  const entries = Array.from({ length: through - from + 1 }, (_, i) => {
    const operations = writeAt(from + i, size)
    return { kind: 'write', origin: 1, number: from + i, body: encodeOperations(operations), operations } as const
  })
  return {
    type: 'apply',
    groups: [{ epoch: 1, first: from, entries }],
    rows: new Map([[1, { node: nodeA, start: 1, highest: through, last: through }]]),
    through,
    epoch: 1,
    seeded: true
  }
}

/** What these operations leave, as text. */
function after (batches: ReadonlyArray<readonly Operation[]>): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>()
  for (const op of batches.flat()) {
    const key = Buffer.from(op.key).toString('latin1')
    if (op.type === 'put') all.set(key, op.value)
    else all.delete(key)
  }
  return all
}

/** Whether the data, and the table, are those of the position that *applied* names. */
function problem (disk: Map<string, Uint8Array>): string | null {
  const record = disk.get(Buffer.from(appliedKey).toString('latin1'))
  const position = record === undefined ? 0 : decodeApplied(record).position
  const expected = after(Array.from({ length: position }, (_, i) => writeAt(i + 1)))
  for (let i = 0; i < 3; i++) {
    const [ours, theirs] = [disk, expected].map(state => String(state.get(`k${i}`)))
    if (ours !== theirs) return `applied ${position}, and k${i} is ${ours}, not ${theirs}`
  }
  const row = disk.get(Buffer.from(originKey(1)).toString('latin1'))
  return row === undefined || decodeRow(row).last === position ? null : `applied ${position}, and the table is as of ${decodeRow(row).last}`
}

const log = (position: number): Operation[] => [{ type: 'put', key: bytes(`log${position}`), value: bytes('group') }]

/** Each batch takes a while, so that two that are under way may change places. */
async function slowStore (random: Random): Promise<RecordingStore> {
  const store = await recordingStore()
  store.before = async () => { for (let turns = random.below(4); turns > 0; turns--) await new Promise(resolve => { setImmediate(resolve) }) }
  return store
}

tape('whatever a power cut takes of what is not synced, the data are those of the position that they say', timeout, async (t) => {
  let unsynced = 0
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed)
    const store = await slowStore(random)
    const applier = new Applier(store, true, 0)
    // Applies one after the other, and appends one after the other, at the same time.
    const applies = (async () => {
      for (let at = 1; at <= 30;) {
        const through = at + random.below(3)
        await applier.apply(effect(at, through), random.chance(0.1))
        at = through + 1
        for (let turns = random.below(6); turns > 0; turns--) await new Promise(resolve => { setImmediate(resolve) })
      }
    })()
    let last = 0
    for (let at = 1; at <= 15; at++) {
      await applier.write(log(at))
      const applied = applier.durable
      if (applied < last) t.fail(`seed ${seed}: ${applied} is durable after ${last}`)
      last = applied
      const durable = after(store.batches.filter(({ sync }) => sync).map(({ operations }) => operations)).get(Buffer.from(appliedKey).toString('latin1'))
      if (durable === undefined ? applied > 0 : decodeApplied(durable).position < applied) t.fail(`seed ${seed}: ${applied} is not durable`)
    }
    await applies
    const { batches } = store
    unsynced += batches.filter(({ sync }) => !sync).length
    for (let end = 1; end <= batches.length; end++) {
      for (let draw = 0; draw < 10; draw++) {
        const kept = batches.slice(0, end).filter(({ sync }) => sync || random.chance(0.5))
        const wrong = problem(after(kept.map(({ operations }) => operations)))
        if (wrong !== null) return t.fail(`seed ${seed}: ${wrong}`)
      }
    }
    await applier.flush()
    const wrong = problem(after(store.batches.filter(({ sync }) => sync).map(({ operations }) => operations)))
    if (wrong !== null || decodeApplied(await store.get(appliedKey) as Uint8Array).position < 30) return t.fail(`seed ${seed}: at the end, ${String(wrong)}`)
  }
  t.ok(unsynced > 1000, `${unsynced} batches that were not synced`)
})

tape('what takes more than it may is synced, with all that was left to be written again', timeout, async (t) => {
  const store = await recordingStore()
  const applier = new Applier(store, true, 0)
  await applier.apply(effect(1, 2), false)
  await applier.apply(effect(3, 3, AGAIN_BYTES), false)
  await applier.apply(effect(4, 4), true)
  await applier.apply(effect(5, 5), false)
  t.deepEqual(store.batches.map(({ sync, operations }) => [sync, operations.length]), [[false, 4], [true, 7], [true, 3], [false, 3]])
  await applier.write([])
  t.equal(applier.durable, 5)
  await applier.write(log(1))
  t.equal(applier.durable, 5)
  t.deepEqual(store.batches.slice(4).map(({ sync, operations }) => [sync, operations.length]), [[true, 3], [true, 1]])
  await applier.flush()
  t.equal(store.batches.length, 6, 'nothing is left')
})

tape('without syncs, nothing is written again', timeout, async (t) => {
  const store = await recordingStore()
  const applier = new Applier(store, false, 0)
  await applier.apply(effect(1, 2), false)
  await applier.apply(effect(3, 3), true)
  await applier.write(log(1))
  t.equal(applier.durable, 3, 'but a sync covers what was before')
  t.deepEqual(store.batches.map(({ sync, operations }) => [sync, operations.length]), [[false, 4], [false, 3], [true, 1]])
})

tape('a copy begins anew', timeout, async (t) => {
  const store = await recordingStore()
  const applier = new Applier(store, true, 10)
  await applier.write(log(1))
  t.equal(applier.durable, 10)
  applier.reset(50)
  await applier.write(log(51))
  t.equal(applier.durable, 50)
})
