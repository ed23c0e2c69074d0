/** Machines with names in this process: for code that was written for several, such as that of the README. */
import { rm, mkdtemp } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { ReplicatorOptions } from '../../../index.ts'
import { realEnvironment } from '../../../lib/env.ts'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'
import type { Resolver } from '../../../lib/net/resolver.ts'
import { StreamNetwork } from '../../../lib/net/stream-network.ts'
import { DatabaseReplicator } from '../../../lib/replicator.ts'
import type { Lifetime } from './cluster.ts'

type Database = ClassicLevel<string, string>

/** Each has a name, an address, one database on disk, and at most one replicator. */
export class Machine {
  readonly host: string
  readonly ip: string
  readonly #machines: Machines
  readonly #location: string
  readonly #streams = new Set<Duplex>()
  #db: Database | null = null
  #replicator: DatabaseReplicator<Database> | null = null
  #port = 0
  #isCut = false

  constructor (machines: Machines, host: string, ip: string, location: string) {
    this.#machines = machines
    this.host = host
    this.ip = ip
    this.#location = location
  }

  /** Opened anew where it was closed. */
  get db (): Database {
    if (this.#db === null || this.#db.status === 'closed' || this.#db.status === 'closing') this.#db = new ClassicLevel<string, string>(this.#location)
    return this.#db
  }

  get replicator (): DatabaseReplicator<Database> {
    if (this.#replicator === null) throw new Error(`${this.host} has no replicator`)
    return this.#replicator
  }

  /** In place of `Replicator` and its `listen()`. */
  readonly Replicator = (db: Database, options: ReplicatorOptions): DatabaseReplicator<Database> => {
    const transport = (port: number, host: string): Duplex => this.#machines.dial(this, host, port)
    const replicator = new DatabaseReplicator<Database>(db, { failureTimeoutMs: 1000, writeTimeoutMs: 60_000, ...options, transport }, {
      env: realEnvironment,
      resolver: this.#machines.resolver,
      network: ({ failAfter, failureTimeoutMs }, env) => new Wireless({ env, failAfter, failureTimeoutMs, heartbeatMs: failureTimeoutMs / 5, transport }, (port) => { this.#port = port })
    })
    this.#replicator = replicator
    return replicator
  }

  /** For the others, that is its end. */
  cut (): void {
    this.#isCut = true
    for (const stream of this.#streams) stream.destroy()
  }

  /** Null if nobody answers there. */
  answer (port: number): Duplex | null {
    return this.#port === port && !this.#isCut && this.#db?.status === 'open' ? this.#replicator?.createServer() ?? null : null
  }

  get isCut (): boolean {
    return this.#isCut
  }

  hold (stream: Duplex): void {
    this.#streams.add(stream)
    stream.on('close', () => { this.#streams.delete(stream) })
  }

  async end (): Promise<void> {
    await this.#replicator?.close()
    await this.#db?.close()
  }
}

export class Machines {
  readonly #machines: Machine[] = []
  readonly #directory: string
  /** Any name stands for all machines. */
  readonly resolver: Resolver = {
    addresses: async () => this.#machines.map(({ ip }) => ip),
    services: async () => this.#machines.map(({ host }) => ({ name: host, port: 3000 }))
  }

  private constructor (directory: string) {
    this.#directory = directory
  }

  /** They last as long as the test. */
  static async create (t: Lifetime, hosts: readonly string[]): Promise<Machines> {
    const machines = new Machines(await mkdtemp(join(tmpdir(), 'quorum-level-')))
    for (const host of hosts) machines.add(host)
    t.teardown(async () => {
      await Promise.all(machines.#machines.map((machine) => machine.end()))
      await rm(machines.#directory, { recursive: true, force: true })
    })
    return machines
  }

  add (host: string): Machine {
    const number = this.#machines.length + 1
    const machine = new Machine(this, host, `10.0.0.${number}`, join(this.#directory, `${host}-${number}`))
    this.#machines.push(machine)
    return machine
  }

  machine (host: string): Machine {
    const machine = this.#machines.find((machine) => machine.host === host)
    if (machine === undefined) throw new RangeError(`No machine ${host}`)
    return machine
  }

  dial (from: Machine, host: string, port: number): Duplex {
    const [near, far] = duplexPair()
    // Streams that nobody listens to must not end the process.
    near.on('error', () => {})
    far.on('error', () => {})
    // The last of a name: the others are gone.
    const [to] = this.#machines.filter((machine) => machine.host === host || machine.ip === host).slice(-1)
    const server = from.isCut ? null : to?.answer(port) ?? null
    if (to === undefined || server === null) {
      queueMicrotask(() => { near.destroy(new Error('Connection refused')) })
      return near
    }
    server.on('error', () => {})
    server.pipe(far).pipe(server)
    far.on('close', () => { server.destroy() })
    server.on('close', () => { far.destroy() })
    from.hold(near)
    to.hold(far)
    return near
  }
}

/** Takes no ports of this machine. */
class Wireless extends StreamNetwork {
  readonly #onListen: (port: number) => void

  constructor (options: ConstructorParameters<typeof StreamNetwork>[0], onListen: (port: number) => void) {
    super(options)
    this.#onListen = onListen
  }

  override async listen (port: Parameters<StreamNetwork['listen']>[0]): ReturnType<StreamNetwork['listen']> {
    if (typeof port !== 'number') throw new TypeError('Only ports are listened to')
    this.#onListen(port)
    return { address: { host: '::', port }, close: async () => { this.#onListen(0) } }
  }
}
