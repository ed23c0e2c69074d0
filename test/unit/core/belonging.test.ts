import tape from 'tape'
import { EPOCHS_AHEAD_MAX } from '../../../lib/core/acceptor.ts'
import { Belonging } from '../../../lib/core/belonging.ts'
import type { CoreConfig, Recovered } from '../../../lib/core/config.ts'
import type { Effect } from '../../../lib/core/effects.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import { ALL_OTHERS } from '../../../lib/core/messages.ts'
import { noVow } from '../../../lib/core/view.ts'
import { foundingOf, joiningOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

type Options = Partial<Pick<CoreConfig, 'minConsensus' | 'name' | 'witness' | 'mayFound' | 'founders' | 'cluster' | 'overwrite' | 'replaces'>>

/** Node a, with what was on its disk. */
function setUp (options: Options = {}, disk: Partial<Pick<Recovered, 'vow' | 'view' | 'accepted' | 'data' | 'applied'>> = {}): { belonging: Belonging, said: () => string[] } {
  const effects: Effect[] = []
  const host = { self: 'a', base: emptyLog, applied: disk.applied ?? 0, complete: true, emit: (effect: Effect) => { effects.push(effect) } }
  const config = { minConsensus: null, name: '', witness: false, mayFound: true, founders: 0, cluster: '', overwrite: false, replaces: '', ...options } as CoreConfig
  const recovered = { vow: noVow, view: null, accepted: null, data: '', ...disk } as Recovered
  return {
    belonging: new Belonging(host, config, recovered, 0),
    said: () => effects.splice(0).map(effect => effect.type === 'refused' ? `refused ${effect.why}` : effect.type)
  }
}

const ours = viewOf({ epoch: 4 })
const theirs = viewOf({ epoch: 4, members: ['b', 'c'] })

tape('who hears of a cluster without itself joins it, and begins with a copy', { timeout }, async (t) => {
  const { belonging, said } = setUp({ name: 'one', replaces: 'two' })
  t.equal(belonging.joining, null)
  t.same(belonging.founding, foundingOf({ name: 'one' }))
  t.ok(belonging.learn(theirs))
  t.same([belonging.known, belonging.joining, belonging.founding], [theirs, joiningOf({ name: 'one', replaces: 'two' }), null])
  t.ok(belonging.mustCopy && belonging.isBehind)
  t.ok(belonging.learn({ ...ours, epoch: 5 }), 'then it is in')
  t.same([belonging.joining, said()], [null, []])

  const witness = setUp({ witness: true })
  witness.belonging.learn(theirs)
  t.same([witness.belonging.joining, witness.belonging.mustCopy, witness.belonging.isBehind], [joiningOf({ witness: true }), false, false], 'a witness copies nothing')
  const again = setUp({}, { vow: { epoch: 4, to: '', members: ['b', 'c'], cluster: 'k' }, applied: 7 })
  again.belonging.learn(theirs)
  t.same([again.belonging.joining, again.belonging.mustCopy], [joiningOf(), false], 'nor does one again that has its copy already')
  const promised = setUp({}, { vow: { epoch: 5, to: 'b', members: ['b', 'c'], cluster: 'k' } })
  promised.belonging.learn(theirs)
  t.same([promised.belonging.joining, promised.belonging.mustCopy], [joiningOf(), false], 'nor does one that has promised: it had a copy, also if that was of nothing')
  const founder = setUp()
  founder.belonging.learn(ours)
  t.same([founder.belonging.joining, founder.belonging.mustCopy], [null, false], 'nor a founder')
})

tape('data of its own: only a person may throw them away', { timeout }, async (t) => {
  const proud = setUp({}, { data: '11' })
  t.notOk(proud.belonging.learn(theirs))
  t.same([proud.said(), proud.belonging.known], [['refused hasData'], null])
  t.ok(proud.belonging.learn(ours), 'a founder keeps them')
  const meek = setUp({ overwrite: true }, { data: '11' })
  t.ok(meek.belonging.learn(theirs))
  t.same([meek.said(), meek.belonging.mustCopy], [[], true])
  const witness = setUp({ overwrite: true, witness: true }, { data: '11' })
  t.notOk(witness.belonging.learn(theirs))
  t.same(witness.said(), ['refused hasData'], 'a witness has no use for any, and deletes nothing')
})

tape('which cluster: the one to which it is bound, or was told to join, or any', { timeout }, async (t) => {
  t.notOk(setUp({ cluster: 'other' }).belonging.learn(theirs), 'it was told to join another')
  t.notOk(setUp({ cluster: 'other' }).belonging.learn(ours), 'also if this one says that it is a member')
  t.ok(setUp({ cluster: 'k' }).belonging.learn(theirs))
  const bound = (cluster: string): ReturnType<typeof setUp> => setUp({ cluster: 'other' }, { vow: { epoch: 1, to: '', members: ['a', 'b'], cluster } })
  t.notOk(bound('x').belonging.learn(ours), 'it is bound to another')
  t.ok(bound('k').belonging.learn(theirs), 'it is bound to this one')
  t.equal(bound('k').belonging.cluster, 'k')

  const founder = { vow: { epoch: 1, to: 'x', members: ['a', 'x', 'y'], cluster: '' } }
  t.notOk(setUp({}, founder).belonging.learn(theirs), 'a founder that is bound to others')
  const free = { vow: { epoch: 1, to: 'b', members: ['a', 'b', 'x'], cluster: '' } }
  t.ok(setUp({}, free).belonging.learn(theirs), 'until one of them belongs to this cluster: then what it is bound to can never be founded')
  t.ok(setUp({}, founder).belonging.learn(ours), 'until they are its cluster')

  const member = setUp({}, { view: ours })
  t.notOk(member.belonging.learn(viewOf({ epoch: 5, cluster: 'x' })), 'a member follows no other cluster')
  t.notOk(member.belonging.learn(ours), 'nor what it knows')
  t.notOk(member.belonging.learn(viewOf({ epoch: 3 })), 'nor what was before')
  t.notOk(member.belonging.learn(viewOf({ epoch: EPOCHS_AHEAD_MAX + 1 })), 'nor what nobody can have reached')
  t.ok(member.belonging.learn(viewOf({ epoch: 5 })))
})

tape('a node founds nothing once it belongs to a cluster, or where it was told not to', { timeout }, async (t) => {
  t.same(setUp({ founders: 3, witness: true }, { data: '11' }).belonging.founding, foundingOf({ founders: 3, witness: true, data: '11' }))
  t.equal(setUp({ mayFound: false }).belonging.founding, null)
  t.same(setUp({ mayFound: false }, { vow: { epoch: 1, to: 'b', members: ['a', 'b'], cluster: '' } }).belonging.founding, foundingOf({ vowed: ['a', 'b'] }), 'bound is bound')
  t.equal(setUp({}, { vow: { epoch: 1, to: '', members: ['b', 'c'], cluster: 'k' } }).belonging.founding, null)
  t.equal(setUp({}, { view: ours }).belonging.founding, null)
})

tape('who was a member, and is none any more, was removed', { timeout }, async (t) => {
  const without = viewOf({ epoch: 6, members: ['b', 'c'] })
  const member = setUp()
  member.belonging.learn(ours)
  t.same([member.said(), member.belonging.removed], [[], false])
  t.ok(member.belonging.learn(without))
  t.same([member.said(), member.belonging.removed], [[], true], 'the others may need to hear of it from here')
  for (let i = 0; i < 2; i++) member.belonging.tellRemoved()
  t.same(member.said(), ['removed'], 'once')
  t.same([member.belonging.joining, member.belonging.isBehind], [null, false], 'it does not join again by itself')

  const restarted = setUp({}, { view: ours, vow: { epoch: 4, to: '', members: ['a', 'b', 'c'], cluster: 'k' } })
  restarted.belonging.learn(without)
  t.ok(restarted.belonging.removed, 'also after a restart')
})

tape('a role is for as long as the membership lasts', { timeout }, async (t) => {
  const withWitness = viewOf({ epoch: 4, witnesses: ['a'] })
  for (const [witness, view, said] of [[false, withWitness, ['refused role']], [true, withWitness, []], [true, ours, ['refused role']], [false, ours, []]] as const) {
    const node = setUp({ witness }, { vow: { epoch: 1, to: '', members: ['a'], cluster: 'k' } })
    node.belonging.learn(view)
    t.same(node.said(), said, `witness ${String(witness)}`)
  }
})

tape('a cluster of survivors is followed by those who were told so, and by nobody else', { timeout }, async (t) => {
  const next = viewOf({ epoch: 9, cluster: 'new', members: ['a', 'b'] })
  const member = setUp({}, { view: ours, vow: { epoch: 4, to: '', members: ['a', 'b', 'c'], cluster: 'k' } })
  t.notOk(member.belonging.learn(next))
  member.belonging.recovering = ['a', 'c']
  t.notOk(member.belonging.learn(next))
  t.equal(member.belonging.cluster, 'k')
  member.belonging.recovering = ['a', 'b']
  t.ok(member.belonging.learn(next))
  t.same(member.belonging.recovering, [], 'and that is that')

  // Restarted after its promise, before it has learned the view.
  const restarted = setUp({}, { view: ours, vow: { epoch: 9, to: 'b', members: ['a', 'b'], cluster: 'new' } })
  t.equal(restarted.belonging.cluster, '', 'it is of neither')
  t.ok(restarted.belonging.learn(next))
  t.equal(restarted.belonging.cluster, 'new')
})

tape('how many others: what it was told, or all that hold the data', { timeout }, async (t) => {
  const { belonging } = setUp()
  belonging.onPeers(['b', 'c'], 1)
  t.same([belonging.minConsensus, belonging.statedMinConsensus], [3, 3], 'as many as there are peers')
  belonging.learn(viewOf({ members: ['a', 'b', 'c', 'd'], witnesses: ['d'] }))
  t.same([belonging.minConsensus, belonging.statedMinConsensus], [2, ALL_OTHERS])
  const set = setUp({ minConsensus: 1 }, { view: ours })
  t.same([set.belonging.minConsensus, set.belonging.statedMinConsensus], [1, 1])
  const witness = setUp({ minConsensus: 1, witness: true })
  t.equal(witness.belonging.statedMinConsensus, 1, 'for founding, a witness counts')
  witness.belonging.learn(viewOf({ witnesses: ['a'] }))
  t.equal(witness.belonging.statedMinConsensus, ALL_OTHERS, 'then it asks for nothing')
})

tape('removals that are done are forgotten', { timeout }, async (t) => {
  const { belonging } = setUp({}, { view: ours })
  belonging.onRemove('b', false, true)
  belonging.onRemove('c', false, true)
  belonging.onRemove('c', true, true)
  t.same(belonging.removing, [{ id: 'b', force: false }, { id: 'c', force: true }], 'the last word counts')
  t.notOk(belonging.forgetDone())
  belonging.onRemove('b', false, false)
  t.same(belonging.removing, [{ id: 'c', force: true }])
  belonging.learn(viewOf({ epoch: 5, members: ['a', 'b'] }))
  t.ok(belonging.forgetDone())
  t.same(belonging.removing, [])
})
