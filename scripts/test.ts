/**
 * Runs the tests, one process per group (a folder of `test/`), and ends with one line: `N passed, N failed`.
 *
 *     npm test                    everything
 *     npm test -- unit cluster    these groups
 *     npm test -- unit frame      the files of this group whose path contains "frame"
 */
import { statSync } from 'node:fs'
import type { Selection } from './test/select.ts'
import { select, UsageError } from './test/select.ts'
import { runGroup } from './test/run-group.ts'

/** Uses all processors that it gets, and waits for nothing. */
const busy = 'sim'
/** Waits most of the time: is run in three parts, beside that. */
const waiting = 'cluster'
/** The others run three at a time, these first: they take the longest, and wait for disks and pages, for the most part. */
const lanes = [0, 1, 2]
const longest = ['level', 'browser', 'transcript', 'unit']

let passed = 0
let failed = 0

async function run ({ group, files }: Selection, lane = 0): Promise<void> {
  const result = await runGroup(group, files, lane)
  passed += result.passed
  failed += result.failed

  const counts = `${result.passed} passed, ${result.failed} failed`
  console.log(`${group.padEnd(12)} ${counts.padEnd(26)} ${result.seconds.toFixed(1)} s`)
  for (const failure of result.failures) console.log(`\n${failure.trimEnd()}\n`)
}

async function runAll (selections: Selection[], lane = 0): Promise<void> {
  for (let next = selections.shift(); next !== undefined; next = selections.shift()) await run(next, lane)
}

function rank ({ group }: Selection): number {
  return longest.includes(group) ? longest.indexOf(group) : longest.length
}

/** Three nodes take as long as everything else. */
function halve ({ group, files }: Selection): Selection[] {
  if (group !== longest[0]) return [{ group, files }]
  const isTrio = (file: string): boolean => file.includes('trio')
  return [files.filter(isTrio), files.filter(file => !isTrio(file))].filter(some => some.length > 0).map(some => ({ group, files: some }))
}

async function runParts ({ group, files }: Selection): Promise<void> {
  // The longest files take the longest.
  const byLength = files.map(file => ({ file, length: statSync(file).size })).sort((a, b) => b.length - a.length)
  const parts = [0, 1, 2].map(lane => byLength.filter((_, i) => i % 3 === lane).map(({ file }) => file).sort())
  await Promise.all(parts.map((part, lane) => part.length === 0 && lane > 0 ? null : run({ group, files: part }, lane)))
}

try {
  const selections = select(process.argv.slice(2))
  const together = selections.filter(({ group }) => group !== busy && group !== waiting).flatMap(halve).sort((a, b) => rank(a) - rank(b))
  await Promise.all(lanes.map(lane => runAll(together, lane)))
  const inParts = selections.filter(({ group }) => group === waiting).map(runParts)
  await Promise.all([runAll(selections.filter(({ group }) => group === busy)), ...inParts])
} catch (err) {
  if (!(err instanceof UsageError)) throw err
  console.log(err.message)
  failed++
}

if (failed > 0) process.exitCode = 1
console.log(`${passed} passed, ${failed} failed`)
