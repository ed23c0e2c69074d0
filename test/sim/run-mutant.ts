import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutants.ts'

const sources = ['lib', 'index.ts', 'package.json', 'test/sim', 'test/support']

/**
 * Runs the simulator on a copy of the sources with a bug in it. Resolves to what it printed if it found a violation, to
 * null if it did not within `seeds` seeds.
 */
export async function runMutant ({ name, focus = {}, from = 1, ...edit }: Mutant, seeds: number): Promise<string | null> {
  // Inside the repository, so that packages are found.
  const folder = join('.tmp', 'mutants', name.replaceAll(/[^a-z]+/gi, '-'))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'test'), { recursive: true })
  for (const source of sources) cpSync(source, join(folder, source), { recursive: true })

  for (const { file, find, replace } of [edit, ...edit.with ?? []]) {
    const original = readFileSync(join(folder, file), 'utf8')
    if (original.split(find).length !== 2) throw new Error(`The place for "${name}" is not exactly once in ${file}`)
    writeFileSync(join(folder, file), original.replace(find, () => replace))
  }

  try {
    return await new Promise((resolve, reject) => {
      const args = ['--import', 'tsx', 'test/sim/main.ts', '--seeds', String(seeds), '--from', String(from), '--workers', '1', '--first', '--only', JSON.stringify({ changes: null, repeats: 0, asks: 0, ...focus })]
      execFile(process.execPath, args, { cwd: folder, maxBuffer: 1e8, timeout: 240_000 }, (error, stdout, stderr) => {
        if (error === null) resolve(null)
        else if (error.code === 1 && stdout.includes('violations')) resolve(stdout)
        else reject(new Error(`${name}: ${error.message}\n${stdout}\n${stderr}`))
      })
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
