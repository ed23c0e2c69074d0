import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { Replicator } from '../../../index.ts'
import type { TraceEvent } from '../../../index.ts'
import { Core } from '../../../lib/core/core.ts'
import type { Effect, Persist } from '../../../lib/core/effects.ts'
import type { Message } from '../../../lib/core/messages.ts'
import { ReplicatorError } from '../../../lib/errors.ts'
import { Trace } from '../../../lib/trace.ts'
import { PAUSE_MS, SLOW_MS, Tracer } from '../../../lib/tracer.ts'
import { allReady, createMember, createTrio, next, rejection, Switchboard, verdict } from './trio.ts'
import type { Member } from './trio.ts'

const timeout = 30_000

type Named<E extends TraceEvent['event']> = TraceEvent & { event: E }

function of<E extends TraceEvent['event']> (events: readonly TraceEvent[], event: E): Array<Named<E>> {
  return events.filter((one): one is Named<E> => one.event === event)
}

function idOf ({ replicator }: Member): string {
  return replicator.stats().id
}

// The ring.

function ring (max: number): { trace: Trace, clock: { now: number } } {
  const clock = { now: 1000 }
  return { trace: new Trace({ wall: () => clock.now }, max), clock }
}

test('the ring keeps the last events, oldest first', { timeout }, async (t) => {
  const { trace, clock } = ring(3)
  t.deepEqual(trace.list(), [])
  for (let epoch = 1; epoch <= 7; epoch++) {
    clock.now = 1000 + epoch
    trace.record('refuse', { epoch, by: 'a' })
    const first = Math.max(1, epoch - 2)
    t.deepEqual(of(trace.list(), 'refuse').map(({ epoch }) => epoch), [1, 2, 3, 4, 5, 6, 7].slice(first - 1, epoch), `after ${epoch}`)
  }
  t.deepEqual(trace.list()[0], { at: 1005, event: 'refuse', epoch: 5, by: 'a' })
})

test('a ring of no events keeps none', { timeout }, async (t) => {
  const { trace } = ring(0)
  trace.record('stop', { why: 'closed' })
  trace.error(new Error('a'))
  t.deepEqual(trace.list(), [])
})

test('what is given out is a copy', { timeout }, async (t) => {
  const { trace } = ring(3)
  trace.record('change', { what: 'remove', members: ['a'], force: false, wanted: true })
  trace.error(new Error('b'))
  const [change] = of(trace.list(), 'change')
  ;(change?.members as string[]).push('c')
  const [error] = of(trace.list(), 'error')
  trace.error(new Error('b'))
  t.equal(error?.count, 1)
  t.deepEqual(of(trace.list(), 'change')[0]?.members, ['a'])
})

test('what happens again before long is counted, and not once it has left the ring', { timeout }, async (t) => {
  const { trace, clock } = ring(3)
  const lost = new ReplicatorError('LEVEL_CONNECTION_LOST', 'cannot connect to a')
  trace.error(lost)
  for (let i = 0; i < 10; i++) {
    clock.now += 50_000
    trace.error(lost)
    trace.error(new Error('another'))
  }
  t.deepEqual(trace.list(), [
    { at: 1000, event: 'error', code: 'LEVEL_CONNECTION_LOST', message: 'cannot connect to a', count: 11, last: 501_000 },
    { at: 51_000, event: 'error', code: '', message: 'another', count: 10, last: 501_000 }
  ])

  clock.now += 60_000
  trace.error(lost)
  t.deepEqual(of(trace.list(), 'error').map(({ count }) => count), [11, 10, 1], 'later, it is another event')
  trace.record('stop', { why: 'closed' })
  trace.record('stop', { why: 'closed' })
  trace.record('stop', { why: 'closed' })
  trace.error(lost)
  t.deepEqual(trace.list().map(({ event }) => event), ['stop', 'stop', 'error'], 'what is not in the ring any more cannot be counted on')
  t.equal(of(trace.list(), 'error')[0]?.count, 1)
})

// The watching of a core.

function watch (): { trace: Trace, tracer: Tracer, events: () => TraceEvent[] } {
  const { trace, clock } = ring(100)
  clock.now = 0
  return { trace, tracer: new Tracer(trace), events: () => trace.list() }
}

const nothing: Persist = { groups: [], cut: null, vow: null, accepted: null, view: null, truncate: null, reset: null, copied: false }

function persist (id: number, step: Partial<Persist> = {}): Effect {
  return { type: 'persist', id, persist: { ...nothing, ...step } }
}

