import { Duplex } from './duplex.ts'

type Callback = (error?: Error | null) => void

/** Two streams of bytes: what is written to the one can be read from the other. They are destroyed together, unless both have ended. */
export function duplexPair (Class: new () => PairEnd = PairEnd): [Duplex, Duplex] {
  const [a, b] = [new Class(), new Class()]
  a.other = b
  b.other = a
  return [a, b]
}

export class PairEnd extends Duplex {
  other!: PairEnd
  #onRead: Callback | null = null

  override _read (): void {
    const callback = this.#onRead
    this.#onRead = null
    callback?.()
  }

  override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
    this.other.receive(chunk, callback)
  }

  override _final (callback: Callback): void {
    this.other.push(null)
    callback()
  }

  override _destroy (error: Error | null, callback: Callback): void {
    const held = this.#onRead
    this.#onRead = null
    callback(error)
    // After both directions have ended, the other end may still have something to read.
    const isClean = this.readableEnded && this.writableFinished
    // First: a failed write shall be no failure of a stream that is destroyed without one.
    if (!isClean) this.other.destroy(error ?? undefined)
    held?.(error ?? new Error('The other end was destroyed'))
  }

  /** For the other end. The callback asks for more: the writer waits as long as the reader has enough. */
  receive (chunk: Uint8Array, callback: Callback): void {
    if (this.destroyed || this.push(chunk)) callback()
    else this.#onRead = callback
  }
}
