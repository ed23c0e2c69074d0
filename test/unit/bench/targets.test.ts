import test from 'tape'
import { computeAll } from '../../bench/report/figures.ts'
import { judge, targets } from '../../bench/report/targets.ts'
import type { Run } from '../../bench/results.ts'
import { scenarios } from '../../bench/scenarios.ts'

const timeout = 30_000

test('a target is met on the right side of its bound', { timeout }, async (t) => {
  t.equal(judge({ atLeast: 2 }, 2), 'met')
  t.equal(judge({ atLeast: 2 }, 1.9), 'missed')
  t.equal(judge({ atMost: 2 }, 2), 'met')
  t.equal(judge({ atMost: 2 }, 2.1), 'missed')
  t.equal(judge({ atMost: 2 }, null), 'not measured')
})

test('every target has one bound and a name of its own', { timeout }, async (t) => {
  t.equal(new Set(targets.map(({ name }) => name)).size, targets.length)
  for (const { name, atLeast, atMost } of targets) t.notEqual(atLeast === undefined, atMost === undefined, name)
})

test('targets are computed from columns that there are', { timeout }, async (t) => {
  for (const { name, compute } of targets) {
    compute((scenario, row, key) => {
      const columns = scenarios.find((each) => each.name === scenario)?.columns ?? []
      if (!columns.some((column) => column.key === key)) t.fail(`${name}: ${scenario} has no ${key}`)
      return 1
    })
  }
  t.ok(targets.length > 0)
})

test('what is compared is of the same run', { timeout }, async (t) => {
  const run = (a: number, b: number): Run => ({ s: [{ name: 'a', values: { x: a } }, { name: 'b', values: { x: b } }] })
  const ratio = computeAll([run(10, 10), run(100, 50), run(6, 2)], (find) => find('s', 'a', 'x') / find('s', 'b', 'x'))
  t.same(ratio, { median: 2, min: 1, max: 3 })
})

test('runs without a figure are left out', { timeout }, async (t) => {
  const runs: Run[] = [{ s: [{ name: 'a', values: { x: 1 } }] }, { s: [{ name: 'a', values: {} }] }, {}]
  t.same(computeAll(runs, (find) => find('s', 'a', 'x')), { median: 1, min: 1, max: 1 })
  t.equal(computeAll(runs, (find) => find('s', 'a', 'y')), null)
  t.throws(() => computeAll(runs, () => { throw new RangeError('another') }), /another/)
})
