import { codes, ReplicatorError } from '../errors.ts'
import type * as tcp from '../net/tcp.ts'

export function assertTcp (): never {
  throw new ReplicatorError(codes.notSupported, "There is no TCP in a browser: the option 'transport' must say how to reach a peer, such as webSocketTransport() of quorum-level/transport/websocket")
}

export const connectTcp: typeof tcp.connectTcp = assertTcp

export const createTcpServer: typeof tcp.createTcpServer = () => {
  throw new ReplicatorError(codes.notSupported, 'There is no TCP in a browser: listen() cannot be used here, a stream of another kind can be piped through createServer()')
}
