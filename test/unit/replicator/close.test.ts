import { Duplex } from 'node:stream'
import test from 'tape'
import type { Test } from 'tape'
import { allReady, createMember, createTrio, next, rejection, Switchboard, verdict, written } from './trio.ts'
import type { Member } from './trio.ts'

const timeout = 30_000

test('closing twice settles twice, and emits once', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [])
  let closed = 0
  replicator.on('closed', () => { closed++ })
  await replicator.ready()
  await Promise.all([replicator.close(), replicator.close()])
  await replicator.close()
  await replicator[Symbol.asyncDispose]()
  t.equal(closed, 1)
})

test('closing before the first turn', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  const ready = verdict(replicator.ready())
  const write = verdict(db.put('a', '1'))
  await replicator.close()
  t.equal(await ready, 'LEVEL_REPLICATOR_CLOSED -')
  t.equal(await write, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.equal(replicator.status, 'closed')
  t.equal(await db.get('a'), undefined)
})

test('closing before it is ready', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2, 3])
  await db.open()
  const waiting = [replicator.ready(), db.get('a'), db.iterator().all(), replicator.digest()].map(verdict)
  const writes = [db.put('a', '1'), db.batch([{ type: 'del', key: 'b' }]), db.batch().put('c', '1').write()].map(verdict)
  await next(replicator, 'reconnect')
  t.equal(replicator.stats().queuedWrites, 3)
  await replicator.close()
  for (const result of waiting) t.equal(await result, 'LEVEL_REPLICATOR_CLOSED -')
  for (const result of writes) t.equal(await result, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.deepEqual(await db.iterator().all(), [], 'reads are answered from what is here')
})

test('closing during the recovery', { timeout }, async (t) => {
  const { db, disk, replicator } = createMember(t, new Switchboard(), 1, [2])
  await disk.hang()
  let dialled = false
  replicator.on('reconnect', () => { dialled = true })
  const write = verdict(db.put('a', '1'))
  const closed = replicator.close()
  disk.resume()
  await closed
  t.equal(await write, 'LEVEL_REPLICATOR_CLOSED aborted')
  t.equal(replicator.status, 'closed')
  t.notOk(dialled, 'nobody was dialled')
  t.equal(await verdict(replicator.ready()), 'LEVEL_REPLICATOR_CLOSED -')
})

