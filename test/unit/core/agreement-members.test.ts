import tape from 'tape'
import type { StatusMessage } from '../../../lib/core/messages.ts'
import type { View } from '../../../lib/core/view.ts'
import { noVow } from '../../../lib/core/view.ts'
import { foundingOf, joiningOf, liveOf, viewOf } from '../../support/core-parts.ts'
import { FakeHost, members, view } from './agreement-host.ts'

// The agreement where the members change, are founders, or recover.

const timeout = 30_000

/** Node a leads the view of epoch 4; the others are connected, and say more. */
function leading (others: Record<string, Partial<StatusMessage>>, known: View = view(4, 'a')): FakeHost {
  const host = new FakeHost()
  host.known = host.accepted = known
  host.vow = { epoch: 4, to: 'a', members: known.members, cluster: 'k' }
  host.leads = host.settled = true
  const connected = ['a', ...Object.keys(others)].sort()
  for (const [id, more] of Object.entries(others)) {
    host.agreement.onUp(id, 1)
    host.agreement.onStatus(id, host.status({ view: known, connected: connected.filter(other => other !== id), ...more }))
  }
  return host
}

/** What a node that joins says. */
const joins = { view: null, installed: 0, promised: 0, caughtUp: true, joining: joiningOf() }

tape('an acceptor: who is a member, and who is not', { timeout }, async (t) => {
  const host = new FakeHost().connect('b', 'c', 'd')
  host.known = host.accepted = viewOf({ coordinator: 'b', members: ['b', 'c'] })
  host.joining = joiningOf()
  host.mustCopy = true
  host.propose('b', 5, { members: ['a', 'b', 'c'] })
  t.same([host.sent(), host.disk.length], [['b refuse 5'], 0], 'not before it has a copy')
  host.mustCopy = false
  host.propose('b', 5, { members: ['a', 'b', 'c'] })
  host.disk.shift()?.()
  t.same([host.sent(), host.vow], [['b promise 5'], { epoch: 5, to: 'b', members: ['a', 'b', 'c'], cluster: 'k' }], 'who joins promises')
  host.propose('d', 6)
  t.same([host.sent(), host.vow.epoch], [['d refuse 6'], 5], 'but not to somebody who joins, too')

  const wider = view(5, 'b')
  host.agreement.acceptor.onAccept('b', { type: 'accept', view: { ...wider, members: ['a', 'b', 'c', 'e'], before: ['b', 'c'] } })
  t.equal(host.accepted?.epoch, 5, 'a member of a cluster accepts any members')
})

tape('an acceptor: a founder is bound to those that it has promised to found with', { timeout }, async (t) => {
  const host = new FakeHost()
  host.known = host.accepted = null
  host.vow = noVow
  host.founding = foundingOf({ required: ['b'] })
  for (const id of 'bc') host.agreement.onUp(id, 1)
  const propose = (known: number, ids: string[]): string[] => {
    host.propose('b', host.vow.epoch + 1, { known, members: ids })
    host.disk.shift()?.()
    return host.sent()
  }
  t.same(propose(4, ['a', 'b']), ['b refuse 1'], 'who has a view founds nothing')
  t.same(propose(0, ['a', 'b', 'd']), ['b refuse 1'], 'd is not connected')
  t.same(propose(0, ['b', 'c']), ['b refuse 1'], 'it is none of them')
  t.same(propose(0, ['a', 'b']), ['b promise 1'])
  t.same(host.vow, { epoch: 1, to: 'b', members: ['a', 'b'], cluster: '' }, 'that binds it to these, and to no cluster yet')
  for (const ids of [['a', 'b', 'c'], ['a', 'b']]) {
    host.agreement.acceptor.onAccept('b', { type: 'accept', view: viewOf({ epoch: 1, members: ids, coordinator: 'b' }) })
    t.equal(host.disk.length, ids.length === 2 ? 1 : 0, ids.join(''))
  }
  host.founding = null
  host.disk.length = 0
  t.same(propose(0, ['a', 'b']), ['b refuse 2'], 'who founds nothing does not promise to')
})

