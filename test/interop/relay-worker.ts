/** A worker that passes on what comes over one MessagePort to another one: every byte is read and written here. */
import { parentPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { messagePortStream } from '../../lib/transport/message-port.ts'
import { relay } from './relay.ts'

parentPort?.on('message', (ports: [MessagePort, MessagePort]) => {
  const [from, to] = ports.map(messagePortStream)
  if (from !== undefined && to !== undefined) relay(from, to)
})
