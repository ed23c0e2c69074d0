import tape from 'tape'
import { Peers } from '../../../lib/core/peers.ts'
import { statusOf } from '../../support/core-parts.ts'

const timeout = 30_000

/** 'b' is connected since 0, in its second start; silence is 100 ms. */
function peers (): Peers {
  const made = new Peers(100, 0)
  made.onUp('b', 2, 0)
  made.onStatus('b', statusOf())
  return made
}

tape('a peer is reachable while it is connected, fit and heard of', { timeout }, async (t) => {
  const known = peers()
  t.ok(known.isReachable('b', 99))
  t.notOk(known.isReachable('b', 100), 'silent')
  known.onHeard('b', 50)
  t.ok(known.isReachable('b', 149))
  known.onStatus('b', statusOf({ fit: false }))
  t.notOk(known.isReachable('b', 60), 'not fit')
  known.onUp('c', 1, 0)
  t.notOk(known.isReachable('c', 0), 'has not said a word')
  known.onStatus('c', statusOf())
  t.ok(known.isReachable('c', 0))
  known.onDown('c')
  t.notOk(known.isReachable('c', 0), 'not connected')
})

tape('it is gone when it was silent for too long, whether there is a session or not', { timeout }, async (t) => {
  const known = peers()
  t.notOk(known.isGone('b', 99))
  t.ok(known.isGone('b', 100))
  known.onHeard('b', 50)
  known.onDown('b')
  t.notOk(known.isGone('b', 149), 'it gets its time to come back')
  t.ok(known.isGone('b', 150))
  t.notOk(known.isGone('c', 99), 'so does one that was never there')
  t.ok(known.isGone('c', 100))
})

tape('the last word of a peer that stops outlives its session', { timeout }, async (t) => {
  const known = peers()
  known.onStatus('b', statusOf({ fit: false }))
  t.ok(known.isGone('b', 1), 'nobody waits for its silence')
  known.onDown('b')
  t.ok(known.isGone('b', 2))
  t.equal(known.status('b'), null, 'all else it said is of the past')
  known.onUp('b', 3, 3)
  t.notOk(known.isGone('b', 4), 'until it is back')
})

tape('what a peer said in an earlier session is of the past', { timeout }, async (t) => {
  const known = peers()
  t.equal(known.status('b')?.promised, 1)
  known.onDown('b')
  t.equal(known.status('b'), null)
  known.onUp('b', 2, 10)
  t.equal(known.status('b'), null)
})

tape('after a pause of its own a node blames nobody', { timeout }, async (t) => {
  const known = peers()
  known.onUp('c', 1, 0)
  known.onDown('c')
  known.forgive(500)
  t.notOk(known.isGone('b', 599))
  t.notOk(known.isGone('c', 599), 'nor those who are away')
  t.notOk(known.isGone('d', 599), 'nor those it never saw')
  t.deepEqual(['b', 'c', 'd'].map(id => known.isGone(id, 600)), [true, true, true])
})

tape('sessions and starts', { timeout }, async (t) => {
  const known = peers()
  t.ok(known.isUp('b'))
  t.ok(known.isUp('b', 2))
  t.notOk(known.isUp('b', 1))
  t.equal(known.start('b'), 2)
  known.onUp('a', 1, 0)
  t.deepEqual(known.connected, ['a', 'b'], 'sorted')
  known.onDown('b')
  t.equal(known.start('b'), null)
  t.notOk(known.isUp('b', 2))
  t.deepEqual(known.connected, ['a'])
})

tape('two members are connected if both say so', { timeout }, async (t) => {
  const known = peers()
  known.onUp('c', 1, 0)
  known.onStatus('b', statusOf({ connected: ['c', 'self'] }))
  known.onStatus('c', statusOf({ connected: ['self'] }))
  t.notOk(known.areConnected('b', 'c', 'self'))
  t.ok(known.areConnected('self', 'b', 'self'))
  known.onStatus('c', statusOf({ connected: ['b'] }))
  t.ok(known.areConnected('b', 'c', 'self'))
  t.notOk(known.areConnected('self', 'c', 'self'), 'c does not know of the session yet')

  const members = ['b', 'c', 'd', 'self']
  t.equal(known.reach('self', members, 'self'), 3)
  t.equal(known.reach('b', members, 'self'), 3)
  t.equal(known.reach('c', members, 'self'), 2)
  t.equal(known.reach('d', members, 'self'), 1, 'itself')
})
