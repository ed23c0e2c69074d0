import tape from 'tape'
import type { Persist } from '../../../lib/core/effects.ts'
import type { View } from '../../../lib/core/view.ts'
import {
  acceptedKey, appliedKey, baseKey, copyKey, encodeApplied, encodeBase, encodeCopy, encodeRow, encodeView, encodeVow, logKey,
  originKey, viewKey, vowKey, encodeKeyRow, keyedKey
} from '../../../lib/store/layout.ts'
import { Applier } from '../../../lib/store/apply.ts'
import { LogWriter } from '../../../lib/store/log-writer.ts'
import { encodeGroup } from '../../../lib/wire/group.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { viewOf } from '../../support/core-parts.ts'
import type { Batch, RecordingStore } from './store-setup.ts'
import { group, groups, logPositions, nodeA, nodeB, nothingApplied, persist, recordingStore, settled } from './store-setup.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'
import { StoreMedium } from '../../../lib/store/store-medium.ts'

const timeout = { timeout: 30_000 }

const vow = { epoch: 3, to: nodeB, members: [nodeA, nodeB], cluster: '' }
const row = { node: nodeA, start: 1, highest: 7, last: 9 }

function view (epoch: number): View {
  return viewOf({ epoch, cluster: 'c1'.repeat(16), members: [nodeA, nodeB], live: [{ id: nodeA, since: 1 }] })
}

interface Setup {
  readonly store: RecordingStore
  readonly writer: LogWriter
  readonly persisted: Array<[id: number, applied: number]>
  readonly errors: unknown[]
  readonly applier: Applier
}

async function setup ({ sync = false } = {}): Promise<Setup> {
  const store = await recordingStore()
  const persisted: Array<[number, number]> = []
  const errors: unknown[] = []
  const applier = new Applier(store, sync, 1e6, nothingApplied, (error) => { errors.push(error) })
  const writer = new LogWriter(store, new StoreMedium(store), applier, sync, 1e6, (id, applied) => { persisted.push([id, applied]) }, (error) => { errors.push(error) })
  return { store, persisted, errors, applier, writer }
}

/** Operations for comparison: type, key and value. */
function plain (operations: readonly Operation[]): string[] {
  return operations.map((op) => `${op.type} ${toHex(op.key)} ${op.type === 'put' ? toHex(op.value) : ''}`)
}

function put (key: Uint8Array, value: Uint8Array): Operation {
  return { type: 'put', key, value }
}

/** The first positions of the groups that a batch puts. */
function appended ({ operations }: Batch): number[] {
  return operations.filter(({ type, key }) => type === 'put' && compareBytes(key, logKey(0)) > 0).map(({ key }) => key[key.byteLength - 1] as number)
}

tape('a step is one batch, in the order that the core means', timeout, async (t) => {
  const { store, writer, persisted } = await setup()
  const next = group(10)
  writer.add(1, persist({ vow, accepted: view(3), view: view(2), truncate: { position: 9, epoch: 1 }, groups: [next], copied: true }))
  await settled()
  t.deepEqual(plain(store.batches[0]?.operations ?? []), plain([
    put(vowKey, encodeVow(vow)),
    put(acceptedKey, encodeView(view(3))),
    put(viewKey, encodeView(view(2))),
    { type: 'del', key: copyKey },
    put(baseKey, encodeBase({ position: 9, epoch: 1 })),
    put(logKey(10), encodeGroup(next))
  ]))
  t.deepEqual([store.batches.length, persisted], [1, [[1, 0]]])
})

tape('a reset puts the state of the copy in place of the log', timeout, async (t) => {
  const { store, writer } = await setup()
  await store.batch([
    ...groups(1, 3).map((group) => put(logKey(group.first), encodeGroup(group))),
    ...groups(4, 10, 2, 2).map((group) => put(logKey(group.first), encodeGroup(group))),
    put(originKey(1), encodeRow(row)), put(originKey(4), encodeRow(row)),
    put(keyedKey(2), encodeKeyRow({ key: 'k', digest: 1 })),
    put(appliedKey, encodeApplied({ position: 3, epoch: 1, seeded: false, durable: 3 })),
    put(vowKey, encodeVow(vow))
  ], { sync: true })
  store.batches.length = 0

  writer.add(1, persist({ reset: { base: { position: 8, epoch: 5 }, seeded: true, rows: [[4, { ...row, last: 8 }], [6, row]], keys: [[5, { key: 'k', digest: 1 }]] } }))
  await settled()
  t.deepEqual(plain(store.batches[0]?.operations ?? []), plain([
    { type: 'del', key: logKey(10) },
    { type: 'del', key: originKey(1) },
    { type: 'del', key: keyedKey(2) },
    put(appliedKey, encodeApplied({ position: 8, epoch: 5, seeded: true, durable: 8 })),
    put(originKey(4), encodeRow({ ...row, last: 8 })), put(originKey(6), encodeRow(row)),
    put(keyedKey(5), encodeKeyRow({ key: 'k', digest: 1 })),
    put(copyKey, encodeCopy({ after: new Uint8Array(0), high: 8 })),
    put(baseKey, encodeBase({ position: 8, epoch: 5 }))
  ]), 'a log that goes beyond the new base ends there at once')
  t.equal(store.batches[0]?.sync, true)
  t.deepEqual(await logPositions(store), [], 'and the rest of it is deleted')
  t.ok(await store.get(vowKey), 'what was promised stays')
})

