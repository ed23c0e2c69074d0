import test from 'tape'
import type { Test } from 'tape'
import type { LogEntry, Problem } from '../../support/check/history.ts'
import { checkSerializability } from '../../support/check/serializability.ts'
import { HistoryBuilder, logOf, messageOf, rulesOf } from './history-builder.ts'

const timeout = 20_000

/** By search, and with the log if there is one that fits. */
function accepts (t: Test, name: string, history: HistoryBuilder, log?: LogEntry[]): void {
  const verdict = checkSerializability(history.operations)
  t.equal(verdict.verdict, 'ok', `${name}: ${messageOf(verdict)}`)
  if (log === undefined) return
  const withLog = checkSerializability(history.operations, { log })
  t.equal(withLog.verdict, 'ok', `${name}, with the log: ${messageOf(withLog)}`)
}

function refuses (t: Test, name: string, history: HistoryBuilder, log?: LogEntry[]): void {
  const verdict = checkSerializability(history.operations)
  t.deepEqual(rulesOf(verdict), ['no-order'], `${name}: ${verdict.verdict}`)
  if (log !== undefined) refusesLog(t, name, history, log)
}

function refusesLog (t: Test, name: string, history: HistoryBuilder, log: LogEntry[], rule: Problem['rule'] = 'log-order'): void {
  const verdict = checkSerializability(history.operations, { log })
  t.ok(rulesOf(verdict).includes(rule), `${name}, with the log: ${messageOf(verdict)}`)
}

test('serializability: reads of several keys', { timeout }, async function (t) {
  accepts(t, 'before and after a batch', new HistoryBuilder()
    .batch('a', [1, 10], { x: '1', y: '1' }).getMany('b', [2, 3], { x: null, y: null }).getMany('b', [4, 5], { x: '1', y: '1' }),
  logOf({ x: '1', y: '1' }))
  refuses(t, 'half a batch', new HistoryBuilder()
    .batch('a', [1, 10], { x: '1', y: '1' }).getMany('b', [2, 3], { x: '1', y: null }),
  logOf({ x: '1', y: '1' }))
  refuses(t, 'half a batch in a range', new HistoryBuilder()
    .batch('a', [1, 10], { x: '1', y: '1' }).range('b', [2, 3], {}, { y: '1' }),
  logOf({ x: '1', y: '1' }))
  refuses(t, 'a read in two moments', new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2').put('a', [5, 6], 'y', '3').getMany('b', [1, 10], { x: '1', y: '3' }),
  logOf({ x: '1' }, { x: '2' }, { y: '3' }))
  refuses(t, 'two readers see two writes in different order', new HistoryBuilder()
    .put('a', [1, 20], 'x', '1').put('b', [1, 20], 'y', '2').getMany('c', [2, 10], { x: '1', y: null }).getMany('d', [2, 10], { x: null, y: '2' }),
  logOf({ x: '1' }, { y: '2' }))
  refuses(t, 'time travel between two readers of different keys', new HistoryBuilder()
    .batch('a', [1, 20], { x: '1', y: '1' }).get('b', [2, 3], 'x', '1').get('c', [4, 5], 'y', null),
  logOf({ x: '1', y: '1' }))
})

test('serializability: batches', { timeout }, async function (t) {
  accepts(t, 'the last change of a key counts', batchWithRepeatedKey(), [{
    position: 1,
    changes: [{ key: 'x', value: '1' }, { key: 'x', value: '2' }]
  }])
  accepts(t, 'an unknown batch that appears later', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '1' }, 'unknown').getMany('b', [3, 4], { x: null, y: null }).getMany('b', [5, 6], { x: '1', y: '1' }),
  logOf({ x: '1', y: '1' }))
  accepts(t, 'an unknown batch that never appears', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '1' }, 'unknown').getMany('b', [3, 4], { x: null, y: null }), [])
  refuses(t, 'half an unknown batch', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '1' }, 'unknown').range('b', [3, 4], {}, { x: '1' }),
  logOf({ x: '1', y: '1' }))
  refuses(t, 'an unknown batch that appears and disappears', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '1' }, 'unknown').getMany('b', [3, 4], { x: '1', y: '1' }).getMany('b', [5, 6], { x: null, y: null }),
  logOf({ x: '1', y: '1' }))
  accepts(t, 'a clear is a sequence of batches', new HistoryBuilder()
    .batch('a', [1, 2], { x: '1', y: '1' }).clear('a', [3, 10], {}).getMany('b', [4, 5], { x: null, y: '1' }),
  logOf({ x: '1', y: '1' }, { x: null }, { y: null }))
})

