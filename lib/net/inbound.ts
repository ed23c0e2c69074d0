import type { Duplex } from 'node:stream'
import type { Timer } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { challengeBytes, decodeAuth, decodeProof, encodeChallenge, encodeProof } from '../wire/auth.ts'
import { WireError } from '../wire/bytes.ts'
import {
  commonVersion, decodeHello, decodeVerdict, encodeVerdict, encodeWelcome, handshakeBytesMax, ownVersions
} from '../wire/handshake.ts'
import type { Hello, Welcome } from '../wire/handshake.ts'
import { toHex } from '../wire/hex.ts'
import type { Method } from '../wire/rpc-frame.ts'
import type { NetContext } from './context.ts'
import { log } from './log.ts'
import type { Identity } from './network.ts'
import { adviceFor } from './refusal.ts'
import { RpcLink } from './rpc-link.ts'
import type { LinkHandler } from './rpc-link.ts'
import type { Transcript } from './secret.ts'

/**
 * The handshake on the side that was dialled. Where there is a secret, nothing that the dialler says counts, and it is told
 * nothing, before it has shown that it has the secret, too.
 */
export class Inbound implements LinkHandler {
  readonly link: RpcLink
  readonly #context: NetContext
  readonly #onSettled: (inbound: Inbound) => void
  readonly #timer: Timer
  #transcript: Transcript | null = null
  #isProven = false
  #peer: Identity | null = null

