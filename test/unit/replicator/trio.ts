import type { Duplex } from 'node:stream'
import { MemoryLevel } from 'memory-level'
import type { Test } from 'tape'
import { Replicator } from '../../../index.ts'
import type { DatabaseReplicator, ReplicatorError, ReplicatorEvents, ReplicatorOptions, Transport } from '../../../index.ts'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'
import { Disk } from './disk.ts'

export type Database = MemoryLevel<string, string>
export type MemoryReplicator = DatabaseReplicator<Database>

interface Address {
  host: string
  port: number
}

export interface Member {
  readonly db: Database
  readonly disk: Disk
  readonly replicator: MemoryReplicator
  readonly address: Address
}

/** Who can be dialled. */
type Callee = Pick<Member, 'db' | 'replicator' | 'address'>

/** Connections within this process, over addresses of the form `127.0.0.1:<number>`. */
export class Switchboard {
  readonly #members = new Map<number, Callee>()
  readonly #refused = new Set<string>()
  readonly #streams = new Map<Duplex, [from: number, to: number]>()

  /** Who answers at its address from here on. */
  add (member: Callee): void {
    this.#members.set(member.address.port, member)
  }

  /** Dials from one port to another fail, and those that succeeded end. */
  refuse (from: number, to: number): void {
    this.#refused.add(`${from}-${to}`)
    for (const [stream, ends] of this.#streams) {
      if (ends[0] === from && ends[1] === to) stream.destroy()
    }
  }

  allow (from: number, to: number): void {
    this.#refused.delete(`${from}-${to}`)
  }

  unplug (port: number): void {
    for (const other of this.#members.keys()) {
      this.refuse(port, other)
      this.refuse(other, port)
    }
  }

  plug (port: number): void {
    for (const other of this.#members.keys()) {
      this.allow(port, other)
      this.allow(other, port)
    }
  }

  /** What the member at this port dials with. */
  transport (from: number): Transport {
    return (to) => {
      const [near, far] = duplexPair()
      // Streams that nobody listens to must not end the process.
      near.on('error', () => {})
      far.on('error', () => {})
      const member = this.#members.get(to)
      if (member === undefined || member.db.status !== 'open' || this.#refused.has(`${from}-${to}`)) {
        queueMicrotask(() => { near.destroy(new Error('Connection refused')) })
        return near
      }
      const server = member.replicator.createServer()
      server.on('error', () => {})
      server.pipe(far).pipe(server)
      far.on('close', () => { server.destroy() })
      server.on('close', () => { far.destroy() })
      this.#streams.set(near, [from, to])
      near.on('close', () => { this.#streams.delete(near) })
      return near
    }
  }
}

export interface MemberOptions extends ReplicatorOptions {
  /** Of a database that is there already. */
  db?: Database
  /** False: it does not know its own address. */
  knowsItself?: boolean
}

/** A member that lives as long as the test. */
export function createMember (t: Test, board: Switchboard, port: number, peers: readonly number[], options: MemberOptions = {}): Member {
  const { db = new MemoryLevel<string, string>(), knowsItself = true, ...others } = options
  const disk = new Disk(db)
  const address = addressOf(port)
  const replicator = Replicator(db, {
    ...(knowsItself ? address : {}), peers: peers.map(addressOf), transport: board.transport(port), ...others
  })
  const member = { db, disk, replicator, address }
  board.add(member)
  t.teardown(async () => {
    disk.resume()
    await replicator.close()
    await db.close()
  })
  return member
}

export type Trio = [Member, Member, Member]

/** Three members at ports 1 to 3 that know each other. */
export function createTrio (t: Test, options: MemberOptions = {}, board = new Switchboard()): Trio {
  const ports = [1, 2, 3]
  return ports.map((port) => createMember(t, board, port, ports.filter((other) => other !== port), options)) as Trio
}

export async function allReady (members: readonly Member[]): Promise<void> {
  await Promise.all(members.map(({ replicator }) => replicator.ready()))
}

export function addressOf (port: number): Address {
  return { host: '127.0.0.1', port }
}

/** Resolves with the arguments of the next event of this name that `when` wants. */
export function next<E extends keyof ReplicatorEvents> (
  replicator: MemoryReplicator, event: E, when: (...args: ReplicatorEvents[E]) => boolean = () => true
): Promise<ReplicatorEvents[E]> {
  const emitter: NodeJS.EventEmitter = replicator
  return new Promise((resolve) => {
    const onEvent = (...args: unknown[]): void => {
      const all = args as ReplicatorEvents[E]
      if (!when(...all)) return
      emitter.off(event, onEvent)
      resolve(all)
    }
    emitter.on(event, onEvent)
  })
}

/** Resolves with why it rejects, or with null if it does not. */
export async function rejection (promise: PromiseLike<unknown>): Promise<ReplicatorError | null> {
  try {
    await promise
    return null
  } catch (error) {
    return error as ReplicatorError
  }
}

/** `code outcome` of a rejection, for comparing. */
export async function verdict (promise: PromiseLike<unknown>): Promise<string> {
  const error = await rejection(promise)
  return error === null ? 'resolved' : `${error.code} ${error.outcome ?? '-'}`
}

/** Writes until it is written, where the time-out is so short that a busy machine may miss it. */
export async function written (db: Database, key: string, value: string): Promise<void> {
  while (await verdict(db.put(key, value)) !== 'resolved');
}