function batchWithRepeatedKey (): HistoryBuilder {
  const history = new HistoryBuilder()
  history.batch('a', [1, 2], { x: '2' })
  const [batch] = history.operations
  if (batch?.kind === 'batch') history.operations[0] = { ...batch, changes: [{ key: 'x', value: '1' }, { key: 'x', value: '2' }] }
  return history.get('b', [3, 4], 'x', '2')
}

test('serializability: the log tells more than the clients', { timeout }, async function (t) {
  const twoWrites = new HistoryBuilder().put('a', [1, 2], 'x', '1').put('a', [3, 4], 'y', '2')
  accepts(t, 'in order', twoWrites, logOf({ x: '1' }, { y: '2' }))
  refusesLog(t, 'against real time', twoWrites, logOf({ y: '2' }, { x: '1' }))
  refusesLog(t, 'an entry that nobody wrote', twoWrites, logOf({ x: '1' }, { y: '2' }, { z: '3' }), 'phantom-value')
  refusesLog(t, 'an entry twice', twoWrites, logOf({ x: '1' }, { y: '2' }, { x: '1' }), 'applied-twice')

  const unreadOrder = new HistoryBuilder().put('a', [1, 10], 'x', '1').put('b', [1, 10], 'x', '2').get('c', [11, 12], 'x', '1')
  accepts(t, 'as read', unreadOrder, logOf({ x: '2' }, { x: '1' }))
  refusesLog(t, 'a read that the log contradicts', unreadOrder, logOf({ x: '1' }, { x: '2' }))

  const monotone = new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'unknown').get('b', [3, 4], 'x', '1').put('c', [5, 6], 'y', '2')
  accepts(t, 'a write after a read stands behind what it saw', monotone, logOf({ x: '1' }, { y: '2' }))
  refusesLog(t, 'a write before what was read when it began', monotone, logOf({ y: '2' }, { x: '1' }))
})

test('serializability: deletions in the log are found by their place', { timeout }, async function (t) {
  const history = new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x').put('a', [5, 6], 'x', '2').del('b', [7, 8], 'x', 'unknown').get('a', [9, 10], 'x', '2')
  accepts(t, 'the unknown one later', history, logOf({ x: '1' }, { x: null }, { x: '2' }, { x: null }))
  accepts(t, 'the unknown one never', history, logOf({ x: '1' }, { x: null }, { x: '2' }))
  refusesLog(t, 'the acknowledged one too late', history, logOf({ x: '1' }, { x: '2' }, { x: null }))
  refusesLog(t, 'one too many', history, logOf({ x: '1' }, { x: null }, { x: '2' }, { x: null }, { x: null }))
  refusesLog(t, 'one too early', history, logOf({ x: null }, { x: '1' }, { x: null }, { x: '2' }))
  refusesLog(t, 'an aborted one', new HistoryBuilder().put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x', 'aborted'), logOf({ x: '1' }, { x: null }))
})

test('serializability: undecided when the budget is exhausted', { timeout }, async function (t) {
  const history = new HistoryBuilder()
  for (let i = 0; i < 20; i++) history.batch(`c${i}`, [1, 100], { x: `${i}`, y: `${i}` })
  t.equal(checkSerializability(history.operations, { budget: 10 }).verdict, 'undecided')
})
