import type { CoreConfig, Recovered } from '../../lib/core/config.ts'
import { Core } from '../../lib/core/core.ts'
import type { CopyState, Effect, Settlement } from '../../lib/core/effects.ts'
import type { Group, LogName } from '../../lib/core/entry.ts'
import { emptyLog, lastPosition } from '../../lib/core/entry.ts'
import type { Message } from '../../lib/core/messages.ts'
import type { OriginRow } from '../../lib/core/origins.ts'
import type { View, Vow } from '../../lib/core/view.ts'
import { noVow } from '../../lib/core/view.ts'
import { decodeOperations, encodeOperations } from '../../lib/wire/operations.ts'

type PersistEffect = Effect & { type: 'persist' }
type ApplyEffect = Effect & { type: 'apply' }

/** What survives a crash. */
class Disk {
  start = 0
  vow: Vow = noVow
  view: View | null = null
  accepted: View | null = null
  base: LogName = emptyLog
  copy: CopyState | null = null
  log: Group[] = []
  applied = 0
  rows = new Map<number, OriginRow>()
  seeded = false
  data = new Map<string, string>()
  /** Of the data that a founder brings along. */
  digest = ''

  persist ({ persist }: PersistEffect): void {
    const { reset, cut, vow, accepted, view, truncate, groups, copied } = persist
    if (reset !== null) {
      this.log = []
      this.base = reset.base
      this.applied = reset.base.position
      this.seeded = reset.seeded
      this.rows = new Map(reset.rows)
      this.copy = { after: new Uint8Array(0), high: reset.base.position }
    }
    if (cut !== null) this.log = this.log.filter(group => lastPosition(group) <= cut)
    if (vow !== null) this.vow = vow
    if (accepted !== null) this.accepted = accepted
    if (view !== null) this.view = view
    if (truncate !== null) {
      if (truncate.position > this.applied) throw new Error('truncates what is not applied')
      this.base = truncate
      this.log = this.log.filter(group => group.first > truncate.position)
    }
    this.log.push(...groups)
    if (copied) this.copy = null
  }

  restore ({ after, through, entries, copy }: Effect & { type: 'restore' }): void {
    for (const key of [...this.data.keys()]) {
      if (key > text(after) && (through === null || key <= text(through))) this.data.delete(key)
    }
    for (const [key, value] of entries) this.data.set(text(key), text(value))
    this.copy = copy
  }

  /** Some entries after a key. */
  chunk (after: Uint8Array, size: number): { entries: Array<[Uint8Array, Uint8Array]>, through: Uint8Array | null, left: number } {
    const keys = [...this.data.keys()].filter(key => key > text(after)).sort()
    const taken = keys.slice(0, size)
    return {
      entries: taken.map(key => [bytes(key), bytes(this.data.get(key) as string)]),
      left: keys.length - taken.length,
      through: taken.length < keys.length ? bytes(taken[taken.length - 1] as string) : null
    }
  }

  apply (effect: ApplyEffect): void {
    for (const group of effect.groups) {
      for (const entry of group.entries) {
        if (entry.kind !== 'write') continue
        for (const op of decodeOperations(entry.body)) {
          if (op.type === 'put') this.data.set(text(op.key), text(op.value))
          else this.data.delete(text(op.key))
        }
      }
    }
    for (const [id, row] of effect.rows) {
      if (row === null) this.rows.delete(id)
      else this.rows.set(id, row)
    }
    this.applied = effect.through
    this.seeded = effect.seeded
  }

  recovered (): Recovered {
    const runs: LogName[] = this.base.position > 0 ? [this.base] : []
    const groups: Group[] = []
    for (const group of this.log) {
      const position = lastPosition(group)
      if (position > this.applied) groups.push(group)
      else {
        if (runs[runs.length - 1]?.epoch === group.epoch) runs.pop()
        runs.push({ position, epoch: group.epoch })
      }
    }
    const { vow, view, accepted, base, copy, applied, rows, seeded, digest } = this
    return { vow, view, accepted, intact: true, base, logBytes: 100 * this.log.length, copy, applied, runs, groups, rows, seeded, data: digest }
  }

  /** Those after a position. */
  entriesAfter (position: number): unknown[] {
    return this.log.flatMap(group => group.entries.map((entry, i) => ({ position: group.first + i, epoch: group.epoch, ...entry, operations: undefined })))
      .filter(entry => entry.position > position)
  }
}

export interface ClusterOptions {
  minConsensus?: number
  failureTimeoutMs?: number
  logBytesMax?: number
  originsMax?: number
  windowWrites?: number
  groupBytesMax?: number
}

