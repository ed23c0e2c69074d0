import { EventEmitter } from 'events'
import reconnect from 'reconnect-core'
import { codes } from '../errors.ts'
import type { NetContext } from './context.ts'
import type { LiveSession } from './live-session.ts'
import { log } from './log.ts'
import type { Address } from './network.ts'
import { Outbound } from './outbound.ts'
import type { Outcome } from './outbound.ts'
import type { RpcLink } from './rpc-link.ts'
import type { Transport } from './transport.ts'

/**
 * Keeps one address connected.
 *
 * reconnect-core says when to try again. It never sees a socket: it trips over errors that come late or
 * twice, over dials that throw, and over connections that are accepted and dropped. Each
 * attempt is an emitter that emits `connect` once, when there is a session, and then `close` once.
 */
export class Dialler {
  readonly #context: NetContext
  readonly #address: Address
  readonly #transport: Transport
  readonly #onLink: (link: RpcLink) => void
  readonly #reconnect: reconnect.Instance<undefined, Attempt>
  #stopped = false
  #failures = 0
  #attempts = 0
  #delayMs = 0
  #peerId: string | null = null

  constructor (context: NetContext, address: Address, transport: Transport, onLink: (link: RpcLink) => void) {
    this.#context = context
    this.#address = address
    this.#transport = transport
    this.#onLink = onLink

    const { reconnectMinMs, reconnectMaxMs } = context.limits
    this.#reconnect = reconnect<undefined, Attempt>(() => this.#attempt())({
      strategy: 'exponential',
      initialDelay: reconnectMinMs,
      // It wants the one to be larger than the other.
      maxDelay: Math.max(reconnectMaxMs, reconnectMinMs + 1),
      // Nodes that lost the same peer shall not come back at the same moment.
      randomisationFactor: 0.5
    })
    this.#reconnect.on('reconnect', (_n, delayMs) => { this.#delayMs = delayMs })
    // It only emits this if an attempt does, and none does. But an unheard 'error' would throw.
    this.#reconnect.on('error', () => {})
  }

  start (): void {
    if (this.#stopped) return
    this.#reconnect.connect(undefined)
  }

  /** For good. Leaves no timer behind: reset() does nothing more than that once `reconnect` is false. */
  stop (): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#reconnect.reconnect = false
    this.#reconnect.disconnect()
    this.#reconnect.reset()
  }

  #attempt (): Attempt {
    const attempt = new Attempt()
    const session = this.#peerId === null ? undefined : this.#context.sessions.get(this.#peerId)
    if (session !== undefined) this.#follow(attempt, session)
    else this.#dial(attempt)
    return attempt
  }

  #dial (attempt: Attempt): void {
    if (this.#attempts++ > 0) {
      // reconnect-core calls from a timer, a turn of its own.
      this.#context.handler.onReconnect(this.#address, this.#attempts - 1, this.#delayMs)
      if (this.#stopped) return
    }

    const outbound = new Outbound(this.#context, this.#address, this.#transport, {
      onLink: this.#onLink,
      onResolve: (id) => {
        this.#peerId = id
        this.#context.handler.onResolve(this.#address, id)
      },
      onOutcome: (outcome) => { if (!this.#stopped) this.#onOutcome(attempt, outcome) }
    })
    attempt.onEnd = () => { outbound.abort() }
  }

  #onOutcome (attempt: Attempt, outcome: Outcome): void {
    switch (outcome.type) {
      case 'open':
        return this.#follow(attempt, outcome.session)

      case 'duplicate': {
        this.#failures = 0
        const session = this.#peerId === null ? undefined : this.#context.sessions.get(this.#peerId)
        // None if only the peer knows of it yet, or only the peer does not know that it is dead.
        return session === undefined ? attempt.close() : this.#follow(attempt, session)
      }

      case 'self':
        log('%s:%d is ourselves', this.#address.host, this.#address.port)
        return this.stop()

      case 'failed':
        return this.#onFailed(attempt, outcome.error)

      default:
        return outcome satisfies never
    }
  }

  #onFailed (attempt: Attempt, error: Error & { code: string }): void {
    const { limits, handler } = this.#context
    if (error.code === codes.closed && this.#stopped) return
    this.#failures++
    this.#context.report(error, this.#address)
    if (this.#failures === limits.failAfter && !this.#stopped) handler.onFail(this.#address)
    attempt.close()
  }

  /** There is no need to dial as long as there is a session with the peer, whoever dialled for it. */
  #follow (attempt: Attempt, session: LiveSession): void {
    this.#failures = 0
    this.#attempts = 1
    const onClosed = () => { attempt.close() }
    session.onceClosed.add(onClosed)
    attempt.onEnd = () => { session.onceClosed.delete(onClosed) }
    attempt.open()
  }
}

class Attempt extends EventEmitter {
  /** How to give it up. */
  onEnd: () => void = () => {}
  #closed = false

  // Both events in a later turn: reconnect-core listens only when it was given the attempt, and what it
  // does on an event may be the next attempt.
  open (): void {
    queueMicrotask(() => { if (!this.#closed) this.emit('connect') })
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => { this.emit('close') })
  }

  /** For reconnect-core's disconnect(). */
  end (): void {
    this.onEnd()
    this.close()
  }
}