tape('what is synced', timeout, async (t) => {
  const steps: Array<[what: string, fields: Partial<Persist>, memory: boolean, disk: boolean]> = [
    ['groups', { groups: [group(20)] }, false, true],
    ['a cut', { cut: { position: 5, epoch: 1 } }, true, true],
    ['a vow', { vow }, true, true],
    ['an accepted view', { accepted: view(2) }, true, true],
    ['a view', { view: view(2) }, true, true],
    ['a truncation', { truncate: { position: 1, epoch: 1 } }, false, true],
    ['a reset', { reset: { base: { position: 4, epoch: 1 }, seeded: false, rows: [], keys: [] } }, true, true],
    ['the end of a copy', { copied: true }, true, true]
  ]
  for (const [what, fields, memory, disk] of steps) {
    for (const sync of [false, true]) {
      const { store, writer } = await setup({ sync })
      await store.batch(groups(1, 9).map((group) => put(logKey(group.first), encodeGroup(group))), { sync: true })
      writer.add(1, persist(fields))
      await settled()
      t.equal(store.batches[1]?.sync, sync ? disk : memory, `${what}, with durability '${sync ? 'disk' : 'memory'}'`)
    }
  }
})

tape('a persisted step tells what had been applied when the last sync began', timeout, async (t) => {
  const { store, writer, persisted, applier } = await setup()
  const apply = (through: number) => applier.apply({ type: 'apply', groups: [], rows: new Map(), gone: [], through, epoch: 1, seeded: true })
  const add = async (id: number, fields: Partial<Persist>) => {
    writer.add(id, persist(fields))
    await settled()
  }

  await apply(3)
  await add(1, { groups: [group(1)] })
  // An apply that is done while the sync is under way may have come too late for it.
  store.before = async () => {
    store.before = async () => {}
    await apply(9)
  }
  await add(2, { vow })
  await add(3, { groups: [group(2)] })
  await add(4, {})
  await add(5, { view: view(3) })
  t.deepEqual(persisted, [[1, 0], [2, 3], [3, 3], [4, 3], [5, 9]])
})

tape('steps that come in during a write share the next; one that looks at the disk begins another', timeout, async (t) => {
  const { store, writer, persisted } = await setup()
  for (let id = 1; id <= 4; id++) writer.add(id, persist({ groups: [group(id)] }))
  writer.add(5, persist({ cut: { position: 2, epoch: 1 }, groups: [group(3, 2, 2)] }))
  writer.add(6, persist({ groups: [group(5, 1, 2)] }))
  writer.add(7, persist({ reset: { base: { position: 30, epoch: 4 }, seeded: false, rows: [], keys: [] }, groups: [group(31, 1, 4)] }))
  writer.add(8, persist({ groups: [group(32, 1, 4)] }))
  await settled()
  t.deepEqual(store.batches.slice(0, 4).map(appended), [[1], [2, 3, 4], [3, 5], [31, 32]])
  t.deepEqual(persisted.map(([id]) => id), [1, 4, 6, 8])
  t.deepEqual(await logPositions(store), [31, 32])
})

tape('after a write that failed, nothing is written', timeout, async (t) => {
  const { store, writer, persisted, errors } = await setup()
  store.before = async () => { throw new Error('no space') }
  writer.add(1, persist({ groups: [group(1)] }))
  writer.add(2, persist({ vow }))
  await settled()
  store.before = async () => {}
  writer.add(3, persist({ vow }))
  await settled()
  await writer.stop()
  t.deepEqual([store.batches, persisted, errors.length], [[], [], 1])
})
