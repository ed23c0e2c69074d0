/**
 * Measures the speed of quorum-level on this machine, beside what the machine can do without replication, and beside etcd:
 * `npm run bench`. `npm run bench -- --help` lists the options, README.md tells how it is done.
 */
import { rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build, scratch } from './build.ts'
import { optionsHelp, parseOptions, UsageError } from './options.ts'
import type { BenchOptions, Settings } from './options.ts'
import { drawCharts } from './report/charts.ts'
import { report } from './report/tables.ts'
import { commit, newResults, readResults, writeResults } from './results.ts'
import type { Results, Run } from './results.ts'
import type { Row, Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const data = join(scratch, 'data')

process.once('SIGINT', () => { process.exit(130) })
process.once('SIGTERM', () => { process.exit(143) })

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) console.log(`${optionsHelp}\nScenarios: ${scenarios.map(({ name }) => name).join(', ')}`)
  else if (options.report !== null) await show(await readResults(options.report), dirname(options.report))
  else await show(await measure(options), dirname(options.out))
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 1
}

/** Each run is all scenarios, one after the other: so what slows the machine down for a while slows down a bit of everything. */
async function measure (options: BenchOptions): Promise<Results> {
  const chosen = choose(options.scenarios)
  const results = options.resume ? await resumed(options) : await newResults(options.settings)
  await mkdir(dirname(options.out), { recursive: true })
  await build()
  // A bench that was killed may have left something.
  await rm(data, { recursive: true, force: true })
  process.on('exit', () => { rmSync(data, { recursive: true, force: true, maxRetries: 5 }) })

  while (results.runs.length < options.runs) {
    const run: Run = {}
    for (const scenario of chosen) {
      const where = `run ${results.runs.length + 1} of ${options.runs}, ${scenario.name}`
      const note = (text: string): void => { console.error(`${where}: ${text}`) }
      const begun = performance.now()
      run[scenario.name] = await measureScenario(scenario, options.settings, note)
      note(`done in ${Math.round((performance.now() - begun) / 1000)} s`)
    }
    results.runs.push(run)
    await writeResults(options.out, results)
  }
  return results
}

async function measureScenario (scenario: Scenario, settings: Settings, note: (text: string) => void): Promise<Row[]> {
  const folder = join(data, scenario.name)
  await mkdir(folder, { recursive: true })
  try {
    return await scenario.measure({ settings, folder, note })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs with other settings, or of other sources, cannot be taken together. */
async function resumed ({ out, settings }: BenchOptions): Promise<Results> {
  const results = await readResults(out)
  if (JSON.stringify(results.settings) !== JSON.stringify(settings)) throw new UsageError(`${out} was measured with other settings`)
  const now = await commit()
  if (results.commit !== now) throw new UsageError(`${out} was measured at ${results.commit}, and these sources are ${now}`)
  return results
}

function choose (names: readonly string[]): readonly Scenario[] {
  for (const name of names) {
    if (!scenarios.some((scenario) => scenario.name === name)) throw new UsageError(`no scenario is called ${name}: there are ${scenarios.map(({ name }) => name).join(', ')}`)
  }
  return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name))
}

async function show (results: Results, folder: string): Promise<void> {
  console.log(report(results, scenarios))
  for (const path of await drawCharts(results.runs, folder)) console.log(`\ndrawn: ${path}`)
}
