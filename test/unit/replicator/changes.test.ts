import test from 'tape'
import { Changes, reachedError } from '../../../lib/changes.ts'
import type { Core } from '../../../lib/core/core.ts'
import type { Input } from '../../../lib/core/effects.ts'
import type { Joining } from '../../../lib/core/messages.ts'
import type { View } from '../../../lib/core/view.ts'
import type { Environment } from '../../../lib/env.ts'
import { codes, ReplicatorError } from '../../../lib/errors.ts'
import { joiningOf, viewOf } from '../../support/core-parts.ts'
import { rejection, verdict } from './trio.ts'

const timeout = 30_000

/** Node a, of which the test is the core, the clock and the writes. */
class FakeHost {
  readonly id = 'a'
  failure: ReplicatorError | null = null
  stopping = false
  waiting = 0
  waitingFor = ''
  known: View | null = viewOf({ names: ['one', 'two', ''] })
  /** The one installed; null: none. */
  view: View | null = null
  joining: Joining | null = null
  connected: string[] = ['b', 'c']
  ready = true
  isInstalled = true
  /** What happens when the time is up, of those that still wait. */
  readonly timers = new Set<() => void>()
  readonly changes: Changes
  #inputs: Input[] = []

  constructor () {
    const env: Environment = {
      now: () => 0,
      wall: () => 0,
      nextTurn: () => {},
      randomBytes: length => new Uint8Array(length).fill(7),
      setTimer: (fn, delay) => {
        if (delay !== 300) throw new Error('not the limit')
        this.timers.add(fn)
        return { cancel: () => { this.timers.delete(fn) } }
      }
    }
    this.changes = new Changes(this, env, 300, input => { this.#inputs.push(input) })
  }

  get core (): Core {
    const { known, view, connected, ready, joining, isInstalled } = this
    return { known, view, connected, ready, joining, agreement: { isInstalled } } as unknown as Core
  }

  learn (known: View): void {
    this.known = known
    this.changes.observe()
  }

  expire (): void {
    for (const fn of [...this.timers]) {
      this.timers.delete(fn)
      fn()
    }
  }

  /** What the core was told since. */
  told (): string[] {
    return this.#inputs.splice(0).map(input => input.type === 'remove'
      ? `remove ${input.id}${input.force ? ' by force' : ''}${input.wanted ? '' : ' no more'}`
      : input.type === 'recover' ? `recover ${input.members.join('')}` : input.type)
  }
}

const two = viewOf({ epoch: 5, members: ['a', 'b'] })

test('a removal is done when the cluster goes on without the member', { timeout }, async (t) => {
  const host = new FakeHost()
  const removal = host.changes.remove('c', false)
  const again = host.changes.remove('c', true)
  t.same(host.told(), ['remove c', 'remove c by force'])
  host.learn(viewOf({ epoch: 5 }))
  t.equal(host.timers.size, 2, 'another view with it is nothing')
  host.isInstalled = false
  host.learn(two)
  t.equal(host.timers.size, 2, 'nor one that the others would forget')
  host.isInstalled = true
  host.changes.observe()
  t.same([await verdict(removal), await verdict(again), host.timers.size], ['resolved', 'resolved', 0])
  for (const who of ['c', 'c'.repeat(32)]) t.equal(await verdict(host.changes.remove(who, false)), 'LEVEL_CHANGE_REFUSED -', 'it may be misspelt, or have joined a moment ago')
  t.same(host.told(), [])
})

test('members have names', { timeout }, async (t) => {
  const host = new FakeHost()
  void host.changes.remove('two', false)
  t.same(host.told(), ['remove b'])
  t.equal(await verdict(host.changes.remove('one', false)), 'LEVEL_CHANGE_REFUSED -', 'nobody removes itself')
  t.equal(await verdict(host.changes.remove('a', true)), 'LEVEL_CHANGE_REFUSED -')

  // Somebody gave a member the id of another for a name.
  host.known = viewOf({ names: ['one', 'c', ''] })
  void host.changes.remove('c', false)
  t.same(host.told(), ['remove c'], 'what is an id is no name')
  host.view = viewOf()
  host.isInstalled = false
  host.known = viewOf({ members: ['a', 'b'], before: ['a', 'b', 'c'], names: ['one', 'c'] })
  void host.changes.remove('c', false)
  t.same(host.told(), ['remove c'], 'nor that of one that is not gone for good')
})

test('a removal that takes too long is not asked for any more', { timeout }, async (t) => {
  const host = new FakeHost()
  const removals = [host.changes.remove('c', false), host.changes.remove('c', false)]
  host.told()
  const [first, second] = [...host.timers]
  first?.()
  host.timers.delete(first as () => void)
  t.equal(await verdict(removals[0] as Promise<void>), 'LEVEL_TIMEOUT -')
  t.same([host.told(), host.timers.size], [[], 1], 'another call has its own time')
  second?.()
  t.equal(await verdict(removals[1] as Promise<void>), 'LEVEL_TIMEOUT -')
  t.same(host.told(), ['remove c no more'])
})

test('a member that is removed, but needed, is still asked for', { timeout }, async (t) => {
  const host = new FakeHost()
  host.isInstalled = false
  host.view = host.known
  host.learn(viewOf({ epoch: 5, members: ['a', 'b'], before: ['a', 'b', 'c'], names: ['one', 'two'] }))
  t.equal(await verdict(host.changes.remove('d', false)), 'LEVEL_CHANGE_REFUSED -', 'it never was one')
  const late = host.changes.remove('c', false)
  host.expire()
  t.equal(await verdict(late), 'LEVEL_TIMEOUT -')
  const removal = host.changes.remove('c', false)
  host.isInstalled = true
  host.changes.observe()
  t.equal(await verdict(removal), 'resolved')
  t.equal(await verdict(host.changes.remove('c', false)), 'LEVEL_CHANGE_REFUSED -', 'now it is gone')
})

test('where nobody can be excluded, a removal that takes too long says what is needed', { timeout }, async (t) => {
  const expired = async (id: string, force: boolean, connected: string[], leaseFree: boolean): Promise<string> => {
    const host = new FakeHost()
    host.known = viewOf({ leaseFree })
    host.connected = connected
    const removal = host.changes.remove(id, force)
    host.expire()
    return await verdict(removal)
  }
  t.equal(await expired('c', false, ['b'], true), 'LEVEL_CHANGE_REFUSED -', "say 'force'")
  t.equal(await expired('c', true, ['b'], true), 'LEVEL_TIMEOUT -', 'it was said')
  t.equal(await expired('c', false, ['b', 'c'], true), 'LEVEL_TIMEOUT -', 'it is there')
  t.equal(await expired('c', false, ['b'], false), 'LEVEL_TIMEOUT -', 'it will be excluded')
})

async function messageOf (promise: Promise<unknown>): Promise<string> {
  return (await rejection(promise))?.message ?? 'resolved'
}

test('a change that takes too long says who is missing', { timeout }, async (t) => {
  const expired = async (change: (changes: Changes) => Promise<unknown>, set: Partial<FakeHost> = {}): Promise<string> => {
    const host = Object.assign(new FakeHost(), set)
    const promise = change(host.changes)
    await new Promise(resolve => setImmediate(resolve))
    host.expire()
    return await messageOf(promise)
  }
  const [remove, leave] = [(changes: Changes) => changes.remove('c', false), (changes: Changes) => changes.leave(false)]
  t.equal(await expired(remove), 'The member was not removed within 300 ms. It may still be: see stats().members')
  t.equal(await expired(leave), 'This node was not removed within 300 ms. It may still be: see stats().members')
  t.equal(await expired(remove, { connected: ['b'] }), 'The member was not removed within 300 ms. It may still be: see stats().members', 'that it is down itself is no news')
  t.equal(await expired(leave, { connected: ['c'] }), 'This node was not removed within 300 ms (not connected: two). It may still be: see stats().members')
  t.equal(await expired(leave, { connected: ['b'] }), 'This node was not removed within 300 ms (not connected: c). It may still be: see stats().members', 'without a name, by its id')
  t.match(await expired(leave, { connected: ['b'], waitingFor: 'waiting for members to connect: host:1 (ECONNREFUSED)' }),
    /^This node was not removed within 300 ms \(waiting for members to connect: host:1 \(ECONNREFUSED\)\)/)
  t.match(await expired(changes => changes.recover(['a', 'b']), { ready: false, connected: [], waitingFor: 'waiting: host:1 (ECONNREFUSED)' }), /within 300 ms \(waiting: host:1 \(ECONNREFUSED\)\): recover\(\) has to be called/)
  const gone = { known: viewOf({ epoch: 5, members: ['a', 'b'], before: ['a', 'b', 'c'], names: ['one', 'two'] }), view: viewOf(), isInstalled: false, connected: [] }
  t.match(await expired(remove, gone), /^The member was removed, but .* \(not connected: two\)$/)
})

test('where no majority of the members is up, what helps is to recover', { timeout }, async (t) => {
  const lateOf = async (force: boolean, set: Partial<FakeHost>): Promise<string> => {
    const host = Object.assign(new FakeHost(), set)
    const removal = host.changes.remove('b', force)
    host.expire()
    const error = await rejection(removal)
    return `${String(error?.code)} ${String(error?.message.match(/force|recover\(\)|stats\(\)/)?.[0])}`
  }
  const [pair, trio] = [{ known: viewOf({ leaseFree: true, members: ['a', 'b'], names: ['one', 'two'] }) }, { known: viewOf({ leaseFree: true }) }]
  t.equal(await lateOf(false, { ...trio, connected: ['c'] }), 'LEVEL_CHANGE_REFUSED force')
  t.equal(await lateOf(false, { ...trio, connected: [] }), 'LEVEL_CHANGE_REFUSED recover()')
  t.equal(await lateOf(false, { ...pair, connected: [] }), 'LEVEL_CHANGE_REFUSED recover()')
  t.equal(await lateOf(true, { ...pair, connected: [] }), 'LEVEL_TIMEOUT recover()')
  t.equal(await lateOf(true, { ...pair, connected: ['b'] }), 'LEVEL_TIMEOUT stats()', 'it is there')
  t.equal(await lateOf(false, { connected: [] }), 'LEVEL_TIMEOUT recover()')

  const host = Object.assign(new FakeHost(), pair, { connected: [] })
  const denied = host.changes.remove('b', false)
  host.changes.onDenied('b', 'down')
  t.match(await messageOf(denied), /recover\(\)/, 'also if the coordinator says so')
})

test('a node is told how it can leave to change its role', { timeout }, async (t) => {
  t.match(reachedError('role', 'observer').message, /^This node is a member of its cluster.* start it again as role: 'member' \(or 'witness', if it was one\), let it leave, and begin with an empty database$/)
  t.match(reachedError('role', 'witness').message, /^This node is no witness of its cluster.* start it again as role: 'member', let it leave/)
  t.match(reachedError('role', 'member').message, /^This node is a witness of its cluster.* start it again as role: 'witness', let it leave/)
})

test('what is denied rejects, with why', { timeout }, async (t) => {
  const host = new FakeHost()
  const [one, other] = [host.changes.remove('c', false), host.changes.remove('b', false)]
  t.ok(host.changes.onDenied('c', 'consensus'))
  t.equal(await verdict(one), 'LEVEL_CHANGE_REFUSED -')
  t.equal(host.timers.size, 1, 'b is still asked for')
  t.notOk(host.changes.onDenied('c', 'consensus'), 'nobody waits for it any more')
  host.changes.rejectAll(new ReplicatorError(codes.closed, 'closed'))
  t.same([await verdict(other), host.timers.size], ['LEVEL_REPLICATOR_CLOSED -', 0])
})

test('a node leaves when its writes are settled', { timeout }, async (t) => {
  const host = new FakeHost()
  host.waiting = 1
  const leave = host.changes.leave(true)
  t.ok(host.changes.leaving, 'and takes no new ones meanwhile')
  host.changes.observe()
  await Promise.resolve()
  t.same(host.told(), [])
  host.waiting = 0
  host.changes.observe()
  await new Promise(resolve => setImmediate(resolve))
  t.same(host.told(), ['remove a by force'])
  host.learn(viewOf({ epoch: 5, members: ['b', 'c'] }))
  t.equal(host.timers.size, 1, 'the others may not know it yet')
  t.ok(host.changes.onRemoved())
  t.equal(await verdict(leave), 'resolved')
  t.notOk(host.changes.onRemoved(), 'nobody here has asked for that')

  const removed = new FakeHost()
  removed.waiting = 1
  const waits = removed.changes.leave(false)
  t.ok(removed.changes.onRemoved(), 'another was faster')
  removed.waiting = 0
  removed.changes.observe()
  t.same([await verdict(waits), removed.told()], ['resolved', []])

  const late = new FakeHost()
  const other = late.changes.leave(false)
  late.learn(viewOf({ epoch: 5, members: ['b', 'c'] }))
  late.expire()
  t.equal(await verdict(other), 'LEVEL_TIMEOUT -', 'its disk may be needed')
  const again = late.changes.leave(false)
  t.ok(late.changes.leaving && late.changes.onRemoved())
  t.equal(await verdict(again), 'resolved', 'it can wait on')
})

test('a node that cannot leave goes on', { timeout }, async (t) => {
  const host = new FakeHost()
  const leave = host.changes.leave(false)
  await new Promise(resolve => setImmediate(resolve))
  t.ok(host.changes.onDenied('a', 'last'))
  t.equal(await verdict(leave), 'LEVEL_CHANGE_REFUSED -')
  t.notOk(host.changes.leaving)

  host.known = viewOf({ members: ['a'] })
  t.equal(await verdict(host.changes.leave(true)), 'LEVEL_CHANGE_REFUSED -', 'the last one is closed')
})

test('a node that is closed or fails while it waits to leave does not ask any more', { timeout }, async (t) => {
  for (const change of [{ stopping: true }, { failure: new ReplicatorError(codes.storeFailed, 'failed') }]) {
    const host = new FakeHost()
    host.waiting = 1
    const leave = host.changes.leave(false)
    Object.assign(host, change, { waiting: 0 })
    host.changes.observe()
    host.changes.rejectAll(new ReplicatorError(codes.closed, 'closed'))
    t.equal(await verdict(leave), 'failure' in change ? 'LEVEL_STORE_FAILED -' : 'LEVEL_REPLICATOR_CLOSED -')
    t.same([host.told(), host.timers.size, host.changes.leaving], [[], 0, false])
  }
})

test('only members change a cluster', { timeout }, async (t) => {
  const host = new FakeHost()
  const all = async (): Promise<string[]> => [
    await verdict(host.changes.leave(false)), await verdict(host.changes.remove('b', false)), await verdict(host.changes.recover(['a', 'b']))
  ]
  host.known = viewOf({ members: ['b', 'c'] })
  host.joining = joiningOf()
  t.same(await all(), new Array(3).fill('LEVEL_NOT_MEMBER -'), 'it joins')
  host.known = null
  t.same(await all(), new Array(3).fill('LEVEL_NOT_MEMBER -'), 'it has none')
  host.stopping = true
  t.same(await all(), new Array(3).fill('LEVEL_REPLICATOR_CLOSED -'))
  host.failure = new ReplicatorError(codes.storeFailed, 'failed')
  t.same(await all(), new Array(3).fill('LEVEL_STORE_FAILED -'))
})

test('survivors: members, this one among them, where the cluster does not work', { timeout }, async (t) => {
  const host = new FakeHost()
  const refused = 'LEVEL_CHANGE_REFUSED -'
  host.connected = ['b']
  t.equal(await verdict(host.changes.recover(['a', 'b'])), refused, 'it works')
  host.ready = false
  t.equal(await verdict(host.changes.recover(['b'])), refused, 'without itself')
  t.equal(await verdict(host.changes.recover(['a', 'x'])), refused, 'with a stranger')
  t.equal(await messageOf(host.changes.recover(['a'])), 'Member two is connected: it is a survivor, too')
  host.ready = true
  host.known = viewOf({ witnesses: ['a'] })
  t.equal(await verdict(host.changes.recover(['a', 'b'])), refused, 'a witness that follows a majority')
  host.ready = false
  host.known = viewOf({ witnesses: ['a', 'b'], live: [{ id: 'c', since: 1 }] })
  t.equal(await verdict(host.changes.recover(['a', 'b'])), refused, 'none has the data')
  host.known = viewOf({ names: ['one', 'two', ''] })
  t.same(host.told(), [])

  const recovery = host.changes.recover(['two', 'a', 'b'])
  t.same(host.told(), ['recover ab'], 'by names or ids, each once')
  host.learn(viewOf({ epoch: 9, members: ['a', 'b'] }))
  host.learn(viewOf({ epoch: 9, cluster: 'x', members: ['a'] }))
  t.equal(host.timers.size, 1, 'neither the same cluster, nor others')
  host.learn(viewOf({ epoch: 9, cluster: 'x', members: ['a', 'b'] }))
  t.same([await verdict(recovery), host.timers.size], ['resolved', 0])
})

test('a witness beside a coordinator that has lost the majority recovers', { timeout }, async (t) => {
  const host = new FakeHost()
  host.known = viewOf({ members: ['a', 'b', 'c', 'd'], witnesses: ['a'] })
  host.connected = ['b']
  void host.changes.recover(['a', 'b'])
  t.same(host.told(), ['recover ab'], 'although it is ready')
})

test('a recovery that takes too long, is said anew, or ends with the node', { timeout }, async (t) => {
  const host = new FakeHost()
  host.ready = false
  host.connected = []
  const first = host.changes.recover(['a', 'b'])
  const second = host.changes.recover(['a'])
  t.equal(await verdict(first), 'LEVEL_CHANGE_REFUSED -')
  t.same([host.told(), host.timers.size], [['recover ab', 'recover a'], 1])
  host.expire()
  t.equal(await verdict(second), 'LEVEL_TIMEOUT -')
  t.same(host.told(), ['recover '], 'it is taken back')
  const third = host.changes.recover(['a'])
  host.changes.rejectAll(new ReplicatorError(codes.closed, 'closed'))
  t.same([await verdict(third), host.timers.size], ['LEVEL_REPLICATOR_CLOSED -', 0])
})
