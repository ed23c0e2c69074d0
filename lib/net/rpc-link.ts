import type { Duplex } from 'node:stream'
import rpc from 'rpc-stream'
import { codes, ReplicatorError } from '../errors.ts'
import type { Environment, Timer } from '../env.ts'
import { fixedLimits } from '../limits.ts'
import { WireError } from '../wire/bytes.ts'
import { FrameDecoder, frameHeaderBytes, writeFrameHeader } from '../wire/frame.ts'
import { decodeRpcFrame, encodeRpcHeader, isReply, methods, rpcHeaderBytesMax, rpcPayload } from '../wire/rpc-frame.ts'
import type { Method, RpcFrame } from '../wire/rpc-frame.ts'
import { tagBytes } from './seal.ts'
import type { Seals } from './seal.ts'

/** Who answers the calls of the other side: first the handshake, then the session. */
export interface LinkHandler {
  /** Must call `reply` at most once, and not after it has returned. An error that it throws ends the link. */
  onCall (method: Method, payload: Uint8Array, reply: (payload: Uint8Array) => void): void
  /** `send` has returned false, and may be used again. */
  onDrain (): void
  /** The last call. */
  onClose (error: ReplicatorError): void
}

export type ReplyCallback = (error: ReplicatorError | null, payload: Uint8Array) => void

interface PendingCall {
  done: ReplyCallback
  timer: Timer
}

/** An honest peer makes a call a second. */
const unreadMax = fixedLimits.unreadReplies.value

/** Smaller payloads are copied behind their header: one write is then cheaper than two. */
const copyBytesMax = 1024

/** How long the other side may take to read our last bytes after a close. */
const lingerMs = 1000

const noBytes = new Uint8Array(0)

/**
 * One connection: calls of rpc-stream, as frames, on a stream of bytes.
 *
 * rpc-stream keeps calls for ever, runs what it is told by whoever writes to it, and throws on what it
 * does not expect. So it only sees frames that were decoded and checked; calls are kept here
 * as well, with a time-out, and end with the link; and nothing is written to it once the link is closed.
 */
export class RpcLink {
  handler: LinkHandler
  /** Counts what came in, for whoever wants to know whether the peer is silent. */
  received = 0
  /** Counts the frames that went out. */
  sent = 0
  /** Resolves when the stream is closed, too. */
  readonly closed: Promise<void>

  readonly #env: Environment
  readonly #stream: Duplex
  readonly #rpc = rpc(null, true)
  readonly #decoder: FrameDecoder
  readonly #pending = new Map<number, PendingCall>()
  #payloadBytesMax: () => number
  #seals: Seals | null = null
  #callId = 0
  #error: ReplicatorError | null = null
  #corked = false
  #blocked = false
  /** Answers given since the stream asked for a pause. */
  #unread = 0
  #linger: Timer | null = null
  #onStreamClosed!: () => void

