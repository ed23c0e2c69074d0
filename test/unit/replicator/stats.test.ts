import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import test from 'tape'
import { Replicator } from '../../../index.ts'
import type { PeerStats, ReplicatorStats } from '../../../index.ts'
import { ownVersions } from '../../../lib/wire/handshake.ts'
import { allReady, createMember, createTrio, next, Switchboard, verdict } from './trio.ts'
import type { Member } from './trio.ts'

const timeout = 30_000

function statsOf ({ replicator }: Member): ReplicatorStats {
  return replicator.stats()
}

/** What depends on the clock of others, or of the disk, is there after a while. */
async function until (isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => { setTimeout(resolve, 5) })
}

test('before the database is open', { timeout }, async (t) => {
  const before = Date.now()
  const { statusSince, waitingFor, ...stats } = statsOf(createMember(t, new Switchboard(), 1, [2, 3], { name: 'one' }))
  t.ok(statusSince >= before && statusSince <= Date.now(), 'statusSince')
  t.match(waitingFor, /opening/)
  t.deepEqual(stats, {
    id: '',
    name: 'one',
    role: 'member',
    version: stats.version,
    protocol: ownVersions.max,
    status: 'opening',
    start: 0,
    cluster: '',
    epoch: 0,
    coordinator: null,
    isCoordinator: false,
    members: [],
    witnesses: [],
    live: [],
    minConsensus: 2,
    readable: false,
    lease: 'none',
    sync: null,
    logStart: 0,
    end: 0,
    durable: 0,
    committed: 0,
    applied: 0,
    logBytes: 0,
    logPlace: null,
    disk: { busyMs: 0, slowestMs: 0 },
    pendingWrites: 0,
    queuedWrites: 0,
    waitingBytes: 0,
    waitingReads: 0,
    committedWrites: 0,
    rejectedWrites: {},
    unknownWrites: 0,
    peers: [],
    failure: null,
    lastError: null
  })
})

test('a trio that works', { timeout }, async (t) => {
  const before = Date.now()
  const trio = createTrio(t, { coordinator: 'fixed' })
  await allReady(trio)
  for (const { db } of trio) await db.put('a', '1')
  // What is durable is told with the writes that follow.
  for (let i = 0; !trio.every((member) => statsOf(member).peers.every(({ applied }) => applied > 0)); i++) await trio[0].db.put('b', `${i}`)
  await trio[0].db.put('c', 'last')
  await Promise.all(trio.map(async ({ db }) => { t.equal(await db.get('c'), 'last') }))

  const all = trio.map(statsOf)
  const ids = all.map(({ id }) => id).sort()
  const [first] = all as [ReplicatorStats]
  const coordinator = all.find(({ isCoordinator }) => isCoordinator)
  t.equal(all.filter(({ isCoordinator }) => isCoordinator).length, 1, 'one coordinates')
  for (const stats of all) {
    t.match(stats.id, /^[0-9a-f]{32}$/, 'id')
    t.match(stats.cluster, /^[0-9a-f]{32}$/, 'cluster')
    t.equal(stats.cluster, first.cluster)
    t.equal(stats.coordinator?.id, coordinator?.id, 'coordinator')
    t.deepEqual([[...stats.members].sort(), [...stats.live].sort(), stats.witnesses], [ids, ids, []], 'members')
    t.deepEqual([stats.status, stats.readable, stats.waitingFor, stats.failure, stats.sync], ['ready', true, '', null, null])
    t.deepEqual([stats.start, stats.minConsensus, stats.logStart, stats.logPlace], [1, 2, 1, 'store'])
    t.ok(['free', 'valid'].includes(stats.lease), stats.lease)
    t.ok(stats.statusSince >= before && stats.statusSince <= Date.now(), 'statusSince')
    t.ok(stats.end > 0 && stats.applied <= stats.committed && stats.committed <= stats.durable && stats.durable <= stats.end, `${stats.applied} ${stats.committed} ${stats.durable} ${stats.end}`)
    t.ok(stats.logBytes > 0, `${stats.logBytes} bytes of log`)
    t.ok(stats.committedWrites > 0, `${stats.committedWrites} writes`)
    t.deepEqual([stats.pendingWrites, stats.queuedWrites, stats.waitingBytes, stats.waitingReads, stats.rejectedWrites, stats.unknownWrites], [0, 0, 0, 0, {}, 0])

    t.deepEqual(stats.peers.map(({ id }) => id).sort(), ids.filter((id) => id !== stats.id), 'the others')
    for (const peer of stats.peers) {
      t.deepEqual([peer.connected, peer.live, peer.why, peer.address?.host], [true, true, '', '127.0.0.1'])
      t.ok(peer.applied <= stats.end, 'applied')
      t.ok((peer.since ?? 0) >= before && (peer.since ?? Infinity) <= Date.now(), 'since')
      t.ok((peer.heardMs ?? -1) >= 0 && (peer.heardMs ?? Infinity) <= Date.now() - before, 'heardMs')
      t.ok(peer.bytesIn > 0 && peer.bytesOut > 0, `${peer.bytesIn} bytes in, ${peer.bytesOut} out`)
      const other = all.find(({ id }) => id === peer.id)?.peers.find(({ id }) => id === stats.id) as PeerStats
      t.notEqual(peer.outbound, other.outbound, 'one of the two has dialled')
    }
  }
})

