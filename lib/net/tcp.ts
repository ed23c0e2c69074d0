import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Transport } from './transport.ts'

// In a browser, `lib/browser/tcp.ts` takes the place of this file.

/** Throws where no peer can be dialled without a transport. */
export function assertTcp (): void {}

export const connectTcp: Transport = (port, host) => connect({ port, host })

export function createTcpServer (onSocket: (socket: Socket) => void): Server {
  return createServer(onSocket)
}
