import test from 'tape'
import { readTap } from '../../scripts/test/read-tap.ts'

const timeout = 5000

test('a complete report', { timeout }, async (t) => {
  const tap = readTap('TAP version 13\n# one\nok 1 a\nok 2 b\n\n1..2\n# tests 2\n# pass  2\n\n# ok\n')
  t.same(tap, { passed: 2, failed: 0, failures: [], faults: [] })
})

test('a failure is kept with its diagnosis and the name of its test', { timeout }, async (t) => {
  const tap = readTap('# one\nok 1 a\nnot ok 2 b\n  ---\n    operator: equal\n  ...\nok 3 c\n\n1..3\n')
  t.same(tap, { passed: 2, failed: 1, failures: ['# one\nnot ok 2 b\n  ---\n    operator: equal\n  ...'], faults: [] })
})

test('a failure at the very end', { timeout }, async (t) => {
  t.same(readTap('not ok 1 a\n  ---\n  ...').failures, ['not ok 1 a\n  ---\n  ...'])
})

test('a report that stops is a fault, whatever it says until then', { timeout }, async (t) => {
  t.same(readTap('# one\nok 1 a\nok 2 b\n').faults, ['the run stopped after 2 assertions, in "one"'])
})

test('a plan that does not hold is a fault', { timeout }, async (t) => {
  t.same(readTap('ok 1 a\n1..2\n').faults, ['the plan says 2 assertions, 1 were reported'])
})

test('no report, or one without assertions, is a fault', { timeout }, async (t) => {
  t.same(readTap('').faults, ['no test ran'])
  t.same(readTap('TAP version 13\n\n1..0\n').faults, ['no test ran'])
})
