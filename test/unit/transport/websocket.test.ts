import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import test from 'tape'
import { WebSocket, WebSocketServer } from 'ws'
import type { WebSocketLike } from '../../../lib/transport/websocket.ts'
import { webSocketStream, webSocketTransport } from '../../../lib/transport/websocket.ts'

const timeout = { timeout: 30_000 }

/** A WebSocket that never gets anywhere, and has no `terminate()`, like that of a browser. */
class Fake extends EventTarget implements WebSocketLike {
  binaryType = 'blob'
  readyState = 0
  closes = 0
  readonly sent: unknown[] = []
  readonly url: string

  constructor (url: string) {
    super()
    this.url = url
  }

  send (data: unknown): void { this.sent.push(data) }
  close (): void { this.closes++ }

  tell (type: string, properties: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), properties))
  }
}

async function messageOf (stream: NodeJS.EventEmitter): Promise<string> {
  return await once(stream, 'close').then(() => 'no error', (err: Error) => err.message)
}

test('webSocketTransport: the address, and the URL that is made of it', timeout, async (t) => {
  const urls: string[] = []
  class Recording extends Fake {
    constructor (url: string) {
      super(url)
      urls.push(url)
    }
  }
  webSocketTransport({ WebSocket: Recording })(3000, 'db1')
  webSocketTransport({ WebSocket: Recording })(3000, '::1')
  webSocketTransport({ WebSocket: Recording, url: (port, host) => `wss://${host}/${port}` })(3000, 'db1')
  t.deepEqual(urls, ['ws://db1:3000', 'ws://[::1]:3000', 'wss://db1/3000'])
  t.throws(() => webSocketTransport({ WebSocket: Recording, url: 'ws://db1' as unknown as () => string }), /TypeError: .*'url'/)
})

test('webSocketTransport: the global class', timeout, async (t) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
  t.teardown(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'WebSocket')
    else Object.defineProperty(globalThis, 'WebSocket', before)
  })
  Object.defineProperty(globalThis, 'WebSocket', { value: undefined, configurable: true })
  t.throws(() => webSocketTransport(), TypeError)
  Object.defineProperty(globalThis, 'WebSocket', { value: Fake, configurable: true })
  const stream = await webSocketTransport()(3000, 'db1')
  t.ok((stream as typeof stream & { connecting: boolean }).connecting)
})

test('webSocketStream: what is sent, and what is understood', timeout, async (t) => {
  const socket = new Fake('')
  const stream = webSocketStream(socket)
  t.equal(socket.binaryType, 'arraybuffer')
  stream.write('ab')
  t.deepEqual(socket.sent, [])
  socket.tell('open')
  t.deepEqual(socket.sent.map(String), ['97,98'])
  socket.tell('message', { data: '2' })
  socket.tell('message', { data: Uint8Array.of(99).buffer })
  t.equal(String((await once(stream, 'data'))[0]), 'c')
  socket.tell('message', { data: new ArrayBuffer(0) })
  stream.end()
  await once(stream, 'close')
  t.deepEqual(socket.sent.slice(1), [new Uint8Array(0)])
  t.equal(socket.closes, 1)
})

test('webSocketStream: what is none of ours', timeout, async (t) => {
  for (const data of ['', 'x', '-1', '1.5', '1e3', ' 1', '9'.repeat(10), null, new Uint8Array(1)]) {
    const socket = new Fake('')
    const stream = webSocketStream(socket)
    socket.tell('open')
    const message = messageOf(stream)
    socket.tell('message', { data })
    t.match(await message, /broke the protocol/, String(data))
    t.equal(socket.closes, 1)
  }
})

test('webSocketStream: closes at once if it is destroyed, where it can, and in order after both ends', timeout, async (t) => {
  class Terminable extends Fake {
    terminations = 0
    terminate (): void { this.terminations++ }
  }
  for (const isClean of [true, false]) {
    const socket = new Terminable('')
    const stream = webSocketStream(socket).resume()
    socket.tell('open')
    if (isClean) {
      socket.tell('message', { data: new ArrayBuffer(0) })
      stream.end()
    } else {
      stream.destroy()
    }
    await once(stream, 'close')
    t.deepEqual([socket.closes, socket.terminations], isClean ? [1, 0] : [0, 1])
  }
})

test('webSocketStream: why it is closed', timeout, async (t) => {
  const cause = new Error('cause')
  const cases: Array<[string, object, string]> = [
    ['error', { error: cause }, 'cause'],
    ['error', { message: 'no route' }, 'no route'],
    ['error', {}, 'The WebSocket failed'],
    ['close', { code: 1006 }, 'The WebSocket was closed (1006)']
  ]
  for (const [type, properties, expected] of cases) {
    const socket = new Fake('')
    const message = messageOf(webSocketStream(socket))
    socket.tell(type, properties)
    socket.tell('error', {})
    socket.tell('close', { code: 1000 })
    t.equal(await message, expected)
  }
})

test('webSocketStream: one that is closed already', timeout, async (t) => {
  for (const readyState of [2, 3]) {
    const socket = new Fake('')
    socket.readyState = readyState
    t.equal(await messageOf(webSocketStream(socket)), 'The WebSocket is closed')
  }
})

test('webSocketStream: destroyed before it is connected', timeout, async (t) => {
  // Takes connections, and never says a word.
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'connection')
  const stream = await webSocketTransport({ WebSocket })(port, '127.0.0.1')
  const [connection] = await accepted
  stream.destroy()
  t.equal(await messageOf(stream), 'no error')
  connection.resume()
  if (!connection.destroyed) await once(connection, 'close').catch(() => {})
  server.close()
})

test('webSocketStream: a peer that speaks otherwise is cut off', timeout, async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.on('connection', (socket) => { socket.send('hello') })
  const stream = await webSocketTransport({ WebSocket })(port, '127.0.0.1')
  t.match(await messageOf(stream), /broke the protocol/)
  server.close()
})
