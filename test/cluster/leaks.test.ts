/** What comes and goes leaves nothing behind. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'tape'
import type { Findings } from '../support/leak-probe.ts'

const timeout = 240_000
const script = fileURLToPath(new URL('../support/leak-probe.ts', import.meta.url))

async function probe (what: 'connections' | 'hours', count: number, plant = ''): Promise<Findings> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', script, what, String(count), plant])
  return JSON.parse(stdout) as Findings
}

test('leaks: ten thousand connections', { timeout }, async (t) => {
  const { leaks, summary } = await probe('connections', 10_000)
  t.comment(summary)
  t.deepEqual(leaks, [], 'no memory, no listeners, no timers, no sockets')
})

test('leaks: hours of writes, reads and heartbeats, in virtual time', { timeout }, async (t) => {
  // A whole day: LEAK_HOURS=24.
  const { leaks, summary } = await probe('hours', Number(process.env.LEAK_HOURS ?? 0.5))
  t.comment(summary)
  t.deepEqual(leaks, [], 'no memory, no listeners, no timers; every call has succeeded, in one view')
})

test('leaks: those that are planted are found', { timeout }, async (t) => {
  const { leaks, summary } = await probe('connections', 1000, 'plant')
  t.comment(summary)
  for (const found of [/^memory: \d+ bytes$/, /^listeners: 1000$/, /^resources: \d{3,} of Timeout$/]) t.ok(leaks.some((leak) => found.test(leak)), String(found))
})
