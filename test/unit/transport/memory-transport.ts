import { Duplex } from 'node:stream'
import type { TransportTestOptions } from '../../../lib/transport/test.ts'

type Callback = (error?: Error | null) => void

/** One end of a connection in memory, of which a test can break one part. */
export class End extends Duplex {
  other!: End
  #onRead: Callback | null = null

  override _read (): void {
    const callback = this.#onRead
    this.#onRead = null
    callback?.()
  }

  override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
    this.deliver(chunk, callback)
  }

  override _final (callback: Callback): void {
    this.tellEnd()
    callback()
  }

  override _destroy (error: Error | null, callback: Callback): void {
    const held = this.#onRead
    this.#onRead = null
    callback(error)
    held?.(error)
    this.tellDestroy(error)
  }

  /** Hands bytes to the other end. The callback asks for more. */
  deliver (chunk: Uint8Array, callback: Callback): void {
    this.other.receive(chunk, callback)
  }

  tellEnd (): void {
    this.other.push(null)
  }

  tellDestroy (error: Error | null): void {
    this.other.destroy(error ?? undefined)
  }

  receive (chunk: Uint8Array, callback: Callback): void {
    if (this.destroyed || this.push(chunk)) callback()
    else this.#onRead = callback
  }
}

export function pairOf (Class: new () => End): [End, End] {
  const [a, b] = [new Class(), new Class()]
  a.other = b
  b.other = a
  return [a, b]
}

/** What the suite wants, for connections that are pairs of streams in this process. */
export function memoryTransport (pair: () => [Duplex, Duplex]): Pick<TransportTestOptions, 'listen' | 'transport'> {
  const listeners = new Map<number, (stream: Duplex) => void>()
  let last = 0
  return {
    async listen (onStream) {
      const port = ++last
      listeners.set(port, onStream)
      return { address: { host: 'memory', port }, async close () { listeners.delete(port) } }
    },
    async transport (port) {
      const onStream = listeners.get(port)
      if (onStream === undefined) throw new Error(`Nobody listens at ${port}`)
      const [dialled, accepted] = pair()
      onStream(accepted)
      return dialled
    }
  }
}
