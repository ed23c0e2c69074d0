/**
 * Runs the tests, one process per group (a folder of `test/`), and ends with one line: `N passed, N failed`.
 *
 *     npm test                    everything
 *     npm test -- unit cluster    these groups
 *     npm test -- unit frame      the files of this group whose path contains "frame"
 */
import type { Selection } from './test/select.ts'
import { select, UsageError } from './test/select.ts'
import { runGroup } from './test/run-group.ts'

/** These use all processors by themselves, or real time. The others run two at a time, the longest first. */
const alone = ['sim', 'cluster']
const longest = 'level'

let passed = 0
let failed = 0

async function run ({ group, files }: Selection): Promise<void> {
  const result = await runGroup(group, files)
  passed += result.passed
  failed += result.failed

  const counts = `${result.passed} passed, ${result.failed} failed`
  console.log(`${group.padEnd(12)} ${counts.padEnd(26)} ${result.seconds.toFixed(1)} s`)
  for (const failure of result.failures) console.log(`\n${failure.trimEnd()}\n`)
}

async function runAll (selections: Selection[]): Promise<void> {
  for (let next = selections.shift(); next !== undefined; next = selections.shift()) await run(next)
}

try {
  const selections = select(process.argv.slice(2))
  const together = selections.filter(({ group }) => !alone.includes(group)).sort((a, b) => Number(b.group === longest) - Number(a.group === longest))
  await Promise.all([runAll(together), runAll(together)])
  await runAll(selections.filter(({ group }) => alone.includes(group)))
} catch (err) {
  if (!(err instanceof UsageError)) throw err
  console.log(err.message)
  failed++
}

if (failed > 0) process.exitCode = 1
console.log(`${passed} passed, ${failed} failed`)
