import streamx from 'streamx'
import type { DuplexOptions, Stream } from 'streamx'

type Callback = (error?: Error | null) => void

/** What a class that is derived from `stream.Duplex` of Node.js brings along. */
interface Methods {
  _read (): void
  _write (chunk: unknown, encoding: string, callback: Callback): void
  _writev (writes: Array<{ chunk: unknown, encoding: string }>, callback: Callback): void
  _destroy (error: Error | null, callback: Callback): void
}

/**
 * The duplex stream of streamx, for classes that are derived from that of Node.js, and for callers that ask it what this package
 * asks a stream. A derived class must have `_read()`, `_destroy()`, and `_write()` or `_writev()`. A string is written in UTF-8.
 */
export class Duplex extends streamx.Duplex {
  constructor ({ highWaterMark = 65_536 }: { highWaterMark?: number } = {}) {
    const { _read, _write, _writev, _destroy } = new.target.prototype as unknown as Methods
    const writing: DuplexOptions = _writev === streamx.Duplex.prototype._writev as unknown
      ? { write (chunk, callback) { _write.call(this as never, chunk, 'buffer', callback as Callback) } }
      : {
          write: streamx.Duplex.prototype._write,
          writev (chunks, callback) { _writev.call(this as never, chunks.map((chunk) => ({ chunk, encoding: 'buffer' })), callback as Callback) }
        }
    let destruction: Promise<Error | null | undefined> | undefined
    const destroyOnce = async (stream: Stream): Promise<Error | null | undefined> => {
      destruction ??= new Promise((resolve) => { _destroy.call(stream as never, streamx.getStreamError(stream), resolve) })
      return await destruction
    }
    // They take the place of the methods of the derived class, which have the same names.
    super({
      highWaterMark,
      mapWritable: (chunk) => typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk,
      ...writing,
      read (callback) {
        _read.call(this as never)
        callback(null)
      },
      // At once: streamx waits for a write that is under way, and that may wait for this.
      predestroy () { void destroyOnce(this) },
      destroy (callback) { void destroyOnce(this).then(callback as Callback) }
    })
  }

  override get destroyed (): boolean { return this.destroying }
  get closed (): boolean { return super.destroyed }
  get readableEnded (): boolean { return streamx.isEnded(this) }
  get writableEnded (): boolean { return streamx.isFinishing(this) || this.writableFinished }
  get writableFinished (): boolean { return streamx.isFinished(this) }
}