tape('an acceptor: a cluster of survivors needs the same word on each of them', { timeout }, async (t) => {
  const host = new FakeHost().connect('b', 'c')
  const propose = (ids: string[], from = 'b'): string[] => {
    host.propose(from, host.vow.epoch + 1, { known: 7, cluster: 'new', members: ids, recover: true })
    host.disk.shift()?.()
    return host.sent()
  }
  t.same(propose(['a', 'b']), ['b refuse 5'], 'nobody has said so here')
  host.recovering = ['a', 'b']
  t.same(propose(['a', 'b', 'c']), ['b refuse 5'], 'not of these')
  t.same(propose(['a', 'b'], 'c'), ['c refuse 5'], 'c is none of them')
  t.same(propose(['a', 'b']), ['b promise 5'], 'whatever view b knows')
  t.same(host.vow, { epoch: 5, to: 'b', members: ['a', 'b'], cluster: 'new' })
  host.known = null
  t.same(propose(['a', 'b']), ['b refuse 6'], 'who never had a view has nothing to recover')
})

tape('a proposer: survivors go on alone, once all of them say so', { timeout }, async (t) => {
  const host = new FakeHost()
  host.recovering = ['a', 'c']
  host.connect('b', 'c')
  host.agreement.evaluate()
  t.same(host.sent(), [])
  t.match(host.agreement.waitingFor, /recover\(\) is called on the other survivors/)
  host.agreement.onStatus('c', host.status({ recovering: ['b', 'c'] }))
  t.same(host.sent(), [], 'others')
  host.agreement.onStatus('c', host.status({ recovering: ['a', 'c'] }))
  const [asked] = host.proposals()
  t.same([asked?.recover, asked?.members, asked?.cluster], [true, ['a', 'c'], 'recovered'])
  t.same(host.sent(), ['c propose 5'])
  host.agreement.onPromise('c', host.promiseOf(5))
  host.agreement.onPromise('a', host.promiseOf(5))
  t.same(host.views().map(({ cluster, members, before }) => [cluster, members, before])[0], ['recovered', ['a', 'c'], ['a', 'c']])
  host.sent()
  host.agreement.onAccepted('a', 5)
  t.same(host.sent(), [], 'a majority of both')
  host.agreement.onAccepted('c', 5)
  t.same(host.sent(), ['a lead 5'])

  const second = new FakeHost()
  second.recovering = ['B', 'a']
  second.connect('B', 'b', 'c')
  second.agreement.onStatus('B', second.status({ recovering: ['B', 'a'] }))
  t.same(second.sent(), [], 'the first of them proposes')
})

tape('a proposer: the members of a view that was accepted and may be chosen are asked next time', { timeout }, async (t) => {
  const host = new FakeHost().connect('b', 'c')
  host.now = 1000
  for (const id of 'bc') host.agreement.onHeard(id)
  host.agreement.onStatus('b', host.status({ promised: 5 }))
  host.now = 2000
  for (const id of 'bc') host.agreement.onHeard(id)
  host.agreement.evaluate()
  t.same(host.sent(), ['b propose 6', 'c propose 6'])
  const wider = viewOf({ epoch: 5, members: ['a', 'b', 'c', 'd', 'e', 'f'], before: members, live: liveOf('abcd'), coordinator: 'd' })
  host.agreement.onPromise('b', host.promiseOf(6, { accepted: wider }))
  for (const id of 'ca') host.agreement.onPromise(id, host.promiseOf(6))
  t.same(host.views(), [], 'three are no majority of six')
  t.match(host.agreement.waitingFor, /majority of the members/)
  host.sent()

  const later = (): void => {
    host.now += 2000
    for (const id of 'bcde') host.agreement.onHeard(id)
    host.agreement.evaluate()
  }
  later()
  t.same(host.sent(), [], 'with those alone it is not tried again')
  host.agreement.onUp('d', 1)
  host.agreement.onStatus('d', host.status())
  t.same(host.proposals()[0]?.members, wider.members)
  t.same(host.sent(), ['b propose 7', 'c propose 7', 'd propose 7'])
  host.agreement.onPromise('b', host.promiseOf(7, { accepted: wider }))
  for (const id of 'cd') host.agreement.onPromise(id, host.promiseOf(7, { accepted: id === 'd' ? wider : host.accepted }))
  host.agreement.onPromise('a', host.promiseOf(7))
  const [next] = host.views()
  t.same([next?.members, next?.before], [wider.members, members])
  host.sent()
  for (const id of 'acd') host.agreement.onAccepted(id, 7)
  t.same(host.sent(), [], 'three of six')
  host.agreement.onAccepted('b', 7)
  t.same(host.sent().length, 1)
})

