import { MemoryLevel } from 'memory-level'
import test from 'tape'
import type { Test } from 'tape'
import type { MemoryReplicator, Database, Member, Trio } from './trio.ts'
import { allReady, createMember, createTrio, next, rejection, Switchboard } from './trio.ts'

const timeout = 30_000

/** An image of a database that nobody uses. */
async function imageOf (db: Database): Promise<Database> {
  const image: Database = new MemoryLevel<string, string>()
  const binary = { keyEncoding: 'view', valueEncoding: 'view' } as const
  for await (const [key, value] of db.iterator<Uint8Array, Uint8Array>(binary)) await image.put<Uint8Array, Uint8Array>(key, value, binary)
  return image
}

/** A trio, of which the last is down, for another one in its place. */
async function trioButOne (t: Test): Promise<{ board: Switchboard, trio: Trio, plain: Database }> {
  const board = new Switchboard()
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 1000 }, board)
  await allReady(trio)
  await trio[0].db.put('a', '1')
  await trio[2].replicator.release()
  return { board, trio, plain: trio[2].db }
}

function third (t: Test, board: Switchboard, db: Database): Member {
  return createMember(t, board, 3, [1, 2], { db, minConsensus: 1, failureTimeoutMs: 1000 })
}

/** Resolves with why a node has failed. */
async function failure (replicator: MemoryReplicator): Promise<string> {
  const [error] = await next(replicator, 'error', () => replicator.status === 'failed')
  return `${(error as { code?: string }).code}: ${error.message}`
}

test('a member that is started again, or moved, is welcome', { timeout }, async (t) => {
  const { board, trio: [a], plain } = await trioButOne(t)
  const again = third(t, board, plain)
  await again.replicator.ready()
  await again.replicator.release()
  const moved = third(t, board, await imageOf(plain))
  await moved.replicator.ready()
  await a.db.put('b', '2')
  t.equal(await moved.db.get('b'), '2')
})

test('a member that is put back to an old image fails, for good', { timeout }, async (t) => {
  const { board, trio: [a, b], plain } = await trioButOne(t)
  const image = await imageOf(plain)
  const again = third(t, board, plain)
  await again.replicator.ready()
  await again.replicator.close()

  const restored = third(t, board, image)
  t.match(await failure(restored.replicator), /^LEVEL_STALE_IDENTITY: .*delete its database/)
  t.equal((await rejection(restored.db.put('x', '1')))?.code, 'LEVEL_STALE_IDENTITY')
  t.equal((await rejection(restored.db.get('a')))?.code, 'LEVEL_STALE_IDENTITY')
  await a.db.put('b', '2')
  t.equal(await b.db.get('b'), '2', 'the others go on')

  // However often it starts, and whoever is there.
  await restored.replicator.release()
  const alone = createMember(t, new Switchboard(), 3, [1, 2], { db: image })
  t.equal((await rejection(alone.replicator.ready()))?.code, 'LEVEL_STALE_IDENTITY')
  await alone.replicator.release({ purge: true, force: true })
  t.equal(await image.get('a'), '1', 'its data are still there')
})

test('of a member and a copy of it, one goes on', { timeout }, async (t) => {
  const { board, trio: [a], plain } = await trioButOne(t)
  const image = await imageOf(plain)
  const again = third(t, board, plain)
  await again.replicator.ready()
  const copy = createMember(t, board, 4, [1, 2, 3], { db: image, minConsensus: 1, failureTimeoutMs: 1000 })
  t.match(await failure(copy.replicator), /^LEVEL_STALE_IDENTITY/)
  t.equal(again.replicator.status, 'ready')
  await again.db.put('b', '2')
  t.equal(await a.db.get('b'), '2')
})

test('what was seen of a member outlives the restart of whoever has seen it', { timeout }, async (t) => {
  const { board, trio: [a, b], plain } = await trioButOne(t)
  const image = await imageOf(plain)
  const again = third(t, board, plain)
  await again.replicator.ready()
  await again.replicator.close()
  for (const { db } of [a, b]) await db.close()
  for (const { db } of [a, b]) await db.open()
  const restored = third(t, board, image)
  t.match(await failure(restored.replicator), /^LEVEL_STALE_IDENTITY/)
  await allReady([a, b])
  t.equal(await b.db.get('a'), '1')
})
