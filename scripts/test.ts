/**
 * Runs the tests, one process per group (a folder of `test/`), and ends with one line: `N passed, N failed`.
 *
 *     npm test                    everything
 *     npm test -- unit cluster    these groups
 *     npm test -- unit frame      the files of this group whose path contains "frame"
 */
import { select, UsageError } from './test/select.ts'
import { runGroup } from './test/run-group.ts'

let passed = 0
let failed = 0

try {
  for (const { group, files } of select(process.argv.slice(2))) {
    const result = await runGroup(group, files)
    passed += result.passed
    failed += result.failed

    const counts = `${result.passed} passed, ${result.failed} failed`
    console.log(`${group.padEnd(12)} ${counts.padEnd(26)} ${result.seconds.toFixed(1)} s`)
    for (const failure of result.failures) console.log(`\n${failure.trimEnd()}\n`)
  }
} catch (err) {
  if (!(err instanceof UsageError)) throw err
  console.log(err.message)
  failed++
}

if (failed > 0) process.exitCode = 1
console.log(`${passed} passed, ${failed} failed`)
