/** A node whose store fails says what, why, and what to do; and comes back when its database is closed and opened again. */
import { readFileSync } from 'node:fs'
import test from 'tape'
import type { Test } from 'tape'
import { appliedKey, identityKey, intactKey, sightingsEnd, sightingsStart } from '../../../lib/store/layout.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'
import type { Disk } from './disk.ts'
import type { Member } from './trio.ts'
import { allReady, createTrio, next, rejection, verdict } from './trio.ts'

const timeout = 60_000
const minConsensus = 1

const full = new Error('IO error: /data/000003.log: No space left on device')
const remedy = 'This node has stopped taking part; it keeps what it has. When the cause is gone, close the database and open it again, or restart the process.'

type Batch = Parameters<Disk['onBatch']>[0]

function isEqual (a: Uint8Array, b: Uint8Array): boolean {
  return compareBytes(a, b) === 0
}

/** From here on, every batch that has this fails. */
function failOn (disk: Disk, has: (key: Uint8Array) => boolean, error = full): void {
  disk.onBatch = (batch: Batch) => { if (batch.some(({ key }) => has(key))) throw error }
}

/** Resolves with the message with which a node has stopped, after it was the same everywhere. */
async function stopped (t: Test, { replicator, db }: Member): Promise<string> {
  const running = rejection(db.put('running', 'v'))
  const [error] = await next(replicator, 'error', () => replicator.status === 'failed')
  const { lastError, status, waitingFor } = replicator.stats()
  t.deepEqual([(error as { code?: string }).code, status], ['LEVEL_STORE_FAILED', 'failed'])
  t.equal(lastError, error, 'the statistics say so')
  t.equal(waitingFor, error.message, 'also as what it waits for')
  t.equal(await rejection(replicator.ready()), error, 'ready() rejects with it')
  t.equal(error.cause, full)
  const ended = await running
  t.ok(ended?.code !== 'LEVEL_STORE_FAILED' || ended.message.includes(error.message), 'a write that was under way says why, if it failed for that')
  const write = await rejection(db.put('k', 'v'))
  t.deepEqual([write?.code, write?.outcome], ['LEVEL_STORE_FAILED', 'aborted'], 'writes are refused')
  t.ok(write?.message.includes(error.message), 'and say why')
  return error.message
}

async function reopened (t: Test, member: Member, others: readonly Member[]): Promise<void> {
  member.disk.onBatch = () => {}
  member.disk.mend()
  await member.db.close()
  await member.db.open()
  await member.replicator.ready()
  await member.db.put('last', 'v')
  const [own, ...digests] = await Promise.all([member, ...others].map(({ replicator }) => replicator.digest()))
  for (const digest of digests) t.equal(digest.data, own?.data, 'it has everything')
  t.equal(member.replicator.stats().lastError, null)
}

const failures = [
  { what: 'a write to the log or to the state', has: (key: Uint8Array) => key.length === 17 && key[8] === 16, says: 'An append to the log, or a record of the state, could not be written' },
  { what: 'an apply', has: (key: Uint8Array) => isEqual(key, appliedKey), says: 'Committed writes could not be applied to the data' }
]

for (const { what, has, says } of failures) {
  test(`${what} fails`, { timeout }, async (t) => {
    const trio = createTrio(t, { minConsensus, failureTimeoutMs: 1000 })
    const [a, b, c] = trio
    await allReady(trio)
    failOn(a.disk, has)
    const message = stopped(t, a)
    await b.db.put('x', '1')
    t.equal(await message, `${says}: ${full.message}. The disk is full: free some space. ${remedy}`)
    await c.db.put('y', '2')
    await reopened(t, a, [b, c])
    t.deepEqual(await a.db.getMany(['x', 'y']), ['1', '2'])
  })
}

test('a start that fails, and the next one that does not', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus, failureTimeoutMs: 1000 })
  const [a, b, c] = trio
  await allReady(trio)
  await a.db.close()
  failOn(a.disk, (key) => isEqual(key, identityKey))
  const message = stopped(t, a)
  await a.db.open()
  t.equal(await message, `The start of this node could not be noted in the store: ${full.message}. The disk is full: free some space. ${remedy}`)
  await b.db.put('x', '1')
  await reopened(t, a, [b, c])
})

test('a database that cannot be opened, and then can', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus, failureTimeoutMs: 1000 })
  const [a, b, c] = trio
  await allReady(trio)
  await a.db.close()
  a.disk.failOpen(full)
  const [error] = await Promise.all([next(a.replicator, 'error', () => a.replicator.status === 'failed'), rejection(a.db.open())])
  t.equal(error[0].message, `The database could not be opened: ${full.message}. The disk is full: free some space. ${remedy}`)
  t.equal(await rejection(a.replicator.ready()), error[0], 'ready() says so')
  const { failure, waitingFor } = a.replicator.stats()
  t.deepEqual([failure, waitingFor], [error[0], error[0].message], 'so do the statistics')
  t.equal(await verdict(b.db.put('x', '1')), 'resolved')
  await reopened(t, a, [b, c])
})

test('after a note that could not be written, nothing is written: a store may not find what follows', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus, failureTimeoutMs: 1000 })
  const [a, b, c] = trio
  await allReady(trio)
  failOn(a.disk, (key) => compareBytes(key, sightingsStart) > 0 && compareBytes(key, sightingsEnd) < 0)
  const message = stopped(t, a)
  // A new start is something to be noted.
  await b.db.close()
  await b.db.open()
  t.match(await message, /^A note on other nodes could not be written to the store: IO error/)
  await reopened(t, a, [b, c])
})

test('what the README says: a node that tries again by itself', { timeout }, async (t) => {
  const [, code = ''] = /### When a disk fails\n.*?```js\n(.*?)```/s.exec(readFileSync('README.md', 'utf8')) ?? []
  t.ok(code.includes('30_000'))
  const { default: install } = await import(`data:text/javascript,${encodeURIComponent(`export default ({ r, db }) => {\n${code.replace('30_000', '1')}}`)}`) as { default: (scope: object) => void }

  const trio = createTrio(t, { minConsensus, failureTimeoutMs: 1000 })
  const [a, b, c] = trio
  await allReady(trio)
  install({ r: a.replicator, db: a.db })
  let failures = 0
  const thrice = next(a.replicator, 'error', () => a.replicator.status === 'failed' && ++failures === 3)
  failOn(a.disk, (key) => key[8] === 16 || isEqual(key, identityKey))
  await b.db.put('x', '1')
  await thrice
  a.disk.failOpen(full)
  await next(a.replicator, 'error', ({ message }) => message.startsWith('The database could not be opened'))
  const ready = next(a.replicator, 'ready')
  a.disk.onBatch = () => {}
  a.disk.mend()
  await ready
  t.equal(await a.db.get('x'), '1')
  const digests = await Promise.all([a, b, c].map(({ replicator }) => replicator.digest()))
  t.equal(new Set(digests.map(({ data }) => data)).size, 1)
})

test('what fails at the end is told, and no reason to do anything', { timeout }, async (t) => {
  const [a, b, c] = createTrio(t, { minConsensus, durability: 'memory' })
  await allReady([a, b, c])
  const told = next(a.replicator, 'error', ({ message }) => message.includes('in order'))
  failOn(a.disk, (key) => isEqual(key, intactKey))
  await a.db.close()
  t.equal((await told)[0].message, `That this node has stopped in order could not be noted: ${full.message}. Nothing is lost.`)
  a.disk.onBatch = () => {}
  await a.db.open()
  await a.replicator.ready()
})
