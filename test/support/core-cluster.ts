import type { CoreConfig } from '../../lib/core/config.ts'
import { Core } from '../../lib/core/core.ts'
import type { Effect, Input, Settlement } from '../../lib/core/effects.ts'
import { lastPosition } from '../../lib/core/entry.ts'
import type { Message } from '../../lib/core/messages.ts'
import type { View } from '../../lib/core/view.ts'
import { isLive } from '../../lib/core/view.ts'
import { decodeOperations, encodeOperations } from '../../lib/wire/operations.ts'
import type { ApplyEffect, PersistEffect } from './core-disk.ts'
import { CoreDisk, bytes, text } from './core-disk.ts'

export { bytes, text }

export interface ClusterOptions {
  /** Null: all other members. Default: all other nodes that there are at the beginning. */
  minConsensus?: number | null
  /** By name, where nodes differ. */
  minConsensusOf?: Record<string, number>
  /** Groups are not synced. */
  memory?: boolean
  failureTimeoutMs?: number
  logBytesMax?: number
  originsMax?: number
  keysMax?: number
  windowWrites?: number
  groupBytesMax?: number
  tailBytesMax?: number
  /** The names of those that only vote. */
  witnesses?: string
}

/** What a node that joins later says of itself. */
export interface JoinOptions {
  witness?: boolean
  /** It follows, and never is a member. */
  observer?: boolean
  /** The name of a node that is gone for good. */
  replaces?: string
  overwrite?: boolean
}

export class CoreNode {
  readonly name: string
  readonly id: string
  readonly disk = new CoreDisk()
  core: Core | null = null
  persists: PersistEffect[] = []
  applies: ApplyEffect[] = []
  /** Reads of the store, and copies into it, that are under way. */
  work: Array<Effect & { type: 'load' | 'chunk' | 'digest' | 'restore' }> = []
  conflicts: string[] = []
  needsFlush = false
  /** Its clocks: how fast they run, and where they began. */
  rate = 1
  offset = 0
  wallOffset = 0
  /** The disk does not get on. */
  stalled = false
  /** The process does not run; what happens to it meanwhile, it finds later. */
  paused = false
  missed: Input[] = []
  /** It founds nothing. */
  joins: JoinOptions | null = null
  witness = false
  observer = false
  /** Calls of `sync()` that are not done: how far it has to be then. */
  syncs: Array<{ readonly number: number, readonly visible: number }> = []
  lastSync = 0
  /** It has left, or was removed, or is gone for good: nobody expects anything of it. */
  gone = false
  /** What was refused to it. */
  denied: string[] = []

  constructor (name: string) {
    this.name = name
    this.id = name.charCodeAt(0).toString(16).padStart(32, '0')
  }
}

/** One thing that can happen next. */
export class Step {
  readonly run: () => void
  readonly #describe: () => string

  constructor (describe: () => string, run: () => void) {
    this.#describe = describe
    this.run = run
  }

  get label (): string {
    return this.#describe()
  }
}

export interface WriteRecord {
  readonly node: string
  readonly key: string
  readonly value: string
  /** Its idempotency key; empty if it has none. */
  readonly under: string
  settlement: Settlement | null
}

/**
 * A cluster of cores with a network and disks of which the test decides what happens next. Everything that happens is a
 * line of `transcript`.
 */
export class CoreCluster {
  readonly nodes: CoreNode[]
  readonly transcript: string[] = []
  readonly writes: WriteRecord[] = []
  /** What was applied at each position, by whoever was first. */
  readonly order = new Map<number, string>()
  /** What the run has gone through. */
  readonly counts = { views: 0, admissions: 0, exclusions: 0, copies: 0, truncations: 0, cuts: 0, losses: 0, leases: 0, remnants: 0, joins: 0, leaves: 0, moves: 0, syncs: 0, relays: 0 }
  /** Directions "a>b" in which nothing arrives, although there is a session. */
  readonly frozen = new Set<string>()
  /** Pairs "a>b" between which there is no way: they never have a session. */
  readonly apart = new Set<string>()
  /** Pairs that connect again when time passes. */
  #again: Array<[string, string]> = []
  readonly #options: ClusterOptions
  readonly #founders: readonly CoreNode[]
  /** Messages under way, by direction "a>b"; a direction exists while there is a session. */
  readonly #lines = new Map<string, Message[]>()
  /** The epoch of each position that was applied anywhere, and the position of each value. */
  readonly #epochs = new Map<number, number>()
  readonly #positions = new Map<string, number>()
  /** Somebody may have seen everything up to here: whoever answers reads has to have it. */
  #visible = 0
  #opened: View | null = null
  #now = 0

