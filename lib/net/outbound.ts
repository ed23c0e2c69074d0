import type { Duplex } from 'node:stream'
import type { Timer } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { challengeBytes, decodeChallenge, decodeProof, encodeAuth, encodeProof } from '../wire/auth.ts'
import { WireError } from '../wire/bytes.ts'
import { decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, handshakeBytesMax, ownVersions } from '../wire/handshake.ts'
import { toHex } from '../wire/hex.ts'
import type { Method } from '../wire/rpc-frame.ts'
import type { NetContext } from './context.ts'
import type { LiveSession } from './live-session.ts'
import { log } from './log.ts'
import type { Address, Identity } from './network.ts'
import { adviceFor } from './refusal.ts'
import { RpcLink } from './rpc-link.ts'
import type { LinkHandler } from './rpc-link.ts'
import type { Secret, Transcript } from './secret.ts'
import { assertStream, isConnecting, setNoDelay } from './transport.ts'
import type { Transport } from './transport.ts'

/** How an attempt to connect ended. */
export type Outcome =
  | { type: 'open', session: LiveSession }
  | { type: 'failed', error: ReplicatorError }
  /** There is another connection to that peer, or will soon be. */
  | { type: 'duplicate' }
  /** The address is our own. */
  | { type: 'self' }

export interface OutboundEvents {
  onLink (link: RpcLink): void
  onResolve (id: string): void
  /** Called once, in a later turn or microtask, unless the attempt is aborted before. */
  onOutcome (outcome: Outcome): void
}

/** One attempt to connect: transport and handshake, on the side that dials. */
export class Outbound implements LinkHandler {
  readonly #context: NetContext
  readonly #address: Address
  readonly #events: OutboundEvents
  #timer: Timer
  #link: RpcLink | null = null
  #deadline = 0
  #done = false

