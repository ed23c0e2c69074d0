import type { Data, PrivateIterator } from './private-api.ts'
import { copyData } from './formats.ts'

/** An error with one of abstract-level's own codes, for what users know from any of its iterators. */
class IteratorError extends Error {
  readonly code: string

  constructor (code: string, name: string, message: string) {
    super(message)
    this.code = code
    this.name = name
  }
}

export interface FeedOptions {
  /** Null if the iterator below may be opened at once. */
  wait: Promise<void> | null
  /** Opens the iterator below. Called at most once, in the turn in which the wait ends. */
  open: () => PrivateIterator
  /** Turns an item of the iterator below into one of ours. */
  map: ((item: unknown) => unknown) | null
  signal: AbortSignal | null | undefined
}

/**
 * What the three kinds of iterators have in common: they wait until their range may be read, then open an
 * iterator of the store and forward to it.
 */
export class IteratorFeed {
  readonly #open: () => PrivateIterator
  readonly #map: ((item: unknown) => unknown) | null
  #inner: PrivateIterator | null = null
  #opened: Promise<PrivateIterator> | null = null
  #settle: { resolve: (inner: PrivateIterator) => void, reject: (error: unknown) => void } | null = null
  #seek: { target: Data, options: object } | null = null
  #unlisten: (() => void) | null = null

  constructor ({ wait, open, map, signal }: FeedOptions) {
    this.#open = open
    this.#map = map

    if (wait === null) {
      this.#inner = open()
      return
    }

    this.#opened = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    // Whether anybody reads is up to the user.
    this.#opened.catch(() => {})
    wait.then(() => this.#onReady(), (error) => this.#abandon(error))
    if (signal != null) this.#listen(signal)
  }

  async next (): Promise<unknown> {
    const inner = this.#inner ?? await (this.#opened as Promise<PrivateIterator>)
    const item = await inner.next()
    return item === undefined || this.#map === null ? item : this.#map(item)
  }

  async nextv (size: number, options: object): Promise<unknown[]> {
    const inner = this.#inner ?? await (this.#opened as Promise<PrivateIterator>)
    return this.#mapAll(await inner.nextv(size, options))
  }

  async all (options: object): Promise<unknown[]> {
    const inner = this.#inner ?? await (this.#opened as Promise<PrivateIterator>)
    return this.#mapAll(await inner.all(options))
  }

  seek (target: Data, options: object): void {
    if (this.#inner !== null) this.#inner.seek(target, options)
    // Only the last of several matters.
    else this.#seek = { target: copyData(target), options }
  }

  /** The user closes the iterator. Ends the wait, because closing waits for a pending next(). */
  onClose (): void {
    this.#abandon(new IteratorError('LEVEL_ITERATOR_NOT_OPEN', 'Error', 'Iterator is not open: it was closed'))
  }

  async close (): Promise<void> {
    this.onClose()
    if (this.#inner !== null) await this.#inner.close()
  }

  #onReady (): void {
    const settle = this.#settle
    if (settle === null) return
    this.#settled()

    try {
      const inner = this.#open()
      this.#inner = inner
      if (this.#seek !== null) inner.seek(this.#seek.target, this.#seek.options)
      settle.resolve(inner)
    } catch (error) {
      settle.reject(error)
    }
  }

  #abandon (error: unknown): void {
    const settle = this.#settle
    if (settle === null) return
    this.#settled()
    settle.reject(error)
  }

  #settled (): void {
    this.#settle = null
    this.#unlisten?.()
    this.#unlisten = null
  }

  #listen (signal: AbortSignal): void {
    const onAbort = () => {
      this.#abandon(new IteratorError('LEVEL_ABORTED', 'AbortError', 'Operation has been aborted'))
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#unlisten = () => signal.removeEventListener('abort', onAbort)
  }

  #mapAll (items: unknown[]): unknown[] {
    const map = this.#map
    if (map !== null) for (let i = 0; i < items.length; i++) items[i] = map(items[i])
    return items
  }
}