test('what goes over a connection is counted', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  const toOthers = (): number => statsOf(trio[0]).peers.reduce((sum, { bytesOut }) => sum + bytesOut, 0)
  const before = toOthers()
  await trio[0].db.put('a', 'v'.repeat(50_000))
  t.ok(toOthers() - before >= 50_000, `${toOthers() - before} bytes`)
  t.ok(trio.slice(1).every((member) => statsOf(member).peers.some(({ bytesIn }) => bytesIn >= 50_000)), 'on the other side, too')
})

test('a peer is heard again and again', { timeout }, async (t) => {
  const trio = createTrio(t)
  await allReady(trio)
  let heardMs = 0
  await until(() => {
    const before = heardMs
    heardMs = statsOf(trio[0]).peers[0]?.heardMs ?? 0
    return heardMs < before
  })
  t.ok(heardMs >= 0, 'its silence begins anew')
})

test('a member that is away', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { name: '', minConsensus: 1, failureTimeoutMs: 500 }, board)
  const [a, , c] = trio
  await allReady(trio)
  const { id } = statsOf(c)
  const alone = next(c.replicator, 'notready')
  board.unplug(3)
  await next(a.replicator, 'view', ({ live }) => !live.includes(id))
  const peer = statsOf(a).peers.find((peer) => peer.id === id)
  const { applied, ...rest } = peer as PeerStats
  t.ok(applied >= 0, 'applied')
  t.deepEqual(rest, { id, name: '', address: null, connected: false, observer: false, live: false, why: 'not connected', outbound: false, since: null, heardMs: null, bytesIn: 0, bytesOut: 0 })
  await alone
  const { status, statusSince, waitingFor } = statsOf(c)
  t.equal(status, 'notready')
  t.match(waitingFor, /127\.0\.0\.1:1.*127\.0\.0\.1:2/)
  const back = next(c.replicator, 'ready')
  board.plug(3)
  await back
  t.ok(statsOf(c).statusSince >= statusSince, 'the status has changed since')
  t.equal(statsOf(c).waitingFor, '')
  t.ok(statsOf(c).readable)
})

test('writes are counted by what became of them, and reads that wait', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [2], { queueMax: 2, minConsensus: 1 })
  await a.db.open()
  await next(a.replicator, 'reconnect')
  const first = verdict(a.db.put('a', '1'))
  const { waitingBytes } = statsOf(a)
  t.ok(waitingBytes > 0, `${waitingBytes} bytes wait`)
  const waiting = [first, verdict(a.db.put('b', '1'))]
  const read = a.db.get('a')
  t.deepEqual([statsOf(a).queuedWrites, statsOf(a).pendingWrites, statsOf(a).waitingReads], [2, 0, 1])
  t.equal(statsOf(a).waitingBytes, 2 * waitingBytes)
  for (const key of ['c', 'd']) t.equal(await verdict(a.db.put(key, '1')), 'LEVEL_QUEUE_FULL aborted')
  t.deepEqual(statsOf(a).rejectedWrites, { LEVEL_QUEUE_FULL: 2 })
  t.equal(statsOf(a).committedWrites, 0)

  createMember(t, board, 2, [1], { minConsensus: 1 })
  t.deepEqual(await Promise.all(waiting), ['resolved', 'resolved'])
  t.ok([undefined, '1'].includes(await read), 'the read has its answer')
  t.deepEqual([statsOf(a).committedWrites, statsOf(a).waitingBytes, statsOf(a).waitingReads, statsOf(a).unknownWrites], [2, 0, 0, 0])

  const lost = next(a.replicator, 'notready')
  const cut = verdict(a.db.put('e', '1'))
  board.unplug(1)
  await lost
  await a.replicator.close()
  const outcome = await cut
  t.match(outcome, /^(resolved|LEVEL_REPLICATOR_CLOSED (aborted|unknown))$/)
  const { rejectedWrites, unknownWrites } = statsOf(a)
  t.equal(rejectedWrites.LEVEL_REPLICATOR_CLOSED ?? 0, outcome === 'resolved' ? 0 : 1, outcome)
  t.equal(unknownWrites, outcome.endsWith('unknown') ? 1 : 0)
})

