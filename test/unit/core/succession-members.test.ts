import tape from 'tape'
import type { LeaseLeft, PromiseMessage } from '../../../lib/core/messages.ts'
import type { Candidacy, Change, Succession } from '../../../lib/core/succession.ts'
import { succeed } from '../../../lib/core/succession.ts'
import type { View } from '../../../lib/core/view.ts'
import { candidacyOf, liveOf, promiseOf, viewOf } from '../../support/core-parts.ts'

// Views whose members are not those of the view before. See `spec/protocol.md`, "Changing members".

const timeout = 30_000

/** Each letter promises the same, unless it is given by itself. */
function promises (ids: string, common: Partial<PromiseMessage>, own: Record<string, Partial<PromiseMessage>> = {}): Map<string, PromiseMessage> {
  return new Map([...ids].map(id => [id, promiseOf({ ...common, ...own[id] })]))
}

function run (given: Map<string, PromiseMessage>, more: Partial<Candidacy> = {}): Succession {
  return succeed(candidacyOf(given, more))
}

function made (given: Map<string, PromiseMessage>, more: Partial<Candidacy> = {}): View {
  const succession = run(given, more)
  if (succession.view === null) throw new Error(`no view is made: ${succession.why}`)
  return succession.view
}

function refused (given: Map<string, PromiseMessage>, more: Partial<Candidacy> = {}): string {
  const succession = run(given, more)
  return succession.view === null ? succession.why : 'a view is made'
}

function change (of: number, add: string, remove: string, more: Partial<Change> = {}): Change {
  return { of, add: [...add].map(id => ({ id, name: '', witness: false })), remove: [...remove], forced: [], ...more }
}

/** What a node promises that joins: it has a copy, and no view. */
const joiner = { installed: 0, accepted: null, known: 4, caughtUp: true }

const three = viewOf({ epoch: 4, names: ['one', '', 'three'] })

tape('who joins is a member and live in the new view, and who leaves is neither', { timeout }, async (t) => {
  const next = made(promises('abcd', { accepted: three }, { d: joiner }), { change: change(4, '', 'c', { add: [{ id: 'd', name: 'four', witness: false }] }) })
  t.deepEqual([next.members, next.names, next.before], [['a', 'b', 'd'], ['one', '', 'four'], ['a', 'b', 'c']])
  t.deepEqual(next.live, [{ id: 'a', since: 1 }, { id: 'b', since: 1 }, { id: 'd', since: 9 }])
  t.equal(next.cluster, three.cluster)

  // One that sorts first.
  const first = made(promises('ABabc', { accepted: three }, { A: joiner, B: { ...joiner, complete: false } }), {
    change: change(4, '', '', { add: [{ id: 'B', name: '', witness: true }, { id: 'A', name: 'x', witness: false }] })
  })
  t.deepEqual([first.members, first.names, first.witnesses], [['A', 'B', 'a', 'b', 'c'], ['x', '', 'one', '', 'three'], ['B']], 'sorted, and the names with them')
  t.equal(first.coordinator, 'a', 'and it does not lead: a log that goes on has survived')
})

tape('the members change on the view of which that was made, and only if that is known to be chosen', { timeout }, async (t) => {
  const all = promises('abcd', { accepted: three }, { d: joiner })
  t.deepEqual(made(all, { change: change(4, 'd', '') }).members, ['a', 'b', 'c', 'd'])
  t.deepEqual(made(all, { change: change(3, 'd', '') }).members, ['a', 'b', 'c'], 'it was made of an older one')

  // A newer view was accepted by c. Its members are those of the view before, or others; it may have been chosen.
  const newer = viewOf({ epoch: 5, members: ['a', 'b', 'c', 'e'], before: ['a', 'b', 'c'] })
  const unknown = promises('abcde', { accepted: three }, { c: { accepted: newer, installed: 4, known: 4 }, d: joiner, e: { ...joiner, accepted: newer } })
  const next = made(unknown, { change: change(4, 'd', '') })
  t.deepEqual([next.members, next.before], [['a', 'b', 'c', 'e'], ['a', 'b', 'c']], 'it is adopted as it is, and what was before it is before this one')
  t.deepEqual(made(unknown, { change: change(5, 'd', '') }).members, ['a', 'b', 'c', 'e'], 'and not changed')

  const chosen = promises('abcde', { accepted: three }, { c: { accepted: newer, known: 5 }, d: joiner, e: { accepted: newer, known: 5, installed: 5 } })
  const after = made(chosen, { change: change(5, 'd', '') })
  t.deepEqual([after.members, after.before], [['a', 'b', 'c', 'd', 'e'], ['a', 'b', 'c', 'e']], 'one of them knows it to be chosen')
  t.deepEqual(made(chosen, { change: change(4, 'd', '') }).members, ['a', 'b', 'c', 'e'])
})

