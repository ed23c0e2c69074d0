import { spawnSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export const scratch = join(root, '.tmp/bench')

/**
 * Compiles the library, as the package is built, and the programs of the child processes: with a loader for TypeScript in these, it would
 * not be the package's speed that is measured.
 */
export async function build (): Promise<void> {
  await rm(join(scratch, 'build'), { recursive: true, force: true })
  const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'test/bench/tsconfig.json'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('the build has failed')
}
