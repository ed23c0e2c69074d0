import { fork } from 'node:child_process'
import { once } from 'node:events'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { IpcPorts, joinPorts } from '../../examples/transports/ipc-ports.ts'
import type { IpcPort } from '../../examples/transports/ipc-ports.ts'
import { messagePortStream, messagePortTransport } from '../../lib/transport/message-port.ts'
import { suite } from '../../lib/transport/test.ts'

const children = [0, 1].map(() => fork(new URL('relay-process.ts', import.meta.url), { serialization: 'advanced' }))
const [first, second] = children.map((child) => new IpcPorts(child)) as [IpcPorts, IpcPorts]
const listeners = new Map<string, (port: IpcPort) => void>()
let last = 0

// The way of every byte: from here to the first, from there through here to the second, and back here.
first.on('port', (port: IpcPort, to: string) => { joinPorts(port, second.open(to)) })
second.on('port', (port: IpcPort, to: string) => {
  const listener = listeners.get(to)
  if (listener === undefined) port.close()
  else listener(port)
})

suite({
  test,
  name: 'channels of child processes',
  async listen (onStream) {
    const port = ++last
    listeners.set(`here:${port}`, (end) => { onStream(messagePortStream(end)) })
    return { address: { host: 'here', port }, async close () { listeners.delete(`here:${port}`) } }
  },
  transport: messagePortTransport((port, host) => first.open(`${host}:${port}`)),
  database: () => new MemoryLevel(),
  bufferBytesMax: 8 * 1024 * 1024
})

test('channels of child processes: the end of a process is noticed', { timeout: 60_000 }, async (t) => {
  const accepting = new Promise<IpcPort>((resolve) => { listeners.set('here', resolve) })
  const dialled = messagePortStream(first.open('here'))
  const accepted = messagePortStream(await accepting)
  dialled.write('x')
  const [bytes] = await once(accepted, 'data')
  t.equal(String(bytes), 'x')

  const failures = [dialled, accepted].map(async (stream) => await once(stream, 'close').then(() => null, (err: unknown) => err))
  children[1]?.kill('SIGKILL')
  for (const failure of await Promise.all(failures)) t.ok(failure instanceof Error)
  children[0]?.disconnect()
  await once(children[0]!, 'exit')
})