test('a store that hangs is told of, and once more when it goes on', { timeout }, async (t) => {
  const { tracer, events } = watch()
  tracer.onInput({ type: 'tick' }, 100)
  tracer.onEffect(persist(1))
  tracer.onEffect(persist(2))
  tracer.onTick('none', 100 + SLOW_MS - 1, 0)
  t.deepEqual(events(), [], 'not yet')
  t.deepEqual(tracer.disk(100 + SLOW_MS - 1), { busyMs: SLOW_MS - 1, slowestMs: 0 })
  tracer.onTick('none', 100 + SLOW_MS, 0)
  tracer.onTick('none', 200 + SLOW_MS, 0)
  tracer.onInput({ type: 'persisted', id: 1, applied: 0 }, 600 + SLOW_MS)
  // The second one has begun only then.
  tracer.onTick('none', 700 + SLOW_MS, 0)
  tracer.onInput({ type: 'persisted', id: 2, applied: 0 }, 610 + 2 * SLOW_MS)
  tracer.onEffect({ type: 'apply', groups: [], through: 1, epoch: 1, rows: new Map(), seeded: true } as unknown as Effect)
  tracer.onInput({ type: 'applied', through: 1 }, 610 + 4 * SLOW_MS)
  t.deepEqual(events(), [
    { at: 0, event: 'slow', what: 'append', ms: SLOW_MS, done: false },
    { at: 0, event: 'slow', what: 'append', ms: SLOW_MS + 500, done: true },
    { at: 0, event: 'slow', what: 'append', ms: SLOW_MS + 10, done: true },
    { at: 0, event: 'slow', what: 'apply', ms: 2 * SLOW_MS, done: true }
  ])
  t.deepEqual(tracer.disk(9000), { busyMs: 0, slowestMs: 2 * SLOW_MS })
})

test('a process that did not run is told of', { timeout }, async (t) => {
  const { tracer, events } = watch()
  tracer.onTick('none', 1, PAUSE_MS - 1)
  tracer.onTick('none', 2, PAUSE_MS)
  t.deepEqual(events(), [{ at: 0, event: 'pause', ms: PAUSE_MS }])
})

test('a lease that is lost and there again', { timeout }, async (t) => {
  const { tracer, events } = watch()
  for (const lease of ['none', 'valid', 'valid', 'expired', 'valid'] as const) tracer.onTick(lease, 1, 0)
  t.deepEqual(of(events(), 'lease').map(({ state }) => state), ['valid', 'expired', 'valid'])
})

test('what happens to the log', { timeout }, async (t) => {
  const { tracer, events } = watch()
  tracer.onEffect(persist(1, { cut: { position: 7, epoch: 2 } }))
  tracer.onEffect(persist(2, { vow: { epoch: 4, to: 'b', members: ['b'], cluster: 'c' } }))
  tracer.onEffect(persist(3, { truncate: { position: 5, epoch: 1 } }))
  tracer.onEffect(persist(4, { truncate: { position: 6, epoch: 1 } }))
  tracer.onEffect(persist(5, { reset: { base: { position: 9, epoch: 3 }, seeded: true, rows: [], keys: [] } }))
  tracer.onEffect(persist(6, { copied: true }))
  tracer.onEffect({ type: 'disconnect', peer: 'b', reason: 'sends a log out of order' })
  tracer.onEffect({ type: 'send', to: 'b', message: { type: 'snapshot', base: { position: 3, epoch: 1 }, seeded: true, rows: [], keys: [] } })
  tracer.onEffect({ type: 'removed' })
  t.deepEqual(events(), [
    { at: 0, event: 'cut', position: 7, epoch: 2 },
    { at: 0, event: 'vow', epoch: 4, to: 'b' },
    { at: 0, event: 'truncate', position: 6, count: 2, last: 0 },
    { at: 0, event: 'reset', position: 9 },
    { at: 0, event: 'copied' },
    { at: 0, event: 'disconnect', peer: 'b', reason: 'sends a log out of order' },
    { at: 0, event: 'serve', peer: 'b', position: 3 },
    { at: 0, event: 'removed', epoch: 0 }
  ])
})

