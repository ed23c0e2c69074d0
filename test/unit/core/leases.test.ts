import tape from 'tape'
import { CLOCK_RATE_BOUND, LEASE_MS, Leases, longer } from '../../../lib/core/leases.ts'

const timeout = 30_000
/** For whom it ends, and for whom it may last. */
const [shorter, most] = [LEASE_MS * (1 - CLOCK_RATE_BOUND), longer(LEASE_MS)]
const wall = 1_000_000

/** Of a node whose clock began long ago. */
function leases (): Leases {
  return new Leases(-10_000)
}

tape('a lease ends sooner for its holder than for anybody else, whatever their clocks', { timeout }, async (t) => {
  // True time that may pass: at the slowest clock of the holder, and at the fastest of whoever waits.
  t.ok(shorter / (1 - CLOCK_RATE_BOUND) <= LEASE_MS)
  t.ok(most / (1 + CLOCK_RATE_BOUND) >= LEASE_MS)
  t.ok(longer(100) / (1 + CLOCK_RATE_BOUND) >= 100)
})

tape('what was granted is reported until it has passed for certain', { timeout }, async (t) => {
  const granter = leases()
  t.deepEqual(granter.left(0), [])
  granter.grant('a', 0)
  t.deepEqual(granter.left(0), [{ holder: 'a', ms: most }])
  t.deepEqual(granter.left(most - 0.5), [{ holder: 'a', ms: 1 }], 'rounded up')
  t.deepEqual(granter.left(most), [])
  granter.grant('a', 100)
  t.deepEqual(granter.left(100), [{ holder: 'a', ms: most }], 'the newest counts')
  granter.grant('b', 200)
  t.deepEqual(granter.left(200), [{ holder: 'a', ms: most - 100 }, { holder: 'b', ms: most }], 'each by itself')
})

tape('a node that has just started reports a full lease of anybody', { timeout }, async (t) => {
  const granter = new Leases(1000)
  t.deepEqual(granter.left(1000), [{ holder: '', ms: most }])
  t.deepEqual(granter.left(1000 + most - 10), [{ holder: '', ms: 10 }])
  granter.grant('b', 1000 + most - 10)
  t.deepEqual(granter.left(1000 + most), [{ holder: 'b', ms: most - 10 }])
})

tape('a lease is counted from the asking, and ends by either clock', { timeout }, async (t) => {
  const holder = leases()
  t.notOk(holder.valid(0, wall, 1), 'nothing is granted')
  t.equal(holder.ask(0, wall), 0)
  holder.hold('b', 0, 1)
  t.ok(holder.valid(0, wall, 1))
  t.ok(holder.valid(shorter - 1, wall + shorter - 1, 1))
  t.notOk(holder.valid(shorter, wall + shorter - 1, 1), 'by the monotonic clock')
  t.notOk(holder.valid(1, wall + shorter, 1), 'by the wall clock, where the other stands still')
  t.notOk(holder.valid(1, wall - 1, 1), 'not while the wall clock is before the asking')
  t.ok(holder.valid(1, wall, 1), 'then it is valid again')
})

tape('a heartbeat is named by whole milliseconds, never later than it was sent', { timeout }, async (t) => {
  const holder = leases()
  t.equal(holder.ask(99.9, wall), 99)
  holder.hold('b', 99, 1)
  t.notOk(holder.valid(99 + shorter, wall, 1))
  // A second one in the same millisecond does not take the place of the first, whose wall clock is the earlier.
  t.equal(holder.ask(99.95, wall + 5000), 99)
  holder.hold('c', 99, 1)
  t.ok(holder.valid(100, wall, 1))
})

tape('a grant counts only for a heartbeat of this view that is remembered', { timeout }, async (t) => {
  const holder = leases()
  holder.ask(10, wall)
  holder.hold('b', 11, 1)
  t.notOk(holder.valid(11, wall, 1), 'nobody asked at that moment')
  holder.hold('b', 10, 1)
  t.ok(holder.valid(11, wall, 1))
  holder.drop()
  t.notOk(holder.valid(11, wall, 1), 'another view')
  holder.hold('b', 10, 1)
  t.notOk(holder.valid(11, wall, 1), 'a late grant of the last view')

  for (let now = 100; now < 1000; now += 10) holder.ask(now, wall)
  holder.hold('b', 100, 1)
  t.notOk(holder.valid(101, wall, 1), 'too many since then')
  holder.hold('b', 990, 1)
  t.ok(holder.valid(991, wall, 1))
  holder.hold('b', 980, 1)
  t.ok(holder.valid(980 + shorter + 5, wall, 1), 'an older grant does not replace a newer one')
})

tape('as many grants are needed as make a majority with the holder', { timeout }, async (t) => {
  for (const [members, others] of [[1, 0], [2, 1], [3, 1], [5, 2]] as const) {
    const holder = leases()
    // The n-th peer answers the n-th heartbeat, and no other.
    for (let i = 1; i < members; i++) {
      t.equal(holder.valid(100 * i, wall + 100 * i, others), i > others, `${members} members, ${i - 1} have granted`)
      holder.ask(100 * i, wall + 100 * i)
      holder.hold(`${i}`, 100 * i, others)
    }
    if (members === 1) {
      t.ok(holder.valid(1e9, wall, others), 'one alone needs nobody')
      continue
    }
    // The oldest of the newest that make it up counts.
    const from = 100 * (members - others)
    t.ok(holder.valid(from + shorter - 1, wall + 100 * (members - 1), others), `${members} members, until the oldest that is needed ends`)
    t.notOk(holder.valid(from + shorter, wall + 100 * (members - 1), others))
  }
})

tape('grants of two views do not add up', { timeout }, async (t) => {
  const holder = leases()
  holder.ask(0, wall)
  holder.hold('b', 0, 2)
  holder.hold('c', 0, 2)
  t.ok(holder.valid(1, wall, 2))
  holder.drop()
  holder.ask(2, wall)
  holder.hold('b', 2, 2)
  t.notOk(holder.valid(3, wall, 2), 'what c has granted was for the last one')
  holder.hold('c', 2, 2)
  t.ok(holder.valid(3, wall, 2))
})

tape('of the grants that make it up, the wall clock may be behind that of none, and ahead of each by no more than a lease', { timeout }, async (t) => {
  const holder = leases()
  holder.ask(0, wall)
  holder.hold('b', 0, 2)
  // Put back meanwhile.
  holder.ask(10, wall - 300)
  holder.hold('c', 10, 2)
  t.notOk(holder.valid(20, wall - 290, 2), 'it was put back')
  t.ok(holder.valid(20, wall, 2))
  t.notOk(holder.valid(20, wall - 300 + shorter, 2))
})
