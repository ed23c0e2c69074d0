import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'tape'

const timeout = 30_000

/** Runs a program that must end by itself. Resolves with its exit code and what it printed. */
async function run (body: string): Promise<[code: number | null, output: string]> {
  const program = `
    import { MemoryLevel } from 'memory-level'
    const { Replicator } = await import(${JSON.stringify(new URL('../../../index.ts', import.meta.url).href)})
    const db = new MemoryLevel()
    const say = (text) => { process._rawDebug(text) }
    ${body}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let output = ''
  child.stderr.on('data', (chunk) => { output += String(chunk) })
  const [code] = await once(child, 'close')
  return [code, output.trim()]
}

test('a process with a pending write lives until that has settled', { timeout }, async (t) => {
  t.deepEqual(await run(`
    Replicator(db, { minConsensus: 1, writeTimeoutMs: 300 })
    db.put('a', '1').catch(({ code, outcome }) => { say(code + ' ' + outcome) })
  `), [0, 'LEVEL_TIMEOUT aborted'])
})

test('a process with a waiting read lives until that has settled', { timeout }, async (t) => {
  t.deepEqual(await run(`
    Replicator(db, { minConsensus: 1, readTimeoutMs: 300 })
    db.get('a').catch(({ code }) => { say(code) })
  `), [0, 'LEVEL_TIMEOUT'])
})

test('a process ends by itself after close', { timeout }, async (t) => {
  t.deepEqual(await run(`
    const replicator = Replicator(db, { peers: [{ host: '127.0.0.1', port: 1 }] })
    await replicator.listen({ port: 0, host: '127.0.0.1' })
    const write = db.put('a', '1').catch(({ code, outcome }) => { say(code + ' ' + outcome) })
    await new Promise((resolve) => { replicator.once('reconnect', resolve) })
    await replicator.close()
    await write
    say('closed')
  `), [0, 'LEVEL_REPLICATOR_CLOSED aborted\nclosed'])
})

test('a process ends by itself after db.close()', { timeout }, async (t) => {
  t.deepEqual(await run(`
    const replicator = Replicator(db)
    await replicator.listen({ port: 0, host: '127.0.0.1' })
    await db.put('a', '1')
    await db.close()
    say(replicator.status)
  `), [0, 'closed'])
})

test('an error without a listener ends no process', { timeout }, async (t) => {
  t.deepEqual(await run(`
    const replicator = Replicator(db, { peers: [{ host: '127.0.0.1', port: 1 }], failAfter: 2 })
    await new Promise((resolve) => { replicator.once('fail', resolve) })
    say(replicator.stats().lastError.code)
    await replicator.close()
  `), [0, 'LEVEL_CONNECTION_LOST'])
})

test('a listener that throws does not stop the node', { timeout }, async (t) => {
  t.deepEqual(await run(`
    let caught = ''
    process.on('uncaughtException', (error) => { caught += error.message })
    const replicator = Replicator(db)
    replicator.once('ready', () => { throw new Error('mine') })
    await db.put('a', '1')
    await new Promise((resolve) => { setImmediate(() => { setImmediate(resolve) }) })
    say([replicator.status, await db.get('a'), caught].join())
    await db.close()
  `), [0, 'ready,1,mine'])
})
