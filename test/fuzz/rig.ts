import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../index.ts'
import type { DatabaseReplicator } from '../../index.ts'
import { codes } from '../../lib/errors.ts'
import { duplexPair } from '../../lib/net/duplex-pair.ts'
import { addressOf, Switchboard } from '../unit/replicator/trio.ts'

type Database = MemoryLevel<string, string>

export interface Victim {
  readonly port: number
  readonly db: Database
  readonly replicator: DatabaseReplicator<Database>
}

/** Nobody but this package itself, or its disk, can be to blame for these. */
const bugs: ReadonlySet<string> = new Set([codes.internal, codes.storeFailed, codes.logCorrupt, codes.logTorn, codes.logFormat])

/** From here on, ports lead to the peer that fuzzes, whoever dials them. */
export const EVIL_PORT = 660

/** Three real nodes on databases in memory, with connections within this process, and some over TCP. */
export class Rig {
  readonly victims: Victim[]
  /** What a peer must not be able to bring about. */
  readonly problems: string[] = []
  /** How many connections were closed with a named reason. */
  refusals = 0
  onDialled: ((stream: Duplex) => void) | null = null
  readonly #board = new Switchboard()
  readonly #servers = new Map<number, Server>()
  #writes = 0

  constructor (secret: string | null) {
    const ports = [1, 2, 3]
    this.victims = ports.map(port => {
      const db: Database = new MemoryLevel()
      const transport = this.#board.transport(port)
      const replicator = Replicator(db, {
        ...addressOf(port),
        peers: ports.filter(other => other !== port).map(addressOf),
        minConsensus: 1,
        failureTimeoutMs: 3000,
        ...(secret === null ? {} : { secret }),
        transport: (to, host) => to >= EVIL_PORT ? this.#evil() : transport(to, host)
      })
      replicator.on('error', error => {
        const { code } = error as { code?: string }
        this.refusals++
        // A peer that refuses gives whatever reason it likes.
        const isTold = error.message.includes('refused by')
        if (code === undefined || (bugs.has(code) && !isTold)) this.problems.push(`node ${port}: ${error.stack ?? error.message}`)
      })
      this.#board.add({ db, replicator, address: addressOf(port) })
      return { port, db, replicator }
    })
  }

  async ready (): Promise<void> {
    await Promise.all(this.victims.map(({ replicator }) => replicator.ready()))
    await Promise.all(this.victims.map(({ db, port }) => db.put(`of ${port}`, 'x')))
  }

  /** A connection with one of them. */
  async dial ({ port, replicator }: Victim, tcp: boolean): Promise<Duplex> {
    if (!tcp) return await this.#board.transport(0)(port, '127.0.0.1')
    const server = this.#servers.get(port) ?? await this.#listen(port, replicator)
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }

  /** What was written comes back, on each of these. Returns what is wrong. */
  async health (victims: readonly Victim[]): Promise<string | null> {
    const value = String(++this.#writes)
    const results = await Promise.allSettled(victims.map(async ({ db, port }) => {
      const key = `health of ${port}`
      await db.put(key, value)
      const read = await db.get(key)
      if (read !== value) throw new Error(`node ${port} reads ${String(read)} for ${value}`)
    }))
    const [failed] = results.filter(result => result.status === 'rejected')
    if (failed === undefined) return null
    return `${String(failed.reason)}; ${victims.map(({ port, replicator }) => `${port}: ${replicator.status}, ${replicator.stats().waitingFor}`).join('; ')}`
  }

  async close (): Promise<void> {
    this.onDialled = null
    for (const server of this.#servers.values()) server.close()
    await Promise.all(this.victims.map(victim => this.stop(victim)))
  }

  async stop ({ db, replicator }: Victim): Promise<void> {
    await replicator.close()
    await db.close()
  }

  async #listen (port: number, replicator: Victim['replicator']): Promise<Server> {
    const server = createServer(con => {
      con.on('error', () => {})
      const stream = replicator.createServer()
      stream.pipe(con).pipe(stream)
    })
    this.#servers.set(port, server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  #evil (): Duplex {
    const [near, far] = duplexPair()
    near.on('error', () => {})
    far.on('error', () => {})
    if (this.onDialled === null) queueMicrotask(() => { near.destroy(new Error('Connection refused')) })
    else this.onDialled(far)
    return near
  }
}
