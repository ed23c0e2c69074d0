import tape from 'tape'
import type { AgreementHost } from '../../../lib/core/agreement.ts'
import { Agreement, EPOCHS_AHEAD_MAX } from '../../../lib/core/agreement.ts'
import type { Message, PromiseMessage, StatusMessage } from '../../../lib/core/messages.ts'
import type { View, Vow } from '../../../lib/core/view.ts'

const timeout = 30_000
const members = ['a', 'b', 'c']

function view (epoch: number, coordinator = 'a', live = 'abc'): View {
  return {
    epoch,
    cluster: 'k',
    members,
    live: [...live].map(id => ({ id, since: 1 })),
    coordinator,
    coordinatorStart: 1,
    seeder: null,
    leaseFree: false
  }
}

/** Node a, of which the test is the disk, the others and the clock. The view of epoch 4 is known, and led by b. */
class FakeHost implements AgreementHost {
  readonly self = 'a'
  readonly start = 1
  now = 0
  vow: Vow = { epoch: 4, to: 'b', members }
  known: View | null = view(4, 'b')
  accepted: View = view(4, 'b')
  readonly founding = { required: [], unresolved: 0, data: '', vowed: [] }
  minConsensus = 1
  caughtUp = false
  fit = true
  leads = false
  stalled: string[] = []
  lost: string[] = []
  accused = false
  /** Steps that are on their way to the disk. */
  readonly disk: Array<() => void> = []
  readonly opened: View[] = []
  readonly agreement: Agreement
  #sent: Array<readonly [string, Message]> = []

  constructor () {
    this.agreement = new Agreement(this, 'fresh', 1000, 0)
  }

  get testimony (): Omit<PromiseMessage, 'type' | 'epoch'> {
    return { accepted: this.accepted, installed: 4, intact: true, complete: true, caughtUp: false, minConsensus: 1, end: { position: 10, epoch: 4 }, base: 0, committed: 10, leases: [] }
  }

  /** To oneself, too: it is the test that hands it back. */
  send (to: string, message: Message): void { this.#sent.push([to, message]) }
  emit (): void {}
  persist (): void { throw new Error('what is persisted has a call of its own') }

  promise (vow: Vow, then: () => void): void {
    this.vow = vow
    this.disk.push(then)
  }

  accept (accepted: View, then: () => void): void {
    this.accepted = accepted
    this.disk.push(then)
  }

  open (opened: View): void { this.opened.push(opened) }
  learn (learned: View): void { this.known = learned }
  onConflict (): void { throw new Error('no data differ here') }

  connect (...ids: string[]): this {
    for (const id of ids) this.agreement.onUp(id, 1)
    for (const id of ids) this.agreement.onStatus(id, this.status())
    this.sent()
    return this
  }

  status (more: Partial<StatusMessage> = {}): StatusMessage {
    return { type: 'status', promised: 4, view: view(4, 'b'), installed: 4, connected: members, minConsensus: 1, caughtUp: false, fit: true, founding: null, ...more }
  }

  propose (from: string, epoch: number, more: Partial<Message & { type: 'propose' }> = {}): void {
    this.agreement.onPropose(from, { type: 'propose', epoch, cluster: 'k', members, without: [], ...more })
  }

  promiseOf (epoch: number, more: Partial<PromiseMessage> = {}): PromiseMessage {
    return { type: 'promise', epoch, ...this.testimony, ...more }
  }

  /** What was sent since, without statuses, in short. */
  sent (): string[] {
    const lines = this.#sent.map(([to, message]) => `${to} ${message.type}${'view' in message && message.view !== null ? ` ${message.view.epoch}` : 'epoch' in message ? ` ${message.epoch}` : ''}`)
    this.#sent = []
    return lines.filter(line => !/ status/.test(line))
  }

  views (): View[] {
    return this.#sent.flatMap(([, message]) => message.type === 'accept' ? [message.view] : [])
  }
}

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

  host.agreement.onAccept('b', { type: 'accept', view: view(6, 'b') })
  host.agreement.onAccept('b', { type: 'accept', view: view(7, 'b') })
  t.same([host.disk.length, host.accepted.epoch], [0, 4], 'a view is accepted in the epoch promised only, and from whom it was promised to')
  host.agreement.onAccept('c', { type: 'accept', view: view(7, 'b') })
  t.same([host.accepted.epoch, host.sent()], [7, []], 'what is accepted is not told before it is durable')
  host.disk.shift()?.()
  t.same(host.sent(), ['c accepted 7'])

  host.agreement.onAccept('c', { type: 'accept', view: view(7, 'b') })
  host.propose('b', 8)
  host.disk.shift()?.()
  t.same(host.sent(), [], 'nor after a later promise')

  host = new FakeHost().connect('b', 'c')
  const refused: Array<[string, () => void]> = [
    ['an epoch of before', () => { host.propose('b', 4) }],
    ['an epoch that nobody can have reached', () => { host.propose('b', 5 + EPOCHS_AHEAD_MAX) }],
    ['somebody who is no member', () => { host.propose('d', 5) }],
    ['other members', () => { host.propose('b', 5, { members: ['a', 'b'] }) }],
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
    host.agreement.onLead(from, { type: 'lead', view: chosen, waitMs: 0 })
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
  host.vow = { epoch: 4, to: 'a', members }
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
  t.same(host.sent(), ['b propose 7', 'c propose 7'], 'a view that is needed anyway is proposed to all')
  for (const id of 'bca') host.agreement.onPromise(id, host.promiseOf(7, { accepted: host.known }))
  t.same(host.views()[0]?.live.map(({ id }) => id), ['a', 'b', 'c'])
})

tape('a coordinator goes on without a member that it cannot serve', { timeout }, async (t) => {
  for (const leaseFree of [false, true]) {
    const host = new FakeHost()
    host.minConsensus = leaseFree ? 2 : 1
    host.known = host.accepted = { ...view(4, 'a'), leaseFree }
    host.vow = { epoch: 4, to: 'a', members }
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
