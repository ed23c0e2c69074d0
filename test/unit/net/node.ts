import { EventEmitter, once } from 'node:events'
import { realEnvironment } from '../../../lib/env.ts'
import type { ErrorCode, ReplicatorError } from '../../../lib/errors.ts'
import type { Address, Identity, NetworkHandler, Session } from '../../../lib/net/network.ts'
import { StreamNetwork } from '../../../lib/net/stream-network.ts'
import type { StreamNetworkOptions } from '../../../lib/net/stream-network.ts'

export type NodeOptions = Partial<StreamNetworkOptions> & { identity?: Partial<Identity> }

/** An id that begins with the given digit, so that tests can say who decides. */
export function idOf (digit: string): string {
  return digit + Buffer.from(realEnvironment.randomBytes(16)).toString('hex').slice(1)
}

/** The nonce of a start, for tests in which there is one disk of each id. */
export function nonceOf (start: number): string {
  return start.toString(16).padStart(16, '0')
}

/** One network with a handler that records what it is told, and emits it. */
export class Node extends EventEmitter implements NetworkHandler {
  readonly identity: Identity
  readonly network: StreamNetwork
  readonly live = new Set<Session>()
  readonly log: string[] = []
  readonly errors: Error[] = []
  verdict: (peer: Identity) => ErrorCode | null = () => null
  frameBytesMaxOf: (peer: Identity) => number = () => Infinity

  constructor (digit: string, options: NodeOptions = {}) {
    super()
    this.setMaxListeners(0)
    const { identity, ...rest } = options
    this.identity = { id: idOf(digit), start: 1, history: [nonceOf(1)], cluster: '', address: null, name: digit, observer: false, ...identity }
    this.network = new StreamNetwork({ env: realEnvironment, reconnectMinMs: 5, reconnectMaxMs: 100, ...rest })
  }

  /** Starts, and listens on a free port. */
  async listen (): Promise<Address> {
    this.network.start(this)
    const { address } = await this.network.listen({ port: 0, host: '127.0.0.1' })
    return { host: '127.0.0.1', port: address.port }
  }

  /** Resolves when there is a session with that peer on which nothing else is going on. */
  async session (peer: Node): Promise<Session> {
    for (;;) {
      for (const session of this.live) if (session.peer.id === peer.identity.id) return session
      await once(this, 'session')
    }
  }

  /** Resolves with the next frame that `filter` wants. */
  frame (filter: (body: Uint8Array) => boolean = () => true): Promise<Uint8Array> {
    return new Promise((resolve) => {
      const onFrame = (_session: Session, body: Uint8Array) => {
        if (!filter(body)) return
        this.off('frame', onFrame)
        resolve(body)
      }
      this.on('frame', onFrame)
    })
  }

  identify (): Identity { return this.identity }
  judge (peer: Identity): ErrorCode | null { return this.verdict(peer) }

  onRefused (peer: Identity, code: ErrorCode): void { this.#tell('refused', code, peer, code) }

  onSession (session: Session): void {
    for (const other of this.live) {
      if (other.peer.id === session.peer.id) this.log.push('TWO SESSIONS')
    }
    this.live.add(session)
    this.#tell('session', session.peer.name, session)
  }

  onFrame (session: Session, body: Uint8Array): void {
    if (!this.live.has(session)) this.log.push('FRAME OUTSIDE SESSION')
    this.emit('frame', session, body)
  }

  onDrain (session: Session): void { this.emit('drain', session) }

  onClose (session: Session, error: ReplicatorError): void {
    if (!this.live.delete(session)) this.log.push('SECOND CLOSE')
    this.#tell('close', error.code, session, error)
  }

  onDialledAs (address: Address): void { this.emit('dialled', address) }
  onReconnect (address: Address, attempt: number, delayMs: number): void {
    this.#tell('reconnect', String(attempt), address, attempt, delayMs)
  }

  onFail (address: Address): void { this.#tell('fail', '', address) }

  onError (error: Error, address: Address | null): void {
    this.errors.push(error)
    this.emit('failure', error, address)
  }

  onResolve (address: Address, id: string): void { this.#tell('resolve', id, address, id) }

  #tell (event: string, text: string, ...args: unknown[]): void {
    this.log.push(`${event} ${text}`.trim())
    this.emit(event, ...args)
  }
}

/** Exchanges a frame each way. Retries over lost sessions, as the layer above does. */
export async function exchange (a: Node, b: Node, body: Uint8Array = Uint8Array.of(1)): Promise<void> {
  await Promise.all([deliver(a, b, body), deliver(b, a, body)])
}

async function deliver (from: Node, to: Node, body: Uint8Array): Promise<void> {
  const arrived = to.frame((got) => Buffer.compare(got, body) === 0).then(() => true)
  for (;;) {
    const session = await from.session(to)
    session.send(body)
    if (await Promise.race([arrived, lost(from, session)])) return
  }
}

async function lost (node: Node, session: Session): Promise<false> {
  while (node.live.has(session)) await once(node, 'close')
  return false
}

/** Both dial one another at once, and are closed again. Returns what is wrong. */
export async function crossing (a: Node, b: Node): Promise<string[]> {
  const [x, y] = await Promise.all([a.listen(), b.listen()])
  a.network.dial(y)
  b.network.dial(x)
  await exchange(a, b)
  const faults = a.live.size === 1 && b.live.size === 1 ? [] : ['not one session']
  await closeAll(a, b)
  faults.push(...[...a.log, ...b.log].filter((line) => /[A-Z] [A-Z]/.test(line)))
  if (a.live.size + b.live.size !== 0) faults.push('a session that was not closed')
  return faults
}

export async function closeAll (...nodes: Node[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.network.close()))
}
