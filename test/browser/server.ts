/** A member in a process of its own, with a database on disk, that others reach over WebSockets. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { ClassicLevel } from 'classic-level'
import type { ReplicatorOptions } from 'quorum-level'
import { webSocketStream, webSocketTransport } from 'quorum-level/transport/websocket'
import { WebSocket, WebSocketServer } from 'ws'
import { answer, Member } from './page/member.ts'

const { location, options } = JSON.parse(process.argv[2] as string) as { location: string, options: ReplicatorOptions }

process.on('disconnect', () => { process.exit() })
const host = '127.0.0.1'
const server = new WebSocketServer({ host, port: 0 })
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const member = new Member(new ClassicLevel<string, string>(location), { host, port, ...options, transport: webSocketTransport({ WebSocket }) })
server.on('connection', (socket) => { member.accept(webSocketStream(socket)) })

process.on('message', async ({ id, method, args }: any) => {
  process.send?.({ id, reply: await answer(member, method, args) })
})
process.send?.({ port })
