import test from 'tape'
import { allReady, createMember, createTrio, next, Switchboard, verdict } from './trio.ts'
import type { Member } from './trio.ts'

const timeout = 30_000

/** Where everybody is that is connected: each `connect` without its `disconnect`. */
function watch (members: readonly Member[]): { connected: Array<Set<number>>, faults: string[] } {
  const faults: string[] = []
  const connected = members.map(({ replicator, address }) => {
    const ports = new Set<number>()
    replicator.on('connect', (host, port) => {
      if (host !== '127.0.0.1' || typeof port !== 'number') faults.push(`${address.port}: connect ${host} ${port}`)
      ports.add(port)
    })
    replicator.on('disconnect', (host, port) => {
      if (host !== '127.0.0.1' || !ports.delete(port)) faults.push(`${address.port}: disconnect ${host} ${port} without connect`)
    })
    return ports
  })
  return { connected, faults }
}

function sorted (ports: Set<number>): number[] {
  return [...ports].sort((a, b) => a - b)
}

test('ready, notready, connect and disconnect, with host and port', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, {}, board)
  const [a, b, c] = trio
  const { connected, faults } = watch(trio)
  await allReady(trio)
  t.deepEqual(connected.map(sorted), [[2, 3], [1, 3], [1, 2]], 'each has connected with the others')
  t.deepEqual(trio.map(({ replicator }) => replicator.status), ['ready', 'ready', 'ready'])

  const gone = trio.flatMap(({ replicator }) => [next(replicator, 'notready')])
  const lost = [next(a.replicator, 'disconnect', (_, port) => port === 3), next(b.replicator, 'disconnect', (_, port) => port === 3)]
  board.unplug(3)
  await Promise.all(gone)
  t.deepEqual(await Promise.all(lost), [['127.0.0.1', 3], ['127.0.0.1', 3]])
  t.deepEqual(trio.map(({ replicator }) => replicator.status), ['notready', 'notready', 'notready'])

  const back = trio.map(({ replicator }) => next(replicator, 'ready'))
  board.plug(3)
  await Promise.all(back)
  t.deepEqual(connected.map(sorted), [[2, 3], [1, 3], [1, 2]])
  await c.replicator.close()
  t.deepEqual(faults, [])
})

test('peers that dial us are known by the address in peers, where nobody says his own', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { knowsItself: false }, board)
  await allReady(trio)

  // The connections that come next are made by the third alone.
  for (const port of [1, 2]) board.refuse(port, 3)
  board.unplug(3)
  for (const port of [1, 2]) board.allow(3, port)
  const events = [1, 2].map((port) => next((trio[port - 1] as Member).replicator, 'connect', (_, from) => from === 3))
  t.deepEqual(await Promise.all(events), [['127.0.0.1', 3], ['127.0.0.1', 3]], 'connect')

  await allReady(trio)
  const lost = [1, 2].map((port) => next((trio[port - 1] as Member).replicator, 'disconnect', (_, from) => from === 3))
  board.unplug(3)
  t.deepEqual(await Promise.all(lost), [['127.0.0.1', 3], ['127.0.0.1', 3]], 'disconnect')
})

test('reconnect and fail, with host and port', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [2], { failAfter: 2 })
  const events = [next(replicator, 'reconnect'), next(replicator, 'fail')]
  t.deepEqual(await Promise.all(events), [['127.0.0.1', 2], ['127.0.0.1', 2]])
})

test('errors are emitted where somebody listens', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [2], { failAfter: 2 })
  const { replicator } = member
  // It has failed twice by now, and nobody has listened.
  await next(replicator, 'fail')
  t.equal((replicator.stats().lastError as { code?: string } | null)?.code, 'LEVEL_CONNECTION_LOST')
  const [error] = await next(replicator, 'error')
  t.equal((error as { code?: string }).code, 'LEVEL_CONNECTION_LOST')
  t.match(error.message, /127\.0\.0\.1:2/)
})

test('while all that are missing have failed, writes are refused at once; dialling goes on', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [2], { failAfter: 2 })
  const early = verdict(a.db.put('early', '1'))
  await next(a.replicator, 'fail')
  t.equal(await early, 'LEVEL_CONSENSUS_UNREACHABLE aborted')
  t.equal(await verdict(a.db.put('late', '1')), 'LEVEL_CONSENSUS_UNREACHABLE aborted')
  const b = createMember(t, board, 2, [1])
  await allReady([a, b])
  await a.db.put('now', '1')
  t.deepEqual(await b.db.keys().all(), ['now'])
})

