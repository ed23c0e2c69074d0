import test from 'tape'
import { allReady, createMember, createTrio, next, rejection, Switchboard, verdict, written } from './trio.ts'
import type { Member } from './trio.ts'

const timeout = 60_000

function coordinatorOf (members: readonly Member[]): Member {
  const id = members[0]?.replicator.stats().coordinator?.id
  return members.find(({ replicator }) => replicator.stats().id === id) as Member
}

function without (members: readonly Member[], member: Member): Member[] {
  return members.filter(other => other !== member)
}

function idOf ({ replicator }: Member): string {
  return replicator.stats().id
}

async function sameEverywhere (members: readonly Member[]): Promise<boolean> {
  const digests = await Promise.all(members.map(async ({ replicator }) => JSON.stringify(await replicator.digest())))
  return digests.every(digest => digest === digests[0])
}

/** Until it takes no part any more. */
async function failed ({ replicator }: Member): Promise<string> {
  if (replicator.status !== 'failed') await next(replicator, 'error', () => replicator.status === 'failed')
  return (await rejection(replicator.ready()))?.code ?? 'it is ready'
}

test('a member leaves, and the others go on without it', { timeout }, async (t) => {
  for (const leads of [false, true]) {
    const trio = createTrio(t)
    await allReady(trio)
    await trio[0].db.put('a', '1')
    const member = leads ? coordinatorOf(trio) : without(trio, coordinatorOf(trio))[0] as Member
    const others = without(trio, member)
    await member.replicator.leave()
    t.equal(member.replicator.status, 'closed', `the coordinator: ${String(leads)}`)
    t.equal(member.replicator.stats().waitingFor, '', 'it waits for nothing')
    t.equal(await member.db.get('a'), '1', 'its data are what they were')
    t.equal(await verdict(member.db.put('b', '2')), 'LEVEL_REPLICATOR_CLOSED aborted')
    await others[0]?.db.put('c', '3')
    t.equal(await others[1]?.db.get('c'), '3')
    t.equal(others[0]?.replicator.stats().members.length, 2)
    t.equal(await verdict(member.replicator.leave()), 'LEVEL_REPLICATOR_CLOSED -')
  }
})

test('members leave one after the other, until one is left', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  await trio[0].db.put('a', '1')
  await trio[0].replicator.leave()
  await trio[1].replicator.leave()
  await trio[2].db.put('b', '2')
  t.equal(await verdict(trio[2].replicator.leave()), 'LEVEL_CHANGE_REFUSED -')
  t.equal(await verdict(trio[2].replicator.leave({ force: true })), 'LEVEL_CHANGE_REFUSED -')
  t.deepEqual(await trio[2].db.keys().all(), ['a', 'b'])
  t.equal(trio[2].replicator.status, 'ready', 'it goes on')
})

test('two that want to leave at once do', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  await Promise.all([trio[0].replicator.leave(), trio[1].replicator.leave()])
  await trio[2].db.put('a', '1')
  t.equal(trio[2].replicator.stats().members.length, 1)
})

test('to leave twice is to leave once', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  await Promise.all([trio[0].replicator.leave(), trio[0].replicator.leave()])
  t.equal(trio[0].replicator.status, 'closed')
  await trio[1].db.put('a', '1')
})

test('writes that are under way settle first, and new ones are refused', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1 })
  await allReady(trio)
  let acknowledged = 0
  const under = Array.from({ length: 50 }, async (_, i) => {
    const outcome = await verdict(trio[0].db.put(`key-${i}`, '1'))
    if (outcome === 'resolved') acknowledged++
    return outcome
  })
  const busy = Array.from({ length: 50 }, (_, i) => trio[1].db.put(`other-${i}`, '1'))
  const leave = trio[0].replicator.leave()
  t.equal(await verdict(trio[0].db.put('late', '1')), 'LEVEL_REPLICATOR_CLOSED aborted')
  await leave
  t.deepEqual(new Set(await Promise.all(under)), new Set(['resolved']))
  await Promise.all(busy)
  t.equal((await trio[2].db.keys().all()).length, 50 + acknowledged)
  t.ok(await sameEverywhere([trio[1], trio[2]]))
})

test('a node that is closed while it leaves is closed', { timeout }, async (t) => {
  const trio = createTrio(t, { failureTimeoutMs: 60_000, writeTimeoutMs: 1000 })
  await allReady(trio)
  // Nothing commits, and nobody goes on without it.
  const stuck = trio[2].disk.hang()
  const write = verdict(trio[0].db.put('a', '1'))
  await stuck
  const leave = verdict(trio[0].replicator.leave())
  await trio[0].replicator.close()
  t.equal(await leave, 'LEVEL_REPLICATOR_CLOSED -')
  t.match(await write, /LEVEL_/)
  trio[2].disk.resume()
})