  /** `onSettled` is called when there is a session, or when the connection takes up nothing more. */
  constructor (context: NetContext, stream: Duplex, onSettled: (inbound: Inbound) => void) {
    this.#context = context
    this.#onSettled = onSettled
    this.link = new RpcLink(context.env, stream, this, handshakeBytesMax)

    const { handshakeTimeoutMs } = context.limits
    this.#timer = context.env.setTimer(() => {
      this.link.destroy(new ReplicatorError(codes.timeout, `no handshake within ${handshakeTimeoutMs} ms`))
    }, handshakeTimeoutMs)
  }

  /** Whether the dialler has shown that it has the secret. */
  get isProven (): boolean {
    return this.#isProven
  }

  /** Makes room for others. Strangers shall not fill the log of errors with that. */
  evict (): void {
    const error = new ReplicatorError(codes.queueFull, 'too many connections in the handshake')
    log('inbound connection evicted: %s', error.message)
    this.link.handler = ignore
    this.#settle()
    this.link.drop(error)
  }

  onCall (method: Method, payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    switch (method) {
      case 'auth': return this.#onAuth(payload, reply)
      case 'prove': return this.#onProve(payload, reply)
      case 'hello': return this.#onHello(payload, reply)
      case 'start': return this.#onStart(payload, reply)
      case 'frame':
      case 'ping': throw new WireError(`"${method}" before the handshake`)
      default: return method satisfies never
    }
  }

  onDrain (): void {}

  onClose (error: ReplicatorError): void {
    log('inbound connection closed in the handshake: %s %s', error.code, error.message)
    this.#settle()
    this.#context.report(error, this.#peer?.address ?? null)
  }

  #onAuth (payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    if (this.#transcript !== null || this.#peer !== null) throw new WireError('"auth" is not the first call')

    const { secret, env } = this.#context
    const version = commonVersion(decodeAuth(payload).versions, ownVersions)
    const code = version === 0 ? codes.version : secret === null ? codes.unauthorized : null
    if (code !== null) {
      reply(encodeChallenge({ versions: ownVersions, version: 0, code, nonce: null }))
      return this.#turnAway(code, 'wants a secret, and this node has none')
    }

    const challenge = encodeChallenge({ versions: ownVersions, version, code, nonce: toHex(env.randomBytes(challengeBytes)) })
    this.#transcript = { auth: payload.slice(), challenge }
    reply(challenge)
  }

  // The dialler first: so a stranger gets nothing on which it could try secrets at its leisure.
  #onProve (payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    const { secret } = this.#context
    const transcript = this.#transcript
    if (secret === null || transcript === null || this.#isProven) throw new WireError('"prove" without a challenge')

    const proof = decodeProof(payload)
    if (proof === null || !secret.isProof(proof, 'dialler', transcript)) {
      reply(encodeProof(null))
      return this.#turnAway(codes.unauthorized, 'did not show that it has the secret')
    }
    reply(encodeProof(secret.proof('acceptor', transcript)))
    this.link.seal(secret.seals('acceptor', transcript))
    this.#isProven = true
  }

  #onHello (payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    if (this.#peer !== null) throw new WireError('a second "hello"')

    if (this.#context.secret !== null && !this.#isProven) {
      if (this.#transcript !== null) throw new WireError('"hello" before "prove"')
      reply(encodeWelcome({ versions: ownVersions, version: 0, code: codes.unauthorized, body: null }))
      return this.#turnAway(codes.unauthorized, 'showed no secret')
    }

    const hello = decodeHello(payload)
    const version = commonVersion(hello.versions, ownVersions)
    const identity = this.#context.handler.identify()
    const { instance } = this.#context
    const code = hello.body === null ? codes.version : this.#judge(hello.body, identity)
    const body = version === 0 ? null : { instance, identity }
    const welcome: Welcome = { versions: ownVersions, version, code, body }
    reply(encodeWelcome(welcome))

    if (code !== null) return this.#refuse(code, hello.body?.identity)
    this.#peer = hello.body?.identity as Identity
  }

  #judge (hello: NonNullable<Hello['body']>, own: Identity): ErrorCode | null {
    const peer = hello.identity
    const { handler, sessions, instance } = this.#context

    if (hello.instance === instance) {
      handler.onDialledAs(hello.dialled)
      return codes.self
    }
    if (peer.id === own.id) return codes.staleIdentity

    const code = handler.judge(peer)
    if (code !== null) return code
    handler.onDialledAs(hello.dialled)
    return sessions.conflict(own.id, peer)
  }

  #onStart (payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    const peer = this.#peer
    if (peer === null) throw new WireError('"start" before "hello"')

    const verdict = decodeVerdict(payload)
    if (verdict.code === codes.duplicate) return this.#refuse(codes.duplicate, peer)
    if (verdict.code !== null) {
      this.#context.refused(peer, verdict.code, null)
      throw new ReplicatorError(verdict.code, `refused by peer ${nameOf(peer)}: ${verdict.code}${adviceFor(verdict.code)}`)
    }

    const { sessions, handler } = this.#context
    const ownId = handler.identify().id
    let { order } = verdict

    if (sessions.decides(ownId, peer)) {
      const code = sessions.conflict(ownId, peer)
      order = code === null ? sessions.nextOrder() : 0
      // Before the session starts, which may send frames.
      reply(encodeVerdict({ code, order }))
      if (code !== null) return this.#refuse(code, peer)
    } else {
      if (order === 0) throw new WireError('"start" without a number')
      if (sessions.isOutdated(peer, order)) return this.#refuse(codes.duplicate, peer)
    }

    this.#settle()
    sessions.start(this.#context, { link: this.link, peer, address: peer.address, outbound: false, order })
  }

  /** A stranger may be one of the nodes whose options are wrong: here, too, somebody has to learn of it. */
  #turnAway (code: ErrorCode, why: string): void {
    this.#refuse(code, undefined)
    if (code !== codes.unauthorized) return
    this.#context.report(new ReplicatorError(code, `a connection was refused: the one who dialled ${why}${adviceFor(code)}`), null)
  }

  // The refused side reports it. Here, it is only to be seen by those who look for it.
  #refuse (code: ErrorCode, peer: Identity | undefined): void {
    log('inbound connection of %s refused: %s', peer === undefined ? 'a stranger' : nameOf(peer), code)
    this.link.handler = ignore
    this.#timer.cancel()
    // It counts until it is gone, for the other side may take its time to read this.
    this.link.closed.then(() => { this.#onSettled(this) })
    this.link.end(new ReplicatorError(code, `refused: ${code}`))
  }

  #settle (): void {
    this.#timer.cancel()
    this.#onSettled(this)
  }
}

const ignore: LinkHandler = {
  onCall () {},
  onDrain () {},
  onClose () {}
}

function nameOf ({ id, address }: Identity): string {
  return address === null ? id.slice(0, 8) : `${id.slice(0, 8)} at ${address.host}:${address.port}`
}
