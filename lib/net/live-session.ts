import type { Timer } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { WireError } from '../wire/bytes.ts'
import type { Method } from '../wire/rpc-frame.ts'
import type { NetContext } from './context.ts'
import { log } from './log.ts'
import type { Address, Identity, Session } from './network.ts'
import type { LinkHandler, RpcLink } from './rpc-link.ts'

export interface LiveSessionOptions {
  link: RpcLink
  peer: Identity
  address: Address | null
  outbound: boolean
  order: number
}

const noBytes = new Uint8Array(0)

/** A link after its handshake. Watches over it, and passes frames on. */
export class LiveSession implements Session, LinkHandler {
  readonly peer: Identity
  readonly address: Address | null
  readonly outbound: boolean
  /** Numbers the connections on which the deciding side started a session. */
  readonly order: number
  /** Called after the handler's onClose. */
  readonly onceClosed = new Set<() => void>()

  readonly #context: NetContext
  readonly #link: RpcLink
  #error: ReplicatorError | null = null
  #told = false
  #timer: Timer | null = null
  #probe: Timer | null = null
  #silentTurns = 0
  #pinged = false

  constructor (context: NetContext, options: LiveSessionOptions) {
    this.#context = context
    this.#link = options.link
    this.peer = options.peer
    this.address = options.address
    this.outbound = options.outbound
    this.order = options.order
    this.#link.handler = this
    this.#link.acceptPayloads(() => Math.min(context.limits.frameBytesMax, context.handler.frameBytesMaxOf(this.peer)))
    this.#watch()
  }

  send (body: Uint8Array): boolean {
    if (body.length === 0 || body.length > this.#context.limits.frameBytesMax) {
      throw new TypeError(`A frame must have 1 to ${this.#context.limits.frameBytesMax} bytes, has ${body.length}`)
    }
    return this.#link.send('frame', body)
  }

  close (reason: ErrorCode): void {
    this.end(new ReplicatorError(reason, `session with ${this.#name} was closed: ${reason}`))
  }

  /** The same with an error of the caller's. */
  end (error: ReplicatorError): void {
    if (error.code === codes.timeout) this.#link.destroy(error)
    else this.#link.end(error)
  }

  /** Closes the session soon unless the peer shows that it is there. */
  probe (): void {
    if (this.#error !== null || this.#probe !== null) return
    const { received } = this.#link
    this.#ping()
    this.#probe = this.#context.env.setTimer(() => {
      // After this process was busy, an answer may be there that is still to be read.
      this.#context.env.nextTurn(() => {
        this.#probe = null
        if (this.#link.received === received) this.#endSilent()
      })
    }, this.#context.limits.heartbeatMs)
  }

  /** Makes the handler's onClose happen now, if it is still to come. */
  tellClose (): void {
    if (this.#told || this.#error === null) return
    this.#told = true
    this.#context.handler.onClose(this, this.#error)
    for (const fn of this.onceClosed) fn()
  }

  onCall (method: Method, payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    switch (method) {
      case 'frame': return this.#onFrame(payload)
      case 'ping': return reply(noBytes)
      case 'auth':
      case 'prove':
      case 'hello':
      case 'start': throw new WireError(`"${method}" after the handshake`)
      default: return method satisfies never
    }
  }

  #onFrame (body: Uint8Array): void {
    const { frameBytesMax } = this.#context.limits
    if (body.length > frameBytesMax) throw new WireError(`body of ${body.length} bytes exceeds ${frameBytesMax}`)
    this.#context.handler.onFrame(this, body)
  }

  onDrain (): void {
    this.#context.handler.onDrain(this)
  }

  onClose (error: ReplicatorError): void {
    log('session with %s closed: %s %s', this.#name, error.code, error.message)
    this.#error = error
    this.#timer?.cancel()
    this.#probe?.cancel()
    this.#context.sessions.remove(this)
    // The caller may be the handler itself, so not now.
    queueMicrotask(() => { this.tellClose() })
  }

  get #name (): string {
    return this.peer.id.slice(0, 8)
  }

  // Silence is counted in turns, not taken from the clock: after this process was stopped or busy for
  // long, what the peer sent meanwhile is still to be read.
  #watch (): void {
    const { heartbeatMs, failureTimeoutMs } = this.#context.limits
    const { received, sent } = this.#link
    this.#timer = this.#context.env.setTimer(() => {
      if (this.#link.received !== received) this.#silentTurns = 0
      else this.#silentTurns++

      if (this.#silentTurns > 1 && this.#silentTurns * heartbeatMs >= failureTimeoutMs) return this.#endSilent()

      if (this.#silentTurns > 0) this.#ping()
      // The peer's question may be stuck behind a large frame of its own, so it shall also hear us unasked.
      else if (this.#link.sent === sent) this.#link.send('ping', noBytes)

      this.#watch()
    }, heartbeatMs)
  }

  #ping (): void {
    if (this.#pinged) return
    this.#pinged = true
    // Its time-out is only a net below that of the silence.
    const timeoutMs = this.#context.limits.failureTimeoutMs * 4
    this.#link.call('ping', noBytes, timeoutMs, () => { this.#pinged = false })
  }

  #endSilent (): void {
    this.end(new ReplicatorError(codes.timeout, `nothing was heard of ${this.#name}`))
  }
}
