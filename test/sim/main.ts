import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { SimResult } from './run-seed.ts'
import { runSeed } from './run-seed.ts'
import type { Focus, SimSettings } from './settings.ts'
import { drawSettings, focus, readSettings } from './settings.ts'
import { shrink } from './shrink.ts'
import { Tally } from './tally.ts'

const help = `Simulates clusters.

  npm run sim -- --seeds 1000            fresh seeds
  npm run sim -- --seeds 1000 --from 7   these seeds
  npm run sim -- --seed 42               one seed, with its transcript
  npm run sim -- --file FILE             settings from a file, with their transcript
  npm run sim -- --seed 42 --shrink      makes a failing run smaller and writes its settings to a file

  --workers N                            processes; default: one for each processor
  --minutes N                            begins no more seeds after that time
  --first                                ends at the first violation
  --changes                              only seeds in which the members change
  --observers                            only seeds in which there are observers
  --only JSON                            these settings instead of those drawn: {"nodes":3,"faults":{"kill":4}}
`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string' },
    seed: { type: 'string' },
    file: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    workers: { type: 'string' },
    minutes: { type: 'string' },
    first: { type: 'boolean', default: false },
    changes: { type: 'boolean', default: false },
    observers: { type: 'boolean', default: false },
    only: { type: 'string', default: '{}' },
    worker: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

if (values.help) process.stdout.write(help)
else if (values.worker) await work()
else if (values.seed !== undefined || values.file !== undefined) await replay()
else await search()

/** Many seeds, in several processes. Fails if one of them fails. */
async function search (): Promise<void> {
  const count = Number(values.seeds ?? 1000)
  const from = Number(values.from ?? Math.floor(Math.random() * 2 ** 31))
  const workers = Math.min(Number(values.workers ?? availableParallelism()), count)
  const end = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000
  const tally = new Tally()
  let next = from
  const isWanted = (seed: number): boolean => {
    const { changes, observers } = settingsOf(seed)
    return (!values.changes || changes !== null) && (!values.observers || observers !== null)
  }

  await Promise.all(Array.from({ length: workers }, () => new Promise<void>((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker', '--only', values.only], { execArgv: [...process.execArgv, '--min-semi-space-size=64', '--max-semi-space-size=128'] })
    const give = (): void => {
      const goesOn = next < from + count && Date.now() < end && !(values.first && tally.violations > 0)
      if (goesOn) while (!isWanted(next)) next++
      if (goesOn) child.send(next++)
      else child.disconnect()
    }
    child.on('message', (result: SimResult) => {
      tally.add(result)
      if (result.problems.length > 0) report(result)
      give()
    })
    child.on('error', reject)
    child.on('exit', (code) => { code === 0 ? resolve() : reject(new Error(`a worker ended with exit code ${code}`)) })
    give()
  })))

  console.log(`seeds ${from} to ${next - 1}`)
  console.log(tally.toString())
  if (tally.violations > 0) process.exitCode = 1
}

function settingsOf (seed: number): SimSettings {
  const only = JSON.parse(values.only) as Focus
  return focus(drawSettings(seed, only.changes !== null), only)
}

/** What nobody has thought of, on a disk that cannot be read for example, is a violation, too. */
async function run (settings: SimSettings, onLine: ((line: string) => void) | null): Promise<SimResult> {
  try {
    return await runSeed(settings, onLine)
  } catch (error) {
    const problems = [`the run ended with ${error instanceof Error ? error.stack : String(error)}`]
    return { settings, problems, operations: 0, observed: 0, relayed: 0, outside: 0, stale: 0, committed: 0, unknown: 0, events: 0, virtualMs: 0, faults: {}, changes: {}, traceHash: '' }
  }
}

async function work (): Promise<void> {
  process.on('message', (seed: number) => {
    void run(settingsOf(seed), null).then(result => { process.send?.(result) })
  })
}

async function replay (): Promise<void> {
  const settings = values.file === undefined
    ? settingsOf(Number(values.seed))
    : readSettings(readFileSync(values.file, 'utf8'))
  const result = await run(settings, values.quiet || values.shrink ? null : line => { console.log(line) })
  report(result)
  if (result.problems.length === 0) return
  process.exitCode = 1
  if (!values.shrink) return

  const smallest = await shrink(settings, smaller => { console.log('still fails:', JSON.stringify(smaller)) })
  const file = `test/sim/seeds/${smallest.seed}.json`
  writeFileSync(file, JSON.stringify(smallest, null, 2) + '\n')
  console.log(`written to ${file}; replay it with: npm run sim -- --file ${file}`)
}

function report ({ settings, problems, operations, events, virtualMs, traceHash }: SimResult): void {
  console.log(`seed ${settings.seed}: ${operations} operations, ${events} events, ${virtualMs} ms, trace ${traceHash}`)
  for (const problem of problems.slice(0, 10)) console.log(`  ${problem.slice(0, 2000)}`)
  if (problems.length > 0) console.log(`  replay it with: npm run sim -- --seed ${settings.seed}${values.only === '{}' ? '' : ` --only '${values.only}'`}`)
}
