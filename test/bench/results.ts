/** What a bench has measured, as it is kept in a file. */
import { execFile } from 'node:child_process'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { etcdVersion } from './etcd-cluster.ts'
import type { Settings } from './options.ts'
import type { Row } from './scenario.ts'

/** The rows of each scenario, by its name. */
export type Run = Record<string, Row[]>

export interface Results {
  machine: {
    processors: string
    memoryGigabytes: number
    system: string
    node: string
    /** Null if it is not installed. */
    etcd: string | null
    /** Processes that ran before the bench did: of something else. */
    loadAverage: number
  }
  begun: string
  /** What was measured: a commit, with '-dirty' if the sources were changed since; null outside of a repository. */
  commit: string | null
  settings: Settings
  runs: Run[]
}

export async function newResults (settings: Settings): Promise<Results> {
  return {
    machine: {
      processors: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
      memoryGigabytes: Math.round(totalmem() / 1e9),
      system: `${type()} ${release()}`,
      node: process.version,
      etcd: await etcdVersion(),
      loadAverage: Math.round(loadavg()[0]! * 100) / 100
    },
    begun: new Date().toISOString(),
    commit: await commit(),
    settings,
    runs: []
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the sources are now. */
export async function commit (): Promise<string | null> {
  try {
    const git = async (...args: string[]): Promise<string> => (await promisify(execFile)('git', args, { cwd: root })).stdout.trim()
    const isChanged = await git('status', '--porcelain', '--', 'index.ts', 'lib') !== ''
    return `${await git('rev-parse', '--short=10', 'HEAD')}${isChanged ? '-dirty' : ''}`
  } catch {
    // No git, or no repository: a tarball can be measured, too.
    return null
  }
}

export async function readResults (path: string): Promise<Results> {
  return JSON.parse(await readFile(path, 'utf8')) as Results
}

/** At every moment, either the old or the new ones are there. */
export async function writeResults (path: string, results: Results): Promise<void> {
  await writeFile(`${path}.part`, `${JSON.stringify(results, rounded, 1)}\n`)
  await rename(`${path}.part`, path)
}

/** More digits than that are noise, and make the file long. */
function rounded (_key: string, value: unknown): unknown {
  return typeof value !== 'number' || Number.isInteger(value) ? value : Number(value.toPrecision(5))
}
