import createDebug from 'debug'
import type { Progress } from './core/catch-up.ts'
import { Core } from './core/core.ts'
import type { Effect, Input } from './core/effects.ts'
import type { Group, MemberId } from './core/entry.ts'
import { HEARTBEAT_MS } from './core/heartbeats.ts'
import type { LeaseState } from './core/heartbeats.ts'
import type { SubmissionKind } from './core/messages.ts'
import { isInPart, samePart } from './core/part.ts'
import type { View } from './core/view.ts'
import { nameOf } from './core/view.ts'
import { describe, describeWaiting } from './describe.ts'
import { Callers } from './callers.ts'
import { coreConfig } from './core-config.ts'
import { Changes, conflictError, deniedError, partError, reachedError, removedError, witnessError } from './changes.ts'
import type { Environment, Timer } from './env.ts'
import type { ErrorCode } from './errors.ts'
import { codes, ReplicatorError } from './errors.ts'
import type { LinkOwner } from './links.ts'
import { fixedLimits } from './limits.ts'
import { Links } from './links.ts'
import type { Address, Network, Session } from './net/network.ts'
import type { Resolver } from './net/resolver.ts'
import { systemResolver } from './net/resolver.ts'
import type { NodeEvents } from './node-events.ts'
import type { Settings } from './options.ts'
import type { WriteOutcome } from './outcomes.ts'
import { Applier, reapply } from './store/apply.ts'
import { readChunk, restore, verificationDigest } from './store/copy.ts'
import type { ByteRange } from './store/gate.ts'
import { rangeFilter } from './store/keys.ts'
import type { FileLog } from './store/file-log.ts'
import type { Files } from './store/files.ts'
import { fileLog, openLog } from './store/open-log.ts'
import type { LogMedium } from './store/log-medium.ts'
import { LogWriter } from './store/log-writer.ts'
import { NoteWriter } from './store/note-writer.ts'
import { intactBatch, recover, staleBatch, startBatch } from './store/recovery.ts'
import type { Store } from './store/store.ts'
import { seed } from './seeding.ts'
import { staleIdentityError } from './sightings.ts'
import type { Trace } from './trace.ts'
import type { DiskPace } from './tracer.ts'
import { Tracer } from './tracer.ts'
import { Waiters } from './waiters.ts'
import { damageError, neglectError, storeError } from './store-error.ts'
import { WireError } from './wire/bytes.ts'
import { toHex } from './wire/hex.ts'
import { HISTORY_MAX, nonceBytes } from './wire/identity.ts'
import type { Operation } from './wire/operations.ts'
import { decodeOperations } from './wire/operations.ts'

const debug = createDebug('quorum-level:node')
const debugWrite = createDebug('quorum-level:write')

const TICK_MS = 50
/** While nobody waits for anything. */
const REST_TICK_MS = HEARTBEAT_MS
const LOAD_BYTES = fixedLimits.loadBytes.value
const CHUNK_BYTES = fixedLimits.chunkBytes.value
const UNSYNCED_BYTES = fixedLimits.unsyncedBytes.value

/**
 * One run of a node, from the opening of its store to the closing: executes what the core asks for, on the store and
 * over the network, and keeps the promises of callers. All of the protocol's decisions are the core's.
 */
export class Node implements LinkOwner {
  readonly #store: Store
  readonly #files: (() => Promise<Files>) | null
  readonly #network: Network
  readonly #settings: Settings
  readonly #env: Environment
  readonly #events: NodeEvents

  #core: Core | null = null
  #fileLog: FileLog | null = null
  #log: LogMedium | null = null
  #writer: LogWriter | null = null
  #applier: Applier | null = null
  #id = ''
  #start = 0
  #history: readonly string[] = []
  #failure: ReplicatorError | null = null
  #stopping = false
  #stopped = false

