import test from 'tape'
import { optionsHelp, parseOptions, UsageError } from '../../bench/options.ts'

const timeout = 30_000

test('defaults, in full and quick', { timeout }, async (t) => {
  const full = parseOptions([])
  const quick = parseOptions(['--quick'])
  t.equal(full.runs, 5)
  t.equal(quick.runs, 1)
  t.ok(quick.settings.windowMs < full.settings.windowMs)
  t.same(full.scenarios, [])
  t.equal(full.report, null)
})

test('what is said counts more than the defaults', { timeout }, async (t) => {
  const { runs, scenarios, settings } = parseOptions(['--quick', '--runs', '2', '--only', 'puts,reads', '--window-ms', '70'])
  t.equal(runs, 2)
  t.same(scenarios, ['puts', 'reads'])
  t.equal(settings.windowMs, 70)
})

test('what makes no sense is refused', { timeout }, async (t) => {
  for (const args of [['--runs', '0'], ['--runs', 'x'], ['--window-ms', '1.5'], ['--windowMs', '1'], ['puts']]) {
    t.throws(() => parseOptions(args), UsageError, args.join(' '))
  }
})

test('every setting is in the help', { timeout }, async (t) => {
  t.match(optionsHelp, /--catch-up-megabytes N/)
  t.match(optionsHelp, /--window-ms N/)
})
