import tape from 'tape'
import { MemoryLevel } from 'memory-level'
import type { AbstractLevel } from 'abstract-level'
import { Replicator } from '../../../index.ts'
import type { ReplicatorError } from '../../../index.ts'
import { RESERVED } from '../../../lib/store/keys.ts'
import type { View } from '../../../lib/core/view.ts'
import {
  acceptedKey, addressesKey, appliedKey, baseKey, copyKey, decodeApplied, encodeAddresses, encodeApplied, encodeBase, encodeCopy,
  encodeMark, encodeSighting, encodeView, identityKey, intactKey, logEnd, logStart, sightingKey, staleKey, viewKey
} from '../../../lib/store/layout.ts'
import { NoteWriter } from '../../../lib/store/note-writer.ts'
import { intactBatch, recover, staleBatch, startBatch } from '../../../lib/store/recovery.ts'
import { decodeGroupHeader } from '../../../lib/wire/group.ts'
import { identity, nodeA, nodeB, openStore, plainCopy, recordingStore, settled, unexpected } from './store-setup.ts'

type Binary = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>

/** A database in which a replicator has committed some writes, given back as a plain one. */
async function used (writes = 5): Promise<Binary> {
  const db: Binary = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
  const replicator = Replicator(db)
  for (let i = 0; i < writes; i++) await db.put(Buffer.from(`k${i}`), Buffer.from(`v${i}`))
  await replicator.release()
  return db
}

async function contents (db: Binary): Promise<string> {
  const entries: string[] = []
  for await (const [key, value] of db.iterator()) entries.push(Buffer.from(key).toString('hex') + '=' + Buffer.from(value).toString('hex'))
  return entries.join('\n')
}

async function logKeys (db: Binary): Promise<Uint8Array[]> {
  return await db.keys({ gte: logStart, lt: logEnd }).all()
}

/** Starts a replicator on a store that is not as it should be: it must say so, everywhere, and change nothing. */
async function refuses (t: tape.Test, db: Binary, code: string, says = ''): Promise<void> {
  const before = await contents(db)
  const replicator = Replicator(db)
  const events: Error[] = []
  replicator.on('error', error => { events.push(error) })
  const put = db.put(Buffer.from('new'), Buffer.from('1')).then(() => null, (error: ReplicatorError) => error)
  const get = db.get(Buffer.from('k0')).then(() => null, (error: ReplicatorError) => error)
  const ready = await replicator.ready().then(() => null, (error: ReplicatorError) => error)

  t.equal(ready?.code, code, `ready() rejects with ${code}`)
  t.ok(ready?.message.includes(says), ready?.message)
  t.equal(/Delete the database of this node/.test(ready?.message ?? ''), code !== 'LEVEL_LOG_FORMAT', 'and says what to do')
  t.equal((await put)?.code, code, 'a write rejects with it')
  t.equal((await put)?.outcome ?? 'aborted', 'aborted', 'a write is not applied')
  t.equal((await get)?.code, code, 'a read rejects with it')
  t.equal(replicator.status, 'failed', 'the status tells')
  t.equal((events[0] as ReplicatorError | undefined)?.code, code, 'it is an error event')
  await replicator.release()
  t.equal(await contents(db), before, 'nothing was changed')
  await db.close()
}

tape('a log that is torn at its end is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  const last = keys[keys.length - 1] as Uint8Array
  const record = await db.get(last) as Uint8Array
  await db.put(last, record.slice(0, record.byteLength - 3))
  await refuses(t, db, 'LEVEL_LOG_TORN')
})

tape('a log without its last record is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  await db.del(keys[keys.length - 1] as Uint8Array)
  await refuses(t, db, 'LEVEL_LOG_TORN')
})

tape('a checksum failure in the middle of the log is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  const middle = keys[2] as Uint8Array
  const record = (await db.get(middle) as Uint8Array).slice()
  record[record.byteLength - 1] = (record[record.byteLength - 1] as number) ^ 1
  await db.put(middle, record)
  await refuses(t, db, 'LEVEL_LOG_CORRUPT')
})

