import type { Duplex } from 'node:stream'
import { realEnvironment } from '../../lib/env.ts'
import { WireError } from '../../lib/wire/bytes.ts'
import { RpcLink } from '../../lib/net/rpc-link.ts'
import type { Seals } from '../../lib/net/seal.ts'
import type { Secret, Role, Transcript } from '../../lib/net/secret.ts'
import { challengeBytes, decodeChallenge, decodeProof, encodeAuth, encodeChallenge, encodeProof } from '../../lib/wire/auth.ts'
import { decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, encodeWelcome, ownVersions } from '../../lib/wire/handshake.ts'
import { toHex } from '../../lib/wire/hex.ts'
import type { Identity } from '../../lib/wire/identity.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import { readMessages } from '../../lib/wire/messages.ts'
import type { Method } from '../../lib/wire/rpc-frame.ts'
import { framed } from '../support/bytes.ts'
import type { World } from './generate.ts'

const noBytes = new Uint8Array(0)
const FRAME_BYTES = 32 * 2 ** 20
const CALL_MS = 20_000
/** Frames of the other side that are kept, to be sent back to it. */
const FRAMES_KEPT = 50
const KNOWN_KEPT = 12

interface Call {
  readonly method: Method
  readonly payload: Uint8Array
  readonly reply: (payload: Uint8Array) => void
}

/**
 * One connection with a node, of which it is the other side. It shows that it has the secret, if there is one, introduces itself as the
 * protocol wants it, and then does what it is told.
 */
export class Peer {
  readonly link: RpcLink
  readonly gone: Promise<void>
  readonly frames: Uint8Array[] = []
  /** What the node has sent that it must not. */
  problem: string | null = null
  readonly #identity: Identity
  readonly #instance: string
  readonly #world: World
  readonly #stream: Duplex
  readonly #secret: Secret | null
  #seals: Seals | null = null
  #onCall: ((call: Call) => void) | null = null
  #calls: Call[] = []

  constructor (stream: Duplex, identity: Identity, instance: string, world: World, secret: Secret | null = null) {
    let onGone: () => void
    this.gone = new Promise(resolve => { onGone = resolve })
    this.#identity = identity
    this.#instance = instance
    this.#world = world
    this.#stream = stream
    this.#secret = secret
    stream.on('error', () => {})
    this.link = new RpcLink(realEnvironment, stream, {
      onCall: (method, payload, reply) => { this.#take({ method, payload: Uint8Array.from(payload), reply }) },
      onDrain () {},
      onClose () { onGone() }
    }, FRAME_BYTES)
  }

  /** On the side that dials: shows that it has the secret. True if the node has shown it, too. */
  async authenticate (secret: Secret): Promise<boolean> {
    const auth = encodeAuth({ versions: ownVersions, nonce: nonce() })
    const challenge = await this.#ask('auth', auth)
    if (challenge === null || decodeChallenge(challenge).code !== null) return false
    const transcript = { auth, challenge: challenge.slice() }
    const answer = await this.#ask('prove', encodeProof(secret.proof('dialler', transcript)))
    const proof = answer === null ? null : decodeProof(answer)
    if (proof === null || !secret.isProof(proof, 'acceptor', transcript)) return false
    this.#seal(secret, 'dialler', transcript)
    return true
  }

  /** The same on the other side. */
  async #challenge (secret: Secret): Promise<boolean> {
    const auth = await this.#next()
    if (auth?.method !== 'auth') return false
    const transcript = { auth: auth.payload, challenge: encodeChallenge({ versions: ownVersions, version: 1, code: null, nonce: nonce() }) }
    auth.reply(transcript.challenge)
    const prove = await this.#next()
    if (prove?.method !== 'prove') return false
    prove.reply(encodeProof(secret.proof('acceptor', transcript)))
    this.#seal(secret, 'acceptor', transcript)
    return true
  }

  #seal (secret: Secret, role: Role, transcript: Transcript): void {
    this.#seals = secret.seals(role, transcript)
    this.link.seal(this.#seals)
  }