test('a store that hangs shows, and one that has', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [])
  await member.db.put('a', '0')
  await until(() => statsOf(member).applied === statsOf(member).end && statsOf(member).disk.busyMs === 0)
  const hangs = member.disk.hang()
  const write = member.db.put('a', '1')
  await hangs
  await until(() => statsOf(member).disk.busyMs >= 20)
  t.equal(statsOf(member).pendingWrites, 1)
  t.equal(statsOf(member).durable, statsOf(member).end - 1, 'what hangs is not durable')
  member.disk.resume()
  await write
  t.ok(statsOf(member).disk.slowestMs >= 20, `${statsOf(member).disk.slowestMs} ms`)
  await until(() => statsOf(member).disk.busyMs === 0)
  t.equal(statsOf(member).durable, statsOf(member).end)
})

test('why a node has stopped', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [])
  await member.replicator.ready()
  const failed = next(member.replicator, 'error')
  member.disk.fail(new Error('disk full'))
  await verdict(member.db.put('a', '1'))
  const [error] = await failed
  const { status, failure, lastError, waitingFor, rejectedWrites } = statsOf(member)
  t.equal(status, 'failed')
  t.equal(failure, error)
  t.equal(lastError, error)
  t.equal(failure?.code, 'LEVEL_STORE_FAILED')
  t.match(waitingFor, /disk full/)
  t.deepEqual(rejectedWrites, { LEVEL_STORE_FAILED: 1 })
})

test('a witness, and how it is seen', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = [1, 2, 3].map((port) => createMember(t, board, port, [1, 2, 3].filter((other) => other !== port), { minConsensus: 0, consistency: 'strong', role: port === 3 ? 'witness' : 'member' }))
  await allReady(trio)
  const [a, , c] = trio as [Member, Member, Member]
  t.deepEqual([statsOf(c).role, statsOf(a).role], ['witness', 'member'])
  t.deepEqual(statsOf(a).witnesses, [statsOf(c).id])
  t.deepEqual([statsOf(c).lease, statsOf(c).readable], ['none', false])
  t.equal(statsOf(a).peers.find(({ id }) => id === statsOf(c).id)?.why, 'a witness')
})

test('a member keeps the name with which it joined, and is called by that', { timeout }, async (t) => {
  const board = new Switchboard()
  const [a, b, c] = [1, 2, 3].map((port) => createMember(t, board, port, [1, 2, 3].filter((other) => other !== port), { name: port === 3 ? '' : `node-${port}`, minConsensus: 1 })) as [Member, Member, Member]
  await allReady([a, b, c])
  for (const { replicator } of [b, c]) await replicator.release()
  const again = createMember(t, board, 2, [1, 3], { db: b.db, name: 'node-1', minConsensus: 1 })
  const unnamed = createMember(t, board, 3, [1, 2], { db: c.db, name: 'node-3', minConsensus: 1 })
  const members = [a, again, unnamed]
  await allReady(members)
  await until(() => members.every((member) => statsOf(member).peers.every(({ connected }) => connected)))
  t.deepEqual(members.map((member) => statsOf(member).name), ['node-1', 'node-2', ''])
  t.deepEqual(members.map((member) => statsOf(member).peers.map(({ name }) => name).sort()), [['', 'node-2'], ['', 'node-1'], ['node-1', 'node-2']])
  t.deepEqual(members.map((member) => statsOf(member).coordinator?.name), members.map(() => statsOf(members.find((member) => statsOf(member).isCoordinator) as Member).name))

  const failed = next(a.replicator, 'error', () => a.replicator.status === 'failed')
  await unnamed.replicator.removePeer('node-1')
  await failed
  t.equal(again.replicator.status, 'ready')
})

test('where the log is, and how often the node was started', { timeout }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stats-'))
  const db = new ClassicLevel<string, string>(join(folder, 'db'))
  const replicator = Replicator(db)
  t.teardown(async () => {
    await replicator.close()
    await db.close()
    rmSync(folder, { recursive: true })
  })
  await db.put('a', '1')
  t.deepEqual([replicator.stats().logPlace, replicator.stats().start, replicator.stats().committedWrites], ['files', 1, 1])
  await db.close()
  await db.open()
  await replicator.ready()
  t.deepEqual([replicator.stats().logPlace, replicator.stats().start, replicator.stats().committedWrites], ['files', 2, 0])
  t.ok(replicator.stats().logBytes > 0, 'what was there before counts')
})
