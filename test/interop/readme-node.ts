/** A node in a worker or in a child process, with a transport of the README. Does what it is told. */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../index.ts'
import { runBlock } from './readme-blocks.ts'

export type Order = { put: string } | { get: string[] }

const [part, port, host, control] = parentPort === null
  ? ['child', Number(process.argv[3]), process.argv[2], null] as const
  : ['worker', workerData.port as number, workerData.host as string, workerData.control as MessagePort] as const

const db: MemoryLevel<string, string> = new MemoryLevel()
const peers = [1, 2, 3].filter((other) => other !== port).map((other) => ({ host, port: other }))
// Some may take long to start.
const opts = { host, port, peers, writeTimeoutMs: 60_000, readTimeoutMs: 60_000 }
const running = runBlock(part, { Replicator, db, opts }, [])

async function obey (order: Order): Promise<unknown> {
  await running
  return 'put' in order ? await db.put(order.put, `by ${port}`) : await db.getMany(order.get)
}

if (control !== null) {
  control.on('message', (order: Order) => { obey(order).then((answer) => { control.postMessage({ answer }) }) })
} else {
  process.on('message', (message: { order?: Order }) => {
    if (message.order !== undefined) obey(message.order).then((answer) => { process.send?.({ answer }) })
  })
}
