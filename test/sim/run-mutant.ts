import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import type { Mutant } from './mutants.ts'

/**
 * Runs the simulator with a bug in it. Resolves to what it printed if it found a violation, to null if it did not within
 * `seeds` seeds.
 */
export async function runMutant ({ name, focus = {}, from = 1, ...edit }: Mutant, seeds: number): Promise<string | null> {
  const edited = new Map<string, string>()
  for (const { file, find, replace } of [edit, ...edit.with ?? []]) {
    const path = resolve(file)
    const original = edited.get(path) ?? readFileSync(path, 'utf8')
    if (original.split(find).length !== 2) throw new Error(`The place for "${name}" is not exactly once in ${file}`)
    edited.set(path, original.replace(find, () => replace))
  }

  // Inside the repository, so that packages are found.
  const outfile = join('.tmp', 'mutants', `${name.replaceAll(/[^a-z]+/gi, '-')}.mjs`)
  await build({
    entryPoints: ['test/sim/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    plugins: [{
      name: 'plant',
      setup (bundle) {
        bundle.onLoad({ filter: /\.ts$/ }, ({ path }) => edited.has(path) ? { contents: edited.get(path) as string, loader: 'ts' } : null)
      }
    }]
  })

  try {
    return await new Promise((resolve, reject) => {
      const args = [outfile, '--seeds', String(seeds), '--from', String(from), '--workers', '1', '--first', '--only', JSON.stringify({ changes: null, repeats: 0, asks: 0, observers: null, ...focus })]
      execFile(process.execPath, args, { maxBuffer: 1e8, timeout: 240_000 }, (error, stdout, stderr) => {
        if (error === null) resolve(null)
        else if (error.code === 1 && stdout.includes('violations')) resolve(stdout)
        else reject(new Error(`${name}: ${error.message}\n${stdout}\n${stderr}`))
      })
    })
  } finally {
    await rm(outfile, { force: true })
  }
}
