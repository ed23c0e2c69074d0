import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import test from 'tape'
import { messagePortStream, messagePortTransport } from '../../../lib/transport/message-port.ts'
import type { MessagePortLike } from '../../../lib/transport/message-port.ts'

const timeout = { timeout: 30_000 }

/** A port as browsers have them that do not tell when the other one is closed. */
class Quiet extends EventTarget implements MessagePortLike {
  other!: Quiet
  isClosed = false

  postMessage (data: unknown): void {
    const { other } = this
    if (!this.isClosed) queueMicrotask(() => { if (!other.isClosed) other.dispatchEvent(new MessageEvent('message', { data })) })
  }

  start (): void {}
  close (): void { this.isClosed = true }
}

function quietPorts (): [Quiet, Quiet] {
  const ports: [Quiet, Quiet] = [new Quiet(), new Quiet()]
  const [a, b] = ports
  a.other = b
  b.other = a
  return ports
}

async function messageOf (stream: NodeJS.EventEmitter): Promise<string> {
  return await once(stream, 'close').then(() => 'no error', (err: Error) => err.message)
}

test('messagePortStream: is told of a destroy where ports do not tell of a close', timeout, async (t) => {
  const ports = quietPorts()
  const [a, b] = ports.map(messagePortStream)
  const message = messageOf(b!)
  a!.destroy()
  t.equal(await message, 'The other end of the MessagePort was destroyed')
  t.deepEqual(ports.map(({ isClosed }) => isClosed), [true, true])
})

test('messagePortStream: ends where ports do not tell of a close', timeout, async (t) => {
  const ports = quietPorts()
  const [a, b] = ports.map(messagePortStream)
  a!.end('last')
  t.equal(String((await once(b!, 'data'))[0]), 'last')
  b!.end()
  a!.resume()
  t.deepEqual(await Promise.all([a!, b!].map(messageOf)), ['no error', 'no error'])
  t.deepEqual(ports.map(({ isClosed }) => isClosed), [true, true])
})

test('messagePortStream: notices that the other port is closed', timeout, async (t) => {
  const { port1, port2 } = new MessageChannel()
  const message = messageOf(messagePortStream(port1))
  port2.close()
  t.equal(await message, 'The MessagePort was closed')
})

test('messagePortStream: what is none of ours', timeout, async (t) => {
  for (const data of ['text', {}, 7, new Uint16Array(1)]) {
    const { port1, port2 } = new MessageChannel()
    const message = messageOf(messagePortStream(port1))
    port2.postMessage(data)
    t.match(await message, /broke the protocol/, String(data))
  }
})

test('messagePortStream: a message that cannot be read', timeout, async (t) => {
  const [port] = quietPorts()
  const message = messageOf(messagePortStream(port))
  port.dispatchEvent(new Event('messageerror'))
  t.equal(await message, 'A message of the MessagePort cannot be read')
})

test('messagePortStream: the memory of what is written stays with the writer', timeout, async (t) => {
  const { port1, port2 } = new MessageChannel()
  const [a, b] = [messagePortStream(port1), messagePortStream(port2)]
  const bytes = Buffer.from('abc')
  a.write(bytes)
  t.equal(String((await once(b, 'data'))[0]), 'abc')
  t.equal(String(bytes), 'abc')
  const message = messageOf(b)
  a.destroy()
  await message
})

test('messagePortTransport: asks for a port of the address', timeout, async (t) => {
  const { port1, port2 } = new MessageChannel()
  const asked: unknown[] = []
  const stream = await messagePortTransport(async (...args) => {
    asked.push(args)
    return port1
  })(3000, 'db1')
  t.deepEqual(asked, [[3000, 'db1']])
  const other = messagePortStream(port2)
  other.write('x')
  t.equal(String((await once(stream, 'data'))[0]), 'x')
  const message = messageOf(other)
  stream.destroy()
  await message

  const refused = await Promise.resolve(messagePortTransport(() => { throw new Error('nobody') })(3000, 'db1')).catch((err: unknown) => err)
  t.equal((refused as Error).message, 'nobody')
})
