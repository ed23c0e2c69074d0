import type { ListenOptions, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Environment } from '../env.ts'
import { codes, ReplicatorError } from '../errors.ts'
import { instanceBytes, isAddress } from '../wire/handshake.ts'
import { toHex } from '../wire/hex.ts'
import type { NetContext, NetLimits } from './context.ts'
import { Dialler } from './dialler.ts'
import { Inbound } from './inbound.ts'
import { log } from './log.ts'
import { netLimits } from './net-limits.ts'
import type { Address, Network, NetworkHandler } from './network.ts'
import type { RpcLink } from './rpc-link.ts'
import { Secret } from './secret.ts'
import { serverStream } from './server-stream.ts'
import { SessionTable } from './session-table.ts'
import { connectTcp, createTcpServer } from './tcp.ts'
import { setNoDelay } from './transport.ts'
import type { Transport } from './transport.ts'

export interface StreamNetworkOptions extends Partial<NetLimits> {
  env: Environment
  /** How to reach an address. Default: TCP. */
  transport?: Transport
  /** What all nodes share, and show one another that they have it. Default: none, and everybody may connect. */
  secret?: Uint8Array | null
}

export interface Listener {
  /** Where it listens: the port is the real one. */
  address: Address
  /** Accepts no more. Connections that are there stay. */
  close (): Promise<void>
}

/** A network over any streams of bytes: TCP, TLS, HTTP, WebSocket. */
export class StreamNetwork implements Network {
  readonly #env: Environment
  readonly #transport: Transport
  readonly #limits: NetLimits
  readonly #secret: Secret | null
  readonly #sessions = new SessionTable()
  /** What to dial, and with whom: null until the start. */
  readonly #addresses = new Map<string, { address: Address, dialler: Dialler | null }>()
  readonly #handshakes = new Set<Inbound>()
  readonly #links = new Set<RpcLink>()
  readonly #servers = new Set<Server>()
  #context: NetContext | null = null
  #closing: Promise<void> | null = null

  constructor (options: StreamNetworkOptions) {
    this.#env = options.env
    this.#transport = options.transport ?? connectTcp
    this.#limits = netLimits(options)
    this.#secret = options.secret == null ? null : new Secret(options.secret)
  }

  start (handler: NetworkHandler): void {
    if (this.#context !== null) throw new TypeError('The network was started before')
    if (this.#closing !== null) throw closedError()

    this.#context = {
      env: this.#env,
      limits: this.#limits,
      handler,
      sessions: this.#sessions,
      instance: toHex(this.#env.randomBytes(instanceBytes)),
      secret: this.#secret,
      report: (error, address) => { if (this.#closing === null) handler.onError(error, address) },
      refused: (peer, code, address) => { if (this.#closing === null) handler.onRefused(peer, code, address) }
    }
    for (const key of this.#addresses.keys()) this.#startDialler(key)
  }

  dial (address: Address): void {
    if (!isAddress(address)) throw new TypeError(`Not an address: ${String(address.host)}:${String(address.port)}`)
    if (this.#closing !== null) return

    const key = keyOf(address)
    if (this.#addresses.has(key)) return
    this.#addresses.set(key, { address: { host: address.host, port: address.port }, dialler: null })
    this.#startDialler(key)
  }

  undial (address: Address): void {
    const key = keyOf(address)
    this.#addresses.get(key)?.dialler?.stop()
    this.#addresses.delete(key)
  }

  /**
   * A stream of bytes for one inbound connection: `server.pipe(con).pipe(server)`. Destroys the connection
   * when it is closed. Its `error` event, which need not be listened to, tells why.
   */
  createServer (): Duplex {
    const { outer, inner } = serverStream()
    this.#accept(inner)
    return outer
  }

  /** Listens for TCP connections until close(). Rejects as `net.Server` fails. */
  async listen (options: number | ListenOptions): Promise<Listener> {
    if (this.#closing !== null) throw closedError()
    const server = createTcpServer((socket) => {
      setNoDelay(socket)
      this.#accept(socket)
    })
    this.#servers.add(server)
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.once('close', () => { reject(closedError()) })
        server.listen(typeof options === 'number' ? { port: options } : options, resolve)
      })
    } catch (err) {
      this.#servers.delete(server)
      throw err
    }

    server.on('error', (err) => { this.#context?.report(err, null) })
    return {
      address: addressOf(server),
      close: async () => {
        this.#servers.delete(server)
        server.close()
      }
    }
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    const error = closedError()
    // The handler may be the caller: it is told of the closed sessions when this turn is over.
    await undefined

    for (const { dialler } of this.#addresses.values()) dialler?.stop()
    // Those that are refused may still read why.
    for (const { link } of [...this.#handshakes]) link.destroy(error)
    for (const session of this.#sessions.all()) session.end(error)
    const servers = [...this.#servers].map(closeServer)
    await Promise.all([...this.#links].map((link) => link.closed))
    await Promise.all(servers)
  }

  #startDialler (key: string): void {
    const context = this.#context
    const dialled = this.#addresses.get(key)
    if (context === null || this.#closing !== null || dialled === undefined) return
    const dialler = new Dialler(context, dialled.address, this.#transport, (link) => { this.#track(link) })
    dialled.dialler = dialler
    // Not now: a transport that fails at once must not call the handler back while it is calling us.
    this.#env.nextTurn(() => { if (this.#closing === null) dialler.start() })
  }

  #accept (stream: Duplex): void {
    const context = this.#context
    if (this.#closing !== null || context === null) {
      const error = closedError('the network is not started, or closed')
      stream.on('error', () => {})
      stream.destroy(error)
      log('inbound connection refused: %s', error.message)
      return
    }

    if (this.#handshakes.size >= this.#limits.handshakesMax) this.#evict()
    const inbound = new Inbound(context, stream, (settled) => { this.#handshakes.delete(settled) })
    this.#handshakes.add(inbound)
    this.#track(inbound.link)
  }

  /**
   * Strangers may not fill the memory, nor keep others out: the one that has taken longest makes room, for an honest peer needs a few
   * round trips only. Those with the secret stay, as long as there is anybody else.
   */
  #evict (): void {
    const all = [...this.#handshakes]
    const oldest = all.find(({ isProven }) => !isProven) ?? all[0]
    oldest?.evict()
  }

  #track (link: RpcLink): void {
    this.#links.add(link)
    link.closed.then(() => { this.#links.delete(link) })
  }
}

function keyOf ({ host, port }: Address): string {
  return `${host}:${port}`
}

function closedError (message = 'the network is closed'): ReplicatorError {
  return new ReplicatorError(codes.closed, message)
}

function closeServer (server: Server): Promise<void> {
  return new Promise((resolve) => { server.close(() => { resolve() }) })
}

function addressOf (server: Server): Address {
  const address = server.address()
  // A path, if it listens on a socket in the file system.
  if (address === null || typeof address === 'string') return { host: address ?? '', port: 0 }
  return { host: address.address, port: address.port }
}