tape('a missing record in the middle of the log is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  await db.del((await logKeys(db))[2] as Uint8Array)
  await refuses(t, db, 'LEVEL_LOG_CORRUPT')
})

tape('a record at the place of another is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  await db.put(keys[2] as Uint8Array, await db.get(keys[3] as Uint8Array) as Uint8Array)
  await refuses(t, db, 'LEVEL_LOG_CORRUPT')
})

tape('a log record of a newer format is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  const record = (await db.get(keys[1] as Uint8Array) as Uint8Array).slice()
  record[0] = 2
  await db.put(keys[1] as Uint8Array, record)
  await refuses(t, db, 'LEVEL_LOG_FORMAT')
})

for (const [name, key] of Object.entries({ identity: identityKey, view: viewKey, applied: appliedKey })) {
  tape(`a damaged ${name} record is refused`, { timeout: 30_000 }, async (t) => {
    const db = await used()
    const record = (await db.get(key) as Uint8Array).slice()
    record[6] = (record[6] as number) ^ 0x40
    await db.put(key, record)
    await refuses(t, db, 'LEVEL_LOG_CORRUPT', `in its record '${name}'`)
  })

  tape(`an ${name} record of a newer format is refused`, { timeout: 30_000 }, async (t) => {
    const db = await used()
    const record = (await db.get(key) as Uint8Array).slice()
    record[0] = 2
    await db.put(key, record)
    await refuses(t, db, 'LEVEL_LOG_FORMAT', `in its record '${name}'`)
  })
}

tape('an unknown record in the reserved key space is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  await db.put(Buffer.concat([RESERVED, Buffer.from([10])]), Buffer.from('?'))
  await refuses(t, db, 'LEVEL_LOG_FORMAT')
})

tape('a missing identity is refused', { timeout: 30_000 }, async (t) => {
  const db = await used()
  await db.del(identityKey)
  await refuses(t, db, 'LEVEL_LOG_CORRUPT')
})

const view: View = {
  epoch: 2,
  cluster: 'c1'.repeat(16),
  members: [nodeA],
  live: [{ id: nodeA, since: 1 }],
  coordinator: nodeA,
  coordinatorStart: 1,
  seeder: null,
  leaseFree: true,
  before: [],
  witnesses: [],
  names: ['']
}

tape('a store that no replicator has used', { timeout: 30_000 }, async (t) => {
  const { identity, recovered, stale, sightings, addresses } = await recover(await openStore())
  t.equal(identity, null)
  t.deepEqual([stale, [...sightings], addresses], [false, [], []])
  t.deepEqual({ ...recovered, rows: [...recovered.rows], keys: [...recovered.keys] }, {
    vow: { epoch: 0, to: '', members: [], cluster: '' },
    view: null,
    accepted: null,
    intact: true,
    base: { position: 0, epoch: 0 },
    logBytes: 0,
    copy: null,
    applied: 0,
    runs: [],
    groups: [],
    rows: [],
    keys: [],
    seeded: false,
    data: ''
  })
})

tape('the records of a view that is accepted and of a copy', { timeout: 30_000 }, async (t) => {
  const store = await openStore()
  await store.batch([...startBatch(identity, false), { type: 'put', key: viewKey, value: encodeView(view) }], { sync: true })
  t.equal((await recover(store)).recovered.accepted, null)

  const accepted = { ...view, epoch: 3 }
  await store.batch([
    { type: 'put', key: acceptedKey, value: encodeView(accepted) },
    { type: 'put', key: copyKey, value: encodeCopy({ after: Buffer.from('k'), high: 7 }) }
  ], { sync: true })
  const { recovered } = await recover(store)
  t.deepEqual([recovered.view, recovered.accepted], [view, accepted])
  t.deepEqual(plainCopy(recovered.copy), { after: 'k', high: 7 })

  await store.batch([{ type: 'put', key: copyKey, value: encodeCopy({ after: null, high: 9 }) }], { sync: true })
  t.deepEqual((await recover(store)).recovered.copy, { after: null, high: 9 })
})

