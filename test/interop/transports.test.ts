import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { WebSocket, WebSocketServer } from 'ws'
import type { Transport } from '../../lib/net/transport.ts'
import { suite } from '../../lib/transport/test.ts'
import { webSocketStream, webSocketTransport } from '../../lib/transport/websocket.ts'
import { authority } from './certificate.ts'

interface Kind {
  name: string
  /** How a server offers streams of bytes to `onStream`. */
  serve: (onStream: (stream: Duplex) => void) => net.Server
  transport: Transport
  bufferBytesMax?: number
}

const { cert: ca, issue } = authority()
const identity = { ...issue('localhost'), ca }

// Plain TCP is in the README as an example for the suite.
const kinds: Kind[] = [{
  name: 'TLS with certificates on both sides',
  serve: (onStream) => tls.createServer({ ...identity, requestCert: true }, onStream),
  transport: (port, host) => tls.connect({ port, host, ...identity, servername: 'localhost' })
}, {
  name: 'HTTP upgrade',
  serve: (onStream) => http.createServer().on('upgrade', (_req, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quorum-level\r\n\r\n')
    socket.unshift(head)
    onStream(socket)
  }),
  transport: (port, host) => request('upgrade', { port, host, headers: { Connection: 'Upgrade', Upgrade: 'quorum-level' } })
}, {
  name: 'HTTP CONNECT',
  serve: (onStream) => http.createServer().on('connect', (_req, socket, head) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.unshift(head)
    onStream(socket)
  }),
  transport: (port, host) => request('connect', { port, host, method: 'CONNECT', path: 'quorum-level:80' })
}, {
  name: 'HTTP request, both ways',
  serve: (onStream) => http.createServer((req, res) => {
    res.flushHeaders()
    onStream(Duplex.from({ readable: req, writable: res }))
  }),
  async transport (port, host) {
    const req = http.request({ port, host, method: 'POST' })
    req.flushHeaders()
    const [res] = await once(req, 'response') as [http.IncomingMessage]
    return Duplex.from({ readable: res, writable: req })
  }
}, {
  name: 'WebSocket',
  serve (onStream) {
    const server = http.createServer()
    new WebSocketServer({ server, maxPayload: 65536 }).on('connection', (socket) => { onStream(webSocketStream(socket)) })
    return server
  },
  transport: webSocketTransport({ WebSocket }),
  bufferBytesMax: 4 * 1024 * 1024
}]

for (const { serve, ...kind } of kinds) {
  suite({
    test,
    ...kind,
    async listen (onStream) {
      const server = serve(onStream).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as net.AddressInfo
      return { address: { host: '127.0.0.1', port }, async close () { server.close() } }
    },
    database: () => new MemoryLevel()
  })
}

const folder = mkdtempSync(join(tmpdir(), 'quorum-level-'))
let last = 0
test.onFinish(() => { rmSync(folder, { recursive: true }) })

suite({
  test,
  name: 'Unix socket',
  async listen (onStream) {
    const port = ++last
    const server = net.createServer(onStream).listen(join(folder, `${port}.sock`))
    await once(server, 'listening')
    return { address: { host: 'here', port }, async close () { server.close() } }
  },
  transport: (port) => net.connect(join(folder, `${port}.sock`)),
  database: () => new MemoryLevel()
})

/** The socket that a request turns into when the server agrees. */
async function request (event: 'upgrade' | 'connect', options: http.RequestOptions): Promise<Duplex> {
  const [, socket, head] = await once(http.request(options).end(), event) as [unknown, Duplex, Buffer]
  socket.unshift(head)
  return socket
}