test('closing while writing: what was acknowledged stays, and every write settles', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b, c] = trio
  await allReady(trio)
  await a.db.put('first', 'x')

  const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`)
  const results = Promise.all(keys.map((key, i) => verdict((i % 3 === 0 ? a : i % 3 === 1 ? b : c).db.put(key, 'x'))))
  await a.replicator.close()
  const late = await verdict(a.db.put('late', 'x'))
  t.equal(late, 'LEVEL_REPLICATOR_CLOSED aborted')
  await b.replicator.close()
  await c.replicator.close()

  const outcomes = await results
  const allowed = new Set(['resolved', 'LEVEL_REPLICATOR_CLOSED aborted', 'LEVEL_REPLICATOR_CLOSED unknown'])
  t.deepEqual(outcomes.filter((outcome) => !allowed.has(outcome)), [], 'outcomes are told')
  t.ok(outcomes.filter((_, i) => i % 3 === 0).every((outcome) => outcome === 'resolved'), 'those of the first to close had their chance')

  // All are closed, so these are reads of what is on each disk; the log may hold more.
  const stored = await a.db.getMany(keys)
  const lost = keys.filter((_, i) => i % 3 === 0 && outcomes[i] === 'resolved' && stored[i] !== 'x')
  t.deepEqual(lost, [], 'its own acknowledged writes are in its data')
  const aborted = keys.filter((_, i) => outcomes[i]?.endsWith('aborted') === true)
  for (const { db } of trio) t.notOk((await db.getMany(aborted)).some((value) => value !== undefined), 'nothing aborted is applied')
})

test('closing leaves reads and refuses writes', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  await db.put('a', '1')
  const sublevel = db.sublevel('sub')
  await sublevel.put('b', '2')
  await replicator.close()

  t.equal(await db.get('a'), '1')
  t.equal(await sublevel.get('b'), '2')
  t.deepEqual(await db.getMany(['a', 'c']), ['1', undefined])
  t.ok(await db.has('a'))
  t.deepEqual(await db.keys().all(), ['!sub!b', 'a'])
  const writes = [
    db.put('c', '3'), db.del('a'), db.batch([{ type: 'put', key: 'c', value: '3' }]), db.batch().del('a').write(),
    db.clear(), sublevel.put('c', '3'), sublevel.clear()
  ]
  for (const write of writes) t.equal(await verdict(write), 'LEVEL_REPLICATOR_CLOSED aborted')
  t.deepEqual(await db.keys().all(), ['!sub!b', 'a'])
})

test("closing while a peer's disk is stuck takes no longer than a write", { timeout }, async (t) => {
  const trio = createTrio(t, { writeTimeoutMs: 300 })
  const [a, b, c] = trio
  await allReady(trio)
  await Promise.all([written(a.db, 'a', '0'), written(b.db, 'b', '0')])
  const notReady = next(c.replicator, 'notready')
  const stuck = c.disk.hang()
  const writes = [a.db.put('a', '1'), b.db.put('b', '2')].map(verdict)
  await stuck
  await Promise.all([a.replicator.close(), b.replicator.close()])
  t.pass('both have closed')
  for (const write of writes) t.match(await write, /^LEVEL_(TIMEOUT|REPLICATOR_CLOSED) unknown$/)
  await notReady
  t.pass('the third knows')
})

test('closing the database while its store fails', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  a.disk.fail(new Error('disk full'))
  const write = verdict(a.db.put('a', '1'))
  await a.db.close()
  t.equal(a.db.status, 'closed')
  t.match(await write, / (aborted|unknown)$/)

  a.disk.mend()
  await a.db.open()
  await allReady(trio)
  await a.db.put('b', '2')
  t.equal(await b.db.get('b'), '2', 'it goes on when the store is repaired')
})

test('closing the database after its store has failed', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  const failed = next(a.replicator, 'error', (error) => (error as { code?: string }).code === 'LEVEL_STORE_FAILED')
  a.disk.fail(new Error('disk full'))
  const write = verdict(b.db.put('a', '1'))
  await failed
  t.equal(a.replicator.status, 'failed')
  await a.db.close()
  t.equal(a.replicator.status, 'closed')
  a.disk.mend()
  await a.db.open()
  await allReady(trio)
  t.equal(await write, 'resolved', 'the write of another has waited for it')
  t.equal(await a.db.get('a'), '1')
})

test('consistent reads stay consistent while closing', { timeout }, async (t) => {
  const trio = createTrio(t)
  const [a, b] = trio
  await allReady(trio)
  const own = Promise.all(Array.from({ length: 20 }, (_, i) => a.db.put(`own-${i}`, 'x')))
  let stale = 0
  let fresh = 0
  // Until the first cannot commit any more, because the member that closes is gone.
  const others = Promise.all(Array.from({ length: 20 }, async (_, i) => {
    for (let round = 0; ; round++) {
      if (await verdict(b.db.put(`key-${i}`, String(round))) !== 'resolved' || a.replicator.status === 'closed') return
      const read = await a.db.get(`key-${i}`).catch((error: { code?: string }) => error.code)
      if (read === String(round)) fresh++
      else if (read !== 'LEVEL_REPLICATOR_CLOSED') stale++
    }
  }))
  const closing = a.replicator.close()
  await own
  const read = await a.db.getMany(['own-0', 'own-19']).catch((error: { code?: string }) => error.code)
  // Between the last write and the end, a read may be refused, but not answered with less.
  if (read !== 'LEVEL_REPLICATOR_CLOSED') t.deepEqual(read, ['x', 'x'], 'its own')
  await closing
  t.deepEqual(await a.db.getMany(['own-0', 'own-19']), ['x', 'x'], 'its own, when it is closed')
  await b.replicator.close()
  await others
  t.equal(stale, 0, `none of ${fresh} reads was stale`)
})

test('a node that closes says so: the others do not wait for its silence', { timeout }, async (t) => {
  // Silence would be noticed after a minute only, and no write waits for so long.
  for (const closing of ['replicator', 'db'] as const) {
    for (const first of [true, false]) {
      const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 60_000, writeTimeoutMs: 20_000 })
      await allReady(trio)
      const coordinator = trio.findIndex(({ replicator }) => replicator.stats().coordinator?.id === replicator.stats().id)
      const leaver = trio[first ? coordinator : (coordinator + 1) % 3]
      const others = trio.filter(member => member !== leaver)
      await leaver?.[closing].close()
      t.deepEqual(await Promise.all(others.map(({ db }) => verdict(db.put('a', '1')))), ['resolved', 'resolved'], `${closing}.close() of ${first ? 'the coordinator' : 'another'}`)
      t.equal(others[0]?.replicator.stats().live.length, 2)
    }
  }
})

/** In the middle of something: whose end is near, and what has been called on it. */
interface Scene {
  member: Member
  calls: Array<PromiseLike<unknown>>
}

const hasty = { minConsensus: 1, writeTimeoutMs: 300, readTimeoutMs: 300 }

function idOf ({ replicator }: Member): string {
  return replicator.stats().id
}

/** All that may wait. */
function callAll ({ db, replicator }: Member): Array<PromiseLike<unknown>> {
  const calls: Array<PromiseLike<unknown>> = [
    db.put('a', '1'), db.del('b'), db.batch([{ type: 'put', key: 'c', value: '3' }]), db.batch().put('d', '4').write(), db.clear({ gt: 'x' }),
    db.get('a'), db.getMany(['a', 'b']), db.has('a'), db.iterator().all(), db.keys().all(), replicator.ready(), replicator.digest(),
    replicator.consistentSnapshot().then(snapshot => snapshot.close())
  ]
  return calls.map(handled)
}

/** It may fail before somebody looks at it. */
function handled (call: PromiseLike<unknown>): PromiseLike<unknown> {
  call.then(() => {}, () => {})
  return call
}

/** The disk of a third one hangs. */
async function whileStuck (t: Test, minConsensus: number, change?: (member: Member, other: Member) => Promise<unknown>): Promise<Scene> {
  const trio = createTrio(t, { ...hasty, minConsensus })
  const [member, other, stuck] = trio
  await allReady(trio)
  const hangs = stuck.disk.hang()
  const calls = callAll(member)
  if (change !== undefined) calls.push(handled(change(member, other)))
  await hangs
  return { member, calls }
}

const scenes: Record<string, (t: Test) => Promise<Scene>> = {
  async 'while a cluster is founded' (t) {
    const [member] = createTrio(t, hasty)
    const connected = next(member.replicator, 'connect')
    await member.db.open()
    const calls = callAll(member)
    await connected
    return { member, calls }
  },

  async 'while it dials' (t) {
    const transport = (): Promise<Duplex> => new Promise(() => {})
    const member = createMember(t, new Switchboard(), 1, [2, 3], { ...hasty, transport })
    await member.db.open()
    return { member, calls: callAll(member) }
  },

  async 'during a handshake' (t) {
    const silent = (): Duplex => new Duplex({ read () {}, write (_chunk, _encoding, callback) { callback() } })
    let onDialled = (): void => {}
    const dialled = new Promise<void>(resolve => { onDialled = resolve })
    const member = createMember(t, new Switchboard(), 1, [2], { ...hasty, transport: () => { onDialled(); return silent() } })
    await dialled
    return { member, calls: callAll(member) }
  },

  'with writes under way': (t) => whileStuck(t, 2),

  async 'when it has nobody any more' (t) {
    const trio = createTrio(t, hasty)
    const [member, ...others] = trio
    await allReady(trio)
    const alone = next(member.replicator, 'notready')
    await Promise.all(others.map(({ replicator }) => replicator.close()))
    await alone
    return { member, calls: callAll(member) }
  },

  async 'while it gets the log' (t) {
    const trio = createTrio(t, hasty)
    const [other, , member] = trio
    await allReady(trio)
    await member.db.close()
    for (let i = 0; i < 20; i++) await written(other.db, `key-${i}`, 'x')
    const syncs = next(member.replicator, 'sync')
    await member.db.open()
    await syncs
    return { member, calls: callAll(member) }
  },

  async 'while it gets a copy' (t) {
    const board = new Switchboard()
    const trio = createTrio(t, { minConsensus: 1 }, board)
    await allReady(trio)
    await trio[0].db.batch(Array.from({ length: 2000 }, (_, i) => ({ type: 'put', key: `key-${i}`, value: 'x'.repeat(1000) })))
    const member = createMember(t, board, 4, [1], hasty)
    const copies = next(member.replicator, 'sync', ({ phase }) => phase === 'copy')
    await member.db.open()
    const calls = callAll(member)
    await copies
    return { member, calls }
  },

  'while it leaves': (t) => whileStuck(t, 1, ({ replicator }) => replicator.leave()),
  'while it removes another': (t) => whileStuck(t, 1, ({ replicator }, other) => replicator.removePeer(idOf(other))),

  async 'while it waits for other survivors' (t) {
    const trio = createTrio(t, hasty)
    const [member, other, lost] = trio
    await allReady(trio)
    const alone = next(member.replicator, 'notready')
    await Promise.all([other, lost].map(({ replicator }) => replicator.close()))
    await alone
    return { member, calls: [...callAll(member), member.replicator.recover([idOf(member), idOf(other)])] }
  },

  async 'while it reads' (t) {
    const trio = createTrio(t, hasty)
    const [member] = trio
    await allReady(trio)
    await written(member.db, 'a', '1')
    await written(member.db, 'b', '2')
    const iterator = member.db.iterator()
    t.deepEqual(await iterator.next(), ['a', '1'])
    return { member, calls: [iterator.next(), iterator.next(), ...callAll(member)] }
  },

  async 'after it has failed' (t) {
    const trio = createTrio(t, hasty)
    const [member] = trio
    await allReady(trio)
    member.disk.fail(new Error('disk full'))
    const failed = next(member.replicator, 'error', () => member.replicator.status === 'failed')
    const calls = callAll(member)
    await failed
    return { member, calls }
  }
}

const closings: Record<string, (member: Member) => Array<PromiseLike<unknown>>> = {
  'close(), close() and release()': ({ replicator }) => [replicator.close(), replicator.close(), replicator.release()],
  'close(), db.close() and close()': ({ db, replicator }) => [replicator.close(), db.close(), replicator.close()]
}

test('whenever it is closed, every call settles, and those that reject have a code', { timeout: 120_000 }, async (t) => {
  for (const [when, scene] of Object.entries(scenes)) {
    for (const [how, close] of Object.entries(closings)) {
      const { member, calls } = await scene(t)
      const errors = calls.map(rejection)
      for (const error of await Promise.all(close(member).map(rejection))) t.equal(error, null, `${how} ${when}`)
      const nameless = (await Promise.all(errors)).filter((error) => error !== null && !String(error.code).startsWith('LEVEL_'))
      t.deepEqual(nameless, [], `${calls.length} calls have settled`)
      t.equal(member.replicator.status, 'closed')
      member.disk.mend()
      await member.db.close()
    }
  }
})

test('closing in a handler', { timeout }, async (t) => {
  const names = ['connect', 'view', 'ready', 'sync', 'notready', 'disconnect', 'reconnect', 'error'] as const
  for (const name of names) {
    const board = new Switchboard()
    const trio = createTrio(t, { ...hasty, failureTimeoutMs: 300 }, board)
    const [member, other] = trio
    const emitter: NodeJS.EventEmitter = member.replicator
    if (!['connect', 'view', 'ready'].includes(name)) await allReady(trio)
    const closed = new Promise<void>((resolve, reject) => {
      emitter.once(name, () => { Promise.all([member.replicator.close(), member.db.close()]).then(() => { resolve() }, reject) })
    })
    await member.db.open()
    const calls = callAll(member).map(rejection)
    if (name === 'sync') {
      board.unplug(1)
      await next(member.replicator, 'notready')
      await written(other.db, 'other', 'x')
      board.plug(1)
    } else if (['notready', 'disconnect', 'reconnect', 'error'].includes(name)) {
      board.unplug(1)
    }
    await closed
    const nameless = (await Promise.all(calls)).filter((error) => error !== null && !String(error.code).startsWith('LEVEL_'))
    t.deepEqual(nameless, [], `all calls have settled: ${name}`)
    t.equal(member.replicator.status, 'closed', name)
  }
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  await replicator.ready()
  const again = new Promise<void>((resolve, reject) => { replicator.once('closed', () => { replicator.close().then(resolve, reject) }) })
  await db.close()
  await again
  t.equal(replicator.status, 'closed', 'in the handler of closed, once more')
})
