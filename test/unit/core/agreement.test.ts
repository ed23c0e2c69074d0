import tape from 'tape'
import { EPOCHS_AHEAD_MAX } from '../../../lib/core/acceptor.ts'
import type { View } from '../../../lib/core/view.ts'
import { FakeHost, members, view } from './agreement-host.ts'

const timeout = 30_000

tape('as an acceptor', { timeout }, async (t) => {
  let host = new FakeHost().connect('b', 'c')
  host.propose('b', 5)
  t.same([host.vow.epoch, host.vow.to, host.sent()], [5, 'b', []], 'a promise holds at once, and is not told before it is durable')
  host.disk.shift()?.()
  t.same(host.sent(), ['b promise 5'], 'then it is')
  host.propose('b', 5)
  t.same([host.sent(), host.disk.length], [['b refuse 5'], 0], 'there is one promise for each epoch')

  host.propose('b', 6)
  host.propose('c', 7)
  host.disk.shift()?.()
  t.same(host.sent(), [], 'a promise that another has overtaken on its way to the disk is nobody\'s')
  host.disk.shift()?.()
  t.same(host.sent(), ['c promise 7'])

  host.agreement.acceptor.onAccept('b', { type: 'accept', view: view(6, 'b') })
  host.agreement.acceptor.onAccept('b', { type: 'accept', view: view(7, 'b') })
  t.same([host.disk.length, host.accepted?.epoch], [0, 4], 'a view is accepted in the epoch promised only, and from whom it was promised to')
  host.agreement.acceptor.onAccept('c', { type: 'accept', view: view(7, 'b') })
  t.same([host.accepted?.epoch, host.sent()], [7, []], 'what is accepted is not told before it is durable')
  host.disk.shift()?.()
  t.same(host.sent(), ['c accepted 7'])

  host.agreement.acceptor.onAccept('c', { type: 'accept', view: view(7, 'b') })
  host.propose('b', 8)
  host.disk.shift()?.()
  t.same(host.sent(), [], 'nor after a later promise')

  host = new FakeHost().connect('b', 'c')
  const refused: Array<[string, () => void]> = [
    ['an epoch of before', () => { host.propose('b', 4) }],
    ['an epoch that nobody can have reached', () => { host.propose('b', 5 + EPOCHS_AHEAD_MAX) }],
    ['somebody who is no member', () => { host.propose('d', 5) }],
    ['somebody who knows an older view', () => { host.propose('b', 5, { known: 3 }) }],
    ['somebody who knows a newer view', () => { host.propose('b', 5, { known: 5 }) }],
    ['another cluster', () => { host.propose('b', 5, { cluster: 'other' }) }],
    ['without somebody that is as well connected as the proposer', () => { host.propose('c', 5, { without: ['b'] }) }]
  ]
  for (const [what, propose] of refused) {
    propose()
    t.ok(host.sent().every(line => / refuse /.test(line)) && host.vow.epoch === 4 && host.disk.length === 0, `no promise for ${what}`)
  }
  host.fit = false
  host.propose('b', 5)
  t.same([host.sent(), host.vow.epoch], [['b refuse 5'], 4], 'nor from a node that can take no part')
})

tape('as the one that is to lead', { timeout }, async (t) => {
  const host = new FakeHost().connect('b', 'c')
  const lead = (from: string, chosen: View): number => {
    host.agreement.acceptor.onLead(from, { type: 'lead', view: chosen, waitMs: 0 })
    return host.opened.length
  }
  host.propose('c', 5)
  t.equal(lead('b', view(5)), 0, 'not for anybody but the proposer')
  t.equal(lead('c', view(6)), 0, 'not in an epoch that was not promised')
  t.equal(lead('c', view(5, 'b')), 0, 'not in another\'s place')
  t.equal(lead('c', { ...view(5), coordinatorStart: 2 }), 0, 'not as another start of this node')
  t.equal(lead('c', view(5)), 1, 'else it opens the view')
  host.learn(view(5))
  t.equal(lead('c', view(5)), 1, 'once')
})

/** b, which led, is gone; a asks c and itself. */
function proposing (): FakeHost {
  const host = new FakeHost().connect('b', 'c')
  host.now = 1000
  host.agreement.onHeard('c')
  host.agreement.evaluate()
  return host
}

