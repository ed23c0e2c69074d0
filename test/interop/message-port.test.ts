import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { messagePortStream, messagePortTransport } from '../../lib/transport/message-port.ts'
import { suite } from '../../lib/transport/test.ts'
import { startWorker } from './start-worker.ts'

const listeners = new Map<number, (port: MessagePort) => void>()
const worker = startWorker('relay-worker.ts')
let last = 0

const kinds: Array<[string, (listener: (port: MessagePort) => void) => MessagePort]> = [
  ['MessagePort', (listener) => {
    const { port1, port2 } = new MessageChannel()
    listener(port1)
    return port2
  }],
  ['MessagePorts to and from a Worker', (listener) => {
    const [here, there] = [new MessageChannel(), new MessageChannel()]
    worker.postMessage([here.port2, there.port2], [here.port2, there.port2])
    listener(there.port1)
    return here.port1
  }]
]

for (const [name, connect] of kinds) {
  suite({
    test,
    name,
    async listen (onStream) {
      const port = ++last
      listeners.set(port, (end) => { onStream(messagePortStream(end)) })
      return { address: { host: 'here', port }, async close () { listeners.delete(port) } }
    },
    transport: messagePortTransport((port) => {
      const listener = listeners.get(port)
      if (listener === undefined) throw new Error(`Nobody listens at ${port}`)
      return connect(listener)
    }),
    database: () => new MemoryLevel(),
    bufferBytesMax: 8 * 1024 * 1024
  })
}

test('MessagePort: the end of a Worker is noticed', { timeout: 60_000 }, async (t) => {
  const [here, there] = [new MessageChannel(), new MessageChannel()]
  const streams = [here, there].map(({ port1 }) => messagePortStream(port1))
  const failures = streams.map(async (stream) => await once(stream, 'close').then(() => null, (err: unknown) => err))
  worker.postMessage([here.port2, there.port2], [here.port2, there.port2])
  streams[0]?.write('x')
  const [bytes] = await once(streams[1]!, 'data')
  t.equal(String(bytes), 'x')
  await worker.terminate()
  for (const failure of await Promise.all(failures)) t.ok(failure instanceof Error)
})
