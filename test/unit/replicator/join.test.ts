import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { addressOf, allReady, createMember, createTrio, next, rejection, Switchboard, verdict, written } from './trio.ts'
import type { Database, Member } from './trio.ts'

const timeout = 60_000

async function sameEverywhere (members: readonly Member[]): Promise<boolean> {
  const digests = await Promise.all(members.map(async ({ replicator }) => JSON.stringify(await replicator.digest())))
  return digests.every(digest => digest === digests[0])
}

/** Until all of these see so many members. */
async function grown (members: readonly Member[], count: number): Promise<void> {
  await Promise.all(members.map(async ({ replicator }) => {
    if (replicator.stats().members.length !== count) await next(replicator, 'view', ({ members }) => members.length === count)
  }))
}

async function filled (entries: Record<string, string>): Promise<Database> {
  const db = new MemoryLevel<string, string>()
  await db.batch(Object.entries(entries).map(([key, value]) => ({ type: 'put', key, value })))
  return db
}

/** Why a node has stopped taking part. */
async function failure ({ replicator }: Member): Promise<string> {
  return (await rejection(replicator.ready()))?.code ?? 'it is ready'
}

test('a node that dials one member of a cluster joins it', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { name: '' }, board)
  await allReady(trio)
  await trio[0].db.put('a', '1')
  const { cluster } = trio[0].replicator.stats()
  const joiner = createMember(t, board, 4, [1], { name: 'four' })
  await joiner.replicator.ready()
  t.equal(await joiner.db.get('a'), '1')
  await grown(trio, 4)
  const all = [...trio, joiner]
  for (const { replicator } of all) t.equal(replicator.stats().cluster, cluster)
  await joiner.db.put('b', '2')
  t.equal(await trio[2].db.get('b'), '2')
  t.ok(await sameEverywhere(all))
  t.ok(trio[1].replicator.stats().peers.some(({ name }) => name === 'four'), 'the others know its name')

  // It is a member like the others: also after a restart.
  await joiner.db.close()
  await joiner.db.open()
  await joiner.replicator.ready()
  await joiner.db.put('c', '3')
  t.equal(await trio[1].db.get('c'), '3')
})

test('a node that is dialled joins, too', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, {}, board)
  await allReady(trio)
  await trio[0].db.put('a', '1')
  // It knows nobody, and so would wait for one other.
  const joiner = createMember(t, board, 4, [], { minConsensus: 1 })
  await joiner.db.open()
  trio[0].replicator.addPeer(addressOf(4))
  await joiner.replicator.ready()
  t.equal(await joiner.db.get('a'), '1')
  await grown([...trio, joiner], 4)
})

test('a cluster grows from one node, with several that join at once, while it is written to', { timeout }, async (t) => {
  const board = new Switchboard()
  const first = createMember(t, board, 1, [])
  await first.replicator.ready()
  for (let i = 0; i < 50; i++) await first.db.put(`key-${i}`, String(i))
  const done = new AbortController()
  const writing = (async () => {
    for (let i = 0; !done.signal.aborted; i++) await written(first.db, 'counter', String(i))
  })()
  const others = [2, 3, 4].map(port => createMember(t, board, port, [1]))
  await allReady(others)
  await grown([first, ...others], 4)
  done.abort()
  await writing
  t.ok(await sameEverywhere([first, ...others]))
  t.equal((await others[2]?.db.keys().all())?.length, 51)
})

test('a name is that of one member', { timeout }, async (t) => {
  const board = new Switchboard()
  const first = createMember(t, board, 1, [], { name: 'one' })
  await first.replicator.ready()
  const second = createMember(t, board, 2, [1], { name: 'one' })
  t.equal(await failure(second), 'LEVEL_NAME_TAKEN')
  t.equal(second.replicator.status, 'failed')
  t.equal(await verdict(second.db.put('a', '1')), 'LEVEL_NAME_TAKEN aborted')
  await first.db.put('a', '1')
  t.equal(first.replicator.stats().members.length, 1)
})

test('founders of one name are told to choose others', { timeout }, async (t) => {
  const board = new Switchboard()
  const pair = [1, 2].map(port => createMember(t, board, port, [3 - port], { name: 'same', writeTimeoutMs: 300 }))
  const errors = await Promise.all(pair.map(({ replicator }) => next(replicator, 'error', error => (error as { code?: string }).code === 'LEVEL_NAME_TAKEN')))
  for (const [error] of errors) t.match(error.message, /two founding nodes have the name 'same'. Give each a name of its own/)
  t.deepEqual(pair.map(({ replicator }) => [replicator.status, replicator.stats().waitingFor]), Array(2).fill(['notready', "two founding nodes have the name 'same'"]))
  t.equal(await verdict(pair[0]?.db.put('a', '1') as Promise<void>), 'LEVEL_TIMEOUT aborted')
})

test('data of its own are not thrown away unasked', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, {}, board)
  await allReady(trio)
  await trio[0].db.put('ours', '1')
  const proud = createMember(t, board, 4, [1], { db: await filled({ theirs: '2' }) })
  t.equal(await failure(proud), 'LEVEL_HAS_DATA')
  await proud.replicator.release({ purge: true })
  t.deepEqual(await proud.db.keys().all(), ['theirs'], 'they are untouched')

  const meek = createMember(t, board, 5, [1], { db: await filled({ theirs: '2' }), overwrite: true })
  await meek.replicator.ready()
  t.deepEqual(await meek.db.iterator().all(), [['ours', '1']])
  t.equal(meek.replicator.stats().members.length, 4)
})