test('a proposal is one event, however many it goes to; each answer is one', { timeout }, async (t) => {
  const { tracer, events } = watch()
  const propose = (epoch: number): Message => ({ type: 'propose', epoch, known: 1, cluster: '', members: ['a', 'b'], without: ['c'], recover: false })
  for (const to of ['b', 'c']) tracer.onEffect({ type: 'send', to, message: propose(2) })
  tracer.onInput({ type: 'message', from: 'b', message: { type: 'refuse', epoch: 2 } }, 0)
  tracer.onInput({ type: 'message', from: 'c', message: { type: 'refuse', epoch: 2 } }, 0)
  tracer.onEffect({ type: 'send', to: 'b', message: propose(3) })
  tracer.onInput({ type: 'message', from: 'b', message: { type: 'accepted', epoch: 3 } }, 0)
  tracer.onEffect({ type: 'send', to: 'b', message: { type: 'deny', id: 'd', why: 'full' } })
  t.deepEqual(events(), [
    { at: 0, event: 'propose', epoch: 2, by: '', members: ['a', 'b'], without: ['c'], recover: false },
    { at: 0, event: 'refuse', epoch: 2, by: 'b' },
    { at: 0, event: 'refuse', epoch: 2, by: 'c' },
    { at: 0, event: 'propose', epoch: 3, by: '', members: ['a', 'b'], without: ['c'], recover: false },
    { at: 0, event: 'accepted', epoch: 3, by: 'b' },
    { at: 0, event: 'deny', id: 'd', by: '', why: 'full' }
  ])
})

test('once there is a view, only what its members say of views is an event', { timeout }, async (t) => {
  const { tracer, events } = watch()
  const core = { self: 'a', vow: { epoch: 0 }, known: null, view: null, progress: null, agreement: { waitingFor: '' } }
  const view = { epoch: 2, members: ['a', 'b'], live: [], coordinator: 'b' }
  const propose: Message = { type: 'propose', epoch: 9, known: 1, cluster: '', members: ['x'], without: [], recover: false }
  const deny: Message = { type: 'deny', id: 'x', why: 'full' }
  tracer.onStart(core as unknown as Core, 'a')
  tracer.onInput({ type: 'message', from: 'x', message: propose }, 0)
  tracer.observe({ ...core, known: view } as unknown as Core, false)
  for (let i = 0; i < 200; i++) for (const message of [propose, deny]) tracer.onInput({ type: 'message', from: 'x', message }, 0)
  tracer.onInput({ type: 'message', from: 'b', message: deny }, 0)
  tracer.onEffect({ type: 'send', to: 'x', message: deny })
  t.deepEqual(events().map((event) => 'by' in event ? `${event.event} by ${event.by}` : event.event), ['start', 'propose by x', 'view', 'deny by b', 'deny by a'])
})

test('what belongs to a single write is no event', { timeout }, async (t) => {
  const { tracer, events } = watch()
  const group = { epoch: 1, first: 1, entries: [] } as never
  for (const message of [
    { type: 'prepare', epoch: 1, committed: 0, group }, { type: 'ack', epoch: 1, end: 1, installed: true }, { type: 'commit', epoch: 1, committed: 1 },
    { type: 'submit', epoch: 1, origin: 1, first: 1, writes: [] }, { type: 'heartbeat', epoch: 1, sent: 1, applied: 1 }, { type: 'grant', epoch: 1, sent: 1 }
  ] as Message[]) {
    tracer.onEffect({ type: 'send', to: 'b', message })
    tracer.onInput({ type: 'message', from: 'b', message }, 1)
  }
  tracer.onEffect(persist(1, { groups: [group] }))
  tracer.onInput({ type: 'persisted', id: 1, applied: 0 }, 2)
  tracer.onEffect({ type: 'settle', ticket: 1, settlement: { outcome: 'committed' } })
  t.deepEqual(events(), [])
})

// Nodes.

test('how a cluster comes about, on each of its nodes', { timeout }, async (t) => {
  const trio = createTrio(t, { name: '' })
  await allReady(trio)
  const ids = trio.map(idOf).sort()
  for (const member of trio) {
    const events = member.replicator.trace()
    const self = idOf(member)
    t.ok(events.every(({ at }, i) => at >= (events[i - 1]?.at ?? 0)), 'in order')
    t.deepEqual(of(events, 'start').map(({ id, start, epoch, end }) => ({ id, start, epoch, end })), [{ id: self, start: 1, epoch: 0, end: 0 }])
    const up = of(events, 'up')
    t.deepEqual([...new Set(up.map(({ peer }) => peer))].sort(), ids.filter((id) => id !== self), 'who has connected')
    t.ok(up.every(({ address }) => address?.host === '127.0.0.1'), 'from where')
    t.equal(of(events, 'propose')[0]?.by, ids[0], 'who has proposed')
    t.ok(of(events, 'vow').some(({ to }) => to === ids[0]), 'what was promised')
    const [view] = of(events, 'view')
    t.deepEqual([view?.members, view?.joined, view?.admitted, view?.excluded, view?.left], [ids, ids, ids, [], []])
    const { epoch, isCoordinator, coordinator } = member.replicator.stats()
    t.equal(of(events, 'view').pop()?.coordinator, coordinator?.id)
    t.deepEqual(of(events, 'install').pop(), { at: of(events, 'install').pop()?.at, event: 'install', epoch, leads: isCoordinator })
    t.equal(of(events, 'ready').pop()?.epoch, epoch)
    t.ok(of(events, 'waiting').length > 0, 'what it has waited for')
  }
})