tape('a proposer: who has forgotten what it had applied has lost something', { timeout }, async (t) => {
  for (const applied of [10, 11]) {
    const host = leading({ b: {}, c: {} })
    host.appliedOf.set('c', applied)
    host.lost = ['b']
    host.agreement.evaluate()
    host.sent()
    for (const id of 'ca') host.agreement.onPromise(id, host.promiseOf(5))
    t.same(host.views()[0]?.live, [{ id: 'a', since: 1 }, { id: 'c', since: applied === 10 ? 1 : 5 }], `${applied} was applied, 10 are there`)
  }
})

tape('a coordinator takes in who joins, and asks it as well', { timeout }, async (t) => {
  const host = leading({ b: {}, c: {}, d: joins })
  host.agreement.evaluate()
  t.same(host.proposals()[0]?.members, ['a', 'b', 'c', 'd'])
  t.same(host.sent(), ['b propose 5', 'c propose 5', 'd propose 5'])
  for (const id of 'bc') host.agreement.onPromise(id, host.promiseOf(5))
  host.agreement.onPromise('d', host.promiseOf(5, { accepted: null, installed: 0, caughtUp: true }))
  host.agreement.onPromise('a', host.promiseOf(5))
  const [next] = host.views()
  t.same([next?.members, next?.before, next?.live.map(({ id }) => id)], [['a', 'b', 'c', 'd'], members, ['a', 'b', 'c', 'd']])
  host.sent()
  for (const id of 'ad') host.agreement.onAccepted(id, 5)
  t.same(host.sent(), [])
  host.agreement.onAccepted('b', 5)
  t.same(host.sent(), ['a lead 5'], 'a majority of the new, and of the old')

  const open = leading({ b: {}, c: {} })
  open.opening = true
  open.agreement.onUp('d', 1)
  open.agreement.onStatus('d', open.status(joins))
  t.same(open.sent(), [], 'whoever is about to lead first does that')
})

tape('a view whose members change is chosen by a majority of those before, too', { timeout }, async (t) => {
  const host = leading({ b: {}, c: {}, d: joins, e: joins, f: joins })
  // The first has asked before the others did.
  const epoch = host.proposals().slice(-1)[0]?.epoch ?? 0
  for (const id of 'bc') host.agreement.onPromise(id, host.promiseOf(epoch))
  for (const id of 'def') host.agreement.onPromise(id, host.promiseOf(epoch, { accepted: null, installed: 0, caughtUp: true }))
  host.agreement.onPromise('a', host.promiseOf(epoch))
  t.same(host.views()[0]?.members, ['a', 'b', 'c', 'd', 'e', 'f'])
  host.sent()
  for (const id of 'adef') host.agreement.onAccepted(id, epoch)
  t.same(host.sent(), [], 'four of six, and one of three')
  host.agreement.onAccepted('c', epoch)
  t.same(host.sent(), [`a lead ${epoch}`])
})

