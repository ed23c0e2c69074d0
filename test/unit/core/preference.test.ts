import tape from 'tape'
import { Preference } from '../../../lib/core/preference.ts'
import { liveOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

/** Windows of a second, of which a test says what each brings. */
class Seconds {
  readonly preference = new Preference()
  now = 0

  constructor () {
    this.preference.onTick(1000)
    this.now = 1000
  }

  /** So many seconds in which each member writes so much. */
  pass (count: number, writes: Record<string, number>): this {
    for (let i = 0; i < count; i++) {
      for (const [id, number] of Object.entries(writes)) this.preference.onWrites(id, number)
      this.now += 1000
      this.preference.onTick(this.now)
    }
    return this
  }

  /** The coordination goes from one to another. */
  move (from = 'a', to = 'b', live = 'abc'): this {
    this.preference.onView(viewOf({ coordinator: from }), viewOf({ epoch: 5, live: liveOf(live), coordinator: to }), this.now)
    return this
  }

  get member (): string | null { return this.preference.member }
}

tape('two thirds of the writes, for five seconds on end', { timeout }, async (t) => {
  const seconds = new Seconds()
  t.equal(seconds.pass(4, { b: 20, a: 10 }).member, null)
  t.equal(seconds.pass(1, { b: 20, a: 10 }).member, 'b')
  t.equal(seconds.pass(1, { b: 19, a: 10 }).member, null, 'less than two thirds')
  t.equal(seconds.pass(4, { b: 20 }).member, null, 'and it counts from the beginning')
  t.equal(seconds.pass(1, { b: 20 }).member, 'b')
  t.equal(seconds.pass(1, { c: 20 }).member, null, 'another one')
  t.equal(seconds.pass(4, { c: 20 }).member, 'c')
})

tape('few writes say nothing', { timeout }, async (t) => {
  const seconds = new Seconds()
  t.equal(seconds.pass(6, { b: 19 }).member, null)
  t.equal(seconds.pass(5, { b: 14, a: 6 }).member, 'b', 'twenty altogether do')
  t.equal(seconds.pass(10, {}).member, null, 'and none')
})

tape('what comes between ticks is of one window', { timeout }, async (t) => {
  const { preference } = new Seconds()
  for (let now = 1050; now < 5950; now += 50) {
    preference.onWrites('b', 1)
    preference.onTick(now)
  }
  t.equal(preference.member, null, 'not five seconds yet')
  for (let now = 5950; now <= 6050; now += 50) {
    preference.onWrites('b', 1)
    preference.onTick(now)
  }
  t.equal(preference.member, 'b')
})

tape('each move doubles what is asked for, until it is forgotten', { timeout }, async (t) => {
  const seconds = new Seconds()
  seconds.pass(5, { b: 20 }).move()
  t.equal(seconds.member, null, 'a new view, a new count')
  t.equal(seconds.pass(9, { c: 20 }).member, null)
  t.equal(seconds.pass(1, { c: 20 }).member, 'c', 'after ten seconds')
  seconds.move('b', 'c')
  t.equal(seconds.pass(19, { a: 20 }).member, null)
  t.equal(seconds.pass(1, { a: 20 }).member, 'a', 'after twenty')
  for (let i = 0; i < 8; i++) seconds.move()
  t.equal(seconds.pass(5 * 64 - 1, { a: 20 }).member, null)
  t.equal(seconds.pass(1, { a: 20 }).member, 'a', 'and no more than 64 times as much')

  const later = new Seconds().move()
  later.now += 600_000
  later.preference.onTick(later.now)
  t.equal(later.pass(5, { b: 20 }).member, 'b', 'ten minutes later')
})

tape('only a hand-over is a move', { timeout }, async (t) => {
  t.equal(new Seconds().move('a', 'b', 'bc').pass(5, { b: 20 }).member, 'b', 'the coordinator of before is not there any more')
  t.equal(new Seconds().move('a', 'a').pass(5, { b: 20 }).member, 'b', 'it is the same')
  const first = new Seconds()
  first.preference.onView(null, viewOf(), first.now)
  t.equal(first.pass(5, { b: 20 }).member, 'b', 'it is the first')
  t.equal(new Seconds().pass(4, { b: 20 }).move('a', 'a').pass(4, { b: 20 }).member, null, 'but any view begins to count anew')
})