tape('as a proposer', { timeout }, async (t) => {
  let host = proposing()
  t.same(host.sent(), ['c propose 5'], 'the member that comes first goes on without a silent coordinator, and promises last')
  host.agreement.evaluate()
  t.same(host.sent(), [], 'it asks once')
  host.agreement.onPromise('b', host.promiseOf(5))
  host.agreement.onPromise('c', host.promiseOf(4))
  t.same(host.sent(), [], 'promises of others, or of another epoch, do not count')
  host.agreement.onPromise('c', host.promiseOf(5))
  t.same(host.sent(), ['a propose 5'])
  host.agreement.onPromise('a', host.promiseOf(5))
  const [chosen] = host.views()
  t.same([chosen?.epoch, chosen?.coordinator, chosen?.live.map(({ id }) => id)], [5, 'a', ['a', 'c']])
  t.same(host.sent(), ['a accept 5', 'c accept 5'], 'everybody who has promised is asked to accept')
  host.agreement.onAccepted('b', 5)
  host.agreement.onAccepted('c', 4)
  host.agreement.onAccepted('c', 5)
  host.agreement.onAccepted('c', 5)
  t.same(host.sent(), [], 'no member counts twice')
  host.agreement.onAccepted('a', 5)
  t.same(host.sent(), ['a lead 5'], 'a majority has chosen the view')
  host.agreement.onAccepted('a', 5)
  t.same(host.sent(), [], 'and its coordinator is told once')

  host = proposing()
  host.sent()
  host.agreement.onPromise('c', host.promiseOf(5, { accepted: view(4, 'c', 'c') }))
  host.agreement.onPromise('a', host.promiseOf(5, { accepted: view(3) }))
  t.same(host.views()[0]?.coordinator, 'c', 'it goes on from the newest view that any of them has accepted')

  host = proposing()
  host.sent()
  host.agreement.onRefuse('c', 5)
  host.agreement.evaluate()
  t.same(host.sent(), [], 'who was refused does not ask again at once')
  host.now += 500
  host.agreement.evaluate()
  t.same(host.sent(), ['c propose 6'], 'and then in another epoch: a promise of the first may have been given')
})

tape('a coordinator goes on without a member that is connected and does not keep up', { timeout }, async (t) => {
  const host = new FakeHost()
  host.known = host.accepted = view(4, 'a')
  host.vow = { epoch: 4, to: 'a', members, cluster: 'k' }
  host.leads = true
  for (const id of 'bc') {
    host.agreement.onUp(id, 1)
    host.agreement.onStatus(id, host.status({ view: host.known }))
  }
  host.sent()
  host.agreement.evaluate()
  t.same(host.sent(), [], 'all is well')
  host.stalled = ['c']
  host.agreement.evaluate()
  t.same(host.sent(), ['b propose 5'])
  host.agreement.onPromise('b', host.promiseOf(5, { accepted: host.known }))
  host.agreement.onPromise('a', host.promiseOf(5, { accepted: host.known }))
  t.same(host.views()[0]?.live.map(({ id }) => id), ['a', 'b'])

  host.stalled = ['b', 'c']
  host.agreement.onRefuse('b', 5)
  host.now = 500
  for (const id of 'bc') host.agreement.onHeard(id)
  host.sent()
  host.agreement.evaluate()
  t.same(host.sent(), [], 'but not where there is no majority that keeps up')
  t.equal(host.agreement.waitingFor, 'waiting for members that keep up')

  // b has promised an epoch that led to nothing, and cannot acknowledge what is of this one.
  host.sent()
  host.agreement.onStatus('b', host.status({ view: host.known, promised: 6 }))
  t.same(host.sent(), [], 'whoever asked for that promise gets time')
  host.now += 1000
  for (const id of 'bc') host.agreement.onHeard(id)
  host.agreement.evaluate()
  t.same(host.sent(), ['b propose 7', 'c propose 7'], 'a view that is needed anyway is proposed to all')
  for (const id of 'bca') host.agreement.onPromise(id, host.promiseOf(7, { accepted: host.known }))
  t.same(host.views()[0]?.live.map(({ id }) => id), ['a', 'b', 'c'])
})

tape('a coordinator goes on without a member that it cannot serve', { timeout }, async (t) => {
  for (const leaseFree of [false, true]) {
    const host = new FakeHost()
    host.minConsensus = leaseFree ? 2 : 1
    host.known = host.accepted = { ...view(4, 'a'), leaseFree }
    host.vow = { epoch: 4, to: 'a', members, cluster: 'k' }
    host.leads = true
    for (const id of 'bc') host.agreement.onUp(id, 1)
    for (const id of 'bc') host.agreement.onStatus(id, host.status({ view: host.known, minConsensus: host.minConsensus }))
    host.agreement.evaluate()
    t.same(host.sent(), [], 'all is well')
    host.lost = ['c']
    host.agreement.evaluate()
    t.same(host.sent(), leaseFree ? ['b propose 5', 'c propose 5'] : ['b propose 5'], 'a view that is free of leases needs all promises')
    for (const id of leaseFree ? 'bca' : 'ba') host.agreement.onPromise(id, host.promiseOf(5, { accepted: host.known, minConsensus: host.minConsensus }))
    const [next] = host.views()
    t.same([next?.live.map(({ id }) => id), next?.leaseFree], [['a', 'b'], false])
  }
})

tape('a coordinator that does not get on is replaced by those who miss the commits', { timeout }, async (t) => {
  const host = new FakeHost().connect('b', 'c')
  host.accused = true
  host.agreement.evaluate()
  t.same(host.sent(), ['c propose 5'], 'a, whose own part is done, proposes a view without b')
  const other = new FakeHost().connect('b', 'c')
  other.propose('c', 5, { without: ['b'] })
  t.same(other.sent(), ['c refuse 5'], 'who misses nothing does not agree')
  other.accused = true
  other.propose('c', 6, { without: ['b'] })
  other.disk.shift()?.()
  t.same(other.sent(), ['c promise 6'], 'else it does')
})
