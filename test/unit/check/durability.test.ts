import test from 'tape'
import type { Test } from 'tape'
import { checkDurability } from '../../support/check/durability.ts'
import type { LogEntry, Problem } from '../../support/check/history.ts'
import { HistoryBuilder, logOf, messageOf, rulesOf } from './history-builder.ts'

const timeout = 20_000

function check (t: Test, name: string, rules: Array<Problem['rule']>, history: HistoryBuilder, state: Record<string, string>, log?: LogEntry[]): void {
  const verdict = checkDurability(history.operations, { state: new Map(Object.entries(state)), ...(log === undefined ? {} : { log }) })
  t.deepEqual(rulesOf(verdict), rules, `${name}: ${messageOf(verdict)}`)
}

test('durability: the final state alone', { timeout }, async function (t) {
  const two = new HistoryBuilder().put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2')
  check(t, 'the last one', [], two, { x: '2' })
  check(t, 'lost update', ['lost-write'], two, { x: '1' })
  check(t, 'lost key', ['lost-write'], two, {})
  check(t, 'phantom', ['phantom-value'], two, { x: '2', y: '3' })

  const concurrent = new HistoryBuilder().put('a', [1, 4], 'x', '1').put('b', [2, 5], 'x', '2').del('c', [3, 9], 'y')
  check(t, 'concurrent writes: the one', [], concurrent, { x: '1' })
  check(t, 'concurrent writes: the other', [], concurrent, { x: '2' })

  const aborted = new HistoryBuilder().put('a', [1, 2], 'x', '1').put('a', [3, 4], 'x', '2', 'aborted')
  check(t, 'aborted, absent', [], aborted, { x: '1' })
  check(t, 'aborted, present', ['aborted-visible'], aborted, { x: '2' })

  const unknown = new HistoryBuilder().put('a', [1, 2], 'x', '1').batch('a', [3, 4], { x: '2', y: '2' }, 'unknown')
  check(t, 'unknown, absent', [], unknown, { x: '1' })
  check(t, 'unknown, present', [], unknown, { x: '2', y: '2' })
  check(t, 'unknown, one half', ['torn-batch'], unknown, { x: '2' })
  check(t, 'unknown, the other half', ['torn-batch'], unknown, { x: '1', y: '2' })

  const deleted = new HistoryBuilder().put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x')
  check(t, 'deleted', [], deleted, {})
  check(t, 'a deleted key comes back', ['lost-write'], deleted, { x: '1' })
  check(t, 'cleared', [], new HistoryBuilder().put('a', [1, 2], 'x', '1').clear('a', [3, 4], {}), {})
})

test('durability: an aborted write that only a reader saw', { timeout }, async function (t) {
  check(t, 'read', ['aborted-visible'], new HistoryBuilder()
    .put('a', [1, 2], 'x', '1', 'aborted').get('b', [3, 4], 'x', '1'), {}, [])
})

test('durability: exactly once in the log', { timeout }, async function (t) {
  const history = new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').batch('a', [3, 4], { x: '2', y: '2' }).put('b', [5, 6], 'z', '3', 'unknown').put('b', [7, 8], 'z', '4', 'aborted')
  const first = { x: '1' }
  const second = { x: '2', y: '2' }
  check(t, 'without the unknown one', [], history, { x: '2', y: '2' }, logOf(first, second))
  check(t, 'with it', [], history, { x: '2', y: '2', z: '3' }, logOf(first, second, { z: '3' }))
  check(t, 'an acknowledged write is missing', ['lost-write'], history, { x: '2', y: '2' }, logOf(second))
  check(t, 'a write twice', ['applied-twice'], history, { x: '2', y: '2' }, logOf(first, first, second))
  check(t, 'an unknown write twice', ['applied-twice'], history, { x: '2', y: '2', z: '3' }, logOf(first, second, { z: '3' }, { z: '3' }))
  check(t, 'an aborted write', ['aborted-visible'], history, { x: '2', y: '2', z: '3' }, logOf(first, { z: '4' }, second, { z: '3' }))
  check(t, 'half a batch', ['torn-batch', 'wrong-state'], history, { x: '2', y: '2' }, logOf(first, { x: '2' }))
  check(t, 'a batch in two entries', ['torn-batch', 'applied-twice'], history, { x: '2', y: '2' }, logOf(first, { x: '2' }, { y: '2' }))
  check(t, 'nobody wrote it', ['phantom-value'], history, { x: '2', y: '2' }, logOf({ x: '0' }, first, second))
  check(t, 'a state that is not what the log says', ['wrong-state'], history, { x: '2', y: '2', z: '3' }, logOf(first, second))
})

test('durability: deletions are counted', { timeout }, async function (t) {
  const history = new HistoryBuilder()
    .put('a', [1, 2], 'x', '1').del('a', [3, 4], 'x').del('a', [5, 6], 'x').del('a', [7, 8], 'x', 'unknown').del('a', [9, 10], 'x', 'aborted')
  const put = { x: '1' }
  const del = { x: null }
  check(t, 'without the unknown one', [], history, {}, logOf(put, del, del))
  check(t, 'with it', [], history, {}, logOf(put, del, del, del))
  check(t, 'one too few', ['lost-write'], history, {}, logOf(put, del))
  check(t, 'one too many', ['applied-twice'], history, {}, logOf(put, del, del, del, del))
  check(t, 'a clear deletes as much as it likes', [], new HistoryBuilder().put('a', [1, 2], 'x', '1').clear('a', [3, 4], {}), {}, logOf(put, del))
})
