import { EventEmitter } from 'events'
import type { ListenOptions } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AbstractLevel, AbstractSnapshot } from 'abstract-level'
import type { Environment } from './env.ts'
import { realEnvironment } from './env.ts'
import type { Changes } from './changes.ts'
import { witnessError } from './changes.ts'
import { codes, ReplicatorError } from './errors.ts'
import type { ReplicatorEvents } from './events.ts'
import { viewInfo } from './events.ts'
import type { Address, Network } from './net/network.ts'
import type { Resolver } from './net/resolver.ts'
import { StreamNetwork } from './net/stream-network.ts'
import type { Listener } from './net/stream-network.ts'
import { assertTcp } from './net/tcp.ts'
import { Node } from './node.ts'
import type { NodeEvents } from './node-events.ts'
import type { ReplicatorOptions, Settings } from './options.ts'
import type { WriteOutcome } from './outcomes.ts'
import { readTransaction } from './outcomes.ts'
import { eventualError, readAddress, readFlags, readOptions } from './options.ts'
import type { ReplicatorStats, ReplicatorStatus } from './stats.ts'
import { statsOf } from './stats.ts'
import type { ByteRange, Gate } from './store/gate.ts'
import type { Files } from './store/files.ts'
import { intercept } from './store/intercept.ts'
import type { Interception } from './store/intercept.ts'
import { nodeFiles } from './node-files.ts'
import { storeError } from './store-error.ts'
import { fileLog } from './store/open-log.ts'
import { recover } from './store/recovery.ts'
import { digestReplica, purge } from './store/survey.ts'
import type { ReplicaDigest } from './store/survey.ts'
import type { TraceEvent } from './trace.ts'
import { Trace } from './trace.ts'

/** A network that can also be served to: what the replicator needs of one. */
export interface ServedNetwork extends Network {
  createServer (): Duplex
  listen (options: number | ListenOptions): Promise<Listener>
}

/** What a simulator replaces. */
export interface Internals {
  readonly env: Environment
  readonly network: (settings: Settings, env: Environment) => ServedNetwork
  /** Default: that of the system. */
  readonly resolver?: Resolver
  /** Where the log of this database can be, if not in itself. Null, and the default: nowhere. */
  readonly files?: (db: object, directory: string | null) => (() => Promise<Files>) | null
}

const realInternals: Internals = {
  env: realEnvironment,
  files: (_, directory) => directory === null ? null : () => nodeFiles(directory),
  network: (settings, env) => {
    if (settings.transport === null && settings.peers.length + settings.discovery.length > 0) assertTcp()
    return new StreamNetwork({
      env,
      failAfter: settings.failAfter,
      failureTimeoutMs: settings.failureTimeoutMs,
      heartbeatMs: Math.max(1, Math.floor(settings.failureTimeoutMs / 5)),
      secret: settings.secret,
      ...(settings.transport === null ? {} : { transport: settings.transport })
    })
  }
}

// Where the runtime has no such symbol yet, nothing can ask for the method.
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol('asyncDispose')

type AnyLevel = AbstractLevel<any, any, any>

/**
 * Replicates one database of type T. Made by `Replicator(db, opts)`, which takes abstract-level databases only. T itself is not
 * bound to them: whether TypeScript finds that a class extends `AbstractLevel<any, any, any>` depends on what it compared before.
 */
export class DatabaseReplicator<T = AnyLevel> extends EventEmitter<ReplicatorEvents> {
  /** The database that is wrapped: read and write it as before. */
  readonly db: T
  readonly #level: AnyLevel
  readonly #settings: Settings
  readonly #internals: Internals
  readonly #interception: Interception
  readonly #files: (() => Promise<Files>) | null
  readonly #addedPeers: Address[] = []
  readonly #listening = new Set<{ readonly options: number | ListenOptions, listener: Promise<Listener> }>()

  /** It outlives a node: what happened before the database was closed is the more interesting then. */
  readonly #trace: Trace
  #node: Node
  #network: ServedNetwork
  #statusNow: ReplicatorStatus = 'opening'
  /** By the wall clock. */
  #statusSince: number
  #lastError: Error | null = null
  #closing: Promise<void> | null = null
  /** close() was called, as opposed to the database having closed. */
  #closedForGood = false
  #released = false
  #waitingForReady: Array<{ resolve: () => void, reject: (error: Error) => void }> = []