tape('a log is intact if the node ended in order, until it starts again', { timeout: 30_000 }, async (t) => {
  const store = await openStore()
  const start = (start: number) => store.batch(startBatch({ ...identity, start }, false), { sync: true })
  const intact = async () => (await recover(store)).recovered.intact

  await start(1)
  t.equal(await intact(), true, 'there is no view yet: nothing can be lost')
  await store.batch([{ type: 'put', key: viewKey, value: encodeView(view) }], { sync: true })
  t.equal(await intact(), false, 'it crashed')
  await start(2)
  await store.batch(intactBatch(), { sync: true })
  t.equal(await intact(), true, 'it ended in order')
  t.equal(await intact(), true, 'recovery changes nothing')
  await start(3)
  t.equal(await intact(), false, 'it crashed again')
  t.deepEqual((await recover(store)).identity, { ...identity, start: 3 })
})

tape('what a node has noted of others', { timeout: 30_000 }, async (t) => {
  const store = await openStore()
  await store.batch(startBatch(identity, false), { sync: true })
  const notes = new NoteWriter(store, unexpected)
  const [a, b] = [{ start: 2, nonce: 'ab'.repeat(8), order: 1 }, { start: 300, nonce: 'cd'.repeat(8), order: 2 }]
  notes.sighting(nodeA, a)
  notes.sighting(nodeB, b)
  notes.addresses([{ host: 'h', port: 1 }])
  await notes.stop()
  const { sightings, addresses, stale } = await recover(store)
  t.deepEqual([...sightings], [[nodeA, a], [nodeB, b]])
  t.deepEqual(addresses, [{ host: 'h', port: 1 }])
  t.equal(stale, false)

  await store.batch(staleBatch(), { sync: true })
  t.equal((await recover(store)).stale, true)
  t.deepEqual((await recover(store)).identity, identity)
})

tape('notes are written in the background, without syncs, the newest of each', { timeout: 30_000 }, async (t) => {
  const store = await recordingStore()
  let release = (): void => {}
  store.before = async () => { await new Promise<void>(resolve => { release = resolve }) }
  const notes = new NoteWriter(store, unexpected)
  const sighting = (start: number) => ({ start, nonce: 'ab'.repeat(8), order: start })
  notes.sighting(nodeA, sighting(1))
  notes.addresses([{ host: 'h', port: 1 }])
  await settled()
  for (let start = 2; start < 5; start++) notes.sighting(nodeA, sighting(start))
  notes.addresses([])
  notes.sighting(nodeB, sighting(1))
  notes.sighting(nodeB, null)
  release()
  await settled()
  const stopped = notes.stop()
  notes.sighting(nodeA, sighting(9))
  release()
  await stopped
  t.deepEqual(store.batches.map(({ operations, sync }) => [operations.length, sync]), [[2, false], [3, false]])
  t.deepEqual(store.batches[1]?.operations, [
    { type: 'put', key: sightingKey(nodeA), value: encodeSighting(sighting(4)) },
    { type: 'put', key: addressesKey, value: encodeAddresses([]) },
    { type: 'del', key: sightingKey(nodeB) }
  ])
})

tape('a note that cannot be written is reported, and no other is written', { timeout: 30_000 }, async (t) => {
  const store = await recordingStore()
  const errors: unknown[] = []
  const notes = new NoteWriter(store, error => { errors.push(error) })
  const full = new Error('full')
  store.before = async () => { throw full }
  notes.addresses([])
  await settled()
  t.deepEqual(errors, [full])
  store.before = async () => {}
  notes.addresses([{ host: 'h', port: 1 }])
  await notes.stop()
  t.deepEqual((await recover(store)).addresses, [])
  t.equal(errors.length, 1)
})

