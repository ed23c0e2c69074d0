import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { allReady, createMember, createTrio, next, Switchboard, verdict } from './trio.ts'
import type { Database, Member } from './trio.ts'

const timeout = 30_000

async function filled (entries: Record<string, string>): Promise<Database> {
  const db = new MemoryLevel<string, string>()
  await db.batch(Object.entries(entries).map(([key, value]) => ({ type: 'put', key, value })))
  return db
}

function peersOf (port: number): number[] {
  return [1, 2, 3].filter((other) => other !== port)
}

/** More than what is seeded in one write. */
function many (): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`key-${String(i).padStart(4, '0')}`, String(i).padEnd(4096, 'x')]))
}

/** Resolves when this node has begun to write the data of the founder into its log. */
async function seedingBegun ({ disk }: Member): Promise<void> {
  await new Promise<void>((resolve) => {
    disk.onBatch = (operations) => {
      if (operations.some(({ value }) => value !== undefined && value.byteLength > 100_000)) resolve()
    }
  })
}

test('data of a node that is alone are adopted in place', { timeout }, async (t) => {
  const db = await filled({ a: '1', b: '2' })
  const { replicator } = createMember(t, new Switchboard(), 1, [], { db })
  await replicator.ready()
  t.deepEqual(await db.iterator().all(), [['a', '1'], ['b', '2']])
  const { end, applied } = replicator.stats()
  t.equal(end, applied)
  await db.put('c', '3')
  await db.close()
  await db.open()
  t.deepEqual(await db.keys().all(), ['a', 'b', 'c'], 'and after a restart')
})

test('one of three brings data: all have them before anybody is ready', { timeout }, async (t) => {
  const board = new Switchboard()
  const data = many()
  const db = await filled(data)
  const trio = [1, 2, 3].map((port) => createMember(t, board, port, peersOf(port), port === 2 ? { db } : {}))
  // What is there without waiting, at the moment in which each becomes ready.
  const atReady: Array<string | undefined> = []
  for (const { replicator, db } of trio) replicator.once('ready', () => { atReady.push(db.getSync('key-0399')) })
  // Called before there is a cluster: it comes after the data, not before.
  const write = (trio[0] as Member).db.put('key-0000', 'mine')
  const reads = trio.map(({ db }) => db.keys().all())
  await allReady(trio)
  t.deepEqual(atReady, Array(3).fill(data['key-0399']), 'nobody was ready before')
  for (const keys of await Promise.all(reads)) t.equal(keys.length, 400, 'a read that has waited sees all')
  await write
  for (const { db } of trio) {
    t.equal(await db.get('key-0000'), 'mine', 'the write overwrites the data')
    t.deepEqual(await db.values({ gt: 'key-0000' }).all(), Object.values(data).slice(1))
  }
  const digests = await Promise.all(trio.map(async ({ replicator }) => (await replicator.digest()).data))
  t.equal(new Set(digests).size, 1, 'equal digests')
})

test('two bring the same data', { timeout }, async (t) => {
  const board = new Switchboard()
  const entries = { a: '1', b: '2' }
  const [one, two] = [await filled(entries), await filled(entries)]
  const trio = [
    createMember(t, board, 1, peersOf(1), { db: one }), createMember(t, board, 2, peersOf(2), { db: two }), createMember(t, board, 3, peersOf(3))
  ]
  await allReady(trio)
  for (const { db } of trio) t.deepEqual(await db.iterator().all(), [['a', '1'], ['b', '2']])
})

test('all bring the same data: nothing is copied', { timeout }, async (t) => {
  const board = new Switchboard()
  const dbs = await Promise.all([1, 2, 3].map(() => filled({ a: '1' })))
  const trio = dbs.map((db, i) => createMember(t, board, i + 1, peersOf(i + 1), { db }))
  await allReady(trio)
  for (const { replicator, db } of trio) {
    t.equal(replicator.stats().end, 0, 'the log is empty')
    t.deepEqual(await db.iterator().all(), [['a', '1']])
  }
})