test('a member whose leaving is refused goes on', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 2 })
  await allReady(trio)
  t.equal(await verdict(trio[0].replicator.leave()), 'LEVEL_CHANGE_REFUSED -', 'the others ask for two')
  t.equal(trio[0].replicator.status, 'ready')
  await trio[0].db.put('a', '1')
  t.equal(await trio[1].db.get('a'), '1')
  await trio[0].replicator.leave({ force: true })
  t.equal(trio[0].replicator.status, 'closed', 'unless it insists')
  t.equal(trio[1].replicator.stats().members.length, 2)
})

test('a member is removed by another, by its name or id', { timeout }, async (t) => {
  const board = new Switchboard()
  const members = [1, 2, 3, 4].map(port => createMember(t, board, port, [1, 2, 3, 4].filter(other => other !== port), { name: `node-${port}` }))
  const [a, b, c, d] = members as [Member, Member, Member, Member]
  await allReady(members)
  await Promise.all([a.replicator.removePeer('node-3'), failed(c)])
  t.equal(await failed(c), 'LEVEL_REMOVED')
  t.equal(await verdict(c.db.put('x', '1')), 'LEVEL_REMOVED aborted')
  await Promise.all([b.replicator.removePeer(idOf(d)), failed(d)])
  t.equal(await verdict(d.db.get('x')), 'LEVEL_REMOVED -')
  await a.db.put('a', '1')
  t.equal(await b.db.get('a'), '1')
  t.equal(b.replicator.stats().members.length, 2)
  t.equal(await verdict(a.replicator.removePeer(idOf(d))), 'LEVEL_CHANGE_REFUSED -', 'who is none already')
  t.equal(await verdict(c.replicator.removePeer('node-1')), 'LEVEL_REMOVED -', 'who was removed has no say')

  await c.db.close()
  await c.db.open()
  t.equal(await failed(c), 'LEVEL_REMOVED', 'also after a restart')
  // With an empty database, it is a new node.
  await c.replicator.release({ purge: true, force: true })
  await c.db.clear()
  const again = createMember(t, board, 3, [1], { db: c.db, name: 'node-3' })
  await again.replicator.ready()
  t.equal(await again.db.get('a'), '1')
})

test('a member that is down is removed when the others have gone on without it', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 500 })
  const [a, b, c] = trio
  await allReady(trio)
  const id = idOf(c)
  await c.db.close()
  await a.replicator.removePeer(id)
  await b.db.put('a', '1')
  t.equal(a.replicator.stats().members.length, 2)
  await c.db.open()
  t.equal(await failed(c), 'LEVEL_REMOVED')
})

test('where nobody can be excluded, a person has to say that it is down for good', { timeout }, async (t) => {
  for (const leads of [false, true]) {
    const trio = createTrio(t)
    await allReady(trio)
    await trio[0].db.put('a', '1')
    const dead = leads ? coordinatorOf(trio) : without(trio, coordinatorOf(trio))[0] as Member
    const [one, other] = without(trio, dead) as [Member, Member]
    const id = idOf(dead)
    await dead.db.close()
    if (!leads) t.equal(await verdict(one.replicator.removePeer(id)), 'LEVEL_CHANGE_REFUSED -')
    await one.replicator.removePeer(id, { force: true })
    await one.db.put('b', '2')
    t.equal(await other.db.get('b'), '2')
    t.equal(one.replicator.stats().members.length, 2)
  }
})

test('a removal that is refused more often than it was asked for is nothing to the node that asked', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 2 })
  await allReady(trio)
  const asker = without(trio, coordinatorOf(trio))[0] as Member
  const id = idOf(coordinatorOf(trio))
  const verdicts: Array<Promise<string>> = []
  // Each of them is told, and answered, by itself, and the first answer is one to all that came before.
  for (let i = 0; i < 20; i++) {
    verdicts.push(verdict(asker.replicator.removePeer(id)))
    await new Promise(resolve => setImmediate(resolve))
  }
  t.deepEqual(new Set(await Promise.all(verdicts)), new Set(['LEVEL_CHANGE_REFUSED -']))
  for (const { db } of trio) await db.put('a', '1')
  t.deepEqual(trio.map(({ replicator }) => replicator.status), ['ready', 'ready', 'ready'])
})

test('without a majority nothing is removed', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 500, writeTimeoutMs: 300 })
  const [a, b, c] = trio
  await allReady(trio)
  const id = idOf(c)
  await Promise.all([b.db.close(), c.db.close()])
  t.equal(await verdict(a.replicator.removePeer(id, { force: true })), 'LEVEL_TIMEOUT -')
  t.equal(await verdict(a.replicator.leave({ force: true })), 'LEVEL_TIMEOUT -')
  await b.db.open()
  await written(a.db, 'a', '1')
  t.equal(a.replicator.stats().members.length, 3, 'and what is not asked for any more is not done later')
})

