import { EventEmitter } from 'events'

type Callback = (error?: Error | null) => void
type Listener = (...args: any[]) => void

interface Write {
  chunk: Uint8Array
  encoding: string
  callback: Callback
}

/** Where a stream is piped to: one of these, or of another library. */
interface Destination {
  readonly writableNeedDrain?: boolean
  write (chunk: Uint8Array): boolean
  end (): void
  on (event: string, listener: Listener): unknown
  off (event: string, listener: Listener): unknown
  emit (event: string, ...args: unknown[]): boolean
  listenerCount (event: string): number
}

export interface DuplexOptions {
  /** So many bytes are buffered, in each direction, before the other side is asked to wait. Default: 65,536. */
  highWaterMark?: number
  /** Whether the stream may still be written to when everything was read. Default: true. */
  allowHalfOpen?: boolean
  /** Whether the stream is destroyed when it has ended in both directions, or failed. Only true. */
  autoDestroy?: true
}

/**
 * A duplex stream of bytes for browsers, a twentieth of the size of the usual ones. To write to and to be derived from it is like
 * `stream.Duplex` of Node.js. It is read with `data` events or pipe(), not with read(), `readable` events or an iterator.
 */
export class Duplex extends EventEmitter {
  readonly readableHighWaterMark: number
  readonly writableHighWaterMark: number
  readonly allowHalfOpen: boolean
  /** Null: nobody has asked for data yet. */
  readableFlowing: boolean | null = null
  readableEnded = false
  writableEnded = false
  writableFinished = false
  writableLength = 0
  writableCorked = 0
  destroyed = false
  closed = false
  errored: Error | null = null

  #unread: Uint8Array[] = []
  #unreadBytes = 0
  #isEof = false
  #isReading = false
  #isInRead = false
  #isFlowDue = false
  readonly #pipes = new Map<Destination, () => void>()
  readonly #clogged = new Set<Destination>()

  #unwritten: Write[] = []
  #written: Write[] = []
  #isInWrite = false
  #isDrainDue = false
  #isFinal = false

  constructor ({ highWaterMark = 65_536, allowHalfOpen = true }: DuplexOptions = {}) {
    super()
    this.readableHighWaterMark = highWaterMark
    this.writableHighWaterMark = highWaterMark
    this.allowHalfOpen = allowHalfOpen
  }

  _read (): void {}
  _final (callback: Callback): void { callback() }
  _destroy (error: Error | null, callback: Callback): void { callback(error) }
  _writev? (writes: Array<{ chunk: Uint8Array, encoding: string }>, callback: Callback): void
  _write (_chunk: Uint8Array, _encoding: string, callback: Callback): void {
    callback(new Error('The method _write() is not implemented'))
  }

  // Reading

  get readable (): boolean {
    return !this.destroyed && !this.readableEnded
  }

  get readableLength (): number {
    return this.#unreadBytes
  }

  override on (event: string | symbol, listener: Listener): this {
    if (event === 'readable') throw new TypeError('This stream is read with data events or pipe()')
    super.on(event, listener)
    if (event === 'data' && this.readableFlowing === null) this.resume()
    return this
  }

  override addListener (event: string | symbol, listener: Listener): this {
    return this.on(event, listener)
  }

  isPaused (): boolean {
    return this.readableFlowing === false
  }

  pause (): this {
    this.readableFlowing = false
    return this
  }

  resume (): this {
    if (this.readableFlowing !== true) {
      this.readableFlowing = true
      this.#flowSoon()
    }
    return this
  }

  /** Returns false if there is enough; the next `_read` asks for more. Null is the end. */
  push (chunk: Uint8Array | null): boolean {
    this.#isReading = false
    if (this.destroyed) return false
    if (this.#isEof) {
      if (chunk !== null) this.destroy(new Error('push() after the end'))
      return false
    }

    if (chunk === null) {
      this.#isEof = true
    } else if (chunk.length === 0) {
      // Nothing to read, but an answer to _read().
    } else if (this.readableFlowing === true && this.#unreadBytes === 0 && !this.#isInRead && this.listenerCount('data') > 0) {
      this.emit('data', chunk)
    } else {
      this.#unread.push(chunk)
      this.#unreadBytes += chunk.length
    }
    this.#flowSoon()
    return !this.#isEof && this.#unreadBytes < this.readableHighWaterMark
  }