test('a member is excluded and comes back', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { minConsensus: 1, failureTimeoutMs: 500 }, board)
  const [a, , c] = trio
  await allReady(trio)
  const gone = idOf(c)
  board.unplug(3)
  await next(a.replicator, 'view', ({ live }) => !live.includes(gone))
  await a.db.put('a', '1')
  board.plug(3)
  await next(a.replicator, 'view', ({ live }) => live.includes(gone))
  await c.replicator.ready()

  const there = a.replicator.trace()
  const down = there.findIndex((event) => event.event === 'down' && event.peer === gone)
  const excluded = there.findIndex((event) => event.event === 'view' && event.excluded.includes(gone))
  const admitted = there.findIndex((event, i) => i > excluded && event.event === 'view' && event.admitted.includes(gone))
  t.ok(down >= 0 && down < excluded && excluded < admitted, `down ${down}, excluded ${excluded}, admitted ${admitted}`)

  const here = c.replicator.trace()
  const notReady = here.findIndex(({ event }) => event === 'notready')
  const sync = here.findIndex((event, i) => i > notReady && event.event === 'sync')
  t.ok(notReady >= 0 && notReady < sync, `notready ${notReady}, sync ${sync}`)
  t.equal((here[sync] as Named<'sync'>).phase, 'log')
  t.ok(here.findIndex(({ event }, i) => i > sync && event === 'synced') >= 0, 'synced')
})

test('a node that joins gets a copy; what is written is not traced', { timeout }, async (t) => {
  const board = new Switchboard()
  const trio = createTrio(t, { logBytesMax: 64 * 1024 }, board)
  await allReady(trio)
  const own = new Set<TraceEvent['event']>(['pause', 'slow', 'lease', 'truncate', 'notready', 'ready', 'waiting'])
  const before = trio[0].replicator.trace().filter(({ event }) => !own.has(event)).length
  const value = 'secret-value'.repeat(100)
  await Promise.all(Array.from({ length: 500 }, (_, i) => trio[0].db.put(`secret-key-${i}`, value)))
  t.equal(trio[0].replicator.trace().filter(({ event }) => !own.has(event)).length, before, 'no write is an event')

  const joiner = createMember(t, board, 4, [1, 2, 3], { name: 'four' })
  await joiner.replicator.ready()
  const events = joiner.replicator.trace()
  const [reset, copied, synced] = (['reset', 'copied', 'synced'] as const).map((name) => events.findIndex(({ event }) => event === name))
  t.ok(reset as number >= 0 && (reset as number) < (copied as number) && (copied as number) < (synced as number), `reset ${reset}, copied ${copied}, synced ${synced}`)
  const served = trio.flatMap(({ replicator }) => of(replicator.trace(), 'serve'))
  t.ok(served.some(({ peer }) => peer === idOf(joiner)), 'the source tells of it')
  t.ok(of(trio[1].replicator.trace(), 'view').some(({ joined }) => joined.includes(idOf(joiner))), 'and all tell who has joined')
  t.doesNotMatch(JSON.stringify([...trio, joiner].map(({ replicator }) => replicator.trace())), /secret/, 'no keys and values')

  await trio[0].replicator.removePeer('four')
  const left = of(trio[0].replicator.trace(), 'view').pop()
  t.deepEqual(left?.left, [idOf(joiner)])
  t.deepEqual(of(trio[0].replicator.trace(), 'change').map(({ members, wanted }) => ({ members, wanted }))[0], { members: [idOf(joiner)], wanted: true })
})

