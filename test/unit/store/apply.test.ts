import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import type { Group } from '../../../lib/core/entry.ts'
import type { OriginRow } from '../../../lib/core/origins.ts'
import { Random } from '../../../lib/sim/random.ts'
import { Applier, reapply } from '../../../lib/store/apply.ts'
import { appliedKey, decodeApplied, decodeRow, keyedKey, logKey, originKey } from '../../../lib/store/layout.ts'
import { encodeGroup } from '../../../lib/wire/group.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import { StoreMedium } from '../../../lib/store/store-medium.ts'
import type { Batch, RecordingStore } from './store-setup.ts'
import { bytes, nodeA, nothingApplied, recordingStore, unexpected } from './store-setup.ts'

const timeout = { timeout: 30_000 }

/** The write at this position; the three keys change again and again, and go. */
function writeAt (position: number, size = 0): Operation[] {
  const key = bytes(`k${position % 3}`)
  return [position % 7 === 0 ? { type: 'del', key } : { type: 'put', key, value: bytes(`${position}${'.'.repeat(size)}`) }]
}

/** Every fourth write has one. */
function keyAt (position: number): string {
  return position % 4 === 0 ? `key ${position}` : ''
}

/** Origin 1 changes each time; origin 2 + (n % 3) at every fifth position, and leaves at every tenth. */
function originsAt (from: number, through: number): Array<[number, OriginRow | null]> {
  const rows: Array<[number, OriginRow | null]> = []
  for (let last = from; last <= through; last++) {
    const row = { node: nodeA, start: 1, highest: last, last }
    rows.push([1, row])
    if (last % 5 === 0) rows.push([2 + last % 3, last % 10 === 0 ? null : row])
  }
  return rows
}

function effect (from: number, through: number, size = 0): Effect & { type: 'apply' } {
  const entries = Array.from({ length: through - from + 1 }, (_, i) => {
    const operations = writeAt(from + i, size)
    return { kind: 'write', origin: 1, number: from + i, body: encodeOperations(operations), operations, key: keyAt(from + i) } as const
  })
  return {
    type: 'apply',
    groups: [{ epoch: 1, first: from, entries }],
    // Two origins change rarely, and one of them leaves now and then.
    rows: new Map(originsAt(from, through)),
    gone: [],
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
    const [ours, theirs] = [disk, expected].map(state => Buffer.from(state.get(`k${i}`) ?? []).toString())
    if (ours !== theirs) return `applied ${position}, and k${i} is ${ours}, not ${theirs}`
  }
  for (let i = 4; i <= position + 20; i += 4) {
    if (disk.has(Buffer.from(keyedKey(i)).toString('latin1')) !== (i <= position)) return `applied ${position}, and the key of ${i} is ${i <= position ? 'missing' : 'there'}`
  }
  const table = new Map(originsAt(1, position))
  for (let id = 1; id <= 4; id++) {
    const row = disk.get(Buffer.from(originKey(id)).toString('latin1'))
    const [ours, theirs] = [row === undefined ? 0 : decodeRow(row).last, table.get(id)?.last ?? 0]
    if (ours !== theirs) return `applied ${position}, and the row of origin ${id} is as of ${ours}, not ${theirs}`
  }
  return null
}

/** Each batch takes a while, so that two that are under way may change places. */
async function slowStore (random: Random): Promise<RecordingStore> {
  const store = await recordingStore()
  store.flushes = true
  store.before = async () => { for (let turns = random.below(4); turns > 0; turns--) await turn() }
  return store
}

const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

interface Cut {
  /** What a power cut leaves of all batches so far. */
  readonly kept: readonly Batch[]
  /** Up to where the log may have been truncated. */
  readonly truncated: number
}

/** Applies up to 30, a few entries at a time; cuts are drawn all the time. */
async function run (store: RecordingStore, random: Random): Promise<{ applier: Applier, groups: Group[], cuts: Cut[] }> {
  const applier = new Applier(store, true, 60, nothingApplied, unexpected)
  const groups: Group[] = []
  const cuts: Cut[] = []
  const cut = (): void => {
    const flushed = Math.max(0, ...store.flushed)
    cuts.push({ kept: store.batches.filter(({ sync }, i) => sync || i < flushed || random.chance(0.5)), truncated: applier.durable })
  }
  for (let at = 1; at <= 30;) {
    const through = at + random.below(3)
    const next = effect(at, through)
    groups.push(...next.groups)
    // The log has it, durably, before.
    for (const group of next.groups) await store.batch([{ type: 'put', key: logKey(group.first), value: encodeGroup(group) }], { sync: true })
    const applying = applier.apply(next)
    cut()
    await applying
    for (let turns = random.below(6); turns > 0; turns--) {
      await turn()
      cut()
    }
    at = through + 1
  }
  return { applier, groups, cuts }
}