  // One step in a turn of its own: a listener that is called may do anything.
  #flowSoon (): void {
    if (this.#isFlowDue) return
    this.#isFlowDue = true
    queueMicrotask(() => {
      this.#isFlowDue = false
      this.#flow()
    })
  }

  #flow (): void {
    let isLastRead = false
    while (this.readableFlowing === true && !this.destroyed) {
      const chunk = this.#unread.shift()
      if (chunk === undefined) break
      this.#unreadBytes -= chunk.length
      isLastRead = this.#unreadBytes === 0
      this.emit('data', chunk)
    }
    if (this.destroyed) return
    if (this.#isEof) {
      // Also if the last of it has made the reader pause.
      if (isLastRead || (this.readableFlowing === true && this.#unreadBytes === 0)) this.#onEnd()
    } else if (!this.#isReading && this.#unreadBytes < this.readableHighWaterMark && this.readableFlowing !== null) {
      this.#isReading = true
      this.#isInRead = true
      try {
        this._read()
      } finally {
        this.#isInRead = false
      }
    }
  }

  #onEnd (): void {
    if (this.readableEnded) return
    this.readableEnded = true
    this.emit('end')
    if (this.writableFinished) this.destroy()
    else if (!this.allowHalfOpen && !this.writableEnded) this.end()
  }

  pipe<T extends Destination> (destination: T, { end = true } = {}): T {
    const onClogged = () => {
      this.#clogged.add(destination)
      this.pause()
    }
    const onData = (chunk: Uint8Array) => { if (!destination.write(chunk)) onClogged() }
    const onDrain = () => {
      if (this.#clogged.delete(destination) && this.#clogged.size === 0) this.resume()
    }
    const onGone = () => { this.unpipe(destination) }
    const onEnd = end ? () => { destination.end() } : onGone
    const onError = (error: Error) => {
      onGone()
      // That we have listened must not hide it.
      if (destination.listenerCount('error') === 0) destination.emit('error', error)
    }
    const listeners: Array<[string, Listener]> = [['drain', onDrain], ['error', onError], ['close', onGone], ['finish', onGone]]

    this.#pipes.get(destination)?.()
    this.#pipes.set(destination, () => {
      this.off('data', onData)
      this.off('end', onEnd)
      for (const [event, listener] of listeners) destination.off(event, listener)
    })
    for (const [event, listener] of listeners) destination.on(event, listener)
    if (this.readableEnded) queueMicrotask(onEnd)
    else this.on('end', onEnd)
    destination.emit('pipe', this)
    this.on('data', onData)
    if (destination.writableNeedDrain === true) onClogged()
    else if (this.#clogged.size === 0) this.resume()
    return destination
  }

