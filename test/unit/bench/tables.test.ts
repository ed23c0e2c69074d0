import test from 'tape'
import { formatNumber, formatTable } from '../../bench/report/format-table.ts'
import { ratioTable, scenarioTable, targetTable } from '../../bench/report/tables.ts'
import type { Run } from '../../bench/results.ts'
import type { Scenario } from '../../bench/scenario.ts'

const timeout = 30_000

const scenario: Scenario = {
  name: 's',
  title: '',
  about: '',
  columns: [{ key: 'x', title: 'x', digits: 0, range: true }, { key: 'y', title: 'y ms', digits: 2 }],
  measure: async () => []
}

function run (x: number, y: number): Run {
  return { s: [{ name: 'first', values: { x, y } }, { name: 'second', values: { x } }] }
}

test('columns are as wide as they have to be', { timeout }, async (t) => {
  t.equal(formatTable([['', 'n'], ['long', '1'], ['x', '1,000']]), '          n\nlong      1\nx     1,000')
  t.equal(formatNumber(1234567.891, 1), '1,234,567.9')
  t.equal(formatNumber(2, 2), '2.00')
})

test('a single run has no range', { timeout }, async (t) => {
  t.equal(scenarioTable(scenario, [run(1, 2)]), ['        x  y ms', 'first   1  2.00', 'second  1     -'].join('\n'))
})

test('several runs have medians, and ranges where they are wanted', { timeout }, async (t) => {
  t.equal(scenarioTable(scenario, [run(1, 2), run(3, 4), run(1000, 9)]), [
    '                  x  y ms',
    'first   3 (1–1,000)  4.00',
    'second  3 (1–1,000)     -'
  ].join('\n'))
})

test('what was not measured is not compared', { timeout }, async (t) => {
  t.equal(ratioTable([{}]), null)
  t.match(targetTable([{}]), /0 met, 0 missed, \d+ not measured$/)
})

test('ratios are those of the same concurrency', { timeout }, async (t) => {
  const table = ratioTable([{
    puts: [{ name: 'disk, coordinator, c=16', values: { perSecond: 300 } }],
    etcd: [{ name: 'c=16', values: { perSecond: 100 } }, { name: 'c=64', values: { perSecond: 1 } }]
  }])
  t.match(table!.split('\n')[1]!, /^disk, coordinator \/ etcd +- +3\.00 +- +-$/)
})

test('targets are met or missed', { timeout }, async (t) => {
  const fast = targetTable([{ puts: [{ name: 'disk, coordinator, c=1', values: { p50Ms: 0.4 } }] }])
  t.match(fast, /put, c=1, on the coordinator +ms +≤ 0\.45 +0\.40 +met/)
  t.match(fast, /1 met, 0 missed/)
  const slow = targetTable([{ puts: [{ name: 'disk, coordinator, c=16', values: { perSecond: 13_999 } }] }])
  t.match(slow, /put, c=16, one writer +\/s +≥ 14,000 +13,999 +missed/)
})
