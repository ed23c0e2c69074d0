import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import test from 'tape'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'
import type { Transport } from '../../lib/net/transport.ts'
import { closeAll, exchange, Node } from '../unit/net/node.ts'
import { certificate } from './certificate.ts'

interface Kind {
  name: string
  /** How a server offers streams of bytes to `onConnection`. */
  serve: (onConnection: (con: Duplex) => void) => net.Server
  transport: Transport
}

const { key, cert } = certificate()

const kinds: Kind[] = [{
  name: 'net',
  serve: (onConnection) => net.createServer(onConnection),
  transport: (port, host) => net.connect(port, host)
}, {
  name: 'tls',
  serve: (onConnection) => tls.createServer({ key, cert }, onConnection),
  transport: (port, host) => tls.connect({ port, host, ca: cert, servername: 'localhost' })
}, {
  name: 'http upgrade',
  serve: (onConnection) => http.createServer().on('upgrade', (_req, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quorum-level\r\n\r\n')
    if (head.length !== 0) socket.unshift(head)
    onConnection(socket)
  }),
  transport: (port, host) => request('upgrade', {
    port, host, headers: { Connection: 'Upgrade', Upgrade: 'quorum-level' }
  })
}, {
  name: 'http CONNECT',
  serve: (onConnection) => http.createServer().on('connect', (_req, socket, head) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    if (head.length !== 0) socket.unshift(head)
    onConnection(socket)
  }),
  transport: (port, host) => request('connect', { port, host, method: 'CONNECT', path: 'quorum-level' })
}, {
  name: 'http duplex request',
  serve: (onConnection) => http.createServer((req, res) => {
    res.flushHeaders()
    onConnection(join(req, res))
  }),
  async transport (port, host) {
    const req = http.request({ port, host, method: 'POST' })
    req.flushHeaders()
    const [res] = await once(req, 'response') as [http.IncomingMessage]
    return join(res, req)
  }
}, {
  name: 'WebSocket',
  serve (onConnection) {
    const server = http.createServer()
    new WebSocketServer({ server }).on('connection', (ws) => { onConnection(createWebSocketStream(ws)) })
    return server
  },
  transport: (port, host) => createWebSocketStream(new WebSocket(`ws://${host}:${port}`))
}]

/** The socket that a request turns into when the server agrees. */
async function request (event: 'upgrade' | 'connect', options: http.RequestOptions): Promise<Duplex> {
  const [, socket, head] = await once(http.request(options).end(), event) as [unknown, Duplex, Buffer]
  if (head.length !== 0) socket.unshift(head)
  return socket
}

/** One stream of the two of a request and its response. */
function join (readable: http.IncomingMessage, writable: http.ServerResponse | http.ClientRequest): Duplex {
  const duplex = new Duplex({
    read () { readable.resume() },
    write (chunk, _encoding, callback) { writable.write(chunk, callback) },
    final (callback) { writable.end(callback) },
    destroy (error, callback) {
      readable.destroy()
      writable.destroy()
      callback(error)
    }
  })
  readable.on('data', (chunk) => { if (!duplex.push(chunk)) readable.pause() })
  readable.on('end', () => { duplex.push(null) })
  for (const half of [readable, writable]) {
    half.on('error', (err) => { duplex.destroy(err) })
    half.on('close', () => { duplex.destroy() })
  }
  return duplex
}

for (const { name, serve, transport } of kinds) {
  test(`interop: ${name}`, { timeout: 30000 }, async (t) => {
    const cons: Duplex[] = []
    const options = { transport, reconnectMinMs: 20 }
    const nodes = [new Node('1', options), new Node('2', options)] as const
    const servers = await Promise.all(nodes.map(async (node) => {
      const server = serve((con) => {
        cons.push(con)
        const stream = node.network.createServer()
        stream.pipe(con).pipe(stream)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      node.network.start(node)
      return server
    }))
    const [x, y] = servers.map((server) => ({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }))
    const [a, b] = nodes

    // Once each way, and both ways.
    const dials: Array<() => void> = [() => { a.network.dial(y as typeof x & {}) }, () => { b.network.dial(x as typeof y & {}) }]
    for (const dial of dials) {
      dial()
      await exchange(a, b)
      await exchange(a, b, new Uint8Array(1_000_000).map((_, i) => i * 31))
      t.pass('frames of 1 byte and 1 MB')

      const closes = Promise.all([once(a, 'close'), once(b, 'close')])
      for (const con of cons.splice(0)) con.destroy()
      await closes
      await exchange(a, b)
      await exchange(a, b, new Uint8Array(1_000_000).fill(3))
      t.pass('and after a drop')
    }

    await closeAll(a, b)
    t.notOk([...a.log, ...b.log].some((line) => /[A-Z] [A-Z]/.test(line)), 'one session at a time')
    await Promise.all(servers.map((server) => new Promise((resolve) => {
      server.close(resolve)
      if (server instanceof http.Server) server.closeAllConnections()
    })))
  })
}
