/** The TCP connections of one node, which can be cut as if somebody had pulled its cable. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export class Wire {
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #isCut: boolean

  constructor (isCut: boolean) {
    this.#isCut = isCut
  }

  /** The option `transport` of a replicator. */
  readonly dial = (port: number, host: string): Duplex => {
    if (this.#isCut) throw new Error('this node is cut off')
    return this.#add(connect({ port, host }))
  }

  /** `replicator.listen()` would do, if connections were not to be cut. */
  async listen (port: number, host: string, makeStream: () => Duplex): Promise<void> {
    const server = createServer((socket) => {
      this.#add(socket)
      // Errors of a socket that is cut have to go somewhere.
      socket.on('error', () => {})
      if (this.#isCut) {
        socket.resetAndDestroy()
        return
      }
      const stream = makeStream()
      stream.pipe(socket).pipe(stream)
    })
    server.listen(port, host)
    await once(server, 'listening')
    this.#server = server
  }

  cut (isCut: boolean): void {
    this.#isCut = isCut
    if (isCut) for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  close (): void {
    this.#server?.close()
    this.#server = null
  }

  #add (socket: Socket): Socket {
    this.#sockets.add(socket)
    socket.on('close', () => { this.#sockets.delete(socket) })
    return socket
  }
}
