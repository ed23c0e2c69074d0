/** Runs the suite with the global WebSocket of Node.js, which not every version has without a flag. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { WebSocketServer } from 'ws'
import { suite } from '../../lib/transport/test.ts'
import { webSocketStream, webSocketTransport } from '../../lib/transport/websocket.ts'

suite({
  test,
  name: 'the global WebSocket',
  async listen (onStream) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 65536 })
    server.on('connection', (socket) => { onStream(webSocketStream(socket)) })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { address: { host: '127.0.0.1', port }, async close () { server.close() } }
  },
  transport: webSocketTransport(),
  database: () => new MemoryLevel(),
  bufferBytesMax: 4 * 1024 * 1024
})