test('the error with which a node stops has the trace', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [])
  await member.replicator.ready()
  t.ok(member.replicator.trace().length > 0)
  const failed = next(member.replicator, 'error')
  member.disk.fail(new Error('disk full'))
  const write = await rejection(member.db.put('a', '1'))
  const [error] = await failed
  const trace = (error as ReplicatorError).trace as TraceEvent[]
  t.deepEqual(of(trace, 'failed').map(({ code }) => code), ['LEVEL_STORE_FAILED'])
  t.equal(trace[trace.length - 1]?.event, 'failed', 'as it was then')
  t.equal(trace[0]?.event, 'start')
  t.notOk(Object.keys(error).includes('trace'), 'it is not printed unasked')
  t.equal((write?.cause as ReplicatorError).trace, trace, 'it is behind the errors of writes')
  t.equal(member.replicator.stats().failure, error)
  t.deepEqual(of(member.replicator.trace(), 'stop').map(({ why }) => why), ['failed'])
})

test('a database that cannot be opened is told of', { timeout }, async (t) => {
  const db = new MemoryLevel()
  const level = db as unknown as { _open (): Promise<void> }
  level._open = async () => { throw new Error('no such disk') }
  const replicator = Replicator(db)
  await rejection(replicator.ready())
  const { failure } = replicator.stats()
  t.match(failure?.message ?? '', /no such disk/)
  t.deepEqual(replicator.trace().map((event) => event.event === 'failed' ? event.message : event.event), [failure?.message])
  t.deepEqual(failure?.trace, replicator.trace())
  await replicator.close()
})

test('a bug is reported with the trace', { timeout }, async (t) => {
  const member = createMember(t, new Switchboard(), 1, [])
  await member.replicator.ready()
  const { step } = Core.prototype
  t.teardown(() => { Core.prototype.step = step })
  const failed = next(member.replicator, 'error')
  Core.prototype.step = () => { throw new Error('planted') }
  t.equal(await verdict(member.db.put('a', '1')), 'LEVEL_INTERNAL unknown')
  Core.prototype.step = step
  const [error] = await failed
  t.equal((error as ReplicatorError).code, 'LEVEL_INTERNAL')
  t.match(error.message, /planted/)
  t.match(error.message, /report/)
  t.deepEqual(of((error as ReplicatorError).trace as TraceEvent[], 'failed').map(({ message }) => message), [error.message])
})

test('attempts to connect that fail are one event', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [2], { failAfter: 3 })
  await next(replicator, 'fail')
  const [error, ...others] = of(replicator.trace(), 'error')
  t.equal(others.length, 0)
  t.equal(error?.code, 'LEVEL_CONNECTION_LOST')
  t.match(error?.message ?? '', /127\.0\.0\.1:2/)
  t.ok((error?.count ?? 0) >= 2, `${error?.count} attempts`)
  t.ok((error?.last ?? 0) >= (error?.at ?? Infinity))
  t.deepEqual(of(replicator.trace(), 'fail').map(({ address }) => address), [{ host: '127.0.0.1', port: 2 }])
})

test('writes that are rejected are one event for each code', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2], { queueMax: 2 })
  await db.open()
  const waiting = ['a', 'b'].map((key) => verdict(db.put(key, '1')))
  for (let i = 0; i < 100; i++) t.equal(await verdict(db.put('c', '1')), 'LEVEL_QUEUE_FULL aborted')
  await replicator.close()
  await Promise.all(waiting)
  t.deepEqual(of(replicator.trace(), 'reject').map(({ code, outcome, count }) => ({ code, outcome, count })), [
    { code: 'LEVEL_QUEUE_FULL', outcome: 'aborted', count: 100 },
    { code: 'LEVEL_REPLICATOR_CLOSED', outcome: 'aborted', count: 2 }
  ])
})

test('the trace outlives the closing of the database', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [])
  await replicator.ready()
  await db.close()
  await db.open()
  await replicator.ready()
  const events = replicator.trace()
  t.deepEqual(of(events, 'start').map(({ start }) => start), [1, 2])
  t.deepEqual(of(events, 'stop').map(({ why }) => why), ['closed'])
})

test('as many events are kept as traceMax says', { timeout }, async (t) => {
  const few = createMember(t, new Switchboard(), 1, [], { traceMax: 2 })
  const none = createMember(t, new Switchboard(), 1, [], { traceMax: 0 })
  await allReady([few, none])
  const last = few.replicator.trace().map(({ event }) => event)
  t.equal(last.length, 2)
  t.equal(last[1], 'ready')
  t.deepEqual(none.replicator.trace(), [])
  for (const traceMax of [-1, 65_537, 1.5, '1' as never]) t.throws(() => Replicator(new MemoryLevel(), { traceMax }), TypeError, String(traceMax))
})
