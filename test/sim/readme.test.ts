import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import tape from 'tape'

tape('the simulated cluster of the README runs as it stands there', { timeout: 60_000 }, async (t) => {
  const readme = readFileSync('README.md', 'utf8')
  const [, code = '', printed = ''] = /```js\n(import \{ SimCluster \}.*?)```\n\nprints\n\n```\n(.*?)```/s.exec(readme) ?? []
  t.ok(code.includes('cutPower') && printed.includes('is ready'), 'there is an example, and what it prints')

  const folder = mkdtempSync(join(tmpdir(), 'quorum-level-readme-'))
  try {
    const file = join(folder, 'example.mts')
    writeFileSync(file, code.replace("'quorum-level/sim'", JSON.stringify(pathToFileURL(resolve('lib/sim/index.ts')).href)))
    t.equal(execFileSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8' }), printed)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