tape('whatever a power cut takes of what is not synced, the data are those of the position that they say once it is applied again', timeout, async (t) => {
  let unsynced = 0
  let again = 0
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed)
    const store = await slowStore(random)
    const { applier, groups, cuts } = await run(store, random)
    unsynced += store.batches.filter(({ sync }) => !sync).length
    for (const { kept, truncated } of cuts) {
      const disk = await recordingStore(kept)
      const record = await disk.get(appliedKey)
      const state = record === undefined ? nothingApplied : decodeApplied(record)
      if (truncated > state.position) return t.fail(`seed ${seed}: the log is truncated at ${truncated}, and ${state.position} is applied`)
      if (state.durable < state.position) again++
      await reapply(disk, groups, state)
      const wrong = problem(after([...kept, ...disk.batches].map(({ operations }) => operations)))
      if (wrong !== null) return t.fail(`seed ${seed}: ${wrong}, of which ${state.durable} was durable`)
    }
    const all = store.batches.splice(0)
    await applier.stop(new StoreMedium(store))
    const flushed = Math.max(0, ...store.flushed)
    const before = all.filter(({ sync }, i) => sync || i < flushed || random.chance(0.5))
    const wrong = problem(after([...before, ...store.batches].map(({ operations }) => operations)))
    if (wrong !== null) return t.fail(`seed ${seed}: after the end, ${wrong}`)
    const { position, durable } = decodeApplied(await store.get(appliedKey) as Uint8Array)
    if (durable !== position || store.batches.some(({ sync }) => !sync)) return t.fail(`seed ${seed}: at the end, ${durable} of ${position} is durable`)
  }
  t.ok(unsynced > 1000 && again > 1000, `${unsynced} batches that were not synced, and ${again} times something was applied again`)
})

tape('what is applied again does not go back, and can begin anew', timeout, async (t) => {
  const groups = [1, 4, 11].flatMap((first, i, all) => effect(first, (all[i + 1] ?? 31) - 1).groups)
  const state = { position: 30, epoch: 1, seeded: true, durable: 3 }
  const store = await recordingStore()
  await reapply(store, [...groups, ...effect(31, 33).groups], state)
  const [batch, ...others] = store.batches
  t.deepEqual(others, [], 'one batch')
  t.ok(batch?.sync, 'synced')
  t.deepEqual(batch?.operations.map(op => Buffer.from(op.key).toString('latin1')).sort(), [...['k0', 'k1', 'k2'], ...[appliedKey, ...[4, 8, 12, 16, 20, 24, 28].map(keyedKey)].map(key => Buffer.from(key).toString('latin1'))].sort(), 'each key once')
  t.equal(decodeApplied(await store.get(appliedKey) as Uint8Array).durable, 30)

  const large = effect(1, 4, 600_000).groups
  const big = await recordingStore()
  await reapply(big, large, { position: 4, epoch: 1, seeded: true, durable: 0 })
  t.ok(big.batches.length > 1, 'in pieces')
  t.deepEqual(big.batches.slice(0, -1).filter(({ operations }) => operations.some(op => op.key === appliedKey)), [], 'of which the last one says so')
})

tape('a store that cannot be flushed syncs each apply', timeout, async (t) => {
  const store = await recordingStore()
  const applier = new Applier(store, true, 10, nothingApplied, unexpected)
  await applier.apply(effect(1, 2))
  await applier.apply(effect(3, 3))
  t.deepEqual(store.batches.map(({ sync, operations }) => [sync, operations.length]), [[true, 4], [true, 3]])
  t.equal(applier.durable, 3)
  await applier.stop(new StoreMedium(store))
  t.deepEqual([store.batches.length, store.flushed], [2, []], 'nothing is left')
})

tape('without syncs, nothing is flushed or applied again', timeout, async (t) => {
  const store = await recordingStore()
  store.flushes = true
  const applier = new Applier(store, false, 10, nothingApplied, unexpected)
  await applier.apply(effect(1, 2))
  await applier.apply(effect(3, 3))
  t.equal(applier.durable, 0)
  applier.onSynced(3)
  t.equal(applier.durable, 3, 'but a sync covers what was before')
  await applier.stop(new StoreMedium(store))
  t.deepEqual(store.batches.map(({ sync, operations }) => [sync, operations.length]), [[false, 4], [false, 3]])
  t.deepEqual(store.flushed, [])
  t.equal(decodeApplied(await store.get(appliedKey) as Uint8Array).durable, 3)
})

tape('a copy begins anew, whatever was flushed before', timeout, async (t) => {
  const store = await recordingStore()
  store.flushes = true
  const applier = new Applier(store, true, 10, nothingApplied, unexpected)
  let flush = () => {}
  store.before = ({ sync }) => sync ? new Promise(resolve => { flush = resolve }) : Promise.resolve()
  await applier.apply(effect(1, 5))
  applier.reset({ position: 3, epoch: 7 }, false)
  flush()
  await turn()
  t.equal(store.flushed.length, 1)
  t.deepEqual([applier.position, applier.durable], [3, 3])
  await applier.apply({ ...effect(4, 4), epoch: 7, rows: new Map() })
  t.deepEqual(store.batches[1]?.operations.map(({ key }) => key).slice(1), [keyedKey(4), appliedKey], 'rows of before are not written')
})

tape('a flush that fails is reported, and one that is not possible any more is not', timeout, async (t) => {
  const store = await recordingStore()
  store.flushes = true
  const errors: unknown[] = []
  const applier = new Applier(store, true, 10, nothingApplied, error => { errors.push(error) })
  store.flush = async () => false
  await applier.apply(effect(1, 5))
  await turn()
  t.deepEqual([errors, applier.durable], [[], 0])
  store.flush = async () => { throw new Error('no space') }
  await applier.apply(effect(6, 9))
  await turn()
  t.deepEqual([errors.map(String), applier.durable], [['Error: no space'], 0])
})