  constructor (names: string, options: ClusterOptions = {}) {
    this.nodes = [...names].map(name => new CoreNode(name))
    this.#founders = [...this.nodes]
    this.#options = options
    for (const node of this.nodes) node.witness = options.witnesses?.includes(node.name) === true
  }

  /** One more node, which knows all others and founds nothing. */
  join (name: string, options: JoinOptions = {}): CoreNode {
    const node = new CoreNode(name)
    node.joins = options
    node.witness = options.witness === true
    node.observer = options.observer === true
    this.nodes.push(node)
    this.start(name)
    return node
  }

  /** `name` asks that a member be removed: itself, if it wants to leave. */
  remove (name: string, other: string, force = false): void {
    this.#say(`${name} asks to remove ${other}${force ? ' by force' : ''}`)
    this.#input(this.node(name), { type: 'remove', id: this.node(other).id, force, wanted: true })
  }

  /** `name` is told that these alone go on as a new cluster. */
  recover (name: string, names: string): void {
    this.#input(this.node(name), { type: 'recover', members: [...names].map(other => this.node(other).id).sort(), cluster: `d${String(this.transcript.length).padStart(31, '0')}` })
  }

  node (name: string): CoreNode {
    const found = this.nodes.find(node => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  /** True time, in milliseconds. */
  get now (): number {
    return this.#now
  }

  get coordinator (): CoreNode | null {
    return this.nodes.find(node => node.core?.leads === true) ?? null
  }

  // What a test makes happen.

  start (name: string): void {
    const node = this.node(name)
    node.disk.memory = this.#options.memory === true
    node.disk.begin()
    const config: CoreConfig = {
      self: node.id,
      start: node.disk.start,
      freshCluster: `${'c'.repeat(30)}${node.name.charCodeAt(0) % 10}${node.disk.start % 10}`,
      minConsensus: this.minConsensusOf(name),
      name,
      witness: node.witness,
      observer: node.observer,
      part: null,
      opensLate: node.observer,
      mayFound: node.joins === null,
      founders: 0,
      cluster: '',
      overwrite: node.joins?.overwrite === true,
      replaces: node.joins?.replaces ?? '',
      handsOver: true,
      originsMax: this.#options.originsMax ?? 16,
      keysMax: this.#options.keysMax ?? 1000,
      groupBytesMax: this.#options.groupBytesMax ?? 1000,
      tailBytesMax: this.#options.tailBytesMax ?? 100_000,
      applyBytesMax: 1000,
      windowWrites: this.#options.windowWrites ?? 100,
      windowBytes: 100_000,
      submitBytesMax: 50,
      incomingMax: 10_000,
      incomingBytesMax: 1e6,
      bodyBytesMax: 1e6,
      failureTimeoutMs: this.#options.failureTimeoutMs ?? 1000,
      logBytesMax: this.#options.logBytesMax ?? 1e9,
      withdrawMs: 10
    }
    this.#say(`${name} starts (${node.disk.start})`)
    node.core = new Core(config, node.disk.recovered(), node.joins === null ? this.#founders.length - 1 : 0, this.#clock(node), this.#wall(node))
    for (const other of this.nodes) if (other !== node && other.core !== null) this.connect(name, other.name)
    this.#input(node, { type: 'peers', required: node.joins === null ? this.#founders.filter(other => other !== node).map(other => other.id) : [], unresolved: 0 })
  }

  /**
   * The process dies. Of the persists under way, the first `landed` have reached the disk. With `kept`, the power fails: so many
   * of the batches that were not synced are left.
   */
  crash (name: string, landed = 0, kept = Infinity): void {
    const node = this.node(name)
    for (const effect of node.persists.slice(0, landed)) node.disk.persist(effect)
    const lost = kept === Infinity ? 0 : node.disk.lose(kept)
    this.counts.losses += lost
    this.#say(`${name} crashes${landed > 0 ? `, ${landed} persists landed` : ''}${lost > 0 ? `, ${lost} batches are lost` : ''}`)
    node.disk.intact = !node.disk.memory
    this.#end(node)
  }

  /** The process stops in order, and says so; when everything is persisted and sent, it ends. */
  stop (name: string): void {
    this.#say(`${name} stops`)
    this.#input(this.node(name), { type: 'stop', why: 'closed' })
  }

  /** The end of a stop. */
  end (name: string): void {
    const node = this.node(name)
    for (const effect of node.persists) node.disk.persist(effect)
    node.disk.intact = node.core?.intact === true
    this.#say(`${name} ends`)
    this.#end(node)
  }

  #end (node: CoreNode): void {
    const { name } = node
    node.core = null
    node.syncs = []
    node.lastSync = 0
    node.stalled = node.paused = false
    node.missed = []
    node.persists = []
    node.applies = []
    node.work = []
    node.needsFlush = false
    for (const write of this.writes) {
      // Nobody is there any more to be told.
      if (write.node === name && write.settlement === null) write.settlement = { outcome: 'unknown', why: 'closed', transaction: null }
    }
    for (const other of this.nodes) if (other !== node) this.disconnect(name, other.name)
  }

  /** More was lost than the cluster promises to keep: what was applied, seen or acknowledged says nothing from now on. */
  forget (): void {
    this.order.clear()
    this.#epochs.clear()
    this.#positions.clear()
    this.#visible = 0
    for (const write of this.writes) if (write.settlement !== null) write.settlement = { outcome: 'unknown', why: 'closed', transaction: null }
  }

  connect (a: string, b: string): void {
    const [one, two] = [this.node(a), this.node(b)]
    if (this.#lines.has(`${a}>${b}`) || one.core === null || two.core === null || this.apart.has(`${a}>${b}`) || this.apart.has(`${b}>${a}`)) return
    this.#lines.set(`${a}>${b}`, [])
    this.#lines.set(`${b}>${a}`, [])
    this.#say(`${a} and ${b} connect`)
    this.#input(one, { type: 'up', peer: two.id, start: two.disk.start, observer: two.observer })
    this.#input(two, { type: 'up', peer: one.id, start: one.disk.start, observer: one.observer })
  }

  /** The session is lost, with all that is under way in it. */
  disconnect (a: string, b: string): void {
    if (!this.#lines.delete(`${a}>${b}`)) return
    this.#lines.delete(`${b}>${a}`)
    this.#say(`${a} and ${b} disconnect`)
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const node = this.node(from)
      if (node.core !== null) this.#input(node, { type: 'down', peer: this.node(to).id })
    }
  }

  /** The process goes on after a pause. */
  resume (name: string): void {
    const node = this.node(name)
    node.paused = false
    this.#say(`${name} goes on`)
    for (const input of node.missed.splice(0)) this.#input(node, input)
  }

  /** `under`: its idempotency key. */
  write (name: string, key: string, value: string, timeout = 1e6, under = ''): WriteRecord {
    const record: WriteRecord = { node: name, key, value, under, settlement: null }
    const body = encodeOperations([{ type: 'put', key: bytes(key), value: bytes(value) }])
    const ticket = this.writes.push(record)
    this.#say(`${name} writes ${key}=${value}${under === '' ? '' : ` under ${under}`}`)
    this.#input(this.node(name), {
      type: 'write', ticket, write: { body, operations: decodeOperations(body), kind: 'write', key: under }, seed: false, deadline: this.#clock(this.node(name)) + timeout
    })
    return record
  }

  /** Somebody asks a node what became of a write. */
  ask (name: string, transaction: string): void {
    const [origin, number] = transaction.split(':').map(Number) as [number, number]
    this.#say(`${name} is asked for ${transaction}`)
    this.#input(this.node(name), { type: 'question', origin, number })
  }

  /** Somebody calls `sync()` on an observer. It is wrong if that comes to an end before all that was acknowledged is there. */
  sync (name: string): void {
    const node = this.node(name)
    const number = ++node.lastSync
    node.syncs.push({ number, visible: this.#visible })
    this.counts.syncs++
    this.#say(`${name} syncs (${number})`)
    this.#input(node, { type: 'sync', number })
  }

  /** Ends the data that a founder brings along. */
  seeded (name: string): void {
    const body = encodeOperations([])
    this.#input(this.node(name), { type: 'write', ticket: 0, write: { body, operations: [], kind: 'seeded' }, seed: true, deadline: Infinity })
  }

  tick (milliseconds: number): void {
    this.#now += milliseconds
    for (const [a, b] of this.#again.splice(0)) this.connect(a, b)
    for (const node of this.nodes) if (node.core !== null && !node.paused) this.#input(node, { type: 'tick' })
  }

  // What can happen next.

  steps (): Step[] {
    return [...this.#steps()]
  }

  * #steps (): Generator<Step, undefined> {
    for (const node of this.nodes) {
      if (node.core === null || node.paused) continue
      if (node.needsFlush) yield new Step(() => `${node.name} flushes`, () => { this.#flush(node) })
      if (node.persists.length > 0 && !node.stalled) {
        yield new Step(() => `${node.name} persists ${describePersist(node.persists[0] as PersistEffect)}`, () => { this.#persist(node) })
      }
      if (node.applies.length > 0) yield new Step(() => `${node.name} applies`, () => { this.#apply(node) })
      const [work] = node.work
      if (work !== undefined) yield new Step(() => `${node.name} ${work.type}s`, () => { this.#work(node) })
    }
    for (const [direction, messages] of this.#lines) {
      const [message] = messages
      if (message === undefined || this.frozen.has(direction) || this.node(direction.slice(2)).paused) continue
      yield new Step(() => `${direction} ${describe(message)}`, () => { this.#deliver(direction) })
    }
  }

  /** The first that is possible. The others are not looked for: that takes most of the time of many tests. */
  get #first (): Step | undefined {
    return this.#steps().next().value
  }

  /** Runs steps, by default always the first that is possible, until none is left or `until` says so. */
  run (until: (step: Step) => boolean = () => false, choose?: (steps: Step[]) => Step): void {
    for (let i = 0; i < 100_000; i++) {
      const first = this.#first
      if (first === undefined) return
      const step = choose === undefined ? first : choose(this.steps())
      if (until(step)) return
      step.run()
    }
    throw new Error('does not come to rest:\n' + this.transcript.slice(-40).join('\n'))
  }

  /** Runs, and lets time pass, until there is nothing wrong among these nodes. Returns what is wrong in the end. */
  settle (choose?: (steps: Step[]) => Step, among = this.nodes): string[] {
    // Some may leave on the way.
    const differences = (): string[] => this.differences(among.filter(({ gone }) => !gone))
    for (let i = 0; i < 2000; i++) {
      this.run(() => false, choose)
      // Replicas are compared where it may be the end.
      const mayBeDone = this.#first === undefined && among.every(({ gone, core }) => gone || core?.ready === true)
      if (mayBeDone && differences().length === 0) return []
      this.tick(50)
    }
    return differences()
  }

  /** The same for nodes by name, which are to get on without the others. */
  settleAmong (names: string): string[] {
    return this.settle(undefined, this.nodes.filter(({ name }) => names.includes(name)))
  }

  /** Runs, and lets time pass. */
  pass (milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      this.run()
      this.tick(50)
    }
    this.run()
  }

  startAll (): this {
    for (const node of this.nodes) if (node.core === null) this.start(node.name)
    return this
  }

  /** How many others have to hold the writes of a node; null: all of them. */
  minConsensusOf (name: string): number | null {
    const { minConsensusOf, minConsensus } = this.#options
    if (this.node(name).observer) return 0
    return minConsensusOf?.[name] ?? (minConsensus === undefined ? this.#founders.length - 1 : minConsensus)
  }

  // Checks.

  /** Of these nodes, every replica and every log is the same, and everything is applied. */
  differences (among = this.nodes): string[] {
    const found: string[] = []
    const [first, ...others] = [...among].sort((a, b) => Number(a.witness) - Number(b.witness))
    const base = Math.max(...among.map(({ disk }) => disk.base.position))
    for (const node of others) {
      if (node.witness) continue
      for (const what of ['entries', 'data', 'rows', 'keys', 'applied'] as const) {
        const [ours, theirs] = [node, first as CoreNode].map(({ disk }) => show(what === 'entries' ? disk.entriesAfter(base) : disk[what]))
        if (ours !== theirs) found.push(`${what} of ${node.name}: ${ours}; of ${first?.name}: ${theirs}`)
      }
    }
    for (const node of among) {
      if (node.core === null || !node.core.ready) found.push(`${node.name} is not ready`)
      if (node.core !== null && !node.core.pending.empty) found.push(`${node.name} has pending keys`)
    }
    // Settled truthfully, and at most once in the log.
    const logged = new Map<string, number>()
    for (const entry of this.order.values()) {
      const { operations = [] } = JSON.parse(entry) as { operations?: Array<{ value: string }> }
      for (const { value } of operations) logged.set(value, (logged.get(value) ?? 0) + 1)
    }
    for (const { node, value, under, settlement } of this.writes) {
      const times = logged.get(value) ?? 0
      if (times > 1) found.push(`${value} is in the log ${times} times`)
      if (settlement === null) {
        if (among.some(({ name }) => name === node)) found.push(`${value} of ${node} is not settled`)
      } else if (settlement.outcome === 'committed' && times !== 1) found.push(`${value} of ${node} is acknowledged and lost`)
      else if (settlement.outcome === 'aborted' && under === '' && times !== 0) found.push(`${value} of ${node} is rejected and applied`)
      if (settlement !== null && settlement.outcome !== 'committed' && settlement.transaction !== null) found.push(...this.#falseFates(among, value, settlement.transaction, times, under !== ''))
    }
    return found
  }

  /** What these nodes tell of a write that is so often in the log. */
  #falseFates (among: readonly CoreNode[], value: string, transaction: string, times: number, isRepeated: boolean): string[] {
    const [origin, number] = transaction.split(':').map(Number) as [number, number]
    return among.flatMap(({ name, core, witness }) => {
      const fate = witness ? undefined : core?.table.fate(origin, number)
      const isFalse = (fate === 'committed' && times !== 1) || ((fate === 'aborted' || fate === 'pending') && times !== 0 && !isRepeated)
      return isFalse ? [`${name} tells that ${value} is ${fate}`] : []
    })
  }

  // How it happens.

  #deliver (direction: string): void {
    const [from, to] = direction.split('>') as [string, string]
    const message = this.#lines.get(direction)?.shift() as Message
    this.#say(`${direction} ${describe(message)}`)
    this.#input(this.node(to), { type: 'message', from: this.node(from).id, message })
  }

  #persist (node: CoreNode): void {
    const effect = node.persists.shift() as PersistEffect
    this.#say(`${node.name} persists ${describePersist(effect)}`)
    node.disk.persist(effect)
    const { copied, truncate, cut, view } = effect.persist
    if (copied) this.counts.copies++
    if (truncate !== null) this.counts.truncations++
    if (cut !== null) this.counts.cuts++
    if (view !== null && view.epoch > (this.#opened?.epoch ?? 0)) this.#onOpened(view)
    this.#input(node, { type: 'persisted', id: effect.id, applied: node.disk.appliedDurably })
  }

  #onOpened (view: View): void {
    const before = this.#opened?.live ?? view.live
    const members = this.#opened?.members ?? view.members
    this.counts.joins += view.members.filter(id => !members.includes(id)).length
    if (this.#opened !== null && this.#opened.coordinator !== view.coordinator && isLive(view, this.#opened.coordinator)) this.counts.moves++
    this.counts.views++
    this.counts.admissions += view.live.filter(({ id }) => !before.some(member => member.id === id)).length
    this.counts.exclusions += before.filter(({ id }) => !isLive(view, id)).length
    if (!view.leaseFree) this.counts.leases++
    this.#opened = view
  }

  #apply (node: CoreNode): void {
    const effect = node.applies.shift() as ApplyEffect
    this.#compare(node, effect)
    this.#say(`${node.name} applies up to ${effect.through}`)
    node.disk.apply(effect)
    this.#input(node, { type: 'applied', through: effect.through })
  }

  /** There is one order. */
  #compare (node: CoreNode, { groups }: ApplyEffect): void {
    for (const group of groups) {
      group.entries.forEach((entry, i) => {
        const position = group.first + i
        const applied = show({ epoch: group.epoch, ...entry })
        const first = this.order.get(position) ?? applied
        this.order.set(position, first)
        this.#epochs.set(position, group.epoch)
        if (entry.kind === 'write') for (const op of decodeOperations(entry.body)) if (op.type === 'put') this.#positions.set(text(op.value), position)
        if (first !== applied) throw new Error(`${node.name} applies ${applied} at ${position}, where ${first} was applied`)
      })
    }
  }

  #work (node: CoreNode): void {
    const effect = node.work.shift() as typeof node.work[0] & object
    this.#say(`${node.name} ${effect.type}s`)
    switch (effect.type) {
      case 'load':
        // One group at a time, so that receipts are waited for.
        this.#input(node, { type: 'loaded', to: effect.to, from: effect.from, groups: node.disk.log.filter(group => group.first >= effect.from).slice(0, 1) })
        break
      case 'chunk':
        this.#input(node, { type: 'chunk', to: effect.to, after: effect.after, ...node.disk.chunk(effect.after, 1) })
        break
      case 'restore':
        node.disk.restore(effect)
        this.#input(node, { type: 'restored' })
        break
      case 'digest':
        this.#input(node, { type: 'digested', position: effect.position, digest: (effect as { data?: string }).data ?? '' })
        break
      default: effect satisfies never
    }
  }

  #flush (node: CoreNode): void {
    node.needsFlush = false
    this.#input(node, { type: 'flush', last: false })
    node.needsFlush = false
  }

  #input (node: CoreNode, input: Input): void {
    if (node.core === null) return
    if (node.paused) {
      node.missed.push(input)
      return
    }
    if (input.type !== 'flush') node.needsFlush = true
    let isRemoved = false
    for (const effect of node.core.step(input, this.#clock(node), this.#wall(node))) {
      switch (effect.type) {
        case 'persist': node.persists.push(effect); break
        case 'apply': node.applies.push(effect); break
        case 'load':
        case 'chunk':
        case 'restore': node.work.push(effect); break
        // Of the data as they are now.
        case 'digest': node.work.push({ ...effect, data: show(node.disk.data) } as Effect & { type: 'digest' }); break
        case 'diverged': throw new Error(`${node.name} differs at ${effect.position}`)
        case 'denied':
          this.#say(`${node.name} is denied ${this.#nameOf(effect.id)}: ${effect.why}`)
          node.denied.push(effect.why)
          // It fails.
          if (effect.id === node.id && node.core.joining !== null) node.gone = true
          break
        case 'refused': node.denied.push(effect.why); break
        case 'removed':
          this.#say(`${node.name} is removed`)
          this.counts.leaves++
          node.gone = isRemoved = true
          break
        case 'conflict': node.conflicts.push(effect.why); break
        case 'send': this.#lines.get(`${node.name}>${this.#nameOf(effect.to)}`)?.push(effect.message); break
        case 'disconnect':
          this.disconnect(node.name, this.#nameOf(effect.peer))
          if (effect.isFault === false) this.#again.push([node.name, this.#nameOf(effect.peer)])
          break
        case 'settle': {
          const record = this.writes[effect.ticket - 1]
          if (record !== undefined && record.settlement === null) record.settlement = effect.settlement
          if (record !== undefined && effect.settlement.outcome === 'committed') this.#onAcknowledged(node, record.value)
          this.#say(`${node.name} settles ${record?.value}: ${effect.settlement.outcome}`)
          break
        }
        default: effect satisfies never
      }
      if (node.core === null) return
    }
    // Who is removed stops at once, and nobody can count on it any more.
    if (isRemoved) this.#end(node)
    this.#look()
  }

  /** As many nodes hold the write as its caller asks for. */
  #onAcknowledged (node: CoreNode, value: string): void {
    const position = this.#positions.get(value) ?? 0
    this.#visible = Math.max(this.#visible, position)
    // Without a session with the coordinator, it came there through another.
    if (node.observer && this.coordinator !== null && !this.#lines.has(`${node.name}>${this.coordinator.name}`)) this.counts.relays++
    if (node.observer && (node.core as Core).applied < position) throw new Error(`${value} is acknowledged on ${node.name}, which does not see it`)
    const holders = this.nodes.filter(({ disk, observer }) => !observer && disk.holds(position, this.#epochs.get(position) ?? 0)).map(({ name }) => name)
    // What was on enough disks may have been lost since.
    if (holders.length <= (this.minConsensusOf(node.name) ?? 0) && this.#options.memory !== true) throw new Error(`${value} of ${node.name} is acknowledged, and only ${holders.join('')} hold it`)
  }

  /** Whoever answers reads at this moment has everything that anybody may have seen before. */
  #look (): void {
    for (const node of this.nodes) {
      while (node.core !== null && node.syncs[0] !== undefined && node.syncs[0].number <= node.core.synced) {
        const { visible } = node.syncs.shift() as { visible: number }
        if (node.core.applied < visible) throw new Error(`${node.name} is in sync at ${node.core.applied}, and ${visible} was seen before it asked`)
      }
    }
    const readers = this.nodes.filter(node => !node.observer && node.core?.readable(this.#clock(node), this.#wall(node)) === true)
    for (const { core } of readers) this.#visible = Math.max(this.#visible, (core as Core).applied)
    for (const { name, core } of readers as Array<{ name: string, core: Core }>) {
      if (core.applied >= this.#visible || core.tail.nameAt(this.#visible).epoch === this.#epochs.get(this.#visible)) continue
      throw new Error(`${name} answers reads up to ${core.end}, and ${this.#visible} was seen elsewhere`)
    }
  }

  #clock (node: CoreNode): number {
    return node.offset + node.rate * this.#now
  }

  #wall (node: CoreNode): number {
    return node.wallOffset + node.rate * this.#now
  }

  #nameOf (id: string): string {
    return this.nodes.find(node => node.id === id)?.name ?? '?'
  }

  #say (line: string): void {
    this.transcript.push(line)
  }
}

function describe (message: Message): string {
  switch (message.type) {
    case 'status': return `status(promised ${message.promised}, view ${message.view?.epoch ?? 0}, installed ${message.installed}${message.caughtUp ? ', caught up' : ''})`
    case 'propose': return `propose(${message.epoch})`
    case 'promise': return `promise(${message.epoch}, end ${message.end.position}@${message.end.epoch})`
    case 'refuse': return `refuse(${message.epoch})`
    case 'lead': return `lead(${message.view.epoch})`
    case 'accept': return `accept(${message.view.epoch}, ${message.view.live.length} live)`
    case 'accepted': return `accepted(${message.epoch})`
    case 'view': return `view(${message.view.epoch})`
    case 'follow': return `follow(${message.epoch}, base ${message.outline.base})`
    case 'sync': return `sync(common ${message.common}, open end ${message.openEnd})`
    case 'prepare': return `prepare(${message.group.first}..${lastPosition(message.group)}, committed ${message.committed})`
    case 'ack': return `ack(${message.end}${message.installed ? '' : ', not installed'})`
    case 'commit': return `commit(${message.committed})`
    case 'open': return `open(${message.start})`
    case 'submit': return `submit(${message.origin}:${message.first}${message.writes.length > 1 ? `..${message.first + message.writes.length - 1}` : ''})`
    case 'withdraw': return `withdraw(${message.origin}:${message.number})`
    default: return message.type
  }
}

function describePersist ({ persist }: PersistEffect): string {
  const parts: string[] = []
  if (persist.cut !== null) parts.push(`cut ${persist.cut.position}`)
  if (persist.vow !== null) parts.push(`vow ${persist.vow.epoch}`)
  if (persist.accepted !== null) parts.push(`accepted ${persist.accepted.epoch}`)
  if (persist.view !== null) parts.push(`view ${persist.view.epoch}`)
  if (persist.truncate !== null) parts.push(`truncate ${persist.truncate.position}`)
  if (persist.reset !== null) parts.push(`reset ${persist.reset.base.position}`)
  if (persist.copied) parts.push('copied')
  for (const group of persist.groups) parts.push(`${group.first}..${lastPosition(group)}`)
  return parts.length === 0 ? 'nothing' : parts.join(' + ')
}

function show (value: unknown): string {
  return JSON.stringify(value instanceof Map ? [...value].sort((a, b) => a[0] < b[0] ? -1 : 1) : value, (key, item: unknown) => item instanceof Uint8Array ? text(item) : item)
}
