import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export class UsageError extends Error {}

/** How long and how much, in a full run and with --quick. Each is an option, too: `windowMs` is --window-ms. */
const presets = {
  compileMs: { full: 1000, quick: 500, about: 'of much, and of little load, after the start of a cluster' },
  warmUpMs: { full: 300, quick: 150, about: 'before writes are measured' },
  windowMs: { full: 1500, quick: 500, about: 'for which writes are measured' },
  machineMs: { full: 1000, quick: 300, about: 'for which syncs and round trips are measured' },
  readEntries: { full: 100_000, quick: 30_000, about: 'of 100 bytes in the stores that are read' },
  readMs: { full: 100, quick: 50, about: 'for which a store is read, in turn with the other' },
  readTurns: { full: 6, quick: 3, about: 'of each store' },
  catchUpMegabytes: { full: 96, quick: 24, about: 'that a node lacks' },
  pendingWrites: { full: 4000, quick: 4000, about: 'that are held up to see what they take; a node sends 4,096, the others queue' },
  idleMs: { full: 5000, quick: 2000, about: 'for which processes are watched while nothing happens' },
  fairnessMs: { full: 2000, quick: 800, about: 'for which writes are measured beside each disturbance' },
  fairnessMegabytes: { full: 64, quick: 16, about: 'that are scanned and copied meanwhile' }
} as const

export type Settings = Record<keyof typeof presets, number>

export interface BenchOptions {
  runs: number
  /** Their names; empty: all. */
  scenarios: string[]
  settings: Settings
  out: string
  /** Goes on with the runs in `out`. */
  resume: boolean
  /** Measures nothing, and reports what is in this file. */
  report: string | null
  help: boolean
}

const runsDefault = 5

const names = Object.keys(presets) as Array<keyof Settings>

export const latest = fileURLToPath(new URL('results/latest.json', import.meta.url))
/** A quick run says too little to be kept. */
const quickest = fileURLToPath(new URL('../../.tmp/bench/quick.json', import.meta.url))

export const optionsHelp = `npm run bench -- [OPTIONS]

  --only A,B             these scenarios
  --runs N               so many times, all scenarios one after the other; default ${runsDefault}, with --quick 1
  --quick                short measurements
  --out FILE             default test/bench/results/latest.json, with --quick .tmp/bench/quick.json; charts are drawn beside it
  --resume               goes on with the runs that FILE has
  --report FILE          measures nothing: shows what is in FILE, and draws the charts
  --help

How long and how much, with the defaults in full and with --quick:

${names.map((name) => `  ${`--${kebab(name)} N`.padEnd(23)}${presets[name].full}, ${presets[name].quick}: ${presets[name].about}`).join('\n')}
`

export function parseOptions (args: string[]): BenchOptions {
  const values = parse(args)
  const { quick, help, resume, report, out = values['quick'] === true ? quickest : latest } = values as { quick: boolean, help: boolean, resume: boolean, report?: string, out?: string }
  const preset = quick ? 'quick' : 'full'
  const number = (name: string, byDefault: number): number => values[name] === undefined ? byDefault : toNumber(name, values[name] as string)
  return {
    runs: number('runs', quick ? 1 : runsDefault),
    scenarios: values['only'] === undefined ? [] : String(values['only']).split(','),
    settings: Object.fromEntries(names.map((name) => [name, number(kebab(name), presets[name][preset])])) as Settings,
    out,
    resume,
    report: report ?? null,
    help
  }
}

function parse (args: string[]): Record<string, string | boolean | undefined> {
  const number = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string' },
        out: { type: 'string' },
        report: { type: 'string' },
        runs: number,
        quick: flag,
        resume: flag,
        help: flag,
        ...Object.fromEntries(names.map((name) => [kebab(name), number]))
      }
    }).values as Record<string, string | boolean | undefined>
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function kebab (name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function toNumber (name: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new UsageError(`--${name} takes a whole number from 1, not "${text}"`)
}
