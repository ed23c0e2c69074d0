import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { realEnvironment } from '../../../lib/env.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import type { Address, Identity } from '../../../lib/net/network.ts'
import { RpcLink } from '../../../lib/net/rpc-link.ts'
import type { Secret, Transcript } from '../../../lib/net/secret.ts'
import { challengeBytes, decodeChallenge, decodeProof, encodeAuth, encodeChallenge, encodeProof } from '../../../lib/wire/auth.ts'
import {
  decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, encodeWelcome, ownVersions
} from '../../../lib/wire/handshake.ts'
import type { Verdict, VersionRange, Welcome } from '../../../lib/wire/handshake.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import type { Method } from '../../../lib/wire/rpc-frame.ts'

export interface Call {
  method: Method
  payload: Uint8Array
  reply: (payload: Uint8Array) => void
}

const instance = 'aa'.repeat(8)

function nonce (): string {
  return toHex(realEnvironment.randomBytes(challengeBytes))
}

/** One connection whose other side is a node, and whose steps a test takes one by one. */
export class Puppet {
  readonly link: RpcLink
  readonly gone: Promise<ReplicatorError>
  #calls: Call[] = []
  #waiting: Array<(call: Call) => void> = []

  constructor (socket: Socket) {
    let onGone: (error: ReplicatorError) => void
    this.gone = new Promise((resolve) => { onGone = resolve })
    this.link = new RpcLink(realEnvironment, socket, {
      onCall: (method, payload, reply) => {
        // Heartbeats are no steps.
        if (method === 'ping') return reply(new Uint8Array(0))
        const waiting = this.#waiting.shift()
        const call = { method, payload: Uint8Array.from(payload), reply }
        if (waiting === undefined) this.#calls.push(call)
        else waiting(call)
      },
      onDrain () {},
      onClose (error) { onGone(error) }
    }, 10_000_000)
  }

  static dial (address: Address): Puppet {
    return new Puppet(connect(address.port, address.host))
  }

  /** The next call, other than a ping. */
  async call (): Promise<Call> {
    return this.#calls.shift() ?? await new Promise((resolve) => { this.#waiting.push(resolve) })
  }

  /** Asks a node for a challenge. */
  async auth (): Promise<Transcript> {
    const auth = encodeAuth({ versions: ownVersions, nonce: nonce() })
    const challenge = await this.ask('auth', auth)
    decodeChallenge(challenge)
    return { auth, challenge: challenge.slice() }
  }

  /** The node's answer to a proof: its own, or null. */
  async prove (proof: Uint8Array | null): Promise<Uint8Array | null> {
    return decodeProof(await this.ask('prove', encodeProof(proof)))
  }

  /** Shows a node that it has the secret, and goes on as one that has. */
  async authenticate (secret: Secret): Promise<Transcript> {
    const transcript = await this.auth()
    const proof = await this.prove(secret.proof('dialler', transcript))
    if (proof === null || !secret.isProof(proof, 'acceptor', transcript)) throw new Error('not the same secret')
    this.link.seal(secret.seals('dialler', transcript))
    return transcript
  }

  /** Answers the `auth` of a node. */
  async challenge (): Promise<Transcript> {
    const { payload, reply } = await this.call()
    const challenge = encodeChallenge({ versions: ownVersions, version: 1, code: null, nonce: nonce() })
    reply(challenge)
    return { auth: payload, challenge }
  }

  async hello (identity: Identity, versions: VersionRange = ownVersions): Promise<Welcome> {
    const body = { instance, identity, dialled: { host: 'puppet', port: 1 } }
    return decodeWelcome(await this.ask('hello', encodeHello({ versions, body })))
  }

  async start (verdict: Verdict = { code: null, order: 0 }): Promise<Verdict> {
    return decodeVerdict(await this.ask('start', encodeVerdict(verdict)))
  }

  tellStart (verdict: Verdict): void {
    this.link.send('start', encodeVerdict(verdict))
  }

  /** Answers the hello of a node. */
  async welcome (identity: Identity, code: Welcome['code'] = null): Promise<void> {
    const { reply } = await this.call()
    reply(encodeWelcome({ versions: ownVersions, version: 1, code, body: { instance, identity } }))
  }

  /** Waits for the node's verdict and answers it. */
  async verdict (answer: Verdict = { code: null, order: 0 }): Promise<Verdict> {
    const { payload, reply } = await this.call()
    reply(encodeVerdict(answer))
    return decodeVerdict(payload)
  }

  destroy (): void {
    this.link.destroy(new Error('destroyed by the test') as ReplicatorError)
  }

  /** Makes one call. */
  ask (method: Method, payload: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.link.call(method, payload, 20_000, (error, reply) => { error === null ? resolve(reply) : reject(error) })
    })
  }
}

/** A place where a node's connections become puppets. */
export async function stage (): Promise<{ address: Address, next: () => Promise<Puppet>, close: () => void }> {
  const puppets: Puppet[] = []
  const server = createServer((socket) => {
    puppets.push(new Puppet(socket))
    server.emit('puppet')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  let taken = 0
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    async next () {
      while (puppets.length === taken) await once(server, 'puppet')
      return puppets[taken++] as Puppet
    },
    close () {
      server.close()
      for (const puppet of puppets) puppet.destroy()
    }
  }
}
