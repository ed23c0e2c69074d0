/** The code of the README's section on transports, as it stands there. That for TLS is in `test/cluster/tls.test.ts`. */
import { fork } from 'node:child_process'
import type { ChildProcess, ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import type { Worker } from 'node:worker_threads'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import type { Test } from 'tape'
import { Replicator } from '../../index.ts'
import type { DatabaseReplicator } from '../../index.ts'
import type { TransportTestOptions } from '../../lib/transport/test.ts'
import { freePorts } from '../support/cluster/free-ports.ts'
import { blocks, load, runBlock } from './readme-blocks.ts'
import type { Order } from './readme-node.ts'
import { startWorker } from './start-worker.ts'

const timeout = 120_000
const oneProcess = ['HTTP upgrade', 'HTTP CONNECT', 'One HTTP request, both ways', 'WebSocket', 'Unix socket']
const folder = mkdtempSync(join(tmpdir(), 'quorum-level-'))
test.onFinish(() => { rmSync(folder, { recursive: true }) })

/** Has a node do something that is in another thread or process. Gives the answer. */
type Remote = (order: Order) => Promise<unknown>

test('the README: all code of "Transports" is run', { timeout }, async (t) => {
  const elsewhere = ['TLS']
  t.deepEqual([...blocks.keys()].sort(), [...oneProcess, 'worker', 'main thread', 'child', 'parent', 'suite', ...elsewhere].sort())
})

for (const name of oneProcess) {
  test(`the README: ${name}`, { timeout }, async (t) => {
    const ports = await freePorts(2)
    const nodes = await Promise.all(ports.map(async (port, i) => {
      const db: MemoryLevel<string, string> = new MemoryLevel()
      const opts = { host: 'localhost', port, peers: [{ host: 'localhost', port: ports[1 - i] }] }
      const change = (code: string): string => code.replaceAll('3000', String(port)).replaceAll('/run/db', folder)
      const { r, server } = await runBlock(name, { Replicator, db, opts }, ['r', 'server'], change) as { r: DatabaseReplicator<typeof db>, server: Server }
      t.teardown(async () => {
        server.close()
        await r.close()
        await db.close()
      })
      return db
    }))
    for (const [i, db] of nodes.entries()) await db.put(`key ${i}`, String(i))
    for (const db of nodes) t.deepEqual(await db.getMany(['key 0', 'key 1']), ['0', '1'])
  })
}

test('the README: worker threads', { timeout }, async (t) => {
  const remotes: Remote[] = []
  const workers: Worker[] = []
  // In place of a file './node.js': a worker that runs the code for it.
  class NodeWorker {
    constructor (_file: string, { workerData }: { workerData: object }) {
      const { port1, port2 } = new MessageChannel()
      const worker = startWorker('readme-node.ts', { workerData: { ...workerData, control: port2 }, transferList: [port2] })
      workers.push(worker)
      remotes.push(async (order) => {
        port1.postMessage(order)
        const [{ answer }] = await once(port1, 'message')
        return answer
      })
      return worker
    }
  }
  await runBlock('main thread', { load: async (name: string) => ({ ...await load(name), Worker: NodeWorker }) }, [])
  t.teardown(async () => { await Promise.all(workers.map(async (worker) => await worker.terminate())) })
  await assertAllWrite(t, remotes)
})

test('the README: child processes', { timeout }, async (t) => {
  const remotes: Remote[] = []
  const children: ChildProcess[] = []
  const forkNode = (_file: string, args: unknown[], options: ForkOptions): ChildProcess => {
    const child = fork(new URL('readme-node.ts', import.meta.url), args.map(String), options)
    children.push(child)
    remotes.push(async (order) => {
      child.send({ order })
      for (;;) {
        const [message] = await once(child, 'message')
        if ('answer' in message) return message.answer
      }
    })
    return child
  }
  await runBlock('parent', { load: async (name: string) => ({ ...await load(name), fork: forkNode }) }, [])
  t.teardown(async () => {
    const exits = children.map(async (child) => await once(child, 'exit'))
    for (const child of children) child.kill()
    await Promise.all(exits)
  })
  await assertAllWrite(t, remotes)
})

test('the README: a transport of your own', { timeout }, async (t) => {
  let count = 0
  const counting: TransportTestOptions['test'] = (name, options, body) => {
    count++
    test(name, options, body)
  }
  // Its tests follow those of this file.
  await runBlock('suite', { load: async (name: string) => name === 'tape' ? { default: counting } : await load(name) }, [])
  t.ok(count > 0, 'there are tests')
})

async function assertAllWrite (t: Test, remotes: readonly Remote[]): Promise<void> {
  const keys = remotes.map((_, i) => `key ${i}`)
  t.equal(keys.length, 3)
  for (const [i, remote] of remotes.entries()) await remote({ put: keys[i] as string })
  for (const remote of remotes) t.deepEqual(await remote({ get: keys }), ['by 1', 'by 2', 'by 3'])
}