  #starting: Promise<void> = Promise.resolve()
  #started = false
  /** What of a start has failed, if it fails, for people. */
  #starts = 'The log and the state of this node could not be read'
  readonly #inputs: Input[] = []
  #running = false
  #turnScheduled = false
  #timer: Timer | null = null
  #ticksSlowly = false
  #applying: Promise<void> = Promise.resolve()
  readonly #reading = new Set<Promise<void>>()
  #seeding: Promise<void> | null = null
  readonly changes: Changes

  readonly #links: Links
  readonly #notes: NoteWriter
  readonly #tracer: Tracer
  readonly #callers = new Callers(error => { this.#tracer.onRejected(error) })
  readonly #waiters: Waiters
  #drained: Array<() => void> = []
  #abandoned = false
  #wasReady = false
  #wasView: View | null = null
  #progress: Progress | null = null
  #conflict = ''
  /** The next start can rely on the log, whatever happens. */
  #markedIntact = false

  /** `files`: where a log can be that is not in the store; null if nowhere. */
  constructor (store: Store, files: (() => Promise<Files>) | null, network: Network, settings: Settings, env: Environment, trace: Trace, events: NodeEvents, resolver: Resolver = systemResolver) {
    this.#store = store
    this.#files = files
    this.#network = network
    this.#settings = settings
    this.#env = env
    this.#events = events
    this.#tracer = new Tracer(trace)
    this.#waiters = new Waiters(env, settings.readTimeoutMs, () => this.#core, input => { this.#input(input) })
    this.#notes = new NoteWriter(store, error => { this.#fail(storeError('A note on other nodes could not be written to the store', error)) })
    this.#links = new Links(network, settings, env, resolver, this, {
      ...events,
      onRefused: code => { if (code === codes.staleIdentity) this.#onStale() },
      onSighting: (peer, sighting) => { this.#notes.sighting(peer, sighting) },
      onAddresses: addresses => { this.#notes.addresses(addresses) },
      onInput: input => { this.#input(input) },
      onOutput: () => { this.#scheduleTurn() },
      onFail: address => {
        events.onFail(address)
        if (this.#hopeless) this.#input({ type: 'unreachable' })
      }
    }, trace)
    this.changes = new Changes(this, env, 3 * settings.writeTimeoutMs, input => { this.#input(input) })
    for (const peer of settings.peers) this.#links.addConfigured(peer, false)
  }

  // Starting and stopping.

  /** Recovers from disk and starts to connect. If the disk is not as it should be, changes nothing and fails. */
  run (): Promise<void> {
    this.#starting = this.#recover().catch((error: unknown) => {
      this.#fail(error instanceof ReplicatorError ? error : storeError(this.#starts, error))
    }).then(() => { this.#started = true })
    return this.#starting
  }

  async #recover (): Promise<void> {
    const { logBytesMax, log: place } = this.#settings
    const files = this.#fileLog = this.#files === null ? null : fileLog(await this.#files(), logBytesMax, this.#env)
    const { identity, recovered, stale, applied, again, inFiles, part: heldPart, ...memory } = await recover(this.#store, files)
    if (this.#stopping) return
    if (stale) throw staleIdentityError()
    const isMember = identity !== null && recovered.view?.members.includes(identity.id) === true
    const { role, part } = this.#settings
    if (isMember && (recovered.view?.witnesses.includes(identity.id) === true ? 'witness' : 'member') !== role) throw reachedError('role', role)
    if (identity !== null && !samePart(heldPart, part)) throw partError()
    if (this.isWitness && recovered.data !== '') throw reachedError('hasData', role)

    this.#id = identity?.id ?? toHex(this.#env.randomBytes(16))
    this.#start = (identity?.start ?? 0) + 1
    this.#history = [toHex(this.#env.randomBytes(nonceBytes)), ...identity?.history ?? []].slice(0, HISTORY_MAX)
    // Synced, so that all that the store recovered is durable before this node tells anybody of it.
    const sync = this.#settings.durability === 'disk'
    const unsyncedMax = Math.min(UNSYNCED_BYTES, logBytesMax / 4)
    this.#starts = 'What this node has applied could not be made durable'
    if (applied.durable < applied.position) await reapply(this.#store, again, applied, part)
    if (this.#stopping) return
    this.#starts = 'The start of this node could not be noted in the store'
    // As long as everything is synced, a crash takes nothing.
    await this.#store.batch(startBatch({ id: this.#id, start: this.#start, history: this.#history }, sync && recovered.intact, part), { sync: true })
    const isWanted = sync && place === 'files' && !this.isWitness
    this.#starts = 'The log could not be prepared, or moved to where it is to be'
    this.#log = await openLog(this.#store, { log: files, isThere: inFiles, isWanted, base: recovered.base }, this.#env)
    if (this.#stopping) return
    this.#markedIntact = sync && recovered.intact

    const config = coreConfig(this.#settings, { id: this.#id, start: this.#start, freshCluster: toHex(this.#env.randomBytes(16)) })
    this.#applier = new Applier(this.#store, sync, unsyncedMax, { ...applied, durable: applied.position }, error => { this.#fail(storeError('The store could not be flushed', error)) }, part)
    this.#writer = new LogWriter(
      this.#store, this.#log, this.#applier, sync, unsyncedMax,
      (id, applied) => { this.#input({ type: 'persisted', id, applied }) },
      error => { this.#fail(storeError('An append to the log, or a record of the state, could not be written', error)) }
    )
    this.#core = new Core(config, recovered, this.#settings.peers.length, this.#env.now(), this.#env.wall())
    // What is known from before is no news.
    this.#wasView = this.#core.known
    this.#tracer.onStart(this.#core, this.label)
    debug('%s start %d: epoch %d, applied %d, end %d', this.label, this.#start, this.#core.view?.epoch ?? 0, this.#core.applied, this.#core.end)

    this.#links.start(memory)
  }

  /**
   * Stops. While the node is ready, writes that were called before are given the chance to settle, and what is in the log
   * to be applied, for as long as a write may take; then everybody who still waits is rejected. Resolves when the store is
   * not used any more.
   */
  async stop (): Promise<void> {
    this.#stopping = true
    this.#input({ type: 'flush', last: false })
    this.#links.flush()
    if (!this.#isAtRest) {
      const limit = this.#env.setTimer(() => { this.#drain() }, this.#settings.writeTimeoutMs)
      await new Promise<void>(resolve => { this.#drained.push(resolve) })
      limit.cancel()
    }
    await this.#starting
    // What was decided last is told before the connections end.
    this.#input({ type: 'flush', last: true })
    this.#links.flush()
    await this.#end('closed')
    await this.#markIntact()
  }

  /** What an earlier run without syncs may have lost is there again. */
  #applyIntact (): void {
    this.#read('A record of the state could not be written', this.#store.batch(intactBatch(), { sync: true }), () => {})
  }

  /** The next start may rely on the log, however it was written: all of it is durable, and nothing follows. */
  async #markIntact (): Promise<void> {
    if (this.#markedIntact || this.#core?.intact !== true || this.#failure !== null || this.#abandoned) return
    try {
      await this.#store.batch(intactBatch(), { sync: true })
    } catch (error) {
      this.#events.onError(neglectError('That this node has stopped in order could not be noted', error))
    }
  }

  async #end (why: 'closed' | 'failed'): Promise<void> {
    this.#stopping = true
    this.#stopped = true
    this.#tracer.onStop(why)
    this.#input({ type: 'stop', why })
    // Its last word, that it stops: so nobody waits for it.
    this.#links.flush()
    if (this.#core === null) this.#callers.rejectAll('aborted', why, this.#failure)
    this.#drain()
    this.#timer?.cancel()
    this.#timer = null
    this.#links.stop()

    this.#waiters.rejectAll(() => this.#failure ?? closedError())
    this.changes.rejectAll(this.#failure ?? closedError())
    await this.#network.close()
    await this.#writer?.stop()
    await Promise.all([this.#applying, this.#seeding, this.#notes.stop(), ...this.#reading])
    if (this.#failure === null && !this.#abandoned) await this.#applier?.stop(this.#log as LogMedium).catch((error: unknown) => { this.#events.onError(neglectError('What was applied last could not be synced, and will be applied again', error)) })
    await this.#fileLog?.close().catch((error: unknown) => { this.#events.onError(neglectError('The files of the log could not be closed', error)) })
  }

  #fail (error: ReplicatorError): void {
    if (this.#failure !== null) return
    if (this.#events.isClosing()) {
      // The store is being closed under a read: it has not failed. But nobody shall wait for it any more.
      this.#abandoned = true
      return this.#drain()
    }
    this.#failure = error
    this.#tracer.onFailed(error)
    debug('%s failed: %s', this.label, this.#failure.message)
    if (!this.#stopping) this.#events.onFailed(this.#failure)
    void this.#end('failed')
  }

  /** A peer has seen more of this node than this node knows itself. */
  #onStale (): void {
    if (this.#stopping || this.#failure !== null) return
    this.#read('A record of the state could not be written', this.#store.batch(staleBatch(), { sync: true }), () => {})
    this.#fail(staleIdentityError())
  }

  // What the replicator asks.

  get id (): string { return this.#id }
  get starting (): Promise<void> { return this.#starting }
  /** What could be recovered from the disk is. */
  get started (): boolean { return this.#started }
  get failure (): ReplicatorError | null { return this.#failure }
  get core (): Core | null { return this.#core }
  get start (): number { return this.#start }
  get history (): readonly string[] { return this.#history }
  /** A member keeps the name with which it joined: that is the one by which it is called. */
  get name (): string { return this.known?.members.includes(this.#id) === true ? nameOf(this.known, this.#id) : this.#settings.name }
  get view (): View | null { return this.#core?.view ?? null }
  get known (): View | null { return this.#core?.known ?? null }
  get cluster (): string { return this.#core?.cluster ?? '' }
  get sessions (): Session[] { return this.#links.sessions }
  get traffic (): Links['traffic'] { return this.#links.traffic }
  get label (): string { return this.name === '' ? this.#id.slice(0, 8) : this.name }
  get stopping (): boolean { return this.#stopping }
  /** Nothing is decided here any more. */
  get stopped (): boolean { return this.#stopped }
  /** Writes called here that are not settled. */
  get waiting (): number { return this.#callers.size }
  get waitingBytes (): number { return this.#callers.bytes }
  get waitingReads (): number { return this.#waiters.reads.size }
  get settled (): Callers['settled'] { return this.#callers.settled }
  get disk (): DiskPace { return this.#tracer.disk(this.#env.now()) }
  /** Where the log is; null until that is known. */
  get logPlace (): 'files' | 'store' | null { return this.#log === null ? null : this.#log.atomic ? 'store' : 'files' }
  get ready (): boolean { return this.#core?.ready === true && !this.#stopping }

  /** Any read may be served at once. */
  get open (): boolean {
    return this.#core !== null && this.#core.pending.empty && this.readable
  }

  get readable (): boolean { return this.#core?.readable(this.#env.now(), this.#env.wall()) === true }
  get lease (): LeaseState { return this.#core?.lease(this.#env.now(), this.#env.wall()) ?? 'none' }

  /** False while the data are half of a copy. */
  get complete (): boolean {
    return this.#core === null || (this.#core.complete && !this.#core.mustCopy)
  }

  get isWitness (): boolean { return this.#settings.role === 'witness' }
  get isObserver (): boolean { return this.#settings.role === 'observer' }

  write (body: Uint8Array, key: string): Promise<void> {
    return this.#submit({ body, operations: decodeOperations(body), kind: 'write', key }, false)
  }

  /** What became of a write: after all that was acknowledged anywhere before is applied here. */
  async outcome (origin: number, number: number): Promise<WriteOutcome> {
    // Skips, too, which touch no key.
    await (this.isObserver ? this.sync() : this.#waitFor(core => core.end))
    if (this.#failure !== null || this.#stopped) throw this.#failure ?? closedError()
    const outcome = this.#waiters.outcomes.ask(origin, number)
    this.#armTimer()
    return await outcome
  }

  /** Whatever was acknowledged anywhere before the call, a read that begins afterwards sees. */
  sync (): Promise<void> {
    if (!this.isObserver) return this.waitForRange({}) ?? Promise.resolve()
    if (this.#failure !== null || this.#stopping) return Promise.reject(this.#failure ?? closedError())
    const synced = this.#waiters.syncs.wait()
    this.#armTimer()
    return synced
  }

  waitForKeys (keys: readonly Uint8Array[]): Promise<void> | null {
    return this.#waitFor(core => core.positionOf(keys))
  }

  waitForRange (range: ByteRange): Promise<void> | null {
    const inRange = rangeFilter(range)
    return this.#waitFor(core => core.positionOfRange(inRange))
  }

  /** Keeps a connection to this address, and counts it among the configured ones. */
  addPeer (address: Address): void {
    this.#links.addConfigured(address, this.#core !== null && !this.#stopping)
  }

  // Inputs and effects.

  #input (input: Input): void {
    this.#inputs.push(input)
    // Executing an effect may lead to the next input.
    if (this.#running || this.#core === null) return
    this.#running = true
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#step(this.#core, next)
    this.#running = false
    this.#observe()
    this.#scheduleTurn()
  }

  #step (core: Core, input: Input): void {
    const now = this.#env.now()
    this.#tracer.onInput(input, now)
    try {
      for (const effect of core.step(input, now, this.#env.wall())) this.#execute(effect)
    } catch (error) {
      // Whatever it is, the core is not in a state that anybody has thought of.
      if (input.type === 'stop') this.#callers.rejectAll('unknown', 'failed', this.#failure)
      this.#fail(new ReplicatorError(codes.internal, `A bug in quorum-level: ${String(error)}. This node has stopped taking part. Please report it, with the cause and the trace of this error, and restart the process`, { cause: error }))
    }
  }

  #execute (effect: Effect): void {
    this.#tracer.onEffect(effect)
    switch (effect.type) {
      case 'persist':
        this.#writer?.add(effect.id, effect.persist)
        break
      case 'send':
        if (debugWrite.enabled) debugWrite('%s -> %s %s', this.label, effect.to.slice(0, 8), describe(effect.message))
        this.#links.send(effect.to, effect.message)
        break
      case 'apply':
        debugWrite('%s applies up to %d', this.label, effect.through)
        this.#applying = (this.#applier as Applier).apply(effect).then(
          () => { this.#input({ type: 'applied', through: effect.through }) },
          (error: unknown) => { this.#fail(storeError('Committed writes could not be applied to the data', error)) })
        break
      case 'restore':
        this.#applying = restore(this.#store, effect).then(
          () => { this.#input({ type: 'restored' }) },
          (error: unknown) => { this.#fail(storeError('A copy of the data could not be written', error)) })
        break
      case 'settle':
        this.#callers.settle(effect.ticket, effect.settlement, this.#failure, this.waitingFor)
        break
      case 'load':
        this.#load(effect.to, effect.from)
        break
      case 'chunk':
        this.#read('The data could not be read for a copy', readChunk(this.#store, effect.after, CHUNK_BYTES), chunk => { this.#input({ type: 'chunk', to: effect.to, after: effect.after, ...chunk }) })
        break
      case 'digest':
        this.#read('The data could not be read to compare them', verificationDigest(this.#store), digest => { this.#input({ type: 'digested', position: effect.position, digest }) })
        break
      case 'diverged':
        this.#fail(new ReplicatorError(codes.diverged, `At position ${effect.position}, the data of this node differ from those of ${effect.peer}. It has stopped taking part. Compare digest() on the other members: if these agree, delete the database of this node, and replace it`))
        break
      case 'disconnect':
        debug('%s disconnects %s, which %s', this.label, effect.peer.slice(0, 8), effect.reason)
        this.#links.disconnect(effect.peer, effect.isFault)
        break
      case 'conflict':
        if (this.#conflict === effect.why) break
        this.#conflict = effect.why
        this.#events.onError(conflictError(effect.of, effect.why))
        break
      case 'denied':
        if (effect.why === 'stale') this.#onStale()
        // That a removal is denied, for which nobody waits any more, is nothing to a member.
        else if (!this.changes.onDenied(effect.id, effect.why) && this.#core?.joining != null) this.#fail(deniedError(effect.why))
        break
      case 'removed':
        if (!this.changes.onRemoved()) this.#fail(removedError())
        break
      case 'refused':
        this.#fail(reachedError(effect.why, this.#settings.role))
        break
      default:
        effect satisfies never
    }
  }

  #load (to: MemberId, from: number): void {
    this.#read('The log could not be read for another node', (this.#log as LogMedium).read(from, LOAD_BYTES), (groups: Group[]) => { this.#input({ type: 'loaded', to, from, groups }) })
  }

  #read<T> (what: string, result: Promise<T>, then: (result: T) => void): void {
    const reading = result.then(then, (error: unknown) => {
      this.#fail(error instanceof WireError ? damageError(error) : storeError(what, error))
    }).finally(() => { this.#reading.delete(reading) })
    this.#reading.add(reading)
  }

  /** One flush for all that happened in this turn of the event loop. */
  #scheduleTurn (): void {
    if (this.#turnScheduled) return
    this.#turnScheduled = true
    this.#env.nextTurn(() => {
      if (!this.#stopping || this.#drained.length > 0) this.#input({ type: 'flush', last: false })
      this.#turnScheduled = false
      this.#links.flush()
    })
  }

  /** What follows from the core's state. */
  #observe (): void {
    const core = this.#core
    if (core === null) return

    this.#waiters.onChange()
    if (core.intact && !this.#markedIntact && this.#settings.durability === 'disk') {
      this.#markedIntact = true
      this.#applyIntact()
    }
    const { known, progress } = core
    this.changes.observe()
    if (known !== null && known !== this.#wasView) {
      this.#wasView = known
      this.#events.onView(known)
    }
    if (progress !== null && JSON.stringify(progress) !== JSON.stringify(this.#progress)) this.#events.onSync(progress)
    this.#progress = progress
    const { ready } = this
    this.#tracer.observe(core, ready)
    if (ready !== this.#wasReady) {
      this.#wasReady = ready
      debug('%s is %s in epoch %d%s', this.label, ready ? 'ready' : 'not ready', core.view?.epoch ?? 0, core.leads ? ' as coordinator' : '')
      if (ready) this.#events.onReady()
      else this.#events.onNotReady()
    }
    if (this.#isAtRest) this.#drain()
    if (core.mustSeed) this.#seeding ??= this.#seed()
    this.#armTimer()
  }

  /** There is nothing to wait for before stopping. */
  get #isAtRest (): boolean {
    const core = this.#core
    return core === null || !core.ready || this.#abandoned || (this.#callers.size === 0 && core.applied === core.end)
  }

  #drain (): void {
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  /** Ticks only while somebody waits, or is there to be heard or missed: a node that is alone shall let its process end. */
  #armTimer (): void {
    const rests = this.#rests
    if ((this.#timer !== null && (rests || !this.#ticksSlowly)) || this.#failure !== null || this.#stopped) return
    // What it may decide by itself, it may have to wait for.
    const isAlone = this.#links.sessions.length === 0 && (!this.ready || (this.lease === 'free' && this.#core?.applied === this.#core?.end))
    if (isAlone && this.#callers.size + this.#waiters.size === 0) return
    this.#timer?.cancel()
    this.#ticksSlowly = rests
    const delayMs = Math.min(rests ? REST_TICK_MS : TICK_MS, this.#settings.failureTimeoutMs / 5)
    const dueAt = this.#env.now() + delayMs
    this.#timer = this.#env.setTimer(() => {
      this.#timer = null
      const now = this.#env.now()
      this.#tracer.onTick(this.lease, now, now - dueAt)
      this.#waiters.onTick(now, this.waitingFor)
      if (this.#core !== null) this.#input({ type: 'tick' })
      this.#armTimer()
    }, delayMs)
  }

  /** All that this node has to do is to tell the others that it is there. */
  get #rests (): boolean {
    return this.ready && this.#isAtRest && this.#waiters.size === 0 && this.#core?.progress === null
  }

  /** What keeps this node from being ready, for people. */
  get waitingFor (): string {
    if (this.#failure !== null) return this.#failure.message
    const missing = this.#links.missing
    const reason = describeWaiting(this.#core, this.#settings.minConsensus)
    return reason === '' || missing.length === 0 ? reason : `${reason}: ${missing.join(', ')}`
  }

  // Writes.

  #submit (write: { body: Uint8Array, operations: readonly Operation[], kind: SubmissionKind, key?: string }, seed: boolean): Promise<void> {
    const refuse = (code: ErrorCode, message: string): Promise<never> =>
      this.#callers.refuse(new ReplicatorError(code, message, { outcome: 'aborted' }))

    if (this.#failure !== null) return refuse(this.#failure.code, this.#failure.message)
    if (this.#stopping || this.changes.leaving) return refuse(codes.closed, this.#stopping ? 'The replicator is closed: it takes no writes' : 'The replicator is leaving its cluster: it takes no writes')
    if (this.isWitness) return this.#callers.refuse(witnessError('aborted'))
    if (!write.operations.every(({ key }) => isInPart(this.#settings.part, key))) return refuse(codes.notSupported, 'This observer holds a part of the data, and takes no writes of others: it could not show them')
    const bytes = write.body.length
    if (!seed && (this.#callers.size >= this.#settings.queueMax || (this.#callers.size > 0 && this.#callers.bytes + bytes > this.#settings.queueBytesMax))) {
      return refuse(codes.queueFull, `The queue of this node is full: ${this.#callers.size} writes (${this.#callers.bytes} bytes) are waiting already. Wait for earlier writes before making more (queueMax, queueBytesMax)`)
    }
    if (!seed && this.#hopeless) return refuse(codes.unreachable, `Peers without which no write can commit have failed: ${this.#links.missing.join(', ')}`)

    const deadline = seed ? Number.MAX_SAFE_INTEGER : this.#env.now() + this.#settings.writeTimeoutMs
    const settled = this.#callers.add(bytes, ticket => { this.#input({ type: 'write', ticket, write, seed, deadline }) })
    this.#armTimer()
    return settled
  }

  /** Writes the data that this founder brought along into the log, for the founders that have none. */
  async #seed (): Promise<void> {
    debug('%s writes its data into the log', this.label)
    try {
      await seed(this.#store, write => this.#submit(write, true))
    } catch (error) {
      // Stopped: the next start begins anew. Withdrawn: an earlier start had come to the end. Unknown: this node has got a copy
      // of the data, and that holds what it had brought along.
      const isOver = this.#stopping || (error instanceof ReplicatorError && (error.code === codes.withdrawn || error.outcome === 'unknown'))
      if (!isOver) this.#fail(error instanceof ReplicatorError ? error : storeError('The data could not be read', error))
    }
  }

  // Reads.

  #waitFor (positionOf: (core: Core) => number): Promise<void> | null {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.isWitness) return Promise.reject(witnessError())
    if (this.#stopping && !this.readable) return Promise.reject(closedError())
    if (this.#waiters.reads.size >= this.#settings.queueMax) return Promise.reject(new ReplicatorError(codes.queueFull, `The queue of this node is full: ${this.#waiters.reads.size} reads are waiting already. Wait for earlier reads before making more (queueMax)`))
    const wait = this.#waiters.reads.wait(positionOf)
    this.#armTimer()
    return wait
  }

  /** Peers without which nothing commits have failed for good. */
  get #hopeless (): boolean {
    return !this.ready && this.#links.isHopeless(this.#core?.minConsensus ?? 0)
  }
}

function closedError (): ReplicatorError {
  return new ReplicatorError(codes.closed, 'The replicator was closed')
}