tape('a view that may not have been chosen needs a majority of its members and of those before', { timeout }, async (t) => {
  const five = viewOf({ epoch: 5, members: ['a', 'b', 'c', 'd', 'e'], before: ['a', 'b', 'c'], live: liveOf('abc') })
  const given = (ids: string, known = 4): Map<string, PromiseMessage> => promises(ids, { accepted: five, installed: 4, known })
  t.match(refused(given('ade')), /majority/, 'of five, but not of the three before')
  t.match(refused(given('ab')), /majority/, 'of the three before, but not of five')
  t.deepEqual(made(given('abd')).before, ['a', 'b', 'c'])
  t.deepEqual(made(given('ade', 5)).before, five.members, 'once it is known to be chosen, its own members are enough')

  const fewer = viewOf({ epoch: 5, members: ['a', 'b'], before: ['a', 'b', 'c', 'd', 'e'], live: liveOf('ab') })
  t.match(refused(promises('ab', { accepted: fewer, installed: 4, known: 4 })), /majority/)
  t.deepEqual(made(promises('abc', { accepted: fewer, installed: 4, known: 4 })).members, ['a', 'b'], 'who is none of its members counts among those before')
  t.deepEqual(made(promises('ab', { accepted: fewer, installed: 5 })).members, ['a', 'b'])
})

tape('what stands in the way is told with the view from which to go on', { timeout }, async (t) => {
  const newer = viewOf({ epoch: 5, members: ['a', 'b', 'c', 'd', 'e'], before: ['a', 'b', 'c'] })
  const succession = run(promises('ab', { accepted: newer, installed: 4, known: 4 }))
  t.deepEqual(succession.view === null ? succession.previous : null, newer)
})

tape('the new members, too, need a majority among those who promise', { timeout }, async (t) => {
  const two = viewOf({ members: ['a', 'b', 'c'], live: liveOf('ab') })
  t.match(refused(promises('ab', { accepted: two }), { change: change(4, 'def', '') }), /majority/)
  t.match(refused(promises('abde', { accepted: two }, { d: joiner, e: joiner }), { change: change(4, 'def', '') }), /members to connect/, 'and then all of those who join')
})

tape('if the members change, all that are live promise, and all that join', { timeout }, async (t) => {
  const given = (ids: string): Map<string, PromiseMessage> => promises(ids, { accepted: three }, { d: joiner })
  t.match(refused(given('abd'), { change: change(4, 'd', '') }), /members to connect/, 'c is live')
  t.match(refused(given('abd'), { change: change(4, 'd', 'c') }), /members to connect/, 'also if it is removed')
  t.match(refused(given('abc'), { change: change(4, 'd', '') }), /members to connect/, 'd joins')
  t.deepEqual(made(given('abd'), { change: change(4, 'd', 'c', { forced: ['c'] }) }).members, ['a', 'b', 'd'], 'a person says that c is down for good')
  t.equal(refused(given('ab')), 'a view is made', 'without a change, a majority is enough')

  const two = viewOf({ live: liveOf('ab') })
  t.deepEqual(made(promises('ab', { accepted: two }), { change: change(4, '', 'c') }).members, ['a', 'b'], 'who is not live need not')
})

tape('a view free of leases is left without those that a person says are down for good', { timeout }, async (t) => {
  const free = viewOf({ leaseFree: true })
  const forced = { change: change(4, '', 'c', { forced: ['c'] }) }
  t.match(refused(promises('ab', { accepted: free }), { change: change(4, '', 'c') }), /members to connect/)
  const next = made(promises('ab', { accepted: free, minConsensus: 64 }), forced)
  t.deepEqual([next.members, next.leaseFree], [['a', 'b'], true])
  t.match(refused(promises('a', { accepted: free }), forced), /majority/, 'a majority of those before is needed all the same')

  // Something else was accepted meanwhile: from that it goes on, without c, which is removed next.
  const moved = viewOf({ epoch: 5, leaseFree: true, coordinator: 'b' })
  const adopted = made(promises('ab', { accepted: moved, installed: 4, known: 4 }), forced)
  t.deepEqual([adopted.members, adopted.live.map(({ id }) => id), adopted.leaseFree], [['a', 'b', 'c'], ['a', 'b'], false])
})