export class CoreNode {
  readonly name: string
  readonly id: string
  readonly disk = new Disk()
  core: Core | null = null
  persists: PersistEffect[] = []
  applies: ApplyEffect[] = []
  /** Reads of the store, and copies into it, that are under way. */
  work: Array<Effect & { type: 'load' | 'chunk' | 'digest' | 'restore' }> = []
  conflicts: string[] = []
  needsFlush = false

  constructor (name: string) {
    this.name = name
    this.id = name.charCodeAt(0).toString(16).padStart(32, '0')
  }
}

/** One thing that can happen next. */
export interface Step {
  readonly label: string
  readonly run: () => void
}

export interface WriteRecord {
  readonly node: string
  readonly key: string
  readonly value: string
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
  readonly #options: ClusterOptions
  /** Messages under way, by direction "a>b"; a direction exists while there is a session. */
  readonly #lines = new Map<string, Message[]>()
  #now = 0

  constructor (names: string, options: ClusterOptions = {}) {
    this.nodes = [...names].map(name => new CoreNode(name))
    this.#options = options
  }

  node (name: string): CoreNode {
    const found = this.nodes.find(node => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  get coordinator (): CoreNode | null {
    return this.nodes.find(node => node.core?.leads === true) ?? null
  }

  // What a test makes happen.

  start (name: string): void {
    const node = this.node(name)
    node.disk.start++
    const config: CoreConfig = {
      self: node.id,
      start: node.disk.start,
      freshCluster: 'c'.repeat(31) + node.name.charCodeAt(0) % 10,
      minConsensus: this.#options.minConsensus ?? this.nodes.length - 1,
      originsMax: this.#options.originsMax ?? 16,
      groupBytesMax: this.#options.groupBytesMax ?? 1000,
      tailBytesMax: 100_000,
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
    node.core = new Core(config, node.disk.recovered(), this.nodes.length - 1, this.#now)
    for (const other of this.nodes) if (other !== node && other.core !== null) this.connect(name, other.name)
    this.#input(node, { type: 'peers', required: this.nodes.filter(other => other !== node).map(other => other.id), unresolved: 0 })
  }

  /** The process dies. Of the persists under way, the first `landed` have reached the disk. */
  crash (name: string, landed = 0): void {
    const node = this.node(name)
    for (const effect of node.persists.slice(0, landed)) node.disk.persist(effect)
    this.#say(`${name} crashes${landed > 0 ? `, ${landed} persists landed` : ''}`)
    node.core = null
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

  connect (a: string, b: string): void {
    const [one, two] = [this.node(a), this.node(b)]
    if (this.#lines.has(`${a}>${b}`) || one.core === null || two.core === null) return
    this.#lines.set(`${a}>${b}`, [])
    this.#lines.set(`${b}>${a}`, [])
    this.#say(`${a} and ${b} connect`)
    this.#input(one, { type: 'up', peer: two.id, start: two.disk.start })
    this.#input(two, { type: 'up', peer: one.id, start: one.disk.start })
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

  write (name: string, key: string, value: string, timeout = 1e6): WriteRecord {
    const record: WriteRecord = { node: name, key, value, settlement: null }
    const body = encodeOperations([{ type: 'put', key: bytes(key), value: bytes(value) }])
    const ticket = this.writes.push(record)
    this.#say(`${name} writes ${key}=${value}`)
    this.#input(this.node(name), {
      type: 'write', ticket, write: { body, operations: decodeOperations(body), kind: 'write' }, seed: false, deadline: this.#now + timeout
    })
    return record
  }

  /** Ends the data that a founder brings along. */
  seeded (name: string): void {
    const body = encodeOperations([])
    this.#input(this.node(name), { type: 'write', ticket: 0, write: { body, operations: [], kind: 'seeded' }, seed: true, deadline: Infinity })
  }

  tick (milliseconds: number): void {
    this.#now += milliseconds
    for (const node of this.nodes) if (node.core !== null) this.#input(node, { type: 'tick', wall: this.#now })
  }

  // What can happen next.

  steps (): Step[] {
    const steps: Step[] = []
    for (const node of this.nodes) {
      if (node.core === null) continue
      if (node.needsFlush) steps.push({ label: `${node.name} flushes`, run: () => { this.#flush(node) } })
      if (node.persists.length > 0) steps.push({ label: `${node.name} persists ${describePersist(node.persists[0] as PersistEffect)}`, run: () => { this.#persist(node) } })
      if (node.applies.length > 0) steps.push({ label: `${node.name} applies`, run: () => { this.#apply(node) } })
      if (node.work[0] !== undefined) steps.push({ label: `${node.name} ${node.work[0].type}s`, run: () => { this.#work(node) } })
    }
    for (const [direction, messages] of this.#lines) {
      const message = messages[0]
      if (message !== undefined) steps.push({ label: `${direction} ${describe(message)}`, run: () => { this.#deliver(direction) } })
    }
    return steps
  }

  /** Runs steps, by default always the first that is possible, until none is left or `until` says so. */
  run (until: (step: Step) => boolean = () => false, choose: (steps: Step[]) => Step = steps => steps[0] as Step): void {
    for (let i = 0; i < 100_000; i++) {
      const steps = this.steps()
      if (steps.length === 0) return
      const step = choose(steps)
      if (until(step)) return
      step.run()
    }
    throw new Error('does not come to rest:\n' + this.transcript.slice(-40).join('\n'))
  }

  /** Runs, and lets time pass, until there is nothing wrong. Returns what is wrong in the end. */
  settle (choose: (steps: Step[]) => Step = steps => steps[0] as Step): string[] {
    for (let i = 0; i < 2000; i++) {
      this.run(() => false, choose)
      if (this.steps().length === 0 && this.differences().length === 0) return []
      this.tick(50)
    }
    return this.differences()
  }

  startAll (): this {
    for (const node of this.nodes) if (node.core === null) this.start(node.name)
    return this
  }

  // Checks.

  /** Every replica and every log is the same, and everything is applied. */
  differences (): string[] {
    const found: string[] = []
    const [first, ...others] = this.nodes
    const base = Math.max(...this.nodes.map(({ disk }) => disk.base.position))
    for (const node of others) {
      for (const what of ['entries', 'data', 'rows', 'applied'] as const) {
        const [ours, theirs] = [node, first as CoreNode].map(({ disk }) => show(what === 'entries' ? disk.entriesAfter(base) : disk[what]))
        if (ours !== theirs) found.push(`${what} of ${node.name}: ${ours}; of ${first?.name}: ${theirs}`)
      }
    }
    for (const node of this.nodes) {
      if (node.core === null || !node.core.ready) found.push(`${node.name} is not ready`)
      if (node.core !== null && !node.core.pending.empty) found.push(`${node.name} has pending keys`)
    }
    // Settled truthfully, and at most once in the log.
    const logged = new Map<string, number>()
    for (const entry of this.order.values()) {
      const { operations = [] } = JSON.parse(entry) as { operations?: Array<{ value: string }> }
      for (const { value } of operations) logged.set(value, (logged.get(value) ?? 0) + 1)
    }
    for (const { node, value, settlement } of this.writes) {
      const times = logged.get(value) ?? 0
      if (times > 1) found.push(`${value} is in the log ${times} times`)
      if (settlement === null) found.push(`${value} of ${node} is not settled`)
      else if (settlement.outcome === 'committed' && times !== 1) found.push(`${value} of ${node} is acknowledged and lost`)
      else if (settlement.outcome === 'aborted' && times !== 0) found.push(`${value} of ${node} is rejected and applied`)
    }
    return found
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
    this.#input(node, { type: 'persisted', id: effect.id, applied: node.disk.applied })
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

  #input (node: CoreNode, input: Parameters<Core['step']>[0]): void {
    if (node.core === null) return
    if (input.type !== 'flush') node.needsFlush = true
    for (const effect of node.core.step(input, this.#now)) {
      switch (effect.type) {
        case 'persist': node.persists.push(effect); break
        case 'apply': node.applies.push(effect); break
        case 'load':
        case 'chunk':
        case 'restore': node.work.push(effect); break
        // Of the data as they are now.
        case 'digest': node.work.push({ ...effect, data: show(node.disk.data) } as Effect & { type: 'digest' }); break
        case 'diverged': throw new Error(`${node.name} differs at ${effect.position}`)
        case 'conflict': node.conflicts.push(effect.why); break
        case 'changed': this.#say(`${node.name} ${node.core.ready ? 'ready' : 'not ready'}`); break
        case 'send': this.#lines.get(`${node.name}>${this.#nameOf(effect.to)}`)?.push(effect.message); break
        case 'disconnect': this.disconnect(node.name, this.#nameOf(effect.peer)); break
        case 'settle': {
          const record = this.writes[effect.ticket - 1]
          if (record !== undefined && record.settlement === null) record.settlement = effect.settlement
          this.#say(`${node.name} settles ${record?.value}: ${effect.settlement.outcome}`)
          break
        }
        default: effect satisfies never
      }
    }
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
  if (persist.cut !== null) parts.push(`cut ${persist.cut}`)
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

export function bytes (value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function text (value: Uint8Array): string {
  return new TextDecoder().decode(value)
}
