import { codes } from '../../lib/errors.ts'
import type { SimCluster, SimLevel, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import type { WriteOptions } from '../../lib/write-options.ts'
import type { Change, KeyRange, Operation, Read } from '../support/check/history.ts'
import { durableLogOf, logOf } from './log-view.ts'
import type { Observed } from './observed.ts'
import { isObserver } from './observers.ts'
import { appliedOn } from './one-order.ts'
import { keysOf, partOf, withinPart } from './parts.ts'
import type { SimSettings } from './settings.ts'

type Request =
  | { kind: 'put', key: string, value: string }
  | { kind: 'del', key: string }
  | { kind: 'batch', changes: Change[] }
  | { kind: 'clear', range: KeyRange }
  | { kind: 'get', key: string }
  | { kind: 'getMany', keys: string[] }
  | { kind: 'range', range: KeyRange }
  /** On observers only. */
  | { kind: 'sync' }
  | { kind: 'snapshot', keys: string[], range: KeyRange }

interface Running {
  /** Where it was called last. */
  machine: SimMachine
  readonly end: (outcome: 'ok' | 'aborted' | 'unknown', result?: unknown) => void
}

const reads = ['get', 'getMany', 'range']
/** What is in the history of all only if it was done on a member. */
const observations = [...reads, 'sync', 'snapshot']
/** What is one write, and may be repeated. */
const writes = ['put', 'del', 'batch']
/** So often at most a write is called. */
const CALLS_MAX = 5
/** So often at most somebody asks what became of a write, and after so many milliseconds again. */
const ASKS_MAX = 6
const ASK_MS = 500

/** Clients on every node, each doing one random operation after the other, and the history of what they were told. */
export class Workload {
  readonly history: Operation[] = []
  /** What happened on observers, apart from writes. */
  readonly observed: Observed[] = []
  /** How many writes were acknowledged on observers that had no session with the coordinator, when they were called and then. */
  relayed = 0
  /** How many were refused on observers that could not show them. */
  refused = 0
  /** What no client should ever be told. */
  readonly problems: string[] = []
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #random: Random
  /** By chance of its own: what else a seed draws stays as it is. */
  readonly #doubts: Random
  readonly #keys: string[]
  readonly #running = new Set<Running>()
  #lastId = 0
  #lastClient = 0
  #active = true

  constructor (cluster: SimCluster, settings: SimSettings) {
    this.#cluster = cluster
    this.#settings = settings
    this.#random = new Random(settings.seed ^ 0xc11e)
    this.#doubts = new Random(settings.seed ^ 0xa5c5)
    this.#keys = keysOf(settings)
  }

  /** Clients stay with their machine; when it is down they wait. */
  start (): void {
    for (const machine of this.#cluster.machines) this.add(machine)
  }

  /** Clients on one more machine. */
  add (machine: SimMachine): void {
    for (let i = 0; i < this.#settings.clientsPerNode; i++) this.#think(machine, `${machine.name}${++this.#lastClient}`)
  }

  /** Machines that are about to leave. */
  readonly leaving = new Set<SimMachine>()

  /** Where most is written from now on. */
  favourite: SimMachine | null = null

  stop (): void {
    this.#active = false
  }

  get pending (): number {
    return this.#running.size
  }

  pendingOn (machine: SimMachine): number {
    return [...this.#running].filter(running => running.machine === machine).length
  }

  /** Called when a write is acknowledged, with what it changed as far as that is known, and when it was called. */
  onAcknowledged: (machine: SimMachine, changes: readonly Change[], invoked: number) => void = () => {}

  /**
   * The machine's process goes on after a pause: a client of it may have been about to read, and does so before the node
   * has looked at its clocks or has heard from anybody.
   */
  onResume (machine: SimMachine): void {
    if (!this.#active || !this.#canAct(machine)) return
    const client = `${machine.name}${++this.#lastClient}`
    if (this.#random.chance(0.5)) void this.perform(machine, client, { kind: 'get', key: this.#random.pick(this.#keys) })
    else void this.perform(machine, client, { kind: 'range', range: {} })
  }

  /** The machine's process has gone: its clients will never be told. */
  onDown (machine: SimMachine): void {
    this.leaving.delete(machine)
    for (const running of [...this.#running]) if (running.machine === machine) running.end('unknown')
    if (isObserver(machine)) this.#note({ kind: 'down', observer: machine.name, completed: this.#cluster.world.stamp(), end: endOn(machine), mayForget: this.#settings.durability === 'memory' })
  }

  /** The machine has got a new disk. */
  onReplaced (machine: SimMachine): void {
    if (isObserver(machine)) this.#note({ kind: 'new', observer: machine.name, completed: this.#cluster.world.stamp(), end: endOn(machine) })
  }

  /** One operation, recorded. */
  perform (machine: SimMachine, client: string, request: Request): Promise<void> {
    if (isObserver(machine) && observations.includes(request.kind)) return this.#observe(machine, client, request)
    const id = ++this.#lastId
    const invoked = this.#cluster.world.stamp()
    const isRead = reads.includes(request.kind)

    const { repeats, asks } = this.#settings
    const isRepeated = writes.includes(request.kind) && repeats > 0 && this.#doubts.chance(0.7)
    const key = isRepeated ? `${client} ${id}` : undefined

    return new Promise((resolve) => {
      let over = false
      let isUnknown = false
      let calls = 0
      let transaction = ''
      const running: Running = {
        machine,
        end: (outcome, result) => {
          if (over) return
          over = true
          this.#running.delete(running)
          const told = isRead && outcome !== 'ok' ? 'aborted' : outcome
          const operation = { ...request, id, client, node: machine.name, invoked, completed: this.#cluster.world.stamp(), outcome: told, ...(isRead && outcome === 'ok' ? { result } : {}) } as Operation
          this.history.push(operation)
          // What a client of one write has been told is not all that can be known of it.
          if (transaction !== '' && this.#doubts.chance(asks)) this.#ask(operation, transaction)
          this.#cluster.world.say(`${client} ${request.kind} ${id}: ${outcome}`)
          resolve()
        }
      }
      this.#running.add(running)
      this.#cluster.world.say(`${client} ${request.kind} ${id} begins: ${JSON.stringify(request).slice(0, 100)}`)
      const call = (on: SimMachine): void => {
        calls++
        const isRelayed = !isRead && isObserver(on) && isCutOff(on)
        send(on.db, on, request, this.#random, key).then(
          (result) => {
            if (!isRead) this.onAcknowledged(on, changesOf(request), invoked)
            if (isObserver(on)) this.#note({ kind: 'written', observer: on.name, completed: this.#cluster.world.stamp(), write: id })
            this.#checkBounds(on)
            if (!isRead) this.#checkPart(on, request, false)
            if (isRelayed && isCutOff(on)) this.relayed++
            running.end('ok', result)
          },
          (error: unknown) => {
            const outcome = this.#judge(error, isRead)
            if ((error as { code?: string }).code === codes.notSupported) this.#checkPart(on, request, true)
            isUnknown ||= outcome === 'unknown'
            const other = on === running.machine && !over && isRepeated && calls < CALLS_MAX && this.#doubts.chance(repeats) ? this.#other() : null
            if (other !== null) {
              running.machine = other
              this.#cluster.world.say(`${client} ${request.kind} ${id} is called again on ${other.name}`)
              return call(other)
            }
            // The other of two at once settles nothing but by its success.
            if (on !== running.machine) return
            // Of a write that was called more than once, there is more than one.
            if (!isRepeated && writes.includes(request.kind)) transaction = (error as { transaction?: string }).transaction ?? ''
            running.end(isUnknown ? 'unknown' : outcome)
          }
        )
      }
      call(machine)
      const twin = isRepeated && this.#doubts.chance(repeats / 4) ? this.#other() : null
      if (twin !== null && twin !== machine) {
        isUnknown = true
        call(twin)
      }
    })
  }

  /** One operation on an observer that writes nothing, recorded. */
  #observe (machine: SimMachine, client: string, request: Request): Promise<void> {
    const { world } = this.#cluster
    const { kind } = request
    const id = ++this.#lastId
    const observer = machine.name
    let invoked = world.stamp()
    world.say(`${client} ${kind} ${id} begins: ${JSON.stringify(request).slice(0, 100)}`)

    return new Promise((resolve) => {
      const running: Running = {
        machine,
        end: (outcome, result) => {
          if (!this.#running.delete(running)) return
          const completed = world.stamp()
          const common = { id, client, node: observer, invoked, completed, outcome: 'ok' }
          if (outcome === 'ok' && kind === 'sync') this.#note({ kind, observer, invoked, completed })
          else if (outcome === 'ok') {
            const of = (request: Request, result: unknown): object => ({ ...common, ...request, result })
            const [many, range] = kind === 'snapshot' ? result as unknown[] : []
            const reads = kind === 'snapshot'
              ? [of({ kind: 'getMany', keys: request.keys }, many), of({ kind: 'range', range: request.range }, range)]
              : [of(request, result)]
            this.#note({ kind: 'read', observer, invoked, completed, reads: reads as Read[], part: partOf(machine) })
          }
          world.say(`${client} ${kind} ${id}: ${outcome}`)
          resolve()
        }
      }
      this.#running.add(running)
      const onSynced = (): void => {
        this.#note({ kind: 'sync', observer, invoked, completed: world.stamp() })
        invoked = world.stamp()
      }
      const answer = kind === 'sync' ? machine.replicator.sync() : kind === 'snapshot' ? readSnapshot(machine, request.keys, request.range, onSynced) : send(machine.db, machine, request, this.#random, undefined)
      answer.then(
        (result) => { running.end('ok', result) },
        (error: unknown) => { running.end(this.#judge(error, true)) }
      )
    })
  }

  #note (observed: Observed): void {
    this.observed.push(observed)
  }

  /** Somebody, anywhere, asks what became of a write, until that is known. */
  #ask (operation: Operation, transaction: string, times = 1): void {
    const { world } = this.#cluster
    world.schedule(this.#doubts.skewed(1, ASK_MS), `asks for ${transaction}`, () => {
      const machine = this.#other()
      const again = (): void => { if (times < ASKS_MAX) this.#ask(operation, transaction, times + 1) }
      if (machine === null) return again()
      machine.replicator.outcome(transaction).then((outcome) => {
        world.say(`write ${operation.id} was ${outcome}, ${machine.name} says`)
        if (outcome === 'pending') return again()
        if (outcome === 'forgotten') return
        if (outcome === 'aborted' && operation.outcome === 'unknown') operation.outcome = 'aborted'
        if (outcome === 'committed' && operation.outcome === 'unknown') Object.assign(operation, { outcome: 'ok', completed: world.stamp() })
        if ((operation.outcome === 'aborted') !== (outcome === 'aborted')) this.problems.push(`write ${operation.id} was told ${operation.outcome}, and is ${outcome}`)
      }, again)
    })
  }

  /** Any machine that takes calls. */
  #other (): SimMachine | null {
    const able = this.#cluster.machines.filter(machine => this.#canAct(machine))
    return able.length === 0 ? null : this.#doubts.pick(able)
  }

  /** Bounded queues stay bounded. */
  #checkBounds (machine: SimMachine): void {
    const { queuedWrites, pendingWrites } = machine.replicator.stats()
    // One more is the batch of a founder's data, of which one waits at a time.
    const queueMax = (this.#settings.queueMax ?? Infinity) + (this.#settings.foundingData ? 1 : 0)
    if (queuedWrites > queueMax) this.problems.push(`${machine.name} has ${queuedWrites} queued writes`)
    if (pendingWrites > 4096) this.problems.push(`${machine.name} has ${pendingWrites} pending writes`)
  }

  /** Whoever holds a part takes writes of keys that are in it, and refuses all others. */
  #checkPart (machine: SimMachine, request: Request, isRefused: boolean): void {
    const keys = request.kind === 'batch' ? request.changes.map(({ key }) => key) : 'key' in request ? [request.key] : []
    const isInPart = keys.every(key => key.startsWith(partOf(machine)))
    if (isRefused) this.refused++
    if (isInPart === isRefused) this.problems.push(`${machine.name} ${isRefused ? 'refuses' : 'takes'} ${request.kind} of ${keys.join(', ')}`)
  }

  #judge (error: unknown, isRead: boolean): 'aborted' | 'unknown' {
    const { outcome, code } = error as { outcome?: 'aborted' | 'unknown', code?: string }
    if (!(error instanceof Error) || typeof code !== 'string') this.problems.push(`an error without a code: ${String(error)} ${(error as Error).stack ?? ''}`)
    if (code === 'LEVEL_INTERNAL') this.problems.push(`a bug: ${(error as Error).message} ${((error as Error).cause as Error | undefined)?.stack ?? ''}`)
    if (isRead) return 'aborted'
    if (outcome !== undefined) return outcome
    // Refused by abstract-level before it reached the replicator.
    if (code === 'LEVEL_DATABASE_NOT_OPEN') return 'aborted'
    this.problems.push(`a write was rejected without an outcome: ${String(error)}`)
    return 'unknown'
  }

  #think (machine: SimMachine, client: string): void {
    this.#cluster.world.schedule(this.#random.skewed(0.01, this.#settings.thinkMs), `${client} acts`, () => {
      if (!this.#active || this.#lastId >= this.#settings.operations) return
      if (!this.#canAct(machine)) return this.#think(machine, client)
      const request = isObserver(machine) ? this.#chooseOnObserver(client, machine) : this.#choose(client, machine)
      void this.perform(machine, client, request)
        .then(() => request.kind === 'sync' && this.#canAct(machine) ? this.perform(machine, client, { kind: 'range', range: this.#range() }) : undefined)
        .then(() => { this.#think(machine, client) })
    })
  }

  #canAct (machine: SimMachine): boolean {
    if (!machine.up || !machine.process.running) return false
    if (this.#settings.changes === null) return true
    // A witness has nothing; one that has left is closed, and answers from what it had.
    const { status, role, id, members } = machine.replicator.stats()
    if (['failed', 'closed'].includes(status) || role === 'witness') return false
    return !this.leaving.has(machine) || members.includes(id)
  }

  get done (): boolean {
    return this.#lastId >= this.#settings.operations && this.#running.size === 0
  }

  #choose (client: string, machine: SimMachine): Request {
    const random = this.#random
    const key = random.pick(this.#keys)
    if (this.favourite !== null && this.favourite !== machine && random.chance(0.9)) return { kind: 'get', key }
    const value = this.#value(`${client}.${this.#lastId + 1}`)
    const dice = random.next()
    if (dice < 0.3) return { kind: 'put', key, value }
    if (dice < 0.37) return { kind: 'del', key }
    if (dice < 0.52) return { kind: 'batch', changes: this.#sample().map(key => ({ key, value: random.chance(0.2) ? null : value })) }
    // With a limit, a checker could not tell from outside which keys it was to delete.
    if (dice < 0.55) return { kind: 'clear', range: this.#range(false) }
    if (dice < 0.8) return { kind: 'get', key }
    if (dice < 0.9) return { kind: 'getMany', keys: this.#sample() }
    return { kind: 'range', range: this.#range() }
  }

  #chooseOnObserver (client: string, machine: SimMachine): Request {
    const random = this.#random
    const key = random.pick(this.#keys)
    const value = this.#value(`${client}.${this.#lastId + 1}`)
    const dice = random.next()
    if (dice < 0.2) return { kind: 'put', key, value }
    if (dice < 0.25) return { kind: 'del', key }
    if (dice < 0.33) return { kind: 'batch', changes: this.#sample().map(key => ({ key, value: random.chance(0.2) ? null : value })) }
    if (dice < 0.36) return { kind: 'clear', range: withinPart(machine, this.#range(false)) }
    if (dice < 0.5) return { kind: 'get', key }
    if (dice < 0.6) return { kind: 'getMany', keys: this.#sample() }
    if (dice < 0.75) return { kind: 'range', range: this.#range() }
    return dice < 0.85 ? { kind: 'snapshot', keys: this.#sample(), range: this.#range() } : { kind: 'sync' }
  }

  #range (limited = true): KeyRange {
    const random = this.#random
    return {
      ...(random.chance(0.5) ? { gte: random.pick(this.#keys) } : {}),
      ...(random.chance(0.3) ? { lt: random.pick(this.#keys) } : {}),
      ...(limited && random.chance(0.2) ? { limit: 1 + random.below(3) } : {}),
      ...(random.chance(0.2) ? { reverse: true } : {})
    }
  }

  #sample (): string[] {
    const wanted = 1 + this.#random.below(4)
    const found = new Set<string>()
    for (let i = 0; i < wanted; i++) found.add(this.#random.pick(this.#keys))
    return [...found]
  }

  #value (unique: string): string {
    return unique + '.'.repeat(Math.floor(this.#random.skewed(0, this.#settings.valueBytesMax)))
  }
}

function changesOf (request: Request): readonly Change[] {
  switch (request.kind) {
    case 'put': return [request]
    case 'batch': return request.changes
    default: return []
  }
}

async function send (db: SimLevel, machine: SimMachine, request: Request, random: Random, idempotencyKey: string | undefined): Promise<unknown> {
  const options = { idempotencyKey }
  switch (request.kind) {
    case 'put': return await db.put(request.key, request.value, options)
    case 'del': return await db.del(request.key, options)
    case 'batch': return await (random.chance(0.3) ? chained(db, request.changes, options) : db.batch(request.changes.map(operation), options))
    case 'clear':
      // It deletes what it sees.
      if (isObserver(machine)) await synced(machine)
      return await db.clear(request.range)
    case 'get': return await db.get(request.key) ?? null
    case 'getMany': return (await db.getMany(request.keys)).map(value => value ?? null)
    case 'range': {
      if (random.chance(0.7)) return await db.iterator(request.range).all()
      const snapshot = await machine.replicator.consistentSnapshot()
      try {
        return await db.iterator({ ...request.range, snapshot } as never).all()
      } finally {
        await snapshot.close()
      }
    }
    default: throw new TypeError(`${request.kind} is for observers`)
  }
}

/** Both from one state, of which is told when it is there. */
async function readSnapshot (machine: SimMachine, keys: string[], range: KeyRange, onThere: () => void): Promise<unknown[]> {
  const { db } = machine
  const snapshot = await machine.replicator.consistentSnapshot()
  onThere()
  try {
    const many = await db.getMany(keys, { snapshot } as never) as Array<string | undefined>
    return [many.map(value => value ?? null), await db.iterator({ ...range, snapshot } as never).all()]
  } finally {
    await snapshot.close()
  }
}

/** It has no session with whoever coordinates, as far as it knows. */
function isCutOff ({ replicator }: SimMachine): boolean {
  const { coordinator, peers } = replicator.stats()
  return coordinator !== null && !peers.some(({ id, connected }) => connected && id === coordinator.id)
}

async function synced (machine: SimMachine): Promise<void> {
  try {
    await machine.replicator.sync()
  } catch (error) {
    throw Object.assign(error as Error, { outcome: 'aborted' })
  }
}

/** Whatever a machine has of the log, it has applied, or will before it answers. */
function endOn (machine: SimMachine): number {
  const log = machine.disk.torn ? durableLogOf(machine.disk) : logOf(machine.disk)
  const [last] = log.range(0, Infinity).slice(-1)
  const group = last === undefined ? null : decodeGroup(last[1])
  return Math.max(appliedOn(machine), group === null ? 0 : group.first + group.entries.length - 1)
}

async function chained (db: SimLevel, changes: readonly Change[], options: WriteOptions): Promise<void> {
  const batch = db.batch()
  for (const { key, value } of changes) {
    if (value === null) batch.del(key)
    else batch.put(key, value)
  }
  await batch.write(options)
}

function operation ({ key, value }: Change): { type: 'put', key: string, value: string } | { type: 'del', key: string } {
  return value === null ? { type: 'del', key } : { type: 'put', key, value }
}
