import { createRequire } from 'node:module'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AbstractLevel } from 'abstract-level'
import test from 'tape'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'

const require = createRequire(import.meta.url)

type SuiteFactory = (options?: object) => object
const levelSuite = require('abstract-level/test') as (options: { test: typeof test, factory: SuiteFactory }) => void

/** Any database, before or after it is wrapped. */
export type Level = AbstractLevel<any, any, any>

/** Makes a plain database. */
export type MakeLevel = (options?: object) => Level

/** Wraps a database that was just made, synchronously. Returns the one to test. */
export type Wrap = (db: Level, make: MakeLevel) => Level

export const makeMemoryLevel: MakeLevel = (options) => new MemoryLevel(options as object)

/** With the other way in which memory-level keeps bytes. */
export const makeMemoryLevelOfViews: MakeLevel = (options) => new MemoryLevel({ ...options, storeEncoding: 'view' })

const directories: string[] = []

/** Each in a directory of its own, all of which are removed in the end. */
export const makeClassicLevel: MakeLevel = (options) => {
  const directory = mkdtempSync(join(tmpdir(), 'quorum-level-suite-'))
  directories.push(directory)
  return new ClassicLevel(directory, options as object)
}

export interface RunningTest {
  name: string
  number: number
}

let running: RunningTest = { name: '', number: 0 }

/** The test of the suite that runs. */
export const runningTest = (): RunningTest => running

/**
 * Runs abstract-level's own test suite, all of it, on wrapped databases. `testsMin` is how many tests it has for the
 * bare database, so that none gets lost because a feature seems not to be supported.
 */
export function runSuite (make: MakeLevel, wrap: Wrap, testsMin: number): void {
  let tests = 0

  // Most of the tests of the suite have no time-out of their own; one that hangs must not hide those after it.
  const counted = (name: string, ...rest: unknown[]) => {
    const callback = rest.at(-1) as test.TestCase
    const options = typeof rest[0] === 'object' ? rest[0] as object : {}
    tests++
    test(name, { timeout: 30000, ...options }, (t) => {
      running = { name, number: running.number + 1 }
      return callback(t)
    })
  }

  levelSuite({
    test: Object.assign(counted, test) as typeof test,
    factory: (options) => wrap(make(options), make)
  })

  test('the suite was whole', { timeout: 30000 }, async (t) => {
    t.ok(tests >= testsMin, `${tests} of at least ${testsMin} tests`)
  })
}

/** How many tests the suite has for the bare databases. */
export const memoryTestsMin = 1464
export const classicTestsMin = 1509

// When every database is closed. First of all listeners, for that of tape ends the process.
process.prependListener('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
})
