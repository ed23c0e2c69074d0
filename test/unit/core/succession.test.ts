import tape from 'tape'
import type { PromiseMessage } from '../../../lib/core/messages.ts'
import type { Candidacy, FoundingView, Succession } from '../../../lib/core/succession.ts'
import { isSurvivor, succeed } from '../../../lib/core/succession.ts'
import type { View } from '../../../lib/core/view.ts'
import { candidacyOf, promiseOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

/** A view of a, b and c, unless it says otherwise, in which `live` are live since the epochs given. */
function view (epoch: number, live: Record<string, number>, more: Partial<View> = {}): View {
  return viewOf({ epoch, cluster: 'old', live: Object.entries(live).map(([id, since]) => ({ id, since })), ...more })
}

const three = view(4, { a: 1, b: 1, c: 3 })

/** A promise of a member that has installed the view that it reports, and lacks nothing. */
function promise (more: Partial<PromiseMessage> = {}): PromiseMessage {
  return promiseOf({ accepted: three, ...more })
}

const founding: FoundingView = { cluster: 'fresh', members: ['a', 'b', 'c'], witnesses: [], names: ['', '', ''], seeder: null }

function run (promises: Record<string, PromiseMessage>, more: Partial<Candidacy> = {}): Succession {
  return succeed(candidacyOf(new Map(Object.entries(promises)), more))
}

function made (promises: Record<string, PromiseMessage>, more: Partial<Candidacy> = {}): View {
  const { view } = run(promises, more)
  if (view === null) throw new Error('no view is made')
  return view
}

function refused (promises: Record<string, PromiseMessage>, more: Partial<Candidacy> = {}): string {
  const succession = run(promises, more)
  return succession.view === null ? succession.why : 'a view is made'
}

function live (view: View): Record<string, number> {
  return Object.fromEntries(view.live.map(({ id, since }) => [id, since]))
}

tape('a view needs the promises of a majority', { timeout }, async (t) => {
  t.match(refused({ a: promise() }), /majority/)
  t.deepEqual(live(made({ a: promise(), b: promise() })), { a: 1, b: 1 })
  // Half of an even number is none.
  const four = view(4, { a: 1, b: 1, c: 1, d: 1 }, { members: ['a', 'b', 'c', 'd'] })
  t.match(refused({ a: promise({ accepted: four }), b: promise({ accepted: four }) }), /majority/)
  t.equal(made({ a: promise({ accepted: four }), b: promise({ accepted: four }), c: promise({ accepted: four }) }).live.length, 3)
})

tape('the first view, and one after a view free of leases, need the promises of all', { timeout }, async (t) => {
  const none = promise({ accepted: null, end: { position: 0, epoch: 0 } })
  t.match(refused({ a: none, b: none }, { founding }), /waiting for a majority/)
  t.deepEqual(live(made({ a: none, b: none, c: none }, { founding })), { a: 9, b: 9, c: 9 })
  t.match(refused({ a: none, b: none, c: none }), /waiting for other founders/, 'whoever founds nothing makes no first view')

  const free = promise({ accepted: { ...three, leaseFree: true } })
  t.match(refused({ a: free, b: free }), /waiting for members to connect/)
  t.deepEqual(live(made({ a: free, b: free, c: free })), { a: 1, b: 1, c: 3 })
  // One that was accepted after it, chosen or not, had all promises already.
  t.deepEqual(live(made({ a: free, b: promise({ accepted: view(5, { a: 1, b: 1 }), installed: 4 }) })), { a: 1, b: 1 })
})

tape('the predecessor is the newest view accepted by anybody, chosen or not', { timeout }, async (t) => {
  // c was excluded in 6, and knows it; a and b have not heard of it.
  const next = made({ a: promise(), c: promise({ accepted: view(6, { a: 1, b: 1 }), installed: 4 }) })
  t.deepEqual(live(next), { a: 1 }, 'c is not live in it')
  t.deepEqual(live(made({ a: promise({ accepted: view(6, { a: 6 }), installed: 6 }), b: promise() })), { a: 6 }, 'nor b')
})

tape('a survivor has installed a view since it is live, and has lost nothing', { timeout }, async (t) => {
  t.ok(isSurvivor({ installed: 3, intact: true, complete: true }, 3))
  t.notOk(isSurvivor({ installed: 2, intact: true, complete: true }, 3), 'admitted, and not installed')
  t.notOk(isSurvivor({ installed: 3, intact: false, complete: true }, 3), 'a crash may have taken the end of its log')
  t.notOk(isSurvivor({ installed: 3, intact: true, complete: false }, 3), 'a copy is under way')
  t.notOk(isSurvivor({ installed: 3, intact: true, complete: true }, null), 'not live')
})

tape('the log of a survivor goes on, however long the others are', { timeout }, async (t) => {
  const long = { position: 99, epoch: 8 }
  for (const lacking of [{ installed: 2 }, { intact: false }, { complete: false }]) {
    const next = made({ a: promise(), c: promise({ end: long, ...lacking }) })
    t.equal(next.coordinator, 'a', JSON.stringify(lacking))
  }
})

tape('without a survivor there is no view, unless all have promised', { timeout }, async (t) => {
  const lost = promise({ intact: false })
  t.match(refused({ a: lost, b: lost }), /sure to hold everything/)
  t.match(refused({ b: lost, c: promise({ installed: 2 }) }), /sure to hold everything/)

  // Then what any has kept is there: the newest view that was installed, and in that the longest log.
  const next = made({
    a: promise({ intact: false, installed: 3, end: { position: 99, epoch: 3 } }),
    b: promise({ intact: false, end: { position: 9, epoch: 4 } }),
    c: promise({ intact: false, end: { position: 11, epoch: 4 } })
  })
  t.equal(next.coordinator, 'c')
  t.deepEqual(live(next), { a: 9, b: 9, c: 9 }, 'and nobody is live since before')
  t.equal(made({ a: promise({ intact: false, installed: 3, end: { position: 99, epoch: 4 } }), b: lost, c: lost }).coordinator, 'b', 'installed counts first')
  t.match(refused({ a: lost, b: lost, c: lost }, { without: ['a', 'b', 'c'] }), /sure to hold everything/, 'somebody has to lead')
})

tape('where nobody is sure to hold everything, the log that goes on has all that anybody knows to be committed', { timeout }, async (t) => {
  const lost = promise({ intact: false, end: { position: 7, epoch: 4 }, committed: 7 })
  // It was catching up: it has never installed the view, but what it has got was committed in that.
  const ahead = promise({ intact: false, installed: 2, known: 4, end: { position: 12, epoch: 4 }, committed: 12 })
  t.equal(made({ a: lost, b: lost, c: ahead }).coordinator, 'c', 'although the others have installed more')
  t.equal(made({ a: lost, b: { ...lost, end: { position: 13, epoch: 4 } }, c: ahead }).coordinator, 'b', 'longer, in the same epoch')
  t.equal(made({ a: lost, b: { ...lost, installed: 3, end: { position: 13, epoch: 3 } }, c: ahead }).coordinator, 'c', 'longer, in an epoch that has ended otherwise')
  t.equal(made({ a: lost, b: { ...lost, end: { position: 12, epoch: 3 } }, c: ahead }).coordinator, 'b', 'it has got that when it installed the view')
  t.match(refused({ a: lost, b: lost, c: ahead }, { without: ['c'] }), /sure to hold everything/, 'it is waited for')
})

tape('the coordinator keeps most members, then has the highest end, then is the one of before, then has the lowest id', { timeout }, async (t) => {
  const all = { a: promise(), b: promise(), c: promise() }
  t.equal(made(all).coordinator, 'a')
  t.equal(made(all, { areConnected: (one, two) => one === 'b' || two === 'b' }).coordinator, 'b', 'reaches both others')
  const strict = Object.fromEntries(Object.entries(all).map(([id, one]) => [id, { ...one, minConsensus: 2 }]))
  t.equal(made(strict, { areConnected: (one, two) => one === 'b' || two === 'b' }).coordinator, 'b', 'also where all can be live under anybody')
  t.equal(made({ ...all, c: promise({ end: { position: 11, epoch: 4 } }) }).coordinator, 'c', 'longer')
  t.equal(made({ ...all, b: promise({ end: { position: 11, epoch: 4 } }), c: promise({ end: { position: 2, epoch: 5 } }) }).coordinator, 'c', 'newer')
  t.equal(made({ ...all, c: promise({ end: { position: 11, epoch: 4 } }) }, { areConnected: (one, two) => one === 'b' || two === 'b' }).coordinator, 'b', 'reach before length')

  const led = promise({ accepted: { ...three, coordinator: 'c' } })
  t.equal(made({ a: led, b: led, c: led }).coordinator, 'c', 'nothing moves')
  t.equal(made({ b: promise(), c: promise() }).coordinator, 'b')
  const next = made({ b: promise(), c: promise({ end: { position: 11, epoch: 4 } }) })
  t.equal(next.coordinatorStart, 12, 'in the start that has promised')
})

tape('live are those that were, or have caught up, and that reach the coordinator', { timeout }, async (t) => {
  const two = view(6, { a: 1, b: 1 })
  const before = { a: promise({ accepted: two }), b: promise({ accepted: two }) }
  const late = { accepted: two, installed: 4 }
  t.deepEqual(live(made({ ...before, c: promise(late) })), { a: 1, b: 1 }, 'c has promised, and lacks something')
  t.deepEqual(live(made({ ...before, c: promise({ ...late, caughtUp: true }) })), { a: 1, b: 1, c: 9 }, 'c is admitted')
  t.deepEqual(live(made({ ...before, c: promise({ ...late, caughtUp: true }) }, { without: ['c'] })), { a: 1, b: 1 }, 'c is to be excluded')
  t.deepEqual(live(made({ ...before, b: promise({ accepted: two, complete: false }) })), { a: 1 }, 'b copies')
  t.deepEqual(live(made(before, { areConnected: () => false })), { a: 1 }, 'b does not reach a')
  t.deepEqual(live(made(before, { without: ['a'] })), { b: 1 }, 'the coordinator of before, too')

  // Who goes on without nobody keeps those who are away, too.
  const strict = { a: promise({ minConsensus: 2 }), b: promise({ minConsensus: 2 }) }
  t.deepEqual(live(made(strict, { areConnected: () => false })), { a: 1, b: 1 })
})

tape('only survivors keep their since', { timeout }, async (t) => {
  t.deepEqual(live(made({ a: promise(), b: promise({ intact: false }), c: promise({ installed: 2 }) })), { a: 1, b: 9, c: 9 })
})

tape('a view is free of leases if all promise, all are live, and none goes on without any other', { timeout }, async (t) => {
  const strict = promise({ minConsensus: 2 })
  t.ok(made({ a: strict, b: strict, c: strict }).leaseFree)
  t.notOk(made({ a: strict, b: strict, c: promise({ minConsensus: 1 }) }).leaseFree, 'c would')
  t.notOk(made({ a: strict, b: strict }).leaseFree, 'c has not promised')
  t.notOk(made({ a: strict, b: strict, c: promise({ minConsensus: 2, complete: false }) }).leaseFree, 'c copies')
  t.notOk(made({ a: strict, b: strict, c: strict }, { without: ['c'] }).leaseFree, 'c is excluded')
})

tape('it waits for the leases of those who have not promised, and for the longest of these', { timeout }, async (t) => {
  const wait = (promises: Record<string, PromiseMessage>): number => {
    const succession = run(promises)
    return succession.view === null ? -1 : succession.waitMs
  }
  const leases = [{ holder: 'a', ms: 600 }, { holder: 'b', ms: 500 }, { holder: 'c', ms: 400 }]
  t.equal(wait({ a: promise({ leases }), b: promise() }), 400)
  t.equal(wait({ a: promise({ leases }), b: promise({ leases: [{ holder: 'c', ms: 410 }] }) }), 410)
  t.equal(wait({ a: promise({ leases }), b: promise({ leases }), c: promise({ leases }) }), 0, 'all have promised')
  t.equal(wait({ b: promise({ leases }), c: promise() }), 600)
  t.equal(wait({ a: promise({ leases: [{ holder: 'c', ms: 2 ** 40 }] }), b: promise() }), 630, 'nobody can have granted more')
})

tape('cluster, members, names and seeder are those of the predecessor', { timeout }, async (t) => {
  const seeded = promise({ accepted: { ...three, seeder: 'b', names: ['one', '', 'three'] } })
  const next = made({ a: seeded, b: seeded }, { founding: { ...founding, seeder: 'a' } })
  t.equal(next.cluster, 'old')
  t.equal(next.seeder, 'b')
  t.deepEqual([next.members, next.names], [['a', 'b', 'c'], ['one', '', 'three']])
  t.equal(made({ a: promise(), b: promise() }, { founding: { ...founding, seeder: 'a' } }).seeder, null)

  const none = promise({ accepted: null })
  const first = made({ a: none, b: none, c: none }, { founding: { ...founding, seeder: 'a', names: ['x', 'y', 'z'] } })
  t.equal(first.cluster, 'fresh')
  t.equal(first.seeder, 'a')
  t.deepEqual([first.before, first.names], [['a', 'b', 'c'], ['x', 'y', 'z']])
})
