import { assert } from '../errors.ts'
import { Agreement } from './agreement.ts'
import type { AgreementHost } from './agreement.ts'
import { Coordinator } from './coordinator.ts'
import type { CoordinatorHost } from './coordinator.ts'
import type { CoreConfig, Recovered } from './config.ts'
import type { Effect, Input, Persist } from './effects.ts'
import type { Group, LogName, MemberId } from './entry.ts'
import { lastPosition } from './entry.ts'
import { LogTail } from './log-tail.ts'
import type { Founding, Message } from './messages.ts'
import type { OriginRow } from './origins.ts'
import { OriginTable } from './origins.ts'
import { Participant } from './participant.ts'
import type { ParticipantHost } from './participant.ts'
import { lastTouching, PendingKeys } from './pending.ts'
import { Submissions } from './submissions.ts'
import type { View, Vow } from './view.ts'

/** The replication core of one node: a state machine from inputs to effects, without I/O, clock or randomness. */
export class Core implements CoordinatorHost, ParticipantHost, AgreementHost {
  readonly self: MemberId
  readonly start: number
  readonly tail: LogTail
  readonly pending = new PendingKeys()
  readonly agreement: Agreement
  readonly submissions: Submissions

  readonly #config: CoreConfig
  #effects: Effect[] = []
  /** Messages to this very node. */
  #loop: Message[] = []
  #stopped = false

  #vow: Vow
  #view: View | null
  #coordinator: Coordinator | null = null
  #participant: Participant | null = null
  #required: readonly MemberId[] = []
  #unresolved: number
  #data: string
  /** The founder's data are in the log at `#tableAt`, and at *applied*. */
  #seeded: boolean
  #seededApplied: boolean
  #wasReady = false
  /** Everything that was ever acknowledged is in this log. */
  #complete: boolean

  #persistId = 0
  /** What waits for persists, in order of their ids. */
  #waiting: Array<{ id: number, then: () => void }> = []
  /** Everything up to here is durable in this log. */
  #durableEnd: number
  #cuts = 0
  #committed: number
  #applied: number
  #applying = false
  /** The table of origins at `#tableAt`: *applied*, or where it will be after the apply under way. */
  readonly #table: OriginTable
  #tableAt: number

  constructor (config: CoreConfig, recovered: Recovered, unresolved: number) {
    this.#config = config
    this.self = config.self
    this.start = config.start
    this.#vow = recovered.vow
    this.#complete = config.durable
    this.#view = recovered.view
    this.#unresolved = unresolved
    this.#data = recovered.data
    this.#seeded = this.#seededApplied = recovered.seeded
    this.#applied = this.#committed = this.#tableAt = recovered.applied
    this.#table = new OriginTable(config.originsMax, recovered.rows)

    this.tail = new LogTail(recovered.applied, recovered.runs)
    for (const group of recovered.groups) {
      this.tail.append(group)
      this.pending.mark(group)
    }
    this.#durableEnd = this.tail.end.position
    this.agreement = new Agreement(this, config.freshCluster)
    this.submissions = new Submissions(this, config)
  }

