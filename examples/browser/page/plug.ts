import type { ReplicatorOptions } from 'quorum-level'
import { webSocketTransport } from 'quorum-level/transport/websocket'

type Transport = NonNullable<ReplicatorOptions['transport']>
type Stream = Awaited<ReturnType<Transport>>

/** All connections of this tab, which can be pulled out like a cable. It stays out when the tab is reloaded. */
export class Plug {
  readonly #dial = webSocketTransport()
  readonly #streams = new Set<Stream>()

  /** For the option `transport` of a replicator. */
  readonly transport = (port: number, host: string): Stream => {
    if (this.isOut) throw new Error('this tab is unplugged')
    const stream = this.#dial(port, host) as Stream
    this.#streams.add(stream)
    stream.once('close', () => { this.#streams.delete(stream) })
    return stream
  }

  get isOut (): boolean {
    return sessionStorage.getItem('plug') === 'out'
  }

  pull (): void {
    sessionStorage.setItem('plug', 'out')
    for (const stream of this.#streams) stream.destroy()
  }

  putIn (): void {
    sessionStorage.removeItem('plug')
  }
}