  constructor (env: Environment, stream: Duplex, handler: LinkHandler, payloadBytesMax: number) {
    this.#env = env
    this.#stream = stream
    this.handler = handler
    this.#payloadBytesMax = () => payloadBytesMax
    this.#decoder = new FrameDecoder(this.#frameBytesMax)
    this.closed = new Promise((resolve) => { this.#onStreamClosed = resolve })

    this.#rpc.on('data', (frame) => { this.#write(frame as RpcFrame) })
    for (const method of methods) {
      this.#rpc.createLocalCall(method, (args, callback) => { this.#onCall(method, args[0], callback) })
    }

    // Stays for ever: what goes wrong on a stream after its end must not end the process.
    stream.on('error', (err) => { this.#onStreamError(err) })
    stream.on('data', (chunk: unknown) => { this.#onData(chunk) })
    stream.on('drain', () => { this.#onDrain() })
    stream.on('end', () => { this.#onStreamEnd('the peer ended the connection') })
    stream.on('close', () => {
      this.#onStreamEnd('the connection was closed')
      this.#linger?.cancel()
      this.#onStreamClosed()
    })

    if (stream.destroyed || stream.readableEnded) {
      queueMicrotask(() => {
        this.#onStreamEnd('the connection was closed')
        this.#onStreamClosed()
      })
    }
  }

  /** Why the link was closed, or null as long as it is not. */
  get error (): ReplicatorError | null {
    return this.#error
  }

  /** From now on, `bytesMax` is asked how large a payload may be, when its frame begins. */
  acceptPayloads (bytesMax: () => number): void {
    this.#payloadBytesMax = bytesMax
  }

  /** From the next frame on, in both directions, each has a tag. */
  seal (seals: Seals): void {
    this.#seals = seals
  }

  /** Sends a call that has no reply. Returns false if the transport wants a pause; `onDrain` follows. */
  send (method: Method, payload: Uint8Array): boolean {
    if (this.#error !== null) return true
    this.#rpc.rpc(method, [payload])
    return !this.#blocked
  }

  /** Sends a call. `done` is called once: with the reply, or with an error when the link closes or after the time-out. */
  call (method: Method, payload: Uint8Array, timeoutMs: number, done: ReplyCallback): void {
    if (this.#error !== null) {
      const error = this.#error
      queueMicrotask(() => { done(error, noBytes) })
      return
    }

    // rpc-stream emits the frame, and so tells its id, before it returns.
    this.#rpc.rpc(method, [payload], (_error, reply) => { this.#onReply(id, reply) })
    const id = this.#callId
    const timer = this.#env.setTimer(() => {
      this.destroy(new ReplicatorError(codes.timeout, `no answer to "${method}" within ${timeoutMs} ms`))
    }, timeoutMs)
    this.#pending.set(id, { done, timer })
  }

  /** Closes the link after what was sent. Nothing is received any more. */
  end (error: ReplicatorError): void {
    if (this.#error !== null) return
    this.#linger = this.#env.setTimer(() => { this.#destroyStream(error) }, lingerMs)
    this.#stream.end()
    this.#finish(error)
  }

  /** Closes the link at once. */
  destroy (error: ReplicatorError): void {
    if (this.#error !== null) return
    this.#destroyStream(error)
    this.#finish(error)
  }

  /** The same, also if it is being closed and the other side takes its time to read the last of it. */
  drop (error: ReplicatorError): void {
    if (this.#error === null) this.destroy(error)
    else if (!this.#stream.destroyed) this.#destroyStream(error)
  }

  #finish (error: ReplicatorError): void {
    this.#error = error
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const call of pending) {
      call.timer.cancel()
      call.done(error, noBytes)
    }
    this.handler.onClose(error)
  }

  #destroyStream (error: ReplicatorError): void {
    this.#linger?.cancel()
    this.#stream.destroy(error)
    // Not every stream that a transport returns tells that it is closed.
    if (!this.#stream.closed) this.#linger = this.#env.setTimer(this.#onStreamClosed, lingerMs)
  }

  #onData (chunk: unknown): void {
    if (this.#error !== null) return
    this.received++

    try {
      if (!(chunk instanceof Uint8Array)) throw new WireError('the stream does not carry bytes')
      this.#decoder.push(chunk)
      while (this.#error === null) {
        this.#decoder.limit = this.#frameBytesMax
        const bytes = this.#decoder.next()
        if (bytes === null) break
        this.#onFrame(decodeRpcFrame(this.#seals === null ? bytes : this.#seals.receiving.open(bytes)))
      }
    } catch (err) {
      this.#fail(err)
    }
  }

  #onFrame (frame: RpcFrame): void {
    // A reply to nothing would be logged to the console by rpc-stream.
    if (isReply(frame) && !this.#pending.has(frame[1])) throw new WireError('reply to a call that was not made')
    this.#rpc.write(frame)
  }

  // rpc-stream would send what is thrown here to the peer.
  #onCall (method: Method, payload: Uint8Array, callback: (error: null, payload: Uint8Array) => void): void {
    try {
      this.handler.onCall(method, payload, (reply) => { if (this.#error === null) callback(null, reply) })
    } catch (err) {
      this.#fail(err)
    }
  }

  #onReply (id: number, payload: Uint8Array): void {
    const call = this.#pending.get(id) as PendingCall
    this.#pending.delete(id)
    call.timer.cancel()
    call.done(null, payload)
  }

  #fail (cause: unknown): void {
    const what = cause instanceof WireError ? 'the peer broke the protocol' : 'handling a frame failed'
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.destroy(cause instanceof ReplicatorError
      ? cause
      : new ReplicatorError(codes.protocol, `${what}: ${reason}`, { cause }))
  }

  #write (frame: RpcFrame): void {
    if (!isReply(frame)) this.#callId = frame[2]
    else if (this.#blocked && ++this.#unread > unreadMax) {
      return this.destroy(new ReplicatorError(codes.queueFull, 'the peer calls and does not read the answers'))
    }
    this.#cork()
    this.sent++

    const payload = rpcPayload(frame)
    const header = encodeRpcHeader(frame)
    const tag = this.#seals === null ? noBytes : this.#seals.sending.tag(header, payload)
    const isCopied = payload.length <= copyBytesMax
    const head = new Uint8Array(frameHeaderBytes + header.length + (isCopied ? payload.length + tag.length : 0))
    writeFrameHeader(head, header.length + payload.length + tag.length)
    head.set(header, frameHeaderBytes)
    if (isCopied) {
      head.set(payload, frameHeaderBytes + header.length)
      head.set(tag, head.length - tag.length)
    }

    let more = this.#stream.write(head)
    if (!isCopied) {
      more = this.#stream.write(payload)
      if (tag.length !== 0) more = this.#stream.write(tag)
    }
    if (!more) this.#blocked = true
  }

  get #frameBytesMax (): number {
    return this.#payloadBytesMax() + rpcHeaderBytesMax + (this.#seals === null ? 0 : tagBytes)
  }

  // All frames of a turn leave in one write. And a stream that hands its bytes on at once, to a peer in the
  // same process, does so when the turn is over: nobody is called back while sending.
  #cork (): void {
    if (this.#corked) return
    this.#corked = true
    this.#stream.cork?.()
    queueMicrotask(() => {
      this.#corked = false
      this.#stream.uncork?.()
    })
  }

  #onDrain (): void {
    if (!this.#blocked || this.#error !== null) return
    this.#blocked = false
    this.#unread = 0
    this.handler.onDrain()
  }

  #onStreamError (cause: Error): void {
    const reason = cause.message || (cause as NodeJS.ErrnoException).code || cause.name
    this.destroy(new ReplicatorError(codes.connectionLost, `connection failed: ${reason}`, { cause }))
  }

  #onStreamEnd (reason: string): void {
    if (this.#error === null) this.destroy(new ReplicatorError(codes.connectionLost, reason))
    else if (!this.#stream.destroyed) this.#destroyStream(this.#error)
  }
}
