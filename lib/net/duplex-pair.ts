import { Duplex } from './duplex.ts'

type Callback = (error?: Error | null) => void

/** Two streams of bytes: what is written to the one can be read from the other. They are destroyed together. */
export function duplexPair (): [Duplex, Duplex] {
  const a = new PairEnd()
  const b = new PairEnd()
  a.other = b
  b.other = a
  return [a, b]
}

class PairEnd extends Duplex {
  other!: PairEnd
  #onRead: Callback | null = null

  override _read (): void {
    const callback = this.#onRead
    this.#onRead = null
    callback?.()
  }

  override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
    this.other.#take(chunk, callback)
  }

  override _final (callback: Callback): void {
    this.other.push(null)
    callback()
  }

  override _destroy (error: Error | null, callback: Callback): void {
    const held = this.#onRead
    this.#onRead = null
    callback(error)
    held?.(error)
    this.other.destroy(error ?? undefined)
  }

  // The writer waits as long as the reader has enough.
  #take (chunk: Uint8Array, callback: Callback): void {
    if (this.destroyed || this.push(chunk)) callback()
    else this.#onRead = callback
  }
}
