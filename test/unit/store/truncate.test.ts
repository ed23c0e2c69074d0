import tape from 'tape'
import type { ReplicatorError } from '../../../lib/errors.ts'
import { appliedKey, baseKey, encodeApplied, encodeBase, encodeRow, logKey, originKey } from '../../../lib/store/layout.ts'
import { Applier } from '../../../lib/store/apply.ts'
import { LogWriter } from '../../../lib/store/log-writer.ts'
import { recover } from '../../../lib/store/recovery.ts'
import type { Store } from '../../../lib/store/store.ts'
import { decodeGroupHeader, encodeGroup } from '../../../lib/wire/group.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { StoreMedium } from '../../../lib/store/store-medium.ts'
import {
  crashes, ends, group, groups, logPositions, nodeA, persist, plainCopy, recordingStore, settled, unexpected, write
} from './store-setup.ts'

const timeout = { timeout: 30_000 }

async function applied (store: Store, position: number, epoch: number): Promise<void> {
  await store.batch([{ type: 'put', key: appliedKey, value: encodeApplied({ position, epoch, seeded: false, durable: position }) }], { sync: true })
}

async function failure (store: Store): Promise<string> {
  return recover(store).then(() => 'none', (error: ReplicatorError) => error.code)
}

tape('a truncated log is recovered from its base on', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: [...groups(1, 6, 2, 1), ...groups(7, 12, 2, 2), ...groups(13, 18, 2, 4)] })
  const whole = await recover(store)
  t.deepEqual([whole.recovered.base, whole.recovered.runs, ends(whole.recovered.groups).length], [{ position: 0, epoch: 0 }, [], 9])
  await applied(store, 14, 4)

  const before = [...store.batches]
  await write(store, { truncate: { position: 8, epoch: 2 } })
  const { recovered } = await recover(store)
  t.deepEqual(await logPositions(store), [9, 11, 13, 15, 17])
  t.deepEqual(recovered.base, { position: 8, epoch: 2 })
  t.deepEqual(recovered.runs, [{ position: 12, epoch: 2 }, { position: 14, epoch: 4 }], 'the base is part of the run that goes on')
  t.deepEqual([recovered.applied, ends(recovered.groups)], [14, [16, 18]])
  const kept = [...groups(9, 12, 2, 2), ...groups(13, 18, 2, 4)]
  t.equal(recovered.logBytes, kept.reduce((sum, group) => sum + encodeGroup(group).byteLength, 0))

  for (const crashed of await crashes(before, store.batches.slice(before.length))) {
    const { recovered } = await recover(crashed)
    t.deepEqual([recovered.runs.slice(-2), recovered.applied, ends(recovered.groups)], [[{ position: 12, epoch: 2 }, { position: 14, epoch: 4 }], 14, [16, 18]], 'also after a crash')
  }
})

tape('a log that is truncated at the end of an epoch, and one that is truncated altogether', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: [...groups(1, 6, 2, 1), ...groups(7, 12, 2, 2)] })
  await applied(store, 12, 2)
  await write(store, { truncate: { position: 6, epoch: 1 } })
  t.deepEqual((await recover(store)).recovered.runs, [{ position: 6, epoch: 1 }, { position: 12, epoch: 2 }])

  await write(store, { truncate: { position: 12, epoch: 2 } })
  const { recovered } = await recover(store)
  t.deepEqual(await logPositions(store), [])
  t.deepEqual([recovered.runs, recovered.groups, recovered.logBytes], [[{ position: 12, epoch: 2 }], [], 0])

  await write(store, { groups: [group(13, 3, 2)] })
  t.deepEqual(ends((await recover(store)).recovered.groups), [15], 'and it goes on')
})

tape('a large truncation is done in pieces, and other steps do not wait for it', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: groups(1, 2600) })
  await applied(store, 2600, 1)
  store.batches.length = 0

  const writer = new LogWriter(store, new StoreMedium(store), new Applier(store, true, 1e6, { position: 2600, epoch: 1, seeded: false, durable: 2600 }, unexpected), true, 1e6, () => {}, unexpected)
  let released = () => {}
  const wait = new Promise<void>((resolve) => { released = resolve })
  store.before = async ({ operations }) => { if (operations[0]?.type === 'del') await wait }
  writer.add(1, persist({ truncate: { position: 2500, epoch: 1 } }))
  await settled()
  writer.add(2, persist({ groups: [group(2601)] }))
  writer.add(3, persist({ truncate: { position: 2550, epoch: 1 }, groups: [group(2602)] }))
  released()
  await settled()

  t.deepEqual(store.batches.map(({ operations: [first, ...others], sync }) => [first?.type, others.length + 1, sync]), [
    ['put', 1, true], ['del', 1000, false], ['put', 3, true], ['del', 1000, false], ['del', 550, false]
  ])
  t.deepEqual((await logPositions(store))[0], 2551)
  await writer.stop()
})

tape('what a truncation leaves over when the node stops is deleted by the next', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: groups(1, 2600) })
  await applied(store, 2600, 1)

  const writer = new LogWriter(store, new StoreMedium(store), new Applier(store, false, 1e6, { position: 2600, epoch: 1, seeded: false, durable: 2600 }, unexpected), false, 1e6, () => {}, unexpected)
  let stopping: Promise<void> | null = null
  store.before = async ({ operations }) => { if (operations[0]?.type === 'del') stopping ??= writer.stop() }
  writer.add(1, persist({ truncate: { position: 2500, epoch: 1 } }))
  await settled()
  store.before = async () => {}
  t.ok(stopping, 'it was stopped while it deleted')
  t.equal((await logPositions(store)).length, 1600, 'after the first piece')

  const { recovered } = await recover(store)
  t.deepEqual([recovered.base, recovered.runs], [{ position: 2500, epoch: 1 }, [{ position: 2600, epoch: 1 }]])
  t.equal(recovered.logBytes, groups(2501, 2600).reduce((sum, group) => sum + encodeGroup(group).byteLength, 0), 'it does not count')

  await write(store, { truncate: { position: 2510, epoch: 1 } })
  t.equal((await logPositions(store))[0], 2511)
})

