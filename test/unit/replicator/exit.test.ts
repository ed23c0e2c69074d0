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

test('a process ends by itself, whatever it was in the middle of when it closed', { timeout: 60_000 }, async (t) => {
  const [code, output] = await run(`
    const { createServer } = await import('node:net')
    const { freePorts } = await import(${JSON.stringify(new URL('../../support/cluster/free-ports.ts', import.meta.url).href)})
    const host = '127.0.0.1'
    const hasty = { minConsensus: 1, writeTimeoutMs: 300, readTimeoutMs: 300 }
    const once = (emitter, name) => new Promise((resolve) => { emitter.once(name, resolve) })
    const make = async (port, peers, options) => {
      const db = new MemoryLevel()
      const replicator = Replicator(db, { host, port, peers: peers.map((port) => ({ host, port })), ...hasty, ...options })
      const synced = once(replicator, 'sync')
      await replicator.listen({ host, port })
      return { db, replicator, port, synced }
    }
    const trio = async (isReady = true, options = {}) => {
      const ports = await freePorts(3)
      const nodes = await Promise.all(ports.map((port) => make(port, ports.filter((other) => other !== port), options)))
      if (isReady) await Promise.all(nodes.map(({ replicator }) => replicator.ready()))
      return nodes
    }
    const end = async (what, nodes, calls) => {
      const settled = Promise.allSettled(calls)
      await Promise.all(nodes.flatMap(({ db, replicator }) => [replicator.close(), replicator.close(), db.close()]))
      const nameless = (await settled).filter(({ reason }) => reason !== undefined && !String(reason.code).startsWith('LEVEL_'))
      say(what + (nameless.length > 0 ? ': ' + nameless[0].reason.stack : ''))
    }
    const callAll = ({ db, replicator }) => [db.put('a', '1'), db.get('a'), db.iterator().all(), db.clear(), replicator.ready(), replicator.digest()]

    let nodes = await trio(false)
    await end('founding', nodes, callAll(nodes[0]))

    nodes = await trio()
    await end('writing', nodes, nodes.flatMap((node) => Array.from({ length: 50 }, () => node.db.put('a', '1'))))

    nodes = await trio(true, { writeTimeoutMs: 30_000 })
    await nodes[0].db.batch(Array.from({ length: 2000 }, (_, i) => ({ type: 'put', key: 'key' + i, value: 'x'.repeat(1000) })))
    const [port] = await freePorts(1)
    const joining = await make(port, [nodes[0].port])
    await joining.synced
    await end('joining', [joining, ...nodes], callAll(joining))

    nodes = await trio()
    await end('leaving', nodes, [nodes[0].replicator.leave(), ...callAll(nodes[0])])

    nodes = await trio()
    await Promise.all(nodes.slice(1).map(({ replicator }) => replicator.close()))
    const members = nodes.slice(0, 2).map(({ replicator }) => replicator.stats().id)
    if (nodes[0].replicator.status === 'ready') await once(nodes[0].replicator, 'notready')
    await end('recovering', nodes, [nodes[0].replicator.recover(members), ...callAll(nodes[0])])

    const silent = createServer((socket) => { socket.on('error', () => {}).resume() }).listen(0, host)
    await once(silent, 'listening')
    const [dialling] = await freePorts(1)
    const dialled = once(silent, 'connection')
    nodes = [await make(dialling, [silent.address().port])]
    await dialled
    await end('dialling', nodes, callAll(nodes[0]))
    silent.close()

    nodes = await trio(false)
    await new Promise((resolve) => {
      const onReady = () => { end('in a handler', nodes, callAll(nodes[0])).then(resolve) }
      if (nodes[0].replicator.status === 'ready') onReady()
      else nodes[0].replicator.once('ready', onReady)
    })
  `)
  t.deepEqual(output.split('\n'), ['founding', 'writing', 'joining', 'leaving', 'recovering', 'dialling', 'in a handler'])
  t.equal(code, 0)
})
