import type { Duplex } from 'node:stream'
import type { Timer } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { WireError } from '../wire/bytes.ts'
import {
  commonVersion, decodeHello, decodeVerdict, encodeVerdict, encodeWelcome, handshakeBytesMax, ownVersions
} from '../wire/handshake.ts'
import type { Hello, Welcome } from '../wire/handshake.ts'
import type { Method } from '../wire/rpc-frame.ts'
import type { NetContext } from './context.ts'
import { log } from './log.ts'
import type { Identity } from './network.ts'
import { adviceFor } from './refusal.ts'
import { RpcLink } from './rpc-link.ts'
import type { LinkHandler } from './rpc-link.ts'

/** The handshake on the side that was dialled. */
export class Inbound implements LinkHandler {
  readonly link: RpcLink
  readonly #context: NetContext
  readonly #onSettled: (inbound: Inbound) => void
  readonly #timer: Timer
  #peer: Identity | null = null

  /** `onSettled` is called once: when there is a session, or will never be. */
  constructor (context: NetContext, stream: Duplex, onSettled: (inbound: Inbound) => void) {
    this.#context = context
    this.#onSettled = onSettled
    this.link = new RpcLink(context.env, stream, this, handshakeBytesMax)

    const { handshakeTimeoutMs } = context.limits
    this.#timer = context.env.setTimer(() => {
      this.link.destroy(new ReplicatorError(codes.timeout, `no handshake within ${handshakeTimeoutMs} ms`))
    }, handshakeTimeoutMs)
  }

  onCall (method: Method, payload: Uint8Array, reply: (payload: Uint8Array) => void): void {
    switch (method) {
      case 'hello': return this.#onHello(decodeHello(payload), reply)
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

  #onHello (hello: Hello, reply: (payload: Uint8Array) => void): void {
    if (this.#peer !== null) throw new WireError('a second "hello"')

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
      this.#context.refused(peer, verdict.code)
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

  // The refused side reports it. Here, it is only to be seen by those who look for it.
  #refuse (code: ErrorCode, peer: Identity | undefined): void {
    log('inbound connection of %s refused: %s', peer === undefined ? 'a stranger' : nameOf(peer), code)
    this.link.handler = ignore
    this.#settle()
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

function nameOf (peer: Identity): string {
  return peer.id.slice(0, 8)
}