tape('groups are read from a log that is truncated meanwhile', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: groups(1, 100) })
  t.deepEqual(ends(await new StoreMedium(store).read(98, 10_000)), [98, 99, 100])

  // A store without snapshots: what follows the first piece is deleted while that is read.
  const { entries } = store
  store.entries = async function * (range, size) {
    for await (const chunk of entries(range, size)) {
      const { first } = decodeGroupHeader((chunk[0] as [Uint8Array, Uint8Array])[1])
      yield first < 70 ? chunk : chunk.slice(10)
    }
  }
  t.deepEqual(ends(await new StoreMedium(store).read(10, 10_000)).at(-1), 73, 'none is left out')

  store.entries = entries
  await applied(store, 100, 1)
  await write(store, { truncate: { position: 90, epoch: 1 } })
  t.equal((await new StoreMedium(store).read(10, 10_000))[0]?.first, 91, 'the first that is left')
})

tape('leftovers of a truncation are not looked at, but must be records of the log', timeout, async (t) => {
  const store = await recordingStore()
  await write(store, { groups: groups(1, 6) })
  await applied(store, 6, 1)
  await write(store, { truncate: { position: 4, epoch: 1 } })
  await store.batch([{ type: 'put', key: logKey(2), value: new Uint8Array([1, 2, 3]) }], { sync: true })
  t.deepEqual((await recover(store)).recovered.runs, [{ position: 6, epoch: 1 }])
  await store.batch([{ type: 'put', key: new Uint8Array([...logKey(2), 1]), value: new Uint8Array([1, 2, 3]) }], { sync: true })
  t.equal(await failure(store), 'LEVEL_LOG_FORMAT')
})

tape('a base that does not belong to the rest is refused', timeout, async (t) => {
  const base = (position: number, epoch: number): Operation => ({ type: 'put', key: baseKey, value: encodeBase({ position, epoch }) })
  const cases: Array<[what: string, damage: Operation[], code: string]> = [
    ['what is truncated was not applied', [base(7, 1)], 'LEVEL_LOG_CORRUPT'],
    ['applied in another epoch', [base(6, 2)], 'LEVEL_LOG_CORRUPT'],
    ['nothing follows the base, but more was applied', [...groups(5, 8).map(({ first }): Operation => ({ type: 'del', key: logKey(first) }))], 'LEVEL_LOG_TORN'],
    ['the record after the base is missing', [{ type: 'del', key: logKey(5) }], 'LEVEL_LOG_CORRUPT'],
    ['the base is missing', [{ type: 'del', key: baseKey }], 'LEVEL_LOG_CORRUPT'],
    ['an epoch goes back', [{ type: 'put', key: logKey(8), value: encodeGroup(group(8, 1, 2)) }, { type: 'put', key: logKey(9), value: encodeGroup(group(9)) }, { type: 'put', key: logKey(10), value: encodeGroup(group(10)) }], 'LEVEL_LOG_CORRUPT']
  ]
  for (const [what, damage, code] of cases) {
    const store = await recordingStore()
    await write(store, { groups: groups(1, 8) })
    await applied(store, 6, 1)
    await write(store, { truncate: { position: 4, epoch: 1 } })
    t.equal(await failure(store), 'none')
    await store.batch(damage, { sync: true })
    t.equal(await failure(store), code, what)
  }
})

tape('a reset is recovered, whenever the crash comes', timeout, async (t) => {
  const row = { node: nodeA, start: 1, highest: 9, last: 9 }
  const store = await recordingStore()
  await write(store, { groups: [...groups(1, 1500), group(1501, 4)] })
  await applied(store, 1500, 1)
  await store.batch([{ type: 'put', key: originKey(1), value: encodeRow(row) }], { sync: true })

  const before = [...store.batches]
  // The new base lies within a group that this node alone has.
  await write(store, {
    reset: { base: { position: 1502, epoch: 3 }, seeded: true, rows: [[7, row]], keys: [[1400, { key: 'k', digest: 1 }]] }, groups: [group(1503, 2, 3)]
  }, { groups: [group(1505, 1, 3)] })
  t.deepEqual(await logPositions(store), [1503, 1505])

  const batches = store.batches.slice(before.length)
  t.ok(batches.length >= 5, 'with several deletions')
  // The first batch is the next start, the second the reset.
  for (const [i, crashed] of (await crashes(before, batches)).entries()) {
    const { recovered } = await recover(crashed)
    if (i < 2) t.deepEqual([recovered.base.position, recovered.copy, ends(recovered.groups)], [0, null, [1504]], 'nothing has happened')
    else {
      t.deepEqual([recovered.base, recovered.runs, recovered.applied, recovered.seeded], [{ position: 1502, epoch: 3 }, [{ position: 1502, epoch: 3 }], 1502, true])
      t.deepEqual([[...recovered.rows], [...recovered.keys], plainCopy(recovered.copy)], [[[7, row]], [[1400, { key: 'k', digest: 1 }]], { after: '', high: 1502 }])
      t.deepEqual(ends(recovered.groups)[0], 1504)
    }
  }

  await write(store, { copied: true })
  t.equal((await recover(store)).recovered.copy, null)
})