test('a node that is to join one cluster joins no other, and founds none', { timeout }, async (t) => {
  const board = new Switchboard()
  const first = createMember(t, board, 1, [])
  const second = createMember(t, board, 2, [])
  await allReady([first, second])
  const { cluster } = second.replicator.stats()
  const joiner = createMember(t, board, 3, [1], { cluster })
  await joiner.db.open()
  const [error] = await next(joiner.replicator, 'error')
  t.equal((error as { code?: string }).code, 'LEVEL_CLUSTER_MISMATCH')
  t.equal(joiner.replicator.stats().cluster, '')
  joiner.replicator.addPeer(addressOf(2))
  await joiner.replicator.ready()
  t.equal(joiner.replicator.stats().cluster, cluster)
  t.equal(first.replicator.stats().members.length, 1)
})

test('a node takes the place, and the name, of a member that is gone', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = [1, 2, 3].map(port => createMember(t, board, port, [1, 2, 3].filter(other => other !== port), { name: `node-${port}` })) as [Member, Member, Member]
  const [a, , c] = trio
  await allReady(trio)
  await a.db.put('a', '1')
  await c.db.close()
  const replacement = createMember(t, board, 4, [1, 2], { name: 'node-3', replaces: 'node-3' })
  await replacement.replicator.ready()
  t.equal(await replacement.db.get('a'), '1')
  await replacement.db.put('b', '2')
  const { members } = a.replicator.stats()
  t.equal(members.length, 3)
  t.notOk(members.includes(c.replicator.stats().id))

  await c.db.open()
  t.equal(await failure(c), 'LEVEL_REMOVED', 'the one that is replaced hears of it when it is back')
})

test('who lives is not replaced, and nobody replaces one that there is not', { timeout }, async (t) => {
  const board = new Switchboard()
  const options = { failureTimeoutMs: 500 }
  const members = [createMember(t, board, 1, [2], { name: 'one', ...options }), createMember(t, board, 2, [1], { name: 'two', ...options })]
  await allReady(members)
  for (const replaces of ['one', 'two', 'three']) {
    const port = 2 + replaces.length
    const joiner = createMember(t, board, port, [1], { replaces, ...options })
    t.equal(await failure(joiner), 'LEVEL_CHANGE_REFUSED', replaces)
    await joiner.replicator.close()
  }
  await members[0]?.db.put('a', '1')
  t.equal(members[0]?.replicator.stats().members.length, 2)
})

test('a witness holds no data, and is neither read nor written', { timeout }, async (t) => {
  const board = new Switchboard()
  const options = { minConsensus: 0, consistency: 'strong' as const, failureTimeoutMs: 1000 }
  const ports = [1, 2, 3]
  const [a, b, witness] = ports.map(port => createMember(t, board, port, ports.filter(other => other !== port), port === 3 ? { ...options, role: 'witness' } : options)) as [Member, Member, Member]
  await allReady([a, b, witness])
  await a.db.put('a', '1')
  t.equal(await b.db.get('a'), '1')
  t.deepEqual(b.replicator.stats().witnesses, [witness.replicator.stats().id])
  t.equal(witness.replicator.stats().role, 'witness')

  t.equal(await verdict(witness.db.get('a')), 'LEVEL_WITNESS -')
  t.equal(await verdict(witness.db.put('b', '2')), 'LEVEL_WITNESS aborted')
  t.equal(await verdict(witness.db.batch([{ type: 'del', key: 'a' }])), 'LEVEL_WITNESS aborted')
  t.equal(await verdict(witness.db.clear()), 'LEVEL_WITNESS aborted')
  t.equal(await verdict(witness.db.getMany(['a'])), 'LEVEL_WITNESS -')
  t.equal(await verdict(witness.db.iterator().all()), 'LEVEL_WITNESS -')
  t.throws(() => witness.db.getSync('a'), { code: 'LEVEL_WITNESS' })
  t.equal(await verdict(witness.replicator.digest()), 'LEVEL_WITNESS -')

  await b.db.close()
  await written(a.db, 'c', '3')
  t.equal(await a.db.get('c'), '3', 'the other one goes on with the witness')
  await b.db.open()
  t.equal(await b.db.get('c'), '3')
})

test('a witness joins, too; with data it refuses', { timeout }, async (t) => {
  const board = new Switchboard()
  const pair = [createMember(t, board, 1, [2], { minConsensus: 1 }), createMember(t, board, 2, [1], { minConsensus: 1 })] as const
  await allReady(pair)
  await pair[0].db.put('a', '1')
  const witness = createMember(t, board, 3, [1], { role: 'witness' })
  await witness.replicator.ready()
  await grown(pair, 3)
  t.equal(pair[0].replicator.stats().witnesses.length, 1)
  t.equal(await verdict(witness.db.get('a')), 'LEVEL_WITNESS -')

  const full = createMember(t, board, 4, [1], { role: 'witness', db: await filled({ b: '2' }) })
  t.equal(await failure(full), 'LEVEL_HAS_DATA')
  // Its role is for as long as it is a member.
  await witness.replicator.release()
  const changed = createMember(t, board, 3, [1], { db: witness.db })
  t.equal(await failure(changed), 'LEVEL_CHANGE_REFUSED')
})
