import fc from 'fast-check'
import test from 'tape'
import { median, percentile, summarize } from '../../bench/report/statistics.ts'

const timeout = 30_000

test('percentiles are values that were measured', { timeout }, async (t) => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  t.same([50, 95, 99, 100].map((percent) => percentile(hundred, percent)), [50, 95, 99, 100])
  t.same([0, 50, 99].map((percent) => percentile([7], percent)), [7, 7, 7])
  t.equal(percentile([1, 2, 3], 50), 2)
  t.ok(Number.isNaN(percentile([], 50)), 'there is none of nothing')
})

test('so many percent are not above a percentile, and no smaller value is one', { timeout }, async (t) => {
  fc.assert(fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (values, percent) => {
    const sorted = [...values].sort((a, b) => a - b)
    const found = percentile(sorted, percent)
    const share = (isCounted: (value: number) => boolean): number => sorted.filter(isCounted).length * 100
    return share((value) => value <= found) >= percent * sorted.length && share((value) => value < found) < percent * sorted.length
  }))
  t.pass()
})

test('medians', { timeout }, async (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.equal(median([5]), 5)
})

test('runs are summarized by their median and range', { timeout }, async (t) => {
  t.same(summarize([3, 10, 1]), { median: 3, min: 1, max: 10 })
  t.equal(summarize([]), null)
})