test('two bring different data: an error, and nobody is ready', { timeout }, async (t) => {
  const board = new Switchboard()
  const dbs = [await filled({ a: '1' }), await filled({ a: '2' }), undefined]
  const trio = dbs.map((db, i) => createMember(t, board, i + 1, peersOf(i + 1), { ...(db === undefined ? {} : { db }), writeTimeoutMs: 300 }))
  const conflicts = await Promise.all(trio.map(({ replicator }) => {
    return next(replicator, 'error', (error) => (error as { code?: string }).code === 'LEVEL_DATA_CONFLICT')
  }))
  for (const [error] of conflicts) t.match(error.message, /different data.*[Ee]mpty|different data.*[Dd]ecide/, 'with advice')
  t.deepEqual(await Promise.all(trio.map(({ db }) => verdict(db.put('b', '1')))), Array(3).fill('LEVEL_TIMEOUT aborted'))
  t.deepEqual(trio.map(({ replicator }) => replicator.status), Array(3).fill('notready'))
  for (const { replicator } of trio) {
    t.equal(replicator.stats().cluster, '')
    t.match(replicator.stats().waitingFor, /different data/)
  }
  for (const { replicator } of trio) await replicator.close()
  t.deepEqual(await Promise.all(trio.map(({ db }) => db.iterator().all())), [[['a', '1']], [['a', '2']], []], 'the data are untouched')
})

test('a conflict ends when the others are emptied', { timeout }, async (t) => {
  const board = new Switchboard()
  const dbs = [await filled({ a: '1' }), await filled({ a: '2' })]
  const pair = dbs.map((db, i) => createMember(t, board, i + 1, [2 - i], { db }))
  const [a, b] = pair as [Member, Member]
  await next(a.replicator, 'error', (error) => (error as { code?: string }).code === 'LEVEL_DATA_CONFLICT')
  await b.replicator.release({ purge: true })
  await b.db.clear()
  const again = createMember(t, board, 2, [1], { db: b.db })
  await allReady([a, again])
  t.equal(await again.db.get('a'), '1')
})

test('closing the seeding node while it seeds settles', { timeout }, async (t) => {
  const board = new Switchboard()
  const db = await filled(many())
  const trio = [1, 2, 3].map((port) => createMember(t, board, port, peersOf(port), port === 1 ? { db } : {}))
  const [a, b, c] = trio as [Member, Member, Member]
  await seedingBegun(b)
  const ready = verdict(a.replicator.ready())
  await a.replicator.close()
  t.equal(a.replicator.status, 'closed')
  t.equal(await ready, 'LEVEL_REPLICATOR_CLOSED -')
  t.deepEqual([b.replicator.status, c.replicator.status], ['notready', 'notready'], 'nobody is ready without all of it')
  t.equal((await db.keys().all()).length, 400)
})

for (const how of ['the seeding node', 'another'] as const) {
  test(`restart of ${how} while data are seeded`, { timeout }, async (t) => {
    const board = new Switchboard()
    const data = many()
    const db = await filled(data)
    const trio = [1, 2, 3].map((port) => createMember(t, board, port, peersOf(port), port === 1 ? { db } : {}))
    const [a, b, c] = trio as [Member, Member, Member]
    await seedingBegun(how === 'another' ? c : b)
    const restarted = how === 'another' ? c : a
    await restarted.db.close()
    t.equal(restarted.replicator.status, 'closed')
    await restarted.db.open()
    await allReady(trio)
    for (const { db } of trio) t.deepEqual(await db.values().all(), Object.values(data))
    await b.db.put('more', 'x')
    t.equal(await a.db.get('more'), 'x')
  })
}

test('an empty trio seeds nothing', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  for (const { replicator } of trio) t.equal(replicator.stats().end, 0)
})