  constructor (db: AnyLevel, options?: ReplicatorOptions, internals: Internals = realInternals) {
    super()
    if (typeof db !== 'object' || db === null || typeof db.sublevel !== 'function') {
      throw new TypeError("The first argument 'db' must be an abstract-level database")
    }
    this.#settings = readOptions(options)
    this.#internals = internals
    this.#trace = new Trace(internals.env, this.#settings.traceMax)
    this.#statusSince = internals.env.wall()
    this.db = db as T
    this.#level = db
    this.#network = internals.network(this.#settings, internals.env)
    const { keyBytesMax, valueBytesMax, writeBytesMax } = this.#settings
    this.#interception = intercept(db, this.#gate(), { keyBytesMax, valueBytesMax, writeBytesMax })
    this.#files = internals.files?.(db, this.#interception.directory) ?? null
    this.#node = this.#makeNode()
  }

  get status (): ReplicatorStatus {
    return this.#status
  }

  /** Resolves when the replicator is ready. Rejects when it fails or is closed before, or if the database cannot be opened. */
  async ready (): Promise<void> {
    await this.#opened()
    if (this.#status === 'ready') return
    if (this.#closedForGood) throw closedError()
    await new Promise<void>((resolve, reject) => { this.#waitingForReady.push({ resolve, reject }) })
  }

  /**
   * A duplex stream for one incoming connection, over whatever transport: `server.pipe(con).pipe(server)`. Its `error`
   * event need not be listened to.
   */
  createServer (): Duplex {
    return this.#network.createServer()
  }

  /**
   * Accepts plain TCP connections, as `net.Server#listen(options)`, until the replicator closes; again, when the database
   * is closed and opened again.
   */
  async listen (options: number | ListenOptions): Promise<Listener> {
    if (typeof options !== 'number' && (typeof options !== 'object' || options === null)) {
      throw new TypeError("The first argument 'options' must be a port or an object, as for net.Server#listen()")
    }
    if (this.#closedForGood) throw closedError()
    // The network of a node that has failed is closed; why it has failed is what matters.
    const first = await this.#network.listen(options).catch((error: unknown) => { throw this.#node.failure ?? error })
    const listening = { options, listener: Promise.resolve(first) }
    this.#listening.add(listening)
    return {
      address: first.address,
      close: async () => {
        this.#listening.delete(listening)
        // One that could not listen again has nothing to close.
        const listener = await listening.listener.catch(() => null)
        await listener?.close()
      }
    }
  }

  /** Connects to one more peer. Before a cluster has formed, it is one of its founders. */
  addPeer (peer: Address): void {
    const address = readAddress(peer, '')
    if (this.#closedForGood) throw closedError()
    if (this.#settings.role !== 'observer' && this.#settings.minConsensus === 0 && this.#settings.consistency === null) throw eventualError()
    this.#node.addPeer(address)
    this.#addedPeers.push(address)
  }

  /**
   * Leaves the cluster, which goes on without this node: its writes that are under way settle first, and if it coordinates, it hands over. Then it
   * is closed. Rejects, and goes on as before, with LEVEL_CHANGE_REFUSED where the others could not go on, or would be fewer than the
   * `minConsensus` of one of them asks for (unless `force`), and with LEVEL_TIMEOUT if it does not get through. An observer is no member,
   * and is just closed.
   */
  async leave (options: { force?: boolean } = {}): Promise<void> {
    const { force } = readFlags(options, 'force')
    if (this.#node.isObserver) {
      // It belongs to nothing that it could leave; if it is one: on the database of a member, it fails when it starts.
      await this.#opened()
      await this.#node.starting
      this.#assertNotFailed()
    } else await this.#changes.leave(force)
    await this.close()
  }

  /**
   * Removes a member, named by its name or id, from the cluster; called on any other. One that is down goes when the others have excluded
   * it. `force`: on the word of the caller, it is down for good; that is needed where nobody can be excluded. Rejects like `leave()`.
   */
  async removePeer (member: string, options: { force?: boolean } = {}): Promise<void> {
    const { force } = readFlags(options, 'force')
    if (typeof member !== 'string' || member === '') throw new TypeError("The first argument 'member' must be the name or id of a member")
    await this.#changes.remove(member, force)
  }

  /**
   * The last resort, when a majority of the members is gone for good: the survivors, named by names or ids, go on as a new cluster, with
   * the log of the best of them. Has to be called on each survivor, with the same list. **What only the others had is lost**, and if one of
   * them lives on, there are two clusters. Rejects with LEVEL_CHANGE_REFUSED where the cluster works, or a survivor was left out.
   */
  async recover (members: readonly string[]): Promise<{ cluster: string, epoch: number }> {
    if (!Array.isArray(members) || members.length === 0 || members.some(member => typeof member !== 'string' || member === '')) {
      throw new TypeError("The first argument 'members' must be the names or ids of the survivors")
    }
    await this.#changes.recover(members)
    const { cluster, epoch } = this.#node.core?.known ?? { cluster: '', epoch: 0 }
    return { cluster, epoch }
  }

  stats (): ReplicatorStats {
    return statsOf(this.#node, { status: this.#status, statusSince: this.#statusSince, lastError: this.#lastError }, this.#settings)
  }

  /** The last events of this node, oldest first, up to `traceMax` of them: what an error, or a node that is not ready, follows from. */
  trace (): TraceEvent[] {
    return this.#trace.list()
  }

  /**
   * What became of a write that was rejected, anywhere, by the `transaction` of its error: `'committed'`, `'aborted'`; `'pending'` while its
   * node may still bring it in; `'forgotten'` if the cluster does not know any more. It remembers the writes of the last 256 starts of members,
   * and of as many of observers, and of each of these the last 64 runs of rejected writes. If the node that called it is gone, asking settles it: then it is never applied.
   *
   * Rejects like a consistent read, and with a TypeError for what is no id.
   */
  async outcome (transaction: string): Promise<WriteOutcome> {
    const name = readTransaction(transaction)
    if (name === null) throw new TypeError("The first argument 'transaction' must be the transaction of an error of a write, like '12:3'")
    // Never submitted.
    if (name.origin === 0) return 'aborted'
    if (this.#closedForGood) throw closedError()
    await this.#level.open({ passive: true })
    return await this.#node.outcome(name.origin, name.number)
  }

  /**
   * Resolves when this node has everything that was acknowledged anywhere before the call. On an observer, reads that begin afterwards see all
   * that; before, they see some earlier state, with the observer's own writes. On a member, all consistent reads do, so there it is not needed. Rejects like
   * a consistent read.
   */
  async sync (): Promise<void> {
    if (this.#closedForGood) throw closedError()
    await this.#level.open({ passive: true })
    await this.#node.sync()
  }

  /** A digest of this replica, which sees every write that was acknowledged anywhere before the call. Reads all of it. */
  async digest (): Promise<ReplicaDigest> {
    await this.#level.open({ passive: true })
    await this.#consistent()
    if (!this.#node.complete) throw incompleteError()
    return await digestReplica(this.#interception.store)
  }

  /**
   * A snapshot that sees every write that was acknowledged anywhere before the call; `db.snapshot()` cannot wait, and
   * gives the state that is applied here.
   */
  async consistentSnapshot (): Promise<AbstractSnapshot> {
    await this.#level.open({ passive: true })
    await this.#consistent()
    return this.#level.snapshot()
  }

  /** After that, reads that begin in the same turn are consistent; as far as this replicator gives that at all. */
  async #consistent (): Promise<void> {
    if (!this.#readsLocally) await this.#node.sync()
  }

  /**
   * Closes all connections. Writes that are under way are given the chance to settle; then all that wait reject. The
   * database stays open for reads and refuses writes, until `release()`. Idempotent.
   */
  close (): Promise<void> {
    this.#closedForGood = true
    return this.#stop()
  }

  /**
   * Closes, and gives the plain database back. With `purge`, everything that the replicator has stored in it is
   * deleted; then the database must be open. Without, another Replicator on it goes on where this one stopped.
   *
   * Writes that are in the log and not yet in the data would go with the log: then `purge` rejects with LEVEL_IN_DOUBT,
   * unless `force` says that the data may be left without them.
   */
  async release (options: { purge?: boolean, force?: boolean } = {}): Promise<void> {
    const { purge: purged, force } = readFlags(options, 'purge', 'force')
    if (this.#released) {
      if (purged) throw new ReplicatorError(codes.closed, 'The database was released before: wrap it again to purge it')
      return
    }
    await this.close()
    if (purged) {
      await this.#level.open({ passive: true })
      const files = await this.#files?.() ?? null
      const log = files === null ? null : fileLog(files, this.#settings.logBytesMax, this.#internals.env)
      if (!force) {
        // A log that cannot be read has nothing that could still be applied.
        const disk = await recover(this.#interception.store, log).catch(() => null)
        if (disk !== null && disk.recovered.view !== null && (disk.recovered.groups.length > 0 || disk.recovered.copy !== null)) {
          throw new ReplicatorError(codes.inDoubt, 'The data lack entries of the log, or are half of a copy: start the replicator again and wait until it is ready, or use force')
        }
      }
      await purge(this.#interception.store, log)
    }
    this.#released = true
    this.#interception.uninstall()
  }

  async [asyncDispose] (): Promise<void> {
    await this.close()
  }

  /** Resolves when the database is open. Rejects if it cannot be, or if this node has failed. */
  async #opened (): Promise<void> {
    if (this.#closedForGood) throw closedError()
    await this.#level.open({ passive: true }).catch((error: unknown) => { throw this.#status === 'failed' ? this.#lastError : error })
    this.#assertNotFailed()
  }

  #assertNotFailed (): void {
    if (this.#status === 'failed' && this.#lastError !== null) throw this.#lastError
  }

  get #changes (): Changes {
    if (this.#closedForGood) throw closedError()
    // Where the database cannot be opened, there is no node that could tell.
    this.#assertNotFailed()
    return this.#node.changes
  }

  // The database's side.

  #gate (): Gate {
    const replicator = this
    return {
      get open () { return (replicator.#readsLocally && replicator.#node.started && replicator.#node.complete && !replicator.#node.isWitness) || replicator.#node.open },
      assertComplete: () => {
        if (this.#node.isWitness) throw witnessError()
        if (!this.#node.complete) throw incompleteError()
      },
      write: (body, key) => {
        if (this.#closedForGood) return Promise.reject(closedError('aborted'))
        return this.#node.write(body, key)
      },
      waitForKey: (key) => this.#readsLocally ? this.#waitForStart() : this.#node.waitForKeys([key]),
      waitForKeys: (keys) => this.#readsLocally ? this.#waitForStart() : this.#node.waitForKeys(keys),
      waitForRange: (range: ByteRange) => this.#readsLocally ? this.#waitForStart() : this.#node.waitForRange(range),
      onStoreOpen: () => this.#start(),
      onStoreUnopened: (error) => { if (!this.#closedForGood) this.#fail(storeError('The database could not be opened', error)) },
      onStoreClosing: () => this.#stop()
    }
  }

  /** For reads that wait for nothing but a start. */
  #waitForStart (): Promise<void> | null {
    if (this.#node.isWitness) return Promise.reject(witnessError())
    if (!this.#node.started) return this.#node.starting.then(() => { if (!this.#node.complete) throw incompleteError() })
    return this.#node.complete ? null : Promise.reject(incompleteError())
  }

  get #readsLocally (): boolean {
    return this.#settings.reads === 'local' || (this.#closedForGood && this.#node.stopped)
  }

  async #start (): Promise<void> {
    if (this.#closedForGood) return
    // The database was closed and opened again.
    if (this.#closing !== null) {
      this.#network = this.#internals.network(this.#settings, this.#internals.env)
      this.#closing = null
      this.#node = this.#makeNode()
      for (const address of this.#addedPeers) this.#node.addPeer(address)
      for (const listening of this.#listening) {
        listening.listener = this.#network.listen(listening.options)
        listening.listener.catch((error: Error) => { this.#emitError(error) })
      }
    }
    // It may be that it could not be opened before.
    this.#status = 'opening'
    const node = this.#node
    await node.run()
    if (this.#node === node && this.#status === 'opening') this.#status = 'notready'
  }

  #makeNode (): Node {
    return new Node(this.#interception.store, this.#files, this.#network, this.#settings, this.#internals.env, this.#trace, this.#events(), this.#internals.resolver)
  }

  #stop (): Promise<void> {
    this.#closing ??= this.#stopNode()
    return this.#closing
  }

  async #stopNode (): Promise<void> {
    await this.#node.stop()
    await this.#network.close()
    this.#status = 'closed'
    this.#settleReady(closedError())
    this.#emit('closed')
  }

  // The node's side.

  get #status (): ReplicatorStatus { return this.#statusNow }

  set #status (status: ReplicatorStatus) {
    if (status === this.#statusNow) return
    this.#statusNow = status
    this.#statusSince = this.#internals.env.wall()
  }

  #events (): NodeEvents {
    let epoch = 0
    return {
      onReady: () => {
        this.#status = 'ready'
        this.#lastError = null
        this.#settleReady(null)
        this.#emit('ready')
      },
      onNotReady: () => {
        if (this.#status === 'ready') this.#status = 'notready'
        this.#emit('notready')
      },
      onView: (view) => {
        // It may be heard of first, and installed later.
        if (view.epoch <= epoch) return
        epoch = view.epoch
        this.#emit('view', viewInfo(view))
      },
      onSync: (progress) => { this.#emit('sync', { ...progress }) },
      onConnect: ({ host, port }) => { this.#emit('connect', host, port) },
      onDisconnect: ({ host, port }) => { this.#emit('disconnect', host, port) },
      onReconnect: ({ host, port }) => { this.#emit('reconnect', host, port) },
      onFail: ({ host, port }) => { this.#emit('fail', host, port) },
      onError: (error) => {
        this.#trace.error(error)
        // Why it has failed is what matters.
        if (this.#status !== 'failed') this.#lastError = error
        this.#emitError(error)
      },
      onFailed: (error) => { this.#fail(error) },
      isClosing: () => this.#level.status === 'closing' || this.#level.status === 'closed'
    }
  }

  #fail (error: ReplicatorError): void {
    // Those of a node have one.
    if (error.trace === undefined) this.#trace.fail(error)
    this.#status = 'failed'
    this.#lastError = error
    this.#settleReady(error)
    this.#emitError(error)
  }

  #settleReady (error: Error | null): void {
    for (const { resolve, reject } of this.#waitingForReady.splice(0)) {
      if (error === null) resolve()
      else reject(error)
    }
  }

  /** A peer that is not up yet must not crash a process that does not care. */
  #emitError (error: Error): void {
    if (this.listenerCount('error') > 0) this.#emit('error', error)
  }

  /** A listener that throws must not break the protocol: it throws in a turn of its own. */
  #emit<E extends keyof ReplicatorEvents> (event: E, ...args: ReplicatorEvents[E]): void {
    const emitter: EventEmitter = this
    try {
      emitter.emit(event, ...args)
    } catch (error) {
      this.#internals.env.nextTurn(() => { throw error })
    }
  }
}

function closedError (outcome?: 'aborted'): ReplicatorError {
  return new ReplicatorError(codes.closed, 'The replicator is closed', outcome === undefined ? {} : { outcome })
}

function incompleteError (): ReplicatorError {
  return new ReplicatorError(codes.incomplete, 'The data of this node are being copied from another: they are not a state of the database yet. Wait until stats().sync is null, or read on another node')
}

/** Makes replicators, with or without `new`. */
export interface ReplicatorConstructor {
  <T extends AbstractLevel<any, any, any>>(db: T, opts?: ReplicatorOptions): DatabaseReplicator<T>
  new <T extends AbstractLevel<any, any, any>>(db: T, opts?: ReplicatorOptions): DatabaseReplicator<T>
  readonly prototype: DatabaseReplicator
}

/**
 * Replicates an abstract-level database: from here on, every put, del, batch and clear on `db` is committed by all
 * live members of the cluster in one order before its promise resolves, and every read on any member sees it.
 *
 * Throws a TypeError on wrong options, and a ReplicatorError with code LEVEL_NOT_SUPPORTED on options or databases that
 * this version cannot work with, LEVEL_ALREADY_WRAPPED on a database that is wrapped already.
 */
export const Replicator = function (db: AnyLevel, opts?: ReplicatorOptions): DatabaseReplicator {
  return new DatabaseReplicator<AnyLevel>(db, opts)
} as unknown as ReplicatorConstructor

Object.defineProperty(Replicator, 'prototype', { value: DatabaseReplicator.prototype })
export type Replicator<T = AnyLevel> = DatabaseReplicator<T>
