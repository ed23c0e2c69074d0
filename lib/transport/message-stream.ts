import { Duplex } from '../net/duplex.ts'

type Callback = (error?: Error | null) => void

/** Bytes (never none), how many bytes of the other side were taken, or the end of the bytes. */
export type Message = Uint8Array | number | null

/** Carries messages: each once and in order, as long as it is there. */
export interface Channel {
  send (message: Message): void
  /** `isClean`: both sides have ended, and what was sent shall still arrive. Otherwise the other side shall notice. */
  close (isClean: boolean): void
}

/** How many bytes may be sent that the reader of the other side has not taken. */
const windowBytes = 1024 * 1024

const messageBytesMax = 64 * 1024

/**
 * A stream of bytes over a channel of messages. Such channels tell neither the sender to wait nor the receiver's side
 * to stop; so the receiver says what was read of it, and the sender never has more on the way than the window.
 */
export class MessageStream extends Duplex {
  /** Like `net.Socket`: `connect` is emitted when it becomes false. */
  connecting = true
  readonly #channel: Channel
  #unsent: Uint8Array[] = []
  #onSent: Callback | null = null
  #window = windowBytes
  /** Bytes that came in and that the other side has not been told of. */
  #untold = 0
  #hasSentEnd = false
  #hasReceivedEnd = false
  #isEndRead = false
  /** Why the channel is gone. */
  #lost: Error | null = null

  constructor (channel: Channel) {
    super({ autoDestroy: true })
    this.#channel = channel
    this.once('end', () => {
      this.#isEndRead = true
      if (this.#lost !== null && !this.#hasSentEnd) this.destroy(this.#lost)
    })
  }

  /** The channel is there. Nothing is sent before. */
  open (): void {
    if (!this.connecting) return
    this.connecting = false
    this.emit('connect')
    this.#send()
  }

  /** Takes what came out of the channel, whatever it is. */
  receive (message: unknown): void {
    if (this.destroyed || this.#lost !== null) return
    if (message instanceof Uint8Array && message.length > 0) this.#onBytes(message)
    else if (typeof message === 'number') this.#onTaken(message)
    else if (message === null) this.#onEnd()
    else this.#fail('a message that is none of ours')
  }

  /** The channel is gone. That is an error, unless both sides have ended; what came before an end can still be read. */
  lose (error: Error): void {
    if (this.destroyed || this.#lost !== null) return
    this.#lost = error
    if (this.#hasReceivedEnd && (this.#hasSentEnd || !this.#isEndRead)) return
    this.destroy(error)
  }

  override _read (): void {
    // Half a window at a time: the sender need not stop, and is not told of every message.
    if (this.#untold < windowBytes / 2) return
    const taken = this.#untold
    this.#untold = 0
    this.#channel.send(taken)
  }

  override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
    this.#unsent.push(chunk)
    this.#onSent = callback
    this.#send()
  }

  override _writev (chunks: Array<{ chunk: Uint8Array }>, callback: Callback): void {
    this.#unsent = chunks.map(({ chunk }) => chunk)
    this.#onSent = callback
    this.#send()
  }

  override _final (callback: Callback): void {
    if (this.connecting) {
      this.once('connect', () => { this._final(callback) })
    } else if (this.#lost !== null) {
      callback(this.#lost)
    } else {
      this.#hasSentEnd = true
      this.#channel.send(null)
      callback()
    }
  }

  override _destroy (error: Error | null, callback: Callback): void {
    this.connecting = false
    this.#unsent = []
    const held = this.#onSent
    this.#onSent = null
    // Also if it is lost: some have to be closed on both sides.
    this.#channel.close(this.#hasSentEnd && this.#hasReceivedEnd)
    callback(error)
    held?.(error ?? new Error('The stream was destroyed'))
  }

  #send (): void {
    if (this.connecting || this.#onSent === null) return
    let waiting = this.#unsent.reduce((sum, { length }) => sum + length, 0)
    while (waiting > 0 && this.#window > 0 && this.#lost === null) {
      const bytes = this.#shift(Math.min(waiting, this.#window, messageBytesMax))
      waiting -= bytes.length
      this.#window -= bytes.length
      this.#channel.send(bytes)
    }
    if (waiting > 0 && this.#lost === null) return

    const callback = this.#onSent
    this.#onSent = null
    callback(this.#lost)
  }

  /** The next bytes to send, in an array of their own: some channels take it away. */
  #shift (length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const chunk = this.#unsent[0] as Uint8Array
      const part = chunk.subarray(0, length - filled)
      bytes.set(part, filled)
      filled += part.length
      if (part.length === chunk.length) this.#unsent.shift()
      else this.#unsent[0] = chunk.subarray(part.length)
    }
    return bytes
  }

  #onBytes (bytes: Uint8Array): void {
    this.#untold += bytes.length
    if (this.#hasReceivedEnd) this.#fail('bytes after the end')
    else if (this.#untold > windowBytes) this.#fail('more bytes than the window')
    else this.push(bytes)
  }

  #onTaken (count: number): void {
    const isPossible = Number.isInteger(count) && count > 0 && this.#window + count <= windowBytes
    if (!isPossible) return this.#fail('it has taken what was not sent')
    this.#window += count
    this.#send()
  }

  #onEnd (): void {
    if (this.#hasReceivedEnd) return this.#fail('a second end')
    this.#hasReceivedEnd = true
    this.push(null)
  }

  #fail (what: string): void {
    this.destroy(new Error(`The other side broke the protocol: ${what}`))
  }
}
