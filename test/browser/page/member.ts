import type { AbstractLevel } from 'abstract-level'
import { Replicator } from 'quorum-level'
import type { Address, DatabaseReplicator, ReplicatorOptions, ReplicatorStats, WriteOptions, WriteOutcome } from 'quorum-level'
import { messagePortStream } from 'quorum-level/transport/message-port'

type Database = AbstractLevel<any, string, string>
type Stream = ReturnType<DatabaseReplicator['createServer']>

/** What is told of an error, for that is all that arrives elsewhere. */
export interface Failure {
  message: string
  code?: string | undefined
  outcome?: string | undefined
  transaction?: string | undefined
}

export type Reply = { value: unknown } | { failure: Failure }

/** One node, wherever it runs, with methods that take and return what can be sent. */
export class Member {
  readonly #db: Database
  readonly #replicator: DatabaseReplicator<Database>
  readonly #errors: Failure[] = []

  constructor (db: Database, options: ReplicatorOptions) {
    this.#db = db
    this.#replicator = Replicator(db, options)
    this.#replicator.on('error', (error) => { this.#errors.push(failureOf(error)) })
  }

  async put (key: string, value: string, options: WriteOptions = {}): Promise<void> {
    await this.#db.put(key, value, options)
  }

  async del (key: string, options: WriteOptions = {}): Promise<void> {
    await this.#db.del(key, options)
  }

  /** Null if there is none. */
  async get (key: string): Promise<string | null> {
    return await this.#db.get(key) ?? null
  }

  async entries (): Promise<Array<[string, string]>> {
    return await this.#db.iterator().all()
  }

  async outcome (transaction: string): Promise<WriteOutcome> {
    return await this.#replicator.outcome(transaction)
  }

  async ready (): Promise<void> {
    await this.#replicator.ready()
  }

  /** Without what cannot be sent. */
  stats (): ReplicatorStats {
    return JSON.parse(JSON.stringify(this.#replicator.stats()))
  }

  /** The next error that is emitted, or the first that was. */
  async error (): Promise<Failure> {
    const first = this.#errors.shift()
    if (first !== undefined) return first
    return await new Promise((resolve) => { this.#replicator.once('error', (error) => { resolve(failureOf(error)) }) })
  }

  async listen (port: number): Promise<void> {
    await this.#replicator.listen(port)
  }

  addPeer (peer: Address): void {
    this.#replicator.addPeer(peer)
  }

  async close (): Promise<void> {
    await this.#db.close()
  }

  /** Takes over an inbound connection. */
  accept (connection: Stream): void {
    const server = this.#replicator.createServer()
    server.pipe(connection).pipe(server)
  }

  acceptPort (port: MessagePort): void {
    this.accept(messagePortStream(port))
  }
}

export type MemberMethod = Exclude<keyof Member, 'accept' | 'acceptPort'>

/** Calls a method of a member by its name. Never rejects. */
export async function answer (member: Member | undefined, method: MemberMethod, args: unknown[]): Promise<Reply> {
  try {
    if (member === undefined) throw new Error('No member is open')
    const call = member[method] as (...args: unknown[]) => unknown
    return { value: await call.apply(member, args) }
  } catch (error) {
    return { failure: failureOf(error as Error) }
  }
}

export function failureOf (error: Error & Partial<Failure>): Failure {
  return { message: error.message, code: error.code, outcome: error.outcome, transaction: error.transaction }
}
