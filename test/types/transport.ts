/** The transports take what browsers, Node.js and `ws` have, and give what the option `transport` takes. */
import { MessageChannel as NodeMessageChannel } from 'node:worker_threads'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { WebSocket as WsWebSocket } from 'ws'
import { Replicator } from '../../index.ts'
import { messagePortStream, messagePortTransport } from '../../lib/transport/message-port.ts'
import { suite } from '../../lib/transport/test.ts'
import { webSocketStream, webSocketTransport } from '../../lib/transport/websocket.ts'

const db = new MemoryLevel()

export function transports (): void {
  Replicator(db, { transport: webSocketTransport() })
  Replicator(db, { transport: webSocketTransport({ WebSocket: globalThis.WebSocket, url: undefined }) })
  Replicator(db, { transport: webSocketTransport({ WebSocket: WsWebSocket, url: (port, host) => `wss://${host}:${port}` }) })
  Replicator(db, { transport: (port, host) => webSocketStream(new globalThis.WebSocket(`wss://${host}:${port}`, 'protocol')) })
  Replicator(db, { transport: messagePortTransport(() => new globalThis.MessageChannel().port1) })
  Replicator(db, { transport: messagePortTransport(async () => new NodeMessageChannel().port1) })
  messagePortStream(new globalThis.MessageChannel().port2).end()

  // @ts-expect-error: it needs a class, not a socket
  webSocketTransport({ WebSocket: new WsWebSocket('ws://localhost') })
  // @ts-expect-error: a port, not a channel
  messagePortStream(new globalThis.MessageChannel())
  // @ts-expect-error: there is nobody to connect to without listen
  suite({ test, transport: webSocketTransport(), database: () => db })
}