tape('a coordinator that is asked to goes, and one of the others leads', { timeout }, async (t) => {
  const host = leading({ b: {}, c: {} })
  host.removing = [{ id: 'a', force: false }]
  host.agreement.onWish()
  t.same(host.proposals()[0]?.members, ['b', 'c'])
  host.sent()
  for (const id of 'bca') host.agreement.onPromise(id, host.promiseOf(5))
  const [next] = host.views()
  t.same([next?.members, next?.coordinator], [['b', 'c'], 'b'])
  t.same(host.sent().slice(-3), ['a accept 5', 'b accept 5', 'c accept 5'], 'it has its say to the end')
})

tape('a coordinator hands over to the one that should rather coordinate', { timeout }, async (t) => {
  const moves = (change: (host: FakeHost) => void, known?: View): string[] => {
    const host = leading({ b: {}, c: {} }, known)
    host.preferred = 'b'
    change(host)
    host.agreement.evaluate()
    return host.sent()
  }
  t.same(moves(() => {}), ['b propose 5', 'c propose 5'])
  t.same(moves(() => {}, viewOf({ leaseFree: true })), ['b propose 5', 'c propose 5'])
  t.same(moves(host => { host.preferred = 'a' }), [], 'it does already')
  t.same(moves(host => { host.settled = false }), [], 'not yet')
  t.same(moves(() => {}, viewOf({ live: liveOf('ac') })), [], 'b is not live')
  t.same(moves(host => { host.agreement.onDown('c') }), [], 'c would be left behind')
})

tape('who is no member proposes nothing', { timeout }, async (t) => {
  const host = new FakeHost()
  host.known = host.accepted = viewOf({ members: ['b', 'c'], coordinator: 'b' })
  host.joining = joiningOf()
  host.connect('b', 'c')
  host.now = 5000
  host.agreement.evaluate()
  t.same(host.sent(), [])
  t.equal(host.agreement.waitingFor, 'joining the cluster')

  const stranger = new FakeHost()
  stranger.known = stranger.accepted = null
  stranger.agreement.onUp('b', 1)
  stranger.agreement.evaluate()
  t.same([stranger.sent(), stranger.agreement.waitingFor], [[], 'waiting for a member of the cluster'])
})

tape('founders: names and witnesses are in the first view', { timeout }, async (t) => {
  const host = new FakeHost()
  host.known = host.accepted = null
  host.vow = noVow
  host.founding = foundingOf({ name: 'one' })
  const says = (more: Partial<StatusMessage>): StatusMessage => host.status({ view: null, promised: 0, installed: 0, connected: ['a', 'b', 'c'], ...more })
  for (const id of 'bc') host.agreement.onUp(id, 1)
  host.agreement.onStatus('b', says({ founding: foundingOf({ name: 'one' }), connected: ['a', 'c'] }))
  t.same(host.conflicts, ["two founding nodes have the name 'one'"])
  host.agreement.onStatus('b', says({ founding: foundingOf({ name: 'two' }), connected: ['a'] }))
  host.sent()
  host.agreement.onStatus('c', says({ founding: foundingOf({ witness: true }), connected: ['a', 'b'] }))
  host.agreement.onStatus('b', says({ founding: foundingOf({ name: 'two' }), connected: ['a', 'c'] }))
  const last = host.proposals().slice(-1)[0]
  t.same([last?.members, last?.known, last?.cluster], [['a', 'b', 'c'], 0, 'fresh'])
  const epoch = last?.epoch ?? 0
  for (const id of 'bca') host.agreement.onPromise(id, host.promiseOf(epoch, { accepted: null, installed: 0, known: 0, complete: id !== 'c' }))
  const [first] = host.views()
  t.same([first?.names, first?.witnesses, first?.live.map(({ id }) => id)], [['one', 'two', ''], ['c'], ['a', 'b']])
})
