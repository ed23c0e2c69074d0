import fc from 'fast-check'
import test from 'tape'
import { drawChart } from '../../bench/report/chart.ts'
import { logScale } from '../../bench/report/scale.ts'

const timeout = 30_000

test('ticks are round and surround all values', { timeout }, async (t) => {
  t.same(logScale([3, 700], 0, 1).ticks, [2, 5, 10, 20, 50, 100, 200, 500, 1000])
  t.same(logScale([0.004, 0.03], 0, 1).ticks, [0.002, 0.005, 0.01, 0.02, 0.05])
  t.same(logScale([10, 10], 0, 1).ticks, [10, 20], 'one value needs two ticks')
  t.same(logScale([1, 100], 0, 1).ticks, [1, 2, 5, 10, 20, 50, 100])
})

test('a scale is even in the logarithm', { timeout }, async (t) => {
  const scale = logScale([1, 10_000], 100, 500)
  t.same([1, 10, 100, 1000, 10_000].map((value) => Math.round(scale(value))), [100, 200, 300, 400, 500])
  const upwards = logScale([1, 100], 300, 100)
  t.same([1, 10, 100].map((value) => Math.round(upwards(value))), [300, 200, 100])
})

test('no value is drawn outside', { timeout }, async (t) => {
  fc.assert(fc.property(fc.array(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 20 }), (values) => {
    const scale = logScale(values, 0, 1)
    return values.every((value) => scale(value) > -1e-9 && scale(value) < 1 + 1e-9)
  }))
  t.pass()
})

test('a chart has its lines, its points and its words', { timeout }, async (t) => {
  const points = [{ x: 100, y: 1, label: '1' }, { x: 1000, y: 2, label: '16' }]
  const svg = drawChart({
    title: 'a < b',
    subtitle: '',
    xTitle: 'x',
    yTitle: 'y',
    series: [{ name: 'one', points }, { name: 'two', isReference: true, points }]
  })
  t.equal(svg.match(/<circle/g)?.length, 4)
  t.equal(svg.match(/class="line s1 reference"/g)?.length, 2, 'one in the plot, one in the legend')
  t.match(svg, />a &lt; b</)
  t.match(svg, />16</)
  t.match(svg, /prefers-color-scheme: dark/)
  t.notOk(/NaN|undefined/.test(svg))
})

test('there are only so many colours', { timeout }, async (t) => {
  const series = Array.from({ length: 5 }, (_, i) => ({ name: String(i), points: [{ x: 1, y: 1, label: '' }] }))
  t.throws(() => drawChart({ title: '', subtitle: '', xTitle: '', yTitle: '', series }), RangeError)
})