test('a peer that came back by dialling us has not failed any more', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [2], { failAfter: 2 })
  const b = createMember(t, board, 2, [1], { failAfter: 1000 })
  await allReady([a, b])

  const failed = next(a.replicator, 'fail')
  board.unplug(2)
  await failed
  t.equal(await verdict(a.db.put('during', '1')), 'LEVEL_CONSENSUS_UNREACHABLE aborted')

  // Only the other direction is repaired.
  board.allow(2, 1)
  await Promise.all([next(a.replicator, 'ready'), next(b.replicator, 'ready')])
  await a.db.put('between', '1')

  const notReady = next(a.replicator, 'notready')
  board.unplug(2)
  await notReady
  const write = a.db.put('absent', '1')
  t.notEqual(a.replicator.stats().queuedWrites + a.replicator.stats().pendingWrites, 0, 'it waits')
  board.plug(2)
  await write
  t.equal(await b.db.get('absent'), '1')
})

test('what is missing is named', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [2, 3], { readTimeoutMs: 300, writeTimeoutMs: 300 })
  const b = createMember(t, board, 2, [1, 3])
  await Promise.all([next(a.replicator, 'connect'), next(a.replicator, 'reconnect', (_, port) => port === 3)])
  const { waitingFor, status } = a.replicator.stats()
  t.equal(status, 'notready')
  t.match(waitingFor, /127\.0\.0\.1:3/, 'in the stats')
  t.match(waitingFor, /LEVEL_CONNECTION_LOST/, 'with the reason')
  t.doesNotMatch(waitingFor, /127\.0\.0\.1:2/)

  const [read, write] = await Promise.all([a.db.get('a'), a.db.put('a', '1')].map(async (promise) => {
    return await promise.then(() => '', (error: Error) => error.message)
  }))
  t.match(read ?? '', /127\.0\.0\.1:3/, 'in the error of a read')
  t.match(write ?? '', /127\.0\.0\.1:3/, 'in the error of a write')

  const c = createMember(t, board, 3, [1, 2])
  await allReady([a, b, c])
  t.equal(a.replicator.stats().waitingFor, '', 'nothing when it is ready')
  const gone = next(a.replicator, 'notready')
  board.unplug(3)
  await gone
  t.match(a.replicator.stats().waitingFor, /127\.0\.0\.1:3/, 'later, too')
  t.deepEqual(a.replicator.stats().peers.map(({ connected }) => connected).sort(), [false, true])
})

test('what a listener throws does not disturb anybody', { timeout }, async (t) => {
  const trio = createTrio(t)
  const thrown: string[] = []
  const onUncaught = (error: Error): void => { thrown.push(error.message) }
  // What tape listens for itself would fail the test.
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', onUncaught)
  t.teardown(() => {
    process.off('uncaughtException', onUncaught)
    for (const listener of others) process.on('uncaughtException', listener)
  })

  const [a, b, c] = trio
  for (const event of ['ready', 'connect', 'disconnect', 'notready', 'closed'] as const) {
    a.replicator.on(event, () => { throw new Error(event) })
  }
  await allReady(trio)
  await a.db.put('a', '1')
  t.equal(await b.db.get('a'), '1')
  await c.replicator.close()
  await a.replicator.close()
  await new Promise<void>((resolve) => { setImmediate(() => { setImmediate(resolve) }) })
  t.deepEqual([...new Set(thrown)].sort(), ['closed', 'connect', 'disconnect', 'notready', 'ready'], 'each was thrown in a turn of its own')
})

test('a node that emits ready is readable at that moment, also after a restart', { timeout }, async (t) => {
  const trio = createTrio(t, { minConsensus: 1 })
  const leases: string[] = []
  for (const { replicator } of trio) {
    replicator.on('ready', () => {
      const { lease, readable } = replicator.stats()
      leases.push(`${lease} ${readable}`)
    })
  }
  await allReady(trio)
  for (let restarts = 0; restarts < 4; restarts++) {
    const [, , c] = trio
    await c.db.close()
    await trio[0].db.put('a', `${restarts}`)
    await c.db.open()
    await c.replicator.ready()
  }
  t.ok(leases.length >= 7, `${leases.length} times ready`)
  t.deepEqual([...new Set(leases)], ['valid true'])
})