  step (input: Input): Effect[] {
    if (this.#stopped) {
      if (input.type === 'write') this.emit({ type: 'settle', ticket: input.ticket, settlement: { outcome: 'aborted', why: 'closed', transaction: null } })
    } else {
      try {
        this.#take(input)
        this.#refresh()
        for (let message = this.#loop.shift(); message !== undefined; message = this.#loop.shift()) {
          this.#onMessage(this.self, message)
          this.#refresh()
        }
      } catch (error) {
        // Half of a step is nobody's business.
        this.#effects = []
        this.#loop = []
        throw error
      }
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  get vow (): Vow { return this.#vow }
  get view (): View | null { return this.#view }
  get committed (): number { return this.#committed }
  get applied (): number { return this.#applied }
  get end (): number { return this.tail.end.position }
  get logEnd (): LogName { return this.tail.end }
  get leads (): boolean { return this.#coordinator !== null }

  get founding (): Founding {
    return {
      minConsensus: this.#config.minConsensus ?? this.#required.length + this.#unresolved,
      required: this.#required,
      unresolved: this.#unresolved,
      connected: this.agreement.connected.slice(0, 64),
      data: this.#data,
      vowed: this.#vow.members
    }
  }

  /** This node's data are those of the cluster: a prefix of the one order. */
  get readable (): boolean {
    return this.#view !== null && this.#complete && (this.#view.seeder === null || this.#seededApplied) && !this.#stopped
  }

  /** Readable, in a view with its coordinator, and connected with all members. */
  get ready (): boolean {
    return this.readable && this.#connected && this.#inView
  }

  /** The founder whose data are to be written into the log is this one, and it is time. */
  get mustSeed (): boolean {
    return this.#view?.seeder === this.self && !this.#seededApplied && this.#connected && this.#inView && !this.#stopped
  }

  /** The position that a read of these keys has to wait for; 0 if it need not. */
  positionOf (keys: readonly Uint8Array[]): number {
    let position = 0
    for (const key of keys) position = Math.max(position, this.pending.position(key))
    return position
  }

  /** The same for all keys for which `inRange` holds. */
  positionOfRange (inRange: (key: Uint8Array) => boolean): number {
    return this.pending.empty ? 0 : lastTouching(this.tail.after(this.#applied), inRange)
  }

  send (to: MemberId, message: Message): void {
    if (to === this.self) this.#loop.push(message)
    else if (this.agreement.isUp(to)) this.emit({ type: 'send', to, message })
  }

  emit (effect: Effect): void {
    this.#effects.push(effect)
  }

  persist (step: Partial<Persist>, then?: () => void): void {
    const id = ++this.#persistId
    const { groups = [], cut = null, vow = null, view = null } = step
    this.emit({ type: 'persist', id, persist: { groups, cut, vow, view } })
    if (then !== undefined) this.#waiting.push({ id, then })
  }

  append (group: Group, then: () => void, view: View | null = null, cut: number | null = null): void {
    this.tail.append(group)
    this.pending.mark(group)
    for (const entry of group.entries) this.submissions.onLogged(entry)

    const cuts = this.#cuts
    this.persist({ groups: [group], view, cut }, () => {
      // Unless it was cut on its way to the disk.
      if (cuts === this.#cuts) this.#durableEnd = lastPosition(group)
      then()
    })
  }

  cut (position: number): void {
    assert(position >= this.#committed, 'nothing that is committed is cut')
    const removed = this.tail.cut(position)
    for (const group of removed) for (const entry of group.entries) this.submissions.onCut(entry)
    this.#cuts++
    this.#durableEnd = Math.min(this.#durableEnd, position)
    this.pending.clear()
    this.tail.visit(this.#applied, (group) => { this.pending.mark(group); return true })
  }

  commit (position: number): void {
    assert(position <= this.end, 'what is committed is in the log')
    if (position > this.#committed) this.#committed = position
  }

  promise (vow: Vow, then: () => void): void {
    assert(vow.epoch > this.#vow.epoch, 'promises rise')
    this.#vow = vow
    this.#leaveView()
    this.persist({ vow }, then)
  }

  open (view: View): void {
    this.#view = view
    this.persist({ view }, () => {
      if (this.#vow.epoch !== view.epoch) return
      const table = this.#table.clone()
      let seeded = view.seeder === null || this.#seeded
      this.tail.visit(this.#tableAt, (group) => {
        group.entries.forEach((entry, i) => {
          table.take(group.first + i, entry)
          if (entry.kind === 'seeded') seeded = true
        })
        return true
      })
      this.#coordinator = new Coordinator(this, view, table, this.#committed, seeded, this.#config)
      this.agreement.announce()
      for (const peer of this.agreement.connected) this.#coordinator.onUp(peer)
      this.submissions.connect(this.self, view.epoch)
    })
  }

  onInstalled (participant: Participant): void {
    const { view } = participant
    if (this.#view === null || this.#view.epoch < view.epoch) {
      this.#view = view
      this.agreement.announce()
    }
    // The step may have become durable after the session was lost, or after a later promise.
    if (this.#participant === participant) this.submissions.connect(view.coordinator, view.epoch)
  }

  onConflict (why: string): void {
    this.emit({ type: 'conflict', why })
  }

  #take (input: Input): void {
    switch (input.type) {
      case 'up':
        this.agreement.onUp(input.peer, input.start)
        this.#coordinator?.onUp(input.peer)
        break
      case 'down':
        this.#onDown(input.peer)
        break
      case 'message':
        if (this.agreement.isUp(input.from)) this.#onMessage(input.from, input.message)
        break
      case 'persisted':
        this.#onPersisted(input.id)
        break
      case 'applied':
        this.#onApplied(input.through)
        break
      case 'loaded':
        this.#coordinator?.onLoaded(input.to, input.from, input.groups)
        break
      case 'write':
        this.submissions.add(input.ticket, input.write, input.seed, input.deadline)
        break
      case 'peers':
        this.#required = input.required
        this.#unresolved = input.unresolved
        if (this.#view === null) this.agreement.announce()
        else this.agreement.evaluate()
        break
      case 'unreachable':
        this.submissions.rejectAll('unreachable')
        break
      case 'tick':
        this.submissions.onTick(input.now)
        break
      case 'flush':
        this.#coordinator?.flush(input.last)
        break
      case 'stop':
        this.submissions.rejectAll(input.why)
        this.#leaveView()
        this.#stopped = true
        break
      default:
        assert(input satisfies never, 'every input is known')
    }
  }

  #onMessage (from: MemberId, message: Message): void {
    if (this.#view !== null && !this.#view.members.includes(from)) {
      return this.emit({ type: 'disconnect', peer: from, reason: 'is not a member' })
    }
    const coordinator = 'epoch' in message && this.#coordinator?.view.epoch === message.epoch ? this.#coordinator : null
    const participant = 'epoch' in message && this.#participant?.view.epoch === message.epoch &&
      this.#participant.view.coordinator === from
      ? this.#participant
      : null

    switch (message.type) {
      case 'status': this.agreement.onStatus(from, message); break
      case 'propose': this.agreement.onPropose(from, message); break
      case 'refuse': this.agreement.onRefuse(from, message.epoch); break
      case 'promise': this.agreement.onPromise(from, message); break
      case 'lead': this.agreement.onLead(from, message); break
      case 'view': this.#onView(from, message.view); break
      case 'follow': coordinator?.onFollow(from, message.outline); break
      case 'sync': participant?.onSync(message); break
      case 'prepare': participant?.onPrepare(message); break
      case 'ack': coordinator?.onAck(from, message.end, message.installed); break
      case 'commit': participant?.onCommit(message.committed); break
      case 'open': if (from === this.self || this.agreement.isUp(from, message.start)) coordinator?.onOpen(from, message.start); break
      case 'submit': coordinator?.onSubmit(from, message); break
      case 'withdraw': coordinator?.onWithdraw(from, message.origin, message.number); break
      default: assert(message satisfies never, 'every message is known')
    }
  }

  #onView (from: MemberId, view: View): void {
    const installed = this.#view?.epoch === view.epoch
    const rightful = view.coordinator === from && this.agreement.isUp(from, view.coordinatorStart)
    // Without a promise of this very epoch, the view could not have come about.
    if (!rightful || view.epoch !== this.#vow.epoch || !view.members.includes(this.self)) return
    if (this.#view !== null && this.#view.cluster !== view.cluster) return
    this.#participant = new Participant(this, view, installed)
  }

  #onDown (peer: MemberId): void {
    this.agreement.onDown(peer)
    this.#coordinator?.onDown(peer)
    if (this.#participant?.view.coordinator === peer) {
      this.#participant = null
      this.submissions.disconnect()
    }
  }

  #leaveView (): void {
    this.#coordinator?.depose()
    this.#coordinator = null
    this.#participant = null
    this.submissions.disconnect()
  }

  #onPersisted (id: number): void {
    while (this.#waiting.length > 0 && (this.#waiting[0] as { id: number }).id <= id) {
      this.#waiting.shift()?.then()
    }
    this.#participant?.acknowledge()
  }

  #onApplied (through: number): void {
    this.#applying = false
    const forgotten: Group[] = []
    this.tail.visit(this.#applied, (group) => {
      if (lastPosition(group) > through) return false
      forgotten.push(group)
      return true
    })
    this.#applied = through

    for (const group of forgotten) {
      this.pending.release(group)
      group.entries.forEach((entry, i) => { this.submissions.onApplied(group.first + i, entry) })
    }
    this.tail.drop(through)
    this.#seededApplied = this.#seeded
    const { id } = this.submissions
    if (id !== 0 && this.#table.get(id) === undefined) this.submissions.onForgotten()
  }

  #applyNext (): void {
    // Never before the append is durable: an apply that survived its log entries would be a log with a hole.
    const through = Math.min(this.#committed, this.#durableEnd)
    if (this.#applying || through <= this.#applied) return

    const groups: Group[] = []
    const rows = new Map<number, OriginRow | null>()
    let bytes = 0
    this.tail.visit(this.#applied, (group) => {
      if (lastPosition(group) > through) return false
      groups.push(group)
      for (const entry of group.entries) bytes += entry.kind === 'write' ? entry.body.byteLength : 0
      return bytes < this.#config.applyBytesMax
    })
    const last = groups[groups.length - 1]
    if (last === undefined) return

    for (const group of groups) {
      group.entries.forEach((entry, i) => {
        this.#table.take(group.first + i, entry, rows)
        if (entry.kind === 'seeded') this.#seeded = true
      })
    }
    this.#applying = true
    this.#tableAt = lastPosition(last)
    this.emit({ type: 'apply', groups, through: this.#tableAt, epoch: last.epoch, rows, seeded: this.#seeded })
  }

  /** After each input: what follows from the new state, whichever part has changed it. */
  #refresh (): void {
    if (this.#stopped) return
    this.#applyNext()
    if (!this.#complete) this.#complete = this.#coordinator?.complete ?? this.#participant?.caughtUp ?? false
    const { ready } = this
    if (ready !== this.#wasReady) {
      this.#wasReady = ready
      this.submissions.onReady(ready)
      this.emit({ type: 'changed' })
    }
  }

  get #inView (): boolean {
    if (this.#coordinator !== null) return this.#coordinator.complete
    return this.#participant?.installed === true
  }

  get #connected (): boolean {
    const { view } = this
    return view !== null && view.members.length > (this.#config.minConsensus ?? 0) &&
      view.members.every(id => id === this.self || this.agreement.isUp(id))
  }
}
