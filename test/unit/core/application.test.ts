import tape from 'tape'
import { Application } from '../../../lib/core/application.ts'
import type { Effect } from '../../../lib/core/effects.ts'
import { group, tailOf } from './groups.ts'

const timeout = 30_000

function application (bytesMax = 1000): Application {
  return new Application(2, 10, bytesMax, { position: 0, seeded: false, rows: [], keys: [] })
}

function firsts (effect: Effect | null): number[] {
  return effect?.type === 'apply' ? effect.groups.map(({ first }) => first) : []
}

tape('it applies whole groups, up to a position, one apply at a time', { timeout }, async (t) => {
  const tail = tailOf(group(1, 1, 2), group(1, 3), group(2, 4, 6))
  const applying = application()
  t.equal(applying.next(tail, 0), null, 'nothing is committed')
  t.equal(applying.next(tail, 1), null, 'nor is half of a group of use')
  const first = applying.next(tail, 5)
  t.deepEqual(firsts(first), [1, 3])
  t.deepEqual([applying.applied, applying.at, applying.atRest], [0, 3, false])
  t.equal(applying.next(tail, 6), null, 'one is under way')
  t.deepEqual(applying.done(tail).map(({ first }) => first), [1, 3])
  t.deepEqual([applying.applied, applying.at, applying.atRest], [3, 3, true])
  const second = applying.next(tail, 6)
  t.deepEqual(firsts(second), [4])
  t.equal(second?.type === 'apply' && second.epoch, 2)
})

tape('an apply ends with the group that makes it large', { timeout }, async (t) => {
  const tail = tailOf(group(1, 1, 1, 50), group(1, 2, 2, 50), group(1, 3, 3, 500), group(1, 4, 4, 1))
  const applying = application(100)
  t.deepEqual(firsts(applying.next(tail, 4)), [1, 2])
  applying.done(tail)
  t.deepEqual(firsts(applying.next(tail, 4)), [3], 'however large it is')
})

tape('the table and the seed mark are those of the apply that is under way; whoever asks for applied ones waits', { timeout }, async (t) => {
  const tail = tailOf(
    { epoch: 1, first: 1, entries: [{ kind: 'open', node: 'a', start: 1 }] },
    { epoch: 1, first: 2, entries: [{ kind: 'seeded', origin: 1, number: 7 }] },
    { epoch: 1, first: 3, entries: [{ kind: 'open', node: 'b', start: 1 }, { kind: 'open', node: 'c', start: 1 }] }
  )
  const applying = application()
  const effect = applying.next(tail, 2)
  t.ok(effect?.type === 'apply' && effect.seeded)
  t.notOk(applying.seeded, 'not yet in the data')
  t.equal(applying.table.get(1)?.highest, 7)
  t.equal(applying.table.find('b', 1), undefined)

  const end = applying.atEnd(tail)
  t.equal(end.table.find('b', 1), 3, 'the end of the log is another matter')
  t.equal(end.table.get(1), undefined, 'two pushed the first out')
  t.ok(end.seeded)
  t.equal(applying.table.get(1)?.highest, 7, 'and changes nothing here')

  applying.done(tail)
  t.ok(applying.seeded)
  const last = applying.next(tail, 4)
  t.deepEqual(last?.type === 'apply' ? [...last.rows.keys()].map(id => last.rows.get(id)?.node ?? null) : [], ['b', 'c', null], 'the row that left is to be deleted')
})

tape('at the end of an empty log everything is as it was found', { timeout }, async (t) => {
  const row = { node: 'a', start: 1, highest: 3, last: 9 }
  const applying = new Application(2, 10, 1000, { position: 9, seeded: true, rows: [[5, row]], keys: [] })
  const tail = tailOf()
  tail.reset({ position: 9, epoch: 2 })
  t.ok(applying.atEnd(tail).seeded)
  t.deepEqual(applying.atEnd(tail).table.get(5), row)
})

tape('a copy puts another state in its place', { timeout }, async (t) => {
  const applying = application()
  const tail = tailOf(group(1, 1, 2))
  applying.next(tail, 2)
  applying.done(tail)
  applying.reset({ position: 20, seeded: true, rows: [[5, { node: 'a', start: 1, highest: 3, last: 9 }]], keys: [] })
  t.deepEqual([applying.applied, applying.at, applying.atRest, applying.seeded], [20, 20, true, true])
  t.equal(applying.table.get(5)?.highest, 3)
  tail.reset({ position: 20, epoch: 4 })
  tail.append(group(4, 21))
  t.deepEqual(firsts(applying.next(tail, 21)), [21])
})
