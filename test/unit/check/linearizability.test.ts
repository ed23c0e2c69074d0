import test from 'tape'
import type { Test } from 'tape'
import { checkLinearizability } from '../../support/check/linearizability.ts'
import type { Problem } from '../../support/check/history.ts'
import { HistoryBuilder, messageOf, rulesOf } from './history-builder.ts'

const timeout = 20_000

function accepts (t: Test, name: string, history: HistoryBuilder): void {
  const verdict = checkLinearizability(history.operations)
  t.equal(verdict.verdict, 'ok', `${name}: ${messageOf(verdict)}`)
}

function refuses (t: Test, name: string, rule: Problem['rule'], history: HistoryBuilder): void {
  const verdict = checkLinearizability(history.operations)
  t.deepEqual(rulesOf(verdict), [rule], `${name}: ${verdict.verdict}`)
}

test('linearizability: histories that an atomic register can have', { timeout }, async function (t) {
  accepts(t, 'nothing', new HistoryBuilder())
  accepts(t, 'one after the other', new HistoryBuilder()
    .get('a', [1, 2], 'x', null).put('a', [3, 4], 'x', '1').get('b', [5, 6], 'x', '1').del('b', [7, 8], 'x').get('a', [9, 10], 'x', null))
  accepts(t, 'a read that overlaps a write may see either', new HistoryBuilder()
    .put('a', [1, 10], 'x', '1').get('b', [2, 3], 'x', null).get('b', [4, 5], 'x', '1').get('c', [2, 6], 'x', null))
  accepts(t, 'concurrent writes in any order', new HistoryBuilder()
    .put('a', [1, 10], 'x', '1').put('b', [2, 9], 'x', '2').get('c', [3, 4], 'x', '2').get('c', [5, 6], 'x', '1').get('c', [11, 12], 'x', '1'))
  accepts(t, 'touching intervals overlap', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').get('b', [2, 3], 'x', null))
  accepts(t, 'the same value may be in different keys', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'y', '1').get('b', [5, 6], 'x', '1').get('b', [5, 6], 'y', '1'))
})

test('linearizability: stale reads and time travel', { timeout }, async function (t) {
  refuses(t, 'stale read', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2').get('b', [5, 6], 'x', '1'))
  refuses(t, 'stale absence', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').get('b', [3, 4], 'x', null))
  refuses(t, 'a deleted key comes back', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x').get('b', [5, 6], 'x', null).get('b', [7, 8], 'x', '1'))
  refuses(t, 'one reader goes back in time', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 10], 'x', '2').get('b', [4, 5], 'x', '2').get('b', [6, 7], 'x', '1'))
  refuses(t, 'time travel between two readers', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 10], 'x', '2').get('b', [4, 5], 'x', '2').get('c', [6, 7], 'x', '1'))
  refuses(t, 'two readers disagree on the order', 'no-order', new HistoryBuilder()
    .put('a', [1, 20], 'x', '1').put('b', [1, 20], 'x', '2')
    .get('c', [2, 3], 'x', '1').get('c', [4, 10], 'x', '2').get('d', [2, 3], 'x', '2').get('d', [4, 10], 'x', '1'))
  refuses(t, 'lost update', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').get('a', [3, 4], 'x', '1').put('b', [5, 6], 'x', '2').get('a', [7, 8], 'x', '1'))
  refuses(t, 'a read from the future', 'read-before-write', new HistoryBuilder()
    .get('b', [1, 2], 'x', '1').put('a', [3, 4], 'x', '1'))
  refuses(t, 'a value out of nowhere', 'phantom-value', new HistoryBuilder().get('b', [1, 2], 'x', '1'))
})

test('linearizability: aborted writes leave no trace', { timeout }, async function (t) {
  accepts(t, 'not seen', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'aborted').get('b', [3, 4], 'x', null))
  refuses(t, 'seen afterwards', 'aborted-visible', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'aborted').get('b', [3, 4], 'x', '1'))
  refuses(t, 'seen before it was refused', 'aborted-visible', new HistoryBuilder()
    .put('a', [1, 10], 'x', '1', 'aborted').get('b', [3, 4], 'x', '1'))
  refuses(t, 'a deletion', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x', 'aborted').get('b', [5, 6], 'x', null))
})

