import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'tape'

test('the suite over the global WebSocket of Node.js', { timeout: 120_000 }, async (t) => {
  const args = ['--experimental-websocket', '--import', 'tsx', 'node_modules/tape/bin/tape', 'test/interop/global-websocket.ts']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  t.equal(code, 0, output)
  t.match(output, /^# pass +[1-9]/m)
  t.doesNotMatch(output, /^not ok/m)
})