  constructor (context: NetContext, address: Address, transport: Transport, events: OutboundEvents) {
    this.#context = context
    this.#address = address
    this.#events = events

    const { dialTimeoutMs } = context.limits
    this.#timer = context.env.setTimer(() => {
      this.#end(new ReplicatorError(codes.timeout, `cannot connect to ${this.#name} within ${dialTimeoutMs} ms`))
    }, dialTimeoutMs)
    this.#open(transport)
  }

  /** Gives up. There is no outcome then. */
  abort (): void {
    if (this.#done) return
    this.#done = true
    this.#timer.cancel()
    this.#link?.destroy(new ReplicatorError(codes.closed, 'the network was closed'))
  }

  onCall (): void {
    throw new WireError('a call before the end of the handshake')
  }

  onDrain (): void {}

  onClose (cause: ReplicatorError): void {
    this.#finish({ type: 'failed', error: this.#explain('cannot connect to', cause) })
  }

  #open (transport: Transport): void {
    let opening: Duplex | Promise<Duplex>
    try {
      opening = transport(this.#address.port, this.#address.host)
    } catch (err) {
      opening = Promise.reject(err)
    }

    // A promise turns a TypeError below into an outcome. A stream is taken over at once: it may fail any time.
    if (isPromise(opening)) opening.then((stream) => { this.#adopt(stream) }).catch((err) => { this.#onNoStream(err) })
    else this.#tryAdopt(opening)
  }

  #tryAdopt (stream: Duplex): void {
    try {
      this.#adopt(stream)
    } catch (err) {
      queueMicrotask(() => { this.#onNoStream(err) })
    }
  }

  #onNoStream (cause: unknown): void {
    if (cause instanceof ReplicatorError) return this.#end(cause)
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#end(new ReplicatorError(codes.connectionLost, `cannot connect to ${this.#name}: ${reason}`, { cause }))
  }

  #adopt (stream: Duplex): void {
    assertStream(stream)
    if (this.#done) {
      stream.on('error', () => {})
      stream.destroy()
      return
    }

    setNoDelay(stream)
    const link = new RpcLink(this.#context.env, stream, this, handshakeBytesMax)
    this.#link = link
    this.#events.onLink(link)

    if (isConnecting(stream)) stream.once('connect', () => { this.#onConnected(link) })
    else this.#onConnected(link)
  }

  #onConnected (link: RpcLink): void {
    this.#timer.cancel()
    if (this.#done) return

    const { env, limits, secret } = this.#context
    this.#deadline = env.now() + limits.handshakeTimeoutMs
    if (secret === null) this.#sayHello(link)
    else this.#authenticate(link, secret)
  }

  /** Shows that we have the secret, and has the peer show it: before that, it is not told who we are. */
  #authenticate (link: RpcLink, secret: Secret): void {
    const nonce = toHex(this.#context.env.randomBytes(challengeBytes))
    const auth = encodeAuth({ versions: ownVersions, nonce })
    this.#call(link, 'auth', auth, (challenge) => {
      const { code } = decodeChallenge(challenge)
      if (code !== null) return this.#refused(code, null)

      const transcript = { auth, challenge: challenge.slice() }
      this.#call(link, 'prove', encodeProof(secret.proof('dialler', transcript)), (answer) => {
        this.#onProof(link, secret, transcript, decodeProof(answer))
      })
    })
  }

  #onProof (link: RpcLink, secret: Secret, transcript: Transcript, proof: Uint8Array | null): void {
    if (proof === null) return this.#refused(codes.unauthorized, null)
    if (!secret.isProof(proof, 'acceptor', transcript)) {
      return this.#conclude(codes.unauthorized, `whoever answers at ${this.#name} did not show that it has the secret`)
    }
    link.seal(secret.seals('dialler', transcript))
    this.#sayHello(link)
  }

  #sayHello (link: RpcLink): void {
    const { handler, instance } = this.#context
    const body = { instance, identity: handler.identify(), dialled: this.#address }
    this.#call(link, 'hello', encodeHello({ versions: ownVersions, body }), (payload) => { this.#onWelcome(link, payload) })
  }

  /** One step of the handshake, with the time that is left for all of it. */
  #call (link: RpcLink, method: Method, payload: Uint8Array, onReply: (payload: Uint8Array) => void): void {
    const timeoutMs = Math.max(1, this.#deadline - this.#context.env.now())
    link.call(method, payload, timeoutMs, (error, reply) => {
      if (error === null && !this.#done) onReply(reply)
    })
  }

  #onWelcome (link: RpcLink, payload: Uint8Array): void {
    const welcome = decodeWelcome(payload)
    const own = this.#context.handler.identify()
    if (welcome.body === null) return this.#refused(welcome.code ?? codes.version, null)

    const peer = welcome.body.identity
    if (welcome.body.instance === this.#context.instance) {
      this.#context.handler.onResolve(this.#address, this.#context.handler.identify().id)
      return this.#finish({ type: 'self' })
    }
    if (peer.id === own.id) return this.#refused(codes.staleIdentity, null)

    this.#events.onResolve(peer.id)
    if (this.#done) return
    if (welcome.code === codes.self) throw new WireError('the peer takes us for itself')
    if (welcome.code !== null) return this.#refused(welcome.code, peer)

    const { handler, sessions } = this.#context
    const code = handler.judge(peer) ?? sessions.conflict(own.id, peer)
    if (this.#done) return
    if (code !== null) return this.#refuse(link, code)

    if (sessions.decides(own.id, peer)) {
      const order = sessions.nextOrder()
      link.send('start', encodeVerdict({ code: null, order }))
      this.#start(link, peer, order)
    } else {
      this.#call(link, 'start', encodeVerdict({ code: null, order: 0 }), (answer) => { this.#onVerdict(link, peer, answer) })
    }
  }

  /** The peer decides on duplicates, and this is its decision. */
  #onVerdict (link: RpcLink, peer: Identity, payload: Uint8Array): void {
    const { code, order } = decodeVerdict(payload)
    if (code !== null) return this.#refused(code, peer)
    if (order === 0) throw new WireError('a session without a number')

    if (this.#context.sessions.isOutdated(peer, order)) this.#finish({ type: 'duplicate' })
    else this.#start(link, peer, order)
  }

  #start (link: RpcLink, peer: Identity, order: number): void {
    const { sessions } = this.#context
    const address = this.#address
    const session = sessions.start(this.#context, { link, peer, address, outbound: true, order })
    if (session !== null) this.#finish({ type: 'open', session })
  }

  #refuse (link: RpcLink, code: ErrorCode): void {
    link.send('start', encodeVerdict({ code, order: 0 }))
    link.handler = ignore
    link.end(new ReplicatorError(code, `refused: ${code}`))
    this.#conclude(code, `we refuse the peer at ${this.#name}: ${code}`)
  }

  /** `peer`: who judges us; null if it cannot. */
  #refused (code: ErrorCode, peer: Identity | null): void {
    if (peer !== null && code !== codes.duplicate) this.#context.refused(peer, code, this.#address)
    this.#conclude(code, `refused by the peer at ${this.#name}: ${code}${adviceFor(code)}`)
  }

  #conclude (code: ErrorCode, message: string): void {
    this.#finish(code === codes.duplicate
      ? { type: 'duplicate' }
      : { type: 'failed', error: new ReplicatorError(code, message) })
  }

  #end (error: ReplicatorError): void {
    if (this.#link === null) this.#finish({ type: 'failed', error })
    else this.#link.destroy(error)
  }

  #explain (what: string, cause: ReplicatorError): ReplicatorError {
    return new ReplicatorError(cause.code, `${what} ${this.#name}: ${cause.message}`, { cause: cause.cause ?? cause })
  }

  #finish (outcome: Outcome): void {
    if (this.#done) return
    this.#done = true
    this.#timer.cancel()
    log('attempt to connect to %s: %s', this.#name, outcome.type === 'failed' ? outcome.error.message : outcome.type)

    const link = this.#link
    if (outcome.type !== 'open' && link !== null && link.error === null) {
      link.handler = ignore
      link.destroy(new ReplicatorError(codes.connectionLost, `given up: ${outcome.type}`))
    }
    this.#events.onOutcome(outcome)
  }

  get #name (): string {
    return `${this.#address.host}:${this.#address.port}`
  }
}

const ignore: LinkHandler = {
  onCall () {},
  onDrain () {},
  onClose () {}
}

function isPromise (value: unknown): value is Promise<Duplex> {
  return typeof (value as Partial<Promise<Duplex>> | null)?.then === 'function'
}