tape('recovery: on the word of a person, these alone go on, in a new cluster', { timeout }, async (t) => {
  const five = viewOf({ members: ['a', 'b', 'c', 'd', 'e'], names: ['v', 'w', 'x', 'y', 'z'], witnesses: ['e'], seeder: 'd' })
  const recovery = { cluster: 'fresh', members: ['a', 'e'] }
  const next = made(promises('ae', { accepted: five }, { e: { complete: false } }), { recovery })
  t.deepEqual([next.cluster, next.members, next.before], ['fresh', ['a', 'e'], ['a', 'e']])
  t.deepEqual([next.names, next.witnesses, next.live, next.leaseFree], [['v', 'z'], ['e'], [{ id: 'a', since: 1 }], false])
  t.match(refused(promises('ae', { accepted: five }, { e: { complete: false } })), /majority/, 'else, two of five are none')
  t.match(refused(promises('a', { accepted: five }), { recovery }), /members to connect/, 'each of them promises')
  t.match(refused(promises('ae', { accepted: five }, { a: { complete: false }, e: { complete: false } }), { recovery }), /sure to hold everything/, 'somebody has to have the data')

  // No survivor is left: the best log there is.
  const lost = promises('ab', { accepted: five, intact: false }, { a: { end: { position: 7, epoch: 4 } } })
  const best = made(lost, { recovery: { cluster: 'fresh', members: ['a', 'b'] } })
  t.deepEqual([best.coordinator, best.live], ['b', [{ id: 'a', since: 9 }, { id: 'b', since: 9 }]])
})

tape('of those that keep as many live, the preferred one coordinates, whatever the ends of the logs', { timeout }, async (t) => {
  const given = promises('abc', { accepted: three }, { b: { end: { position: 11, epoch: 4 } } })
  t.equal(made(given).coordinator, 'b')
  t.equal(made(given, { preferred: 'c' }).coordinator, 'c')
  t.equal(made(given, { preferred: 'd' }).coordinator, 'b', 'who does not promise is out of the question')
  t.equal(made(given, { preferred: 'c', areConnected: (a, b) => a !== 'c' && b !== 'c' }).coordinator, 'b', 'the others must be able to follow')
  t.equal(made(promises('abc', { accepted: three }, { c: { installed: 0 } }), { preferred: 'c' }).coordinator, 'a', 'and it must have survived')
})

tape('a witness is never live, and a view with one never free of leases', { timeout }, async (t) => {
  const two = viewOf({ witnesses: ['c'], coordinator: 'a' })
  const strict = promises('abc', { accepted: two, minConsensus: 64 }, { c: { complete: true, caughtUp: true } })
  const next = made(strict)
  t.deepEqual([next.live.map(({ id }) => id), next.leaseFree, next.witnesses], [['a', 'b'], false, ['c']])
  t.deepEqual(made(promises('ac', { accepted: two }, { c: { complete: false } })).live, [{ id: 'a', since: 1 }], 'one holder and the witness are a majority')

  const gone = made(strict, { change: change(4, '', 'c') })
  t.deepEqual([gone.witnesses, gone.leaseFree], [[], true], 'once it is removed, they are')
  const none = promises('abc', { accepted: null, minConsensus: 64 }, { b: { complete: false } })
  const first = made(none, { founding: { cluster: 'fresh', members: ['a', 'b', 'c'], witnesses: ['b'], names: ['', '', ''], seeder: null } })
  t.deepEqual([first.live.map(({ id }) => id), first.witnesses, first.leaseFree], [['a', 'c'], ['b'], false])
})

tape('who was granted a lease that nobody remembers may be anybody', { timeout }, async (t) => {
  const wait = (ids: string, accepted: View, leases: LeaseLeft[]): number => {
    const succession = run(promises(ids, { accepted }, { a: { leases } }))
    return succession.view === null ? -1 : succession.waitMs
  }
  const anybody = { holder: '', ms: 600 }
  t.equal(wait('ab', three, [anybody]), 600, 'c may have it')
  t.equal(wait('abc', three, [anybody]), 0, 'all have promised')
  t.equal(wait('abc', three, [anybody, { holder: 'd', ms: 200 }]), 200, 'and only what d has been granted is left')
  const fewer = viewOf({ before: ['a', 'b', 'c', 'd'] })
  t.equal(wait('abc', fewer, [anybody]), 600, 'd was a member before')
  t.equal(wait('abcd', fewer, [anybody]), 0)
})
