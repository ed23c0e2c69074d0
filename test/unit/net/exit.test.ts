import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'tape'

/** Runs a program that must end by itself. */
async function run (body: string): Promise<[number | null, string]> {
  const modules = ['../../../lib/net/stream-network.ts', './node.ts'].map((path) => new URL(path, import.meta.url).href)
  const program = `
    import { once } from 'node:events'
    import { connect } from 'node:net'
    const { StreamNetwork } = await import('${modules[0]}')
    const { Node, exchange, closeAll } = await import('${modules[1]}')
    ${body}
    // Sockets and servers tell that they are closed a few turns before their handles are.
    let left
    for (let turn = 0; turn < 1000; turn++) {
      left = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|File|Immediate/.test(name))
      if (left.length === 0) break
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    console.log('left:' + left.join())`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  child.stdout.on('data', (chunk) => { output += String(chunk) })
  const [code] = await once(child, 'close')
  return [code, output.trim()]
}

test('exit: close() leaves nothing behind', { timeout: 60000 }, async (t) => {
  t.same(await run(`
    const [a, b] = [new Node('1'), new Node('2')]
    const [x, y] = await Promise.all([a.listen(), b.listen()])
    a.network.dial(y)
    b.network.dial(x)
    await exchange(a, b)
    await closeAll(a, b)`), [0, 'left:'])
})

test('exit: not even while dialling', { timeout: 60000 }, async (t) => {
  t.same(await run(`
    const nowhere = { host: '127.0.0.1', port: 1 }
    const failing = new Node('1', { failAfter: 2, reconnectMinMs: 60_000, reconnectMaxMs: 100_000 })
    failing.network.start(failing)
    failing.network.dial(nowhere)
    await once(failing, 'failure')
    const pending = new Node('1', { transport: () => new Promise(() => {}) })
    pending.network.start(pending)
    pending.network.dial(nowhere)
    const late = new Node('1', { transport: (port, host) => new Promise((resolve) => {
      setTimeout(() => { resolve(connect(late.address.port, host)) }, 50)
    }) })
    const b = new Node('2')
    late.address = await b.listen()
    late.network.start(late)
    late.network.dial({ host: '127.0.0.1', port: 2 })
    await new Promise((resolve) => { setTimeout(resolve, 10) })
    await closeAll(failing, pending, late)
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    await closeAll(b)`), [0, 'left:'])
})

test('exit: a crash of nothing when nobody is there', { timeout: 60000 }, async (t) => {
  t.same(await run(`
    const a = new Node('1')
    a.network.start(a)
    a.network.dial({ host: '127.0.0.1', port: 1 })
    a.network.dial({ host: 'name.invalid', port: 1 })
    await Promise.all([once(a, 'reconnect'), once(a, 'failure')])
    await closeAll(a)
    // A lookup of a name cannot be cancelled.
    while (process.getActiveResourcesInfo().some((name) => /GetAddrInfo/.test(name))) await new Promise((resolve) => { setTimeout(resolve, 10) })`), [0, 'left:'])
})