test('survivors of a lost majority go on as a new cluster', { timeout }, async (t) => {
  const board = new Switchboard()
  const ports = [1, 2, 3, 4]
  const members = ports.map(port => createMember(t, board, port, ports.filter(other => other !== port), { name: `node-${port}`, minConsensus: 1, failureTimeoutMs: 500 }))
  const [a, b, c, d] = members as [Member, Member, Member, Member]
  await allReady(members)
  await a.db.put('a', '1')
  const { cluster } = a.replicator.stats()
  t.equal(await verdict(a.replicator.recover(['node-1', 'node-2'])), 'LEVEL_CHANGE_REFUSED -', 'it works')

  const gone = Promise.all([a, b].map(({ replicator }) => next(replicator, 'notready', () => replicator.status !== 'ready')))
  await Promise.all([c.db.close(), d.db.close()])
  await gone
  t.equal(await verdict(a.replicator.recover(['node-2'])), 'LEVEL_CHANGE_REFUSED -', 'without itself')
  t.equal(await verdict(a.replicator.recover(['node-1'])), 'LEVEL_CHANGE_REFUSED -', 'node-2 is there')
  const [one, two] = await Promise.all([a.replicator.recover(['node-1', idOf(b)]), b.replicator.recover(['node-2', 'node-1'])])
  t.deepEqual(one, two)
  t.notEqual(one.cluster, cluster)
  await allReady([a, b])
  await b.db.put('b', '2')
  t.deepEqual(await a.db.keys().all(), ['a', 'b'])
  t.deepEqual([a.replicator.stats().cluster, a.replicator.stats().members.length], [one.cluster, 2])
})

test('survivors that were told which cluster to join belong to the new one, also after a restart', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [], { name: 'a', failureTimeoutMs: 500 })
  await a.replicator.ready()
  const { cluster } = a.replicator.stats()
  const [b, c, d] = [2, 3, 4].map(port => createMember(t, board, port, [1], { name: 'abcd'[port - 1] as string, cluster, minConsensus: 1, failureTimeoutMs: 500 })) as [Member, Member, Member]
  await allReady([a, b, c, d])
  const gone = Promise.all([b, c].map(({ replicator }) => next(replicator, 'notready', () => replicator.status !== 'ready')))
  await Promise.all([a.db.close(), d.db.close()])
  await gone
  const [recovered] = await Promise.all([b, c].map(({ replicator }) => replicator.recover(['b', 'c'])))
  await allReady([b, c])
  await b.db.close()
  await b.db.open()
  await allReady([b, c])
  await written(b.db, 'b', '1')
  t.equal(await c.db.get('b'), '1')
  t.deepEqual([b.replicator.stats().cluster, c.replicator.stats().cluster], Array(2).fill(recovered?.cluster))
})

test('a recovery that the others know nothing of is given up', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 500, writeTimeoutMs: 300 })
  const [a, b, c] = trio
  await allReady(trio)
  const ids = [idOf(a), idOf(b)]
  const gone = next(a.replicator, 'notready', () => a.replicator.status !== 'ready')
  await Promise.all([b.db.close(), c.db.close()])
  await gone
  t.equal(await verdict(a.replicator.recover(ids)), 'LEVEL_TIMEOUT -')
  await Promise.all([b.db.open(), c.db.open()])
  await allReady(trio)
  await written(a.db, 'a', '1')
  t.equal(a.replicator.stats().members.length, 3)
})

test('what is no argument', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [])
  await replicator.ready()
  const wrong: Array<[string, () => Promise<unknown>, RegExp]> = [
    ['leave, force', () => replicator.leave({ force: 1 as never }), /'force' must be a boolean/],
    ['leave, null', () => replicator.leave(null as never), /'options' must be an object/],
    ['leave, an option that there is not', () => replicator.leave({ forced: true } as never), /'forced'/],
    ['removePeer without a name', () => replicator.removePeer(''), /'member'/],
    ['removePeer of a number', () => replicator.removePeer(1 as never), /'member'/],
    ['removePeer, force', () => replicator.removePeer('x', { force: 'yes' as never }), /'force' must be a boolean/],
    ['removePeer, null', () => replicator.removePeer('x', null as never), /'options' must be an object/],
    ['removePeer, an option that there is not', () => replicator.removePeer('x', { purge: true } as never), /'purge'/],
    ['release, a text', () => replicator.release('purge' as never), /'options' must be an object/],
    ['release, an option that there is not', () => replicator.release({ Purge: true } as never), /'Purge'/],
    ['release, purge', () => replicator.release({ purge: 'yes' as never }), /'purge' must be a boolean/],
    ['recover nobody', () => replicator.recover([]), /'members'/],
    ['recover a text', () => replicator.recover('x' as never), /'members'/],
    ['recover a number', () => replicator.recover(['x', 1 as never]), /'members'/]
  ]
  for (const [what, call, message] of wrong) {
    const error = await rejection(call())
    t.ok(error instanceof TypeError && message.test(error.message), what)
  }
  await replicator.close()
  for (const call of [() => replicator.leave(), () => replicator.removePeer('x'), () => replicator.recover(['x'])]) {
    t.equal(await verdict(call()), 'LEVEL_REPLICATOR_CLOSED -')
  }
})
