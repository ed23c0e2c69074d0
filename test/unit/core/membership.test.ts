import tape from 'tape'
import { Membership } from '../../../lib/core/membership.ts'
import type { Message, Removal, StatusMessage } from '../../../lib/core/messages.ts'
import { ALL_OTHERS } from '../../../lib/core/messages.ts'
import { Peers } from '../../../lib/core/peers.ts'
import type { Change } from '../../../lib/core/succession.ts'
import type { View } from '../../../lib/core/view.ts'
import { joiningOf, liveOf, statusOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000
const failureTimeoutMs = 1000

/** Node a, which leads a view of a, b and c; all of them can be reached. */
class FakeHost {
  readonly self = 'a'
  now = 0
  leads = true
  settled = true
  removing: Removal[] = []
  minConsensus = ALL_OTHERS
  readonly peers = new Peers(failureTimeoutMs, 0)
  readonly membership = new Membership(this, this.peers, failureTimeoutMs)
  /** Who cannot be reached, although there is a session. */
  readonly silent = new Set<string>()
  #denied: string[] = []

  get testimony (): { minConsensus: number, installed: number } { return { minConsensus: this.minConsensus, installed: 4 } }

  send (to: string, message: Message): void {
    if (message.type === 'deny') this.#denied.push(`${to}: ${message.id} ${message.why}`)
  }

  /** A peer that is connected says so, and more. */
  says (peer: string, more: Partial<StatusMessage> = {}): this {
    if (!this.peers.isUp(peer)) {
      this.peers.onUp(peer, 1, this.now)
      this.membership.onUp(peer, this.now)
    }
    this.peers.onStatus(peer, statusOf({ installed: 4, minConsensus: ALL_OTHERS, connected: ['a', 'b', 'c'], ...more }))
    this.membership.onStatus(peer)
    return this
  }

  asks (peer: string, ids: string, force = false): this {
    return this.says(peer, { removing: [...ids].map(id => ({ id, force })) })
  }

  /** One that has caught up wants to join. */
  joins (peer: string, joining = {}, more: Partial<StatusMessage> = {}): this {
    return this.says(peer, { installed: 0, caughtUp: true, joining: joiningOf(joining), ...more })
  }

  goes (peer: string): this {
    this.peers.onDown(peer)
    return this
  }

  isReachable = (id: string): boolean => id === this.self || (this.peers.isUp(id) && !this.silent.has(id))

  change (known: View = three, isLeft = false): Change | null {
    return this.membership.change(known, isLeft, this.isReachable)
  }

  /** `+joined -removed !forced`, or null. */
  short (known: View = three, isLeft = false): string | null {
    const change = this.change(known, isLeft)
    if (change === null) return null
    const list = (sign: string, ids: readonly string[]): string => ids.length === 0 ? '' : sign + ids.join('')
    return [list('+', change.add.map(({ id }) => id)), list('-', change.remove), list('!', change.forced)].filter(part => part !== '').join(' ')
  }

  denied (): string[] {
    return this.#denied.splice(0)
  }
}

const three = viewOf({ epoch: 4 })
const free = viewOf({ epoch: 4, leaseFree: true })

/** b and c are connected. */
function host (): FakeHost {
  return new FakeHost().says('b').says('c')
}

tape('members leave and are removed as they are asked to be, all at once', { timeout }, async (t) => {
  t.equal(host().short(), null, 'nobody asks')
  t.deepEqual(host().asks('c', 'c').change(), { of: 4, add: [], remove: ['c'], forced: [] }, 'c leaves')
  t.equal(host().asks('b', 'c').short(), '-c', 'b has c removed')
  t.equal(host().asks('c', 'a').short(), '-a', 'c has the coordinator removed')
  const leaving = host()
  leaving.removing = [{ id: 'a', force: false }]
  t.equal(leaving.short(), '-a', 'the coordinator leaves')
  t.equal(host().asks('c', 'c').asks('b', 'b').short(), '-bc', 'two of three, and one is left')
  t.equal(host().asks('b', 'x').short(), null, 'who is no member cannot be removed')
  t.equal(host().says('d', { removing: [{ id: 'c', force: true }] }).short(), null, 'and who is none has no say')
})

tape('nothing changes before the view has settled, or where this node does not lead it', { timeout }, async (t) => {
  const young = host().asks('c', 'c').joins('d')
  young.settled = false
  t.equal(young.short(), null)
  const follower = host().asks('c', 'c').joins('d')
  follower.leads = false
  t.equal(follower.short(), null)
  t.deepEqual([young.denied(), follower.denied()], [[], []])
})

tape('a live member is left to be', { timeout }, async (t) => {
  const all = host().asks('b', 'ac').asks('c', 'b')
  t.ok(['-ac', '-b'].includes(all.short() ?? ''), 'some of what is asked for, if not all')
  t.deepEqual(all.denied().map(line => line.split(' ')[2]), ['last'], 'and the rest is denied')

  const data = viewOf({ epoch: 4, witnesses: ['b', 'c'] })
  const last = host().asks('b', 'a', true)
  t.equal(last.short(data), null)
  t.deepEqual(last.denied(), ['b: a last'], 'witnesses do not count, and force does not help')
  last.short(data)
  t.deepEqual(last.denied(), [], 'once is enough')
  last.asks('b', 'a').short(data)
  t.deepEqual(last.denied(), ['b: a last'], 'until it says something new')
})

tape('what is left has to do for a minConsensus that was asked for', { timeout }, async (t) => {
  for (const [who, m] of [['a', 2], ['b', 2], ['c', 2]] as const) {
    const set = host()
    if (who === 'a') set.minConsensus = m
    else set.says(who, { minConsensus: m })
    const asked = set.says('b', { minConsensus: who === 'b' ? m : 1, removing: [{ id: 'c', force: false }] })
    t.equal(asked.short(), who === 'c' ? '-c' : null, `${who} asks for 2 others`)
    t.deepEqual(asked.denied(), who === 'c' ? [] : ['b: c consensus'])
  }
  const forced = host().says('b', { minConsensus: 2, removing: [{ id: 'c', force: true }] })
  t.deepEqual(forced.change(), { of: 4, add: [], remove: ['c'], forced: [] }, 'unless a person insists; and who can be asked is not forced')
  const witness = viewOf({ epoch: 4, witnesses: ['c'] })
  t.equal(host().says('b', { minConsensus: 2, removing: [{ id: 'c', force: false }] }).short(witness), '-c', 'a witness holds nothing for anybody')
  const alone = host().asks('b', 'b')
  alone.minConsensus = 1
  t.equal(alone.short(witness), null)
  t.deepEqual(alone.denied(), ['b: b consensus'], 'nor does one that stays')
  t.equal(host().says('b', { minConsensus: 1, removing: [{ id: 'b', force: false }] }).short(witness), '-b', 'who goes asks for nothing any more')
})

tape('as many live ones are left as anybody asks for, unless that was missing before', { timeout }, async (t) => {
  const four = viewOf({ epoch: 4, members: ['a', 'b', 'c', 'd'], live: liveOf('abc') })
  const asks = (force: boolean, id = 'c'): FakeHost => host().says('d').says('b', { minConsensus: 2, removing: [{ id, force }] })
  const early = asks(false)
  t.equal(early.short(four), null, 'a and b would have no third that is live')
  t.deepEqual(early.denied(), [], 'but d may be soon')
  t.equal(asks(false).short({ ...four, live: liveOf('abcd') }), '-c')
  t.equal(asks(true).short(four), '-c', 'a person insists')
  const five = viewOf({ epoch: 4, members: ['a', 'b', 'c', 'd', 'e'], live: liveOf('abc') })
  const late = host().says('b', { minConsensus: 3, removing: [{ id: 'd', force: false }] })
  t.equal(late.short(five), '-d', 'who is not live is not missed')
})

tape('one that is down is excluded first, then removed', { timeout }, async (t) => {
  const down = host().asks('b', 'c').goes('c')
  t.equal(down.short(), null, 'it is live: not yet')
  t.equal(down.short(viewOf({ epoch: 4, live: liveOf('ab') })), '-c', 'excluded')
  t.deepEqual(down.denied(), [])
  const silent = host().asks('b', 'c')
  silent.silent.add('c')
  t.equal(silent.short(), null)
  t.equal(host().asks('b', 'c', true).goes('c').short(), null, 'also on the word of a person')

  const other = host().joins('d').goes('c')
  t.equal(other.short(), null, 'whoever is live and away holds up every change, as it will be excluded')
  t.equal(other.short(viewOf({ epoch: 4, live: liveOf('ab') })), '+d')
})

tape('where nobody can be excluded, a person has to say that one is down for good', { timeout }, async (t) => {
  const down = host().asks('b', 'c').goes('c')
  t.equal(down.short(free), null)
  t.deepEqual(down.denied(), ['b: c down'])
  t.deepEqual(down.asks('b', 'c', true).change(free), { of: 4, add: [], remove: ['c'], forced: ['c'] })
  t.equal(host().asks('b', 'c').short(free), '-c', 'who is there can go')

  // It may read until it promises, whoever insists: so also one that leaves by force.
  for (const force of [false, true]) {
    const unfit = host().asks('c', 'c', force)
    unfit.silent.add('c')
    t.same([unfit.short(free), unfit.denied()], [null, []], 'who is there, and cannot promise now, is waited for')
    unfit.silent.delete('c')
    t.equal(unfit.short(free), '-c')
  }
})

tape('a change waits until those who are left can go on at once', { timeout }, async (t) => {
  const five = viewOf({ epoch: 4, members: ['a', 'b', 'c', 'd', 'e'], live: liveOf('abc') })
  const modest = (): FakeHost => {
    const made = host().says('b', { minConsensus: 1 })
    made.minConsensus = 1
    return made
  }
  t.equal(modest().asks('c', 'c').short(five), null, 'a and b would be no majority of four')
  t.equal(modest().says('d').asks('c', 'c').short(five), '-c')
  t.equal(host().says('d').asks('c', 'c').short(five), null, 'a and b are not all others')

  const apart = modest().says('c', { connected: ['a'], minConsensus: 1 })
  apart.removing = [{ id: 'a', force: false }]
  t.equal(apart.short(), null, 'b and c could not follow one another')
  t.equal(apart.says('c', { minConsensus: 1 }).short(), '-a')

  const behind = host().says('b', { installed: 3 }).says('c', { installed: 3 })
  behind.removing = [{ id: 'a', force: false }]
  const known = viewOf({ epoch: 4, live: [{ id: 'a', since: 1 }, { id: 'b', since: 4 }, { id: 'c', since: 4 }] })
  t.equal(behind.short(known), null, 'none of the others is sure to have all that there is')
  t.equal(behind.says('c').short(known), null, 'one is, and its disk may be lost before the other is')
  t.equal(behind.says('c').short({ ...known, live: known.live.slice(0, 2) }), null, 'who is not live is not sure')
  t.equal(behind.says('b').short(known), '-a')
  t.equal(behind.says('c', { installed: 3 }).short(), '-a', 'who has been live since before has it')
})

tape('a coordinator that is gone in a view free of leases is removed by another', { timeout }, async (t) => {
  const led = viewOf({ epoch: 4, leaseFree: true, coordinator: 'b' })
  const left = (force: boolean): FakeHost => {
    const made = host().goes('b').asks('c', 'b', force)
    made.leads = made.settled = false
    return made
  }
  t.equal(left(true).short(led, true), '-b !b')
  t.equal(left(true).short(led, false), null, 'not while it may lead')
  t.equal(left(false).short(led, true), null, 'not without the word of a person')
  t.equal(left(true).short(viewOf({ epoch: 4, coordinator: 'b' }), true), null, 'not where it can be excluded')
  t.equal(left(true).short(viewOf({ epoch: 4, coordinator: 'b', leaseFree: true, live: liveOf('bc') }), true), null, 'not by one that is not live')
  const more = left(true).asks('c', 'bc', true).joins('d')
  t.equal(more.short(led, true), '-b !b', 'and nothing else is changed')
  t.equal(left(true).joins('d', { replaces: 'b' }).short(led, true), '+d -b !b', 'but for one that takes its place')

  const follower = left(false).joins('d', { replaces: 'nobody' })
  t.equal(follower.short(led, true), null)
  t.deepEqual(follower.denied(), [], 'and nothing is denied: to the coordinator, who is away from here may be there')

  // Another start of the coordinator itself has it no better: c is gone, too.
  const restarted = host().goes('c').asks('b', 'c', true)
  restarted.leads = restarted.settled = false
  t.equal(restarted.short(free, false), '-c !c', 'it does not lead yet, and coordinates')
})

tape('who has caught up, and is connected with all that are live, joins', { timeout }, async (t) => {
  t.deepEqual(host().joins('d', { name: 'four' }).change(), { of: 4, add: [{ id: 'd', name: 'four', witness: false }], remove: [], forced: [] })
  t.equal(host().joins('d').joins('e').short(), '+de', 'several at once')
  t.equal(host().joins('d').asks('c', 'c').short(), '+d -c', 'while others leave')
  t.equal(host().joins('d', {}, { caughtUp: false }).joins('e').short(), '+e', 'not before it has all data')
  t.equal(host().joins('d', {}, { connected: ['a', 'b'] }).short(), null, 'nor before it is connected with c')
  t.equal(host().joins('d', {}, { connected: ['a', 'b'] }).short(viewOf({ epoch: 4, live: liveOf('ab') })), '+d', 'if c is live')
  t.equal(host().joins('d', {}, { connected: ['b', 'c'] }).short(), '+d', 'that it is connected with this node is known here')
  const silent = host().joins('d')
  silent.silent.add('d')
  t.equal(silent.short(), null, 'nor while it is silent')
  t.equal(host().joins('d', { witness: true }, { caughtUp: false, connected: [] }).change()?.add[0]?.witness, true, 'a witness need have nothing')
  t.equal(host().joins('c').short(), null, 'a member is one already')
  t.equal(host().says('d').short(), null, 'who does not ask does not join')
})

tape('who leaves a single member with all data behind waits for one that joins', { timeout }, async (t) => {
  const two = viewOf({ epoch: 4, live: liveOf('ab'), witnesses: ['c'], names: ['one', 'two', ''] })
  const both = (joining = {}): FakeHost => {
    const made = host().joins('d', joining).says('b', { minConsensus: 0, removing: [{ id: 'b', force: false }] })
    made.minConsensus = 0
    return made
  }
  t.equal(both().short(two), '+d', 'b stays until d has everything')
  t.equal(both({ name: 'four' }).short(two), '+d')
  t.equal(both({ name: 'two' }).short(two), '+d -b', 'unless d takes its name')
  t.equal(both({ witness: true }).short(two), '+d -b', 'or brings no data')
  t.equal(both().goes('b').asks('c', 'b', true).short({ ...two, live: liveOf('a') }), '+d -b', 'or b has no part in it')
  t.equal(both().short(viewOf({ epoch: 4 })), '+d -b', 'or two others have it')
})

tape('names are those of one member', { timeout }, async (t) => {
  const named = viewOf({ epoch: 4, names: ['one', 'two', ''] })
  const same = host().joins('d', { name: 'two' })
  t.equal(same.short(named), null)
  t.deepEqual(same.denied(), ['d: d name'])
  t.equal(same.short(named), null)
  t.deepEqual(same.denied(), [], 'once is enough')
  same.goes('d').joins('d', { name: 'two' }).short(named)
  t.deepEqual(same.denied(), ['d: d name'], 'a new session, a new answer')

  t.equal(host().joins('d').joins('e').short(named), '+de', 'to have none is no name')
  const both = host().joins('d', { name: 'x' }).joins('e', { name: 'x' })
  t.equal(both.short(named), '+d')
  t.deepEqual(both.denied(), ['e: e name'], 'the first of two')
  t.equal(host().joins('d', { name: 'two' }).asks('b', 'b').short(named), '+d -b', 'a name goes with its member')
})

tape('a cluster has room for 64', { timeout }, async (t) => {
  const members = ['a', 'b', 'c', ...Array.from({ length: 60 }, (_, i) => `m${i + 10}`)]
  const big = viewOf({ epoch: 4, members, live: liveOf('abc') })
  const full = host().joins('x').joins('y')
  // A majority has to be there only for those who leave.
  t.equal(full.short(big), '+x')
  t.deepEqual(full.denied(), ['y: y full'])

  const two = viewOf({ epoch: 4, members: [...members, 'z'], live: liveOf('ab') })
  const swap = host().joins('x').says('b', { minConsensus: 0, removing: [{ id: 'b', force: false }] })
  swap.minConsensus = 0
  for (const id of members.slice(2)) swap.says(id, { minConsensus: 0 })
  t.equal(swap.short(two), '+x -b', 'who leaves makes room')
})

tape('a node takes the place of a member that is gone', { timeout }, async (t) => {
  const named = viewOf({ epoch: 4, live: liveOf('ab'), names: ['one', 'two', 'three'] })
  const gone = (replaces: string, name = ''): FakeHost => host().goes('c').joins('d', { replaces, name })
  t.deepEqual(gone('three', 'three').change(named), { of: 4, add: [{ id: 'd', name: 'three', witness: false }], remove: ['c'], forced: [] }, 'by its name, which it may take')
  t.equal(gone('c').short(named), '+d -c', 'or id')
  const unknown = gone('four')
  t.equal(unknown.short(named), null)
  t.deepEqual(unknown.denied(), ['d: d unknown'])

  const live = viewOf({ epoch: 4, names: ['one', 'two', 'three'] })
  t.equal(gone('three').short(live), null, 'one that is live is excluded first')
  t.equal(gone('three').short({ ...live, leaseFree: true }), '+d -c !c', 'where nobody can be, that is the word of a person')
  t.equal(host().goes('c').joins('d', { replaces: 'three' }, { connected: ['a', 'b'] }).short({ ...live, leaseFree: true }), '+d -c !c', 'it need not be connected with the one that is gone')
})

tape('a member that is connected is not replaced, nor is the coordinator', { timeout }, async (t) => {
  const named = viewOf({ epoch: 4, names: ['one', 'two', 'three'] })
  for (const replaces of ['three', 'one']) {
    const alive = host().joins('d', { replaces })
    t.equal(alive.short(named), null)
    t.deepEqual(alive.denied(), [], 'it may be noticed late that it is gone')
    alive.now = 2 * failureTimeoutMs
    t.equal(alive.short(named), null)
    t.deepEqual(alive.denied(), [])
    alive.now++
    t.equal(alive.short(named), null)
    t.deepEqual(alive.denied(), ['d: d alive'], 'but not that late')
  }
})