  /** Sends what need be no call, with the tag that goes with it, or with what `change` makes of that. Returns what was sent. */
  sendSealed (bytes: Uint8Array, change = (tag: Uint8Array) => tag): Uint8Array {
    if (this.#seals === null) throw new Error('there is no secret')
    const frame = framed(bytes, change(this.#seals.sending.tag(bytes)))
    this.sendRaw(frame)
    return frame
  }

  sendRaw (bytes: Uint8Array): void {
    if (this.isOpen) this.#stream.write(bytes)
  }

  /** Dials: true if there is a session then. */
  async connect (): Promise<boolean> {
    if (this.#secret !== null && !await this.authenticate(this.#secret)) return false
    const dialled = { host: '127.0.0.1', port: 1 }
    const bytes = await this.#ask('hello', encodeHello({ versions: ownVersions, body: { instance: this.#instance, identity: this.#identity, dialled } }))
    if (bytes === null) return false
    const { body, code } = decodeWelcome(bytes)
    if (body === null || code !== null) return false
    this.#note(this.#world.ids, body.identity.id)
    if (this.#identity.id < body.identity.id) {
      this.link.send('start', encodeVerdict({ code: null, order: 1 + Math.floor(realEnvironment.now()) }))
      return true
    }
    const verdict = await this.#ask('start', encodeVerdict({ code: null, order: 0 }))
    return verdict !== null && decodeVerdict(verdict).code === null
  }

  /** Is dialled: true if there is a session then. */
  async accept (): Promise<boolean> {
    if (this.#secret !== null && !await this.#challenge(this.#secret)) return false
    const hello = await this.#next()
    if (hello?.method !== 'hello') return false
    hello.reply(encodeWelcome({ versions: ownVersions, version: 1, code: null, body: { instance: this.#instance, identity: this.#identity } }))
    const start = await this.#next()
    if (start?.method !== 'start') return false
    const { code, order } = decodeVerdict(start.payload)
    if (order === 0) start.reply(encodeVerdict({ code: null, order: 1 + Math.floor(realEnvironment.now()) }))
    return code === null
  }

  send (payload: Uint8Array): void {
    this.link.send('frame', payload)
  }

  /** Resolves when the node has dealt with all that was sent, or has closed the connection. */
  async settled (): Promise<void> {
    await this.#ask('ping', noBytes)
  }

  get isOpen (): boolean { return this.link.error === null }

  destroy (): void {
    this.link.end(Object.assign(new Error('the end'), { code: 'LEVEL_REPLICATOR_CLOSED' as const }) as never)
  }

  #take (call: Call): void {
    if (call.method === 'ping') return call.reply(noBytes)
    if (call.method === 'frame') return this.#learn(call.payload)
    const waiting = this.#onCall
    this.#onCall = null
    if (waiting === null) this.#calls.push(call)
    else waiting(call)
  }

  async #next (): Promise<Call | null> {
    const call = this.#calls.shift()
    if (call !== undefined) return call
    return await Promise.race([new Promise<Call>(resolve => { this.#onCall = resolve }), this.gone.then(() => null)])
  }

  #ask (method: Method, payload: Uint8Array): Promise<Uint8Array | null> {
    return new Promise(resolve => {
      this.link.call(method, payload, CALL_MS, (error, reply) => { resolve(error === null ? reply : null) })
    })
  }

  /** From what the node says, one can lie better. */
  #learn (payload: Uint8Array): void {
    this.frames.push(payload)
    if (this.frames.length > FRAMES_KEPT) this.frames.shift()
    let messages: WireMessage[]
    try {
      messages = readMessages(payload)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.problem = `a node has sent what nobody can read: ${error.message}`
      return
    }
    const { epochs, positions, views, clusters, starts, origins } = this.#world
    for (const message of messages) {
      if ('epoch' in message) this.#note(epochs, message.epoch)
      if ('committed' in message) this.#note(positions, message.committed)
      if (message.type === 'heartbeat') this.#note(positions, message.applied)
      if (message.type === 'snapshot') for (const [id] of message.rows) this.#note(origins, id)
      if (message.type !== 'status' && message.type !== 'view') continue
      const { view } = message
      if (view === null) continue
      this.#note(views, view)
      this.#note(epochs, view.epoch)
      this.#note(clusters, view.cluster)
      this.#note(starts, view.coordinatorStart)
    }
  }

  #note<T> (list: T[], value: T): void {
    if (list.includes(value)) return
    list.push(value)
    if (list.length > KNOWN_KEPT) list.shift()
  }
}

function nonce (): string {
  return toHex(realEnvironment.randomBytes(challengeBytes))
}
