import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Stands between one node and another, to cut or hold up what goes through. */
export class TcpProxy {
  readonly #server: Server
  readonly #target: { host: string, port: number }
  readonly #pairs = new Set<readonly [near: Socket, far: Socket]>()
  #mode: 'open' | 'cut' | 'frozen' = 'open'

  private constructor (target: { host: string, port: number }) {
    this.#target = target
    this.#server = createServer((socket) => { this.#onConnection(socket) })
  }

  static async listen (target: { host: string, port: number }, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get address (): { host: string, port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  /** Breaks all connections, and each new one at once. */
  cut (): void {
    this.#mode = 'cut'
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  /** Lets nothing through, without telling anybody: as a network that loses all packets. */
  freeze (): void {
    this.#mode = 'frozen'
    for (const pair of this.#pairs) for (const socket of pair) socket.pause()
  }

  /** Lets everything through again, what was held up included. */
  heal (): void {
    this.#mode = 'open'
    for (const pair of this.#pairs) for (const socket of pair) socket.resume()
  }

  async close (): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => { this.#server.close(() => { resolve() }) })
  }

  #onConnection (near: Socket): void {
    near.on('error', () => {})
    if (this.#mode === 'cut') {
      near.resetAndDestroy()
      return
    }
    const far = connect(this.#target)
    const pair = [near, far] as const
    this.#pairs.add(pair)
    far.on('error', () => {})

    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('data', (chunk) => { to.write(chunk) })
      from.on('end', () => { to.end() })
      from.on('close', () => {
        to.destroy()
        this.#pairs.delete(pair)
      })
    }
    if (this.#mode === 'frozen') for (const socket of pair) socket.pause()
  }
}