test('linearizability: unknown writes happen at any later time, or never', { timeout }, async function (t) {
  accepts(t, 'never', new HistoryBuilder().put('a', [1, 2], 'x', '1', 'unknown').get('b', [3, 4], 'x', null))
  accepts(t, 'at once', new HistoryBuilder().put('a', [1, 2], 'x', '1', 'unknown').get('b', [3, 4], 'x', '1'))
  accepts(t, 'much later', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'unknown').get('b', [3, 4], 'x', null).put('a', [5, 6], 'x', '2').get('b', [7, 8], 'x', '2').get('b', [9, 10], 'x', '1'))
  accepts(t, 'a deletion much later', new HistoryBuilder()
    .del('a', [1, 2], 'x', 'unknown').put('a', [3, 4], 'x', '1').get('b', [5, 6], 'x', '1').get('b', [7, 8], 'x', null).get('b', [9, 10], 'x', null))
  refuses(t, 'appears, disappears', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2', 'unknown').get('b', [5, 6], 'x', '2').get('b', [7, 8], 'x', '1'))
  refuses(t, 'appears, disappears, appears', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'unknown').get('b', [3, 4], 'x', '1').put('a', [5, 6], 'x', '2').get('b', [7, 8], 'x', '2').get('b', [9, 10], 'x', '1'))
  refuses(t, 'a deletion that takes place twice', 'no-order', new HistoryBuilder()
    .del('a', [1, 2], 'x', 'unknown').put('a', [3, 4], 'x', '1').get('b', [5, 6], 'x', null).put('a', [7, 8], 'x', '2').get('b', [9, 10], 'x', null))
  refuses(t, 'before it was asked for', 'read-before-write', new HistoryBuilder()
    .get('b', [1, 2], 'x', '1').put('a', [3, 4], 'x', '1', 'unknown'))
})

test('linearizability: several keys, each for itself', { timeout }, async function (t) {
  accepts(t, 'a clear deletes key by key', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '2' }).clear('a', [3, 10], {}).get('b', [4, 5], 'x', null).get('b', [6, 7], 'y', '2').get('b', [11, 12], 'y', null))
  refuses(t, 'a clear that leaves a key', 'no-order', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '2' }).clear('a', [3, 4], { gte: 'y' }).get('b', [5, 6], 'y', '2'))
  refuses(t, 'a range read that lacks a key', 'no-order', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'y', '2').range('b', [5, 6], {}, { x: '1' }))
  accepts(t, 'a range read with a limit says nothing about what comes after', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'y', '2').range('b', [5, 6], { limit: 1 }, { x: '1' }))
  refuses(t, 'the other half of an unknown batch must be there when one half is seen', 'no-order', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '2' }, 'unknown').get('b', [3, 4], 'x', '1').get('b', [5, 6], 'y', null))
})

test('linearizability: an explanation names the key and what got stuck', { timeout }, async function (t) {
  const verdict = checkLinearizability(new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2').get('b', [5, 6], 'x', '1').operations)
  const message = messageOf(verdict)
  t.match(message, /Key "x" is not linearizable/)
  t.match(message, /state is: x=1/)
  t.match(message, /none of these can come next:\n {2}#1 a@node of a \[3\.\.4] put x=2 ok/)
  t.match(message, /for these saw that state.*\n {2}#2 b@node of b \[5\.\.6] get x -> 1 ok/)
})

test('linearizability: undecided when the budget is exhausted', { timeout }, async function (t) {
  const history = new HistoryBuilder()
  for (let i = 0; i < 20; i++) history.put(`c${i}`, [1, 100], 'x', `${i}`)
  t.equal(checkLinearizability(history.operations, { budget: 10 }).verdict, 'undecided')
  t.equal(checkLinearizability(history.operations).verdict, 'ok')
})

test('linearizability: values that are not unique are refused', { timeout }, async function (t) {
  const history = new HistoryBuilder().put('a', [1, 2], 'x', '1').put('b', [1, 2], 'x', '1')
  t.throws(() => checkLinearizability(history.operations), TypeError)
})