  /** Without an argument, from all. Pauses if it is piped to nobody any more. */
  unpipe (destination?: Destination): this {
    for (const piped of destination === undefined ? [...this.#pipes.keys()] : [destination]) {
      const detach = this.#pipes.get(piped)
      if (detach === undefined) continue
      detach()
      this.#pipes.delete(piped)
      if (this.#pipes.size === 0) this.pause()
      if (this.#clogged.delete(piped) && this.#clogged.size === 0 && this.listenerCount('data') > 0) this.resume()
      piped.emit('unpipe', this)
    }
    return this
  }

  // Writing

  get writable (): boolean {
    return !this.destroyed && !this.writableEnded
  }

  get writableNeedDrain (): boolean {
    return this.#isDrainDue && this.writable
  }

  /** Returns false if the caller had better wait for `drain`. A string is written in UTF-8. */
  write (chunk: Uint8Array | string, encoding?: string | Callback | null, callback?: Callback): boolean {
    const done = (typeof encoding === 'function' ? encoding : callback) ?? (() => {})
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
    if (!(bytes instanceof Uint8Array)) throw new TypeError('Only strings and bytes can be written')
    if (this.destroyed || this.writableEnded) {
      const error = new Error(this.destroyed ? 'write() after the stream was destroyed' : 'write() after the end')
      queueMicrotask(() => { done(error) })
      if (!this.destroyed) this.destroy(error)
      return false
    }

    this.writableLength += bytes.length
    const isEnough = this.writableLength >= this.writableHighWaterMark
    if (isEnough) this.#isDrainDue = true
    this.#unwritten.push({ chunk: bytes, encoding: 'buffer', callback: done })
    this.#writeMore()
    return !isEnough && !this.destroyed
  }

  end (chunk?: Uint8Array | string | Callback | null, encoding?: string | Callback, callback?: Callback): this {
    const done = [chunk, encoding, callback].find(argument => typeof argument === 'function') as Callback | undefined
    if (chunk != null && typeof chunk !== 'function') this.write(chunk)
    if (done !== undefined) {
      if (this.writableFinished || this.destroyed) queueMicrotask(() => { done(this.errored) })
      else this.once('finish', done)
    }
    if (this.writableEnded || this.errored !== null) return this
    this.writableCorked = 0
    this.writableEnded = true
    this.#writeMore()
    this.#finishSoon()
    return this
  }

  cork (): void {
    this.writableCorked++
  }

  uncork (): void {
    if (this.writableCorked === 0) return
    this.writableCorked--
    this.#writeMore()
  }

  #writeMore (): void {
    // A loop, and no recursion, where what is written is taken at once.
    if (this.#isInWrite) return
    this.#isInWrite = true
    try {
      while (this.#unwritten.length > 0 && this.#written.length === 0 && this.writableCorked === 0 && !this.destroyed) this.#writeSome()
    } finally {
      this.#isInWrite = false
    }
  }

  #writeSome (): void {
    const isAll = this._writev !== undefined && this.#unwritten.length > 1
    const writes = this.#unwritten.splice(0, isAll ? this.#unwritten.length : 1)
    this.#written = writes
    let isCalled = false
    const onWritten: Callback = (error) => {
      if (isCalled) return
      isCalled = true
      this.#onWritten(writes, error)
    }
    const [first] = writes
    if (isAll) this._writev?.(writes, onWritten)
    else if (first !== undefined) this._write(first.chunk, first.encoding, onWritten)
  }

  #onWritten (writes: Write[], error?: Error | null): void {
    this.#written = []
    for (const { chunk } of writes) this.writableLength -= chunk.length
    const settle = () => {
      if (error == null) this.#afterWrite(writes)
      else this.#failWrite(writes, error)
    }
    // Never within write(): who writes is not called back meanwhile.
    if (this.#isInWrite) return queueMicrotask(settle)
    if (error == null) this.#writeMore()
    settle()
  }

  #afterWrite (writes: Write[]): void {
    if (this.writableNeedDrain && this.writableLength === 0) {
      this.#isDrainDue = false
      this.emit('drain')
    }
    for (const { callback } of writes) callback()
    this.#finishSoon()
  }

  #failWrite (writes: Write[], error: Error): void {
    for (const { callback } of writes) callback(error)
    this.#loseWrites(error)
    this.destroy(error)
  }

  #loseWrites (error: Error): void {
    const lost = this.#unwritten
    this.#unwritten = []
    for (const { chunk, callback } of lost) {
      this.writableLength -= chunk.length
      callback(error)
    }
  }

  #finishSoon (): void {
    if (!this.writableEnded || this.#unwritten.length > 0 || this.#written.length > 0 || this.#isFinal) return
    this.#isFinal = true
    queueMicrotask(() => {
      if (this.destroyed) return
      this._final((error) => {
        if (error != null) this.destroy(error)
        else queueMicrotask(() => { this.#onFinish() })
      })
    })
  }

  #onFinish (): void {
    if (this.destroyed) return
    this.writableFinished = true
    this.emit('finish')
    if (this.readableEnded) this.destroy()
  }

  // The end of both

  destroy (error?: Error | null): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.errored = error ?? null
    this.#unread = []
    this.#unreadBytes = 0
    if (this.#unwritten.length > 0) queueMicrotask(() => { this.#loseWrites(this.errored ?? new Error('The stream was destroyed')) })
    this._destroy(this.errored, (failure) => { this.#onDestroyed(failure ?? null) })
    return this
  }

  #onDestroyed (error: Error | null): void {
    if (this.closed) return
    this.closed = true
    this.errored = error
    queueMicrotask(() => {
      try {
        if (error !== null) this.emit('error', error)
      } finally {
        this.emit('close')
      }
    })
  }
}