for (const [name, key, record] of [
  ['accepted', acceptedKey, encodeView(view)],
  ['base', baseKey, encodeBase({ position: 0, epoch: 0 })],
  ['copy', copyKey, encodeCopy({ after: null, high: 3 })],
  ['intact', intactKey, encodeMark()],
  ['sighting', sightingKey(nodeB), encodeSighting({ start: 2, nonce: 'ab'.repeat(8), order: 1 })],
  ['addresses', addressesKey, encodeAddresses([{ host: 'h', port: 1 }])],
  ['stale', staleKey, encodeMark()]
] as const) {
  tape(`state: ${name}: a record that is damaged, of a newer format or without an identity is refused`, { timeout: 30_000 }, async (t) => {
    const damaged = record.slice()
    damaged[4] = (damaged[4] as number) ^ 0x40
    const newer = record.slice()
    newer[0] = 2
    for (const [value, code] of [[record, 'none'], [damaged, 'LEVEL_LOG_CORRUPT'], [newer, 'LEVEL_LOG_FORMAT']] as const) {
      const store = await openStore()
      await store.batch([...startBatch(identity, false), { type: 'put', key, value }], { sync: true })
      t.equal(await recover(store).then(() => 'none', (error: ReplicatorError) => error.code), code)
    }
    if (name !== 'accepted' && name !== 'copy') return
    const store = await openStore()
    await store.batch([{ type: 'put', key, value: record }], { sync: true })
    t.equal(await recover(store).then(() => 'none', (error: ReplicatorError) => error.code), 'LEVEL_LOG_CORRUPT', 'without an identity')
  })
}

tape('what is in the log but was not applied is applied after a restart', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const keys = await logKeys(db)
  const { first } = decodeGroupHeader(await db.get(keys[keys.length - 1] as Uint8Array) as Uint8Array)
  // As a crash between the append and the apply leaves it.
  await db.put(appliedKey, encodeApplied({ position: first - 1, epoch: 1, seeded: false, durable: first - 1 }))
  await db.del(Buffer.from('k4'))

  const replicator = Replicator(db)
  t.equal(Buffer.from(await db.get(Buffer.from('k4')) ?? []).toString(), 'v4', 'a read waits for it')
  t.equal(replicator.stats().epoch, 2, 'the restart has opened a new epoch')
  await replicator.release()
  await db.close()
})

tape('what a power cut has taken of the data is applied again before the database is open', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const { position, epoch, seeded, durable } = decodeApplied(await db.get(appliedKey) as Uint8Array)
  t.equal(durable, position, 'nothing is to be applied again after a stop in order')
  // One was lost, and the others were not.
  await db.put(appliedKey, encodeApplied({ position, epoch, seeded, durable: position - 3 }))
  await db.del(Buffer.from('k3'))
  await db.close()

  const replicator = Replicator(db, { reads: 'local', durability: 'disk' })
  await db.open()
  t.equal(Buffer.from(db.getSync(Buffer.from('k3')) ?? []).toString(), 'v3')
  await replicator.release()
  const after = decodeApplied(await db.get(appliedKey) as Uint8Array)
  t.equal(after.durable, after.position)
  await db.close()
})

tape('release({ purge: true }) leaves no residue, and release() goes on where it stopped', { timeout: 30_000 }, async (t) => {
  const db = await used()
  const first = Replicator(db)
  await first.ready()
  const { id, applied } = first.stats()
  await first.release()

  const second = Replicator(db)
  await second.ready()
  t.equal(second.stats().id, id, 'the same node')
  t.ok(second.stats().applied >= applied, 'with its log')
  await second.release({ purge: true })
  t.deepEqual((await db.keys().all()).map(key => Buffer.from(key).toString()), ['k0', 'k1', 'k2', 'k3', 'k4'], 'only user data')
  await db.put(Buffer.from('plain'), Buffer.from('1'))

  const third = Replicator(db)
  await third.ready()
  t.notEqual(third.stats().id, id, 'a new node')
  t.equal(Buffer.from(await db.get(Buffer.from('plain')) ?? []).toString(), '1', 'with the data that were there')
  await third.release()
  await db.close()
})
