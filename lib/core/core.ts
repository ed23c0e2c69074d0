import { assert } from '../errors.ts'
import { Agreement } from './agreement.ts'
import type { AgreementHost } from './agreement.ts'
import { Application } from './application.ts'
import { CatchUp, sourcesIn } from './catch-up.ts'
import type { CatchUpHost, Progress } from './catch-up.ts'
import { Copying } from './copying.ts'
import { Observing } from './observing.ts'
import type { ObservingHost } from './observing.ts'
import { ReadIndexes } from './read-index.ts'
import type { ReadIndexHost } from './read-index.ts'
import { Belonging } from './belonging.ts'
import type { CoreConfig, Recovered } from './config.ts'
import { Coordinator } from './coordinator.ts'
import type { CoordinatorHost } from './coordinator.ts'
import { Durability } from './durability.ts'
import type { CopyState, Effect, Input, Persist } from './effects.ts'
import type { Entry, Group, LogName, MemberId } from './entry.ts'
import { Heartbeats } from './heartbeats.ts'
import type { HeartbeatHost, LeaseState } from './heartbeats.ts'
import { longer } from './leases.ts'
import { Log } from './log.ts'
import type { LogHost } from './log.ts'
import type { LogTail } from './log-tail.ts'
import { epochOf, membersOnly, observersMay } from './messages.ts'
import type { Denial, Founding, Joining, Message, PromiseMessage, Removal } from './messages.ts'
import type { OriginTable } from './origins.ts'
import { Pace } from './pace.ts'
import type { ParticipantHost } from './participant.ts'
import { Participant } from './participant.ts'
import type { PendingKeys } from './pending.ts'
import { Preference } from './preference.ts'
import { isInView, isReadable, isWitnessing } from './readiness.ts'
import type { SourceHost } from './source.ts'
import { Source } from './source.ts'
import { Relaying } from './relaying.ts'
import type { RelayHost } from './relaying.ts'
import { Submissions } from './submissions.ts'
import type { View, Vow } from './view.ts'
import { holders, isLive } from './view.ts'

type Hosts = AgreementHost & CatchUpHost & CoordinatorHost & HeartbeatHost & LogHost & ObservingHost & ParticipantHost & ReadIndexHost & RelayHost & SourceHost

/** The replication core of one node: a state machine from inputs to effects, without I/O, clock or randomness. */
export class Core implements Omit<Hosts, 'append' | 'commit'>, Pick<ParticipantHost, 'append'> {
  readonly self: MemberId
  readonly start: number
  readonly agreement: Agreement
  readonly submissions: Submissions

  readonly #config: CoreConfig
  readonly #pace: Pace
  readonly #heartbeats: Heartbeats
  readonly #application: Application
  readonly #log: Log
  readonly #durability = new Durability(effect => { this.emit(effect) })
  readonly #source: Source
  readonly #readIndexes = new ReadIndexes(this)
  readonly #relaying = new Relaying(this)
  readonly #catchUp: CatchUp
  readonly copying: Copying
  /** Null unless this node is an observer. */
  readonly #observing: Observing | null
  #effects: Effect[] = []
  /** Messages to this very node. */
  #loop: Message[] = []
  #now: number
  #wall: number
  #stopped = false

  readonly #belonging: Belonging
  #coordinator: Coordinator | null = null
  #participant: Participant | null = null
  #wasReady = false
  #wasFit = true
  /** Everything that this log ever held is in it. */
  #intact: boolean
  /** Everything up to here was committed in a view with as many members as the callers of this node ask for. */
  #assured = 0
  /** In this epoch, the coordinator does not get on. */
  #accusedIn = 0
  readonly #preference = new Preference()
  /** The last view that this node was told to open. */
  #opening = 0
  /** When this node gave its last promise, its data were complete: others may count on its log. */
  #promisedWhole = true

  /** `now` and `wall`: the clocks, as for `step`. */
  constructor (config: CoreConfig, recovered: Recovered, unresolved: number, now: number, wall: number) {
    this.#config = config
    this.self = config.self
    this.start = config.start
    this.#now = now
    this.#wall = wall
    this.#pace = new Pace(config.failureTimeoutMs)
    this.#intact = recovered.intact
    this.#belonging = new Belonging(this, config, recovered, unresolved)
    this.#application = new Application(config.originsMax, config.keysMax, config.applyBytesMax, { position: recovered.applied, seeded: recovered.seeded, rows: recovered.rows, keys: recovered.keys })

    this.#log = new Log(this, recovered, config.logBytesMax)
    this.agreement = new Agreement(this, config.freshCluster, config.failureTimeoutMs, now)
    this.submissions = new Submissions(this, config)
    this.#heartbeats = new Heartbeats(this, config.failureTimeoutMs)
    this.#source = new Source(this)
    this.#catchUp = new CatchUp(this, 2 * this.#pace.stallMs, config.tailBytesMax, config)
    this.#observing = config.observer ? new Observing(this) : null
    this.copying = new Copying(this, { belonging: this.#belonging, log: this.#log, application: this.#application, pace: this.#pace }, recovered.copy)
  }

  /** `now`: this node's monotonic clock; `wall`: its wall clock; both in milliseconds. */
  step (input: Input, now: number, wall: number): Effect[] {
    const before = this.#now
    this.#now = Math.max(before, now)
    this.#wall = wall
    if (this.#pace.isPause(before, now)) this.#forgive()
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

  get now (): number { return this.#now }
  get wall (): number { return this.#wall }
  get vow (): Vow { return this.#belonging.vow }
  get view (): View | null { return this.#belonging.view }
  get known (): View | null { return this.#belonging.known }
  get cluster (): string { return this.#belonging.cluster }
  get founding (): Founding | null { return this.#belonging.founding }
  get joining (): Joining | null { return this.#belonging.joining }
  get removing (): readonly Removal[] { return this.#belonging.removing }
  get recoveryCluster (): string { return this.#belonging.recoveryCluster }
  get recovering (): readonly MemberId[] { return this.#belonging.recovering }
  get mustCopy (): boolean { return this.#belonging.mustCopy }
  get isPromised (): boolean { return this.#belonging.isPromised && this.#promisedWhole }
  get minConsensus (): number { return this.#belonging.minConsensus }
  get tail (): LogTail { return this.#log.tail }
  get pending (): PendingKeys { return this.#log.pending }
  get base (): LogName { return this.#log.base }
  get committed (): number { return this.#log.committed }
  get applied (): number { return this.#application.applied }
  get table (): OriginTable { return this.#application.table }
  get applying (): number { return this.#application.at }
  get syncedApplied (): number { return this.#durability.applied }
  get seeded (): boolean { return this.#application.seeded }
  get end (): number { return this.#log.end }
  get logBytes (): number { return this.#log.bytes }
  get leads (): boolean { return this.#coordinator !== null }
  get copy (): CopyState | null { return this.copying.state }
  get connected (): MemberId[] { return this.agreement.connected }
  /** The data are a state of the database, not half of a copy. */
  get complete (): boolean { return this.copy === null }
  /** A clean stop now would leave a log that holds everything it should. */
  get intact (): boolean { return this.#intact }
  /** How often a part of the log was cut off. */
  get cuts (): number { return this.#log.cuts }
  get atRest (): boolean { return this.#application.atRest && !this.copying.restoring }
  get backlogged (): boolean { return this.tail.bytes >= this.#config.tailBytesMax && this.committed > this.applied }
  get caughtUp (): boolean { return this.#catchUp.caughtUp }
  /** The data are the cluster's. */
  get hasCopy (): boolean { return this.known !== null && this.complete && !this.mustCopy && (this.known.seeder === null || this.seeded) }
  get isCurrent (): boolean { return this.readable(this.#now, this.#wall) }
  /** It is an observer. */
  get observes (): boolean { return this.#observing !== null }
  /** Of an observer, up to which number of `sync()`. */
  get synced (): number { return this.#observing?.synced ?? 0 }
  get progress (): Progress | null { return this.#catchUp.progress }
  get accused (): boolean { return this.#accusedIn > 0 && this.known?.epoch === this.#accusedIn }
  get lost (): readonly MemberId[] { return this.#coordinator?.lost ?? [] }
  get stalled (): readonly MemberId[] { return this.#coordinator?.stalled(this.#pace.stallMs) ?? [] }

  get settledData (): boolean { return this.known === null || this.known.seeder === null || this.seeded }
  get opening (): boolean { return this.#opening > (this.known?.epoch ?? 0) && this.#opening === this.vow.epoch }
  get preferred (): MemberId | null { return this.#config.handsOver ? this.#preference.member : null }

  /** This node leads, all live members follow as far as they can be expected to, and no lease of an earlier view can be left. */
  get settled (): boolean {
    const coordinator = this.#coordinator
    return coordinator !== null && (coordinator.complete || coordinator.view.leaseFree) && coordinator.waited && (coordinator.view.seeder === null || this.seeded)
  }

  /** False while this node can take no part: it stops, or its store does not get on. */
  get fit (): boolean {
    return !this.#stopped && !this.#belonging.removed && !this.#pace.hangs(this.#now, this.#durability.since)
  }

  get testimony (): Omit<PromiseMessage, 'type' | 'epoch'> {
    return {
      accepted: this.#belonging.newestAccepted,
      known: this.known?.epoch ?? 0,
      installed: this.view?.epoch ?? 0,
      intact: this.#intact,
      complete: this.complete && !this.mustCopy && !this.#config.witness,
      caughtUp: this.caughtUp,
      minConsensus: this.#belonging.statedMinConsensus,
      end: this.tail.nameAt(this.#log.durableEnd),
      base: this.base.position,
      committed: this.committed,
      leases: this.#heartbeats.leases.left(this.#now)
    }
  }

  get snapshot (): SourceHost['snapshot'] { return { base: this.tail.nameAt(this.applied), rows: [...this.#application.table.entries()], keys: [...this.#application.keys.entries()] } }

  get sources (): MemberId[] {
    return sourcesIn(this.known, this.self, id => this.agreement.statusOf(id)?.installed)
  }

  isUp (node: MemberId, start?: number): boolean { return this.agreement.isUp(node, start) }
  isObserver (peer: MemberId): boolean { return this.agreement.isObserver(peer) }
  appliedBy (member: MemberId): number { return this.#heartbeats.appliedBy([member]) }

  lease (now: number, wall: number): LeaseState {
    return this.#heartbeats.lease(now, wall)
  }

  /** This node's data are at this moment those of the cluster: a prefix of the one order, of which nothing is missing. */
  readable (now: number, wall: number): boolean {
    return !this.#stopped && (this.#observing === null ? isReadable(this, this.lease(now, wall)) : this.hasCopy)
  }

  /** Readable, in a view with its coordinator, and with enough live members connected. */
  get ready (): boolean {
    if (this.#config.witness) return !this.#stopped && isWitnessing(this)
    if (this.#observing !== null) return !this.#stopped && this.#observing.ready
    return isInView(this, this.#coordinator, this.#participant) && this.readable(this.#now, this.#wall)
  }

  /** The founder whose data are to be written into the log is this one, and it is time. */
  get mustSeed (): boolean {
    return this.view?.seeder === this.self && !this.seeded && isInView(this, this.#coordinator, this.#participant) && !this.#stopped
  }

  /** The position that a read of these keys has to wait for; 0 if it need not. */
  positionOf (keys: readonly Uint8Array[]): number {
    return keys.reduce((position, key) => Math.max(position, this.pending.position(key)), 0)
  }

  /** The same for all keys for which `inRange` holds. */
  positionOfRange (inRange: (key: Uint8Array) => boolean): number {
    return this.#log.lastTouching(inRange)
  }

  // What the parts of the core ask for.

  send (to: MemberId, message: Message): void {
    if (to === this.self) this.#loop.push(message)
    else if (this.agreement.isUp(to)) this.emit({ type: 'send', to, message })
  }

  emit (effect: Effect): void { this.#effects.push(effect) }

  persist (step: Partial<Persist>, then?: () => void): void {
    this.#durability.persist(step, this.#now, then)
  }

  append (group: Group, then: () => void, view: View | null = null): void { this.#log.append(group, then, view) }
  cut (position: number): void { this.#log.cut(position) }
  onLogged (entry: Entry): void { this.submissions.onLogged(entry) }
  onCut (entry: Entry): void { this.submissions.onCut(entry) }

  /** `view`: in which all live members have everything up to here; null if not known. */
  commit (position: number, view: View | null): void {
    if (this.#log.commit(position)) this.#pace.onProgress()
    // All live members of some view had what an observer is given, as their callers ask for.
    if (this.#observing !== null || (view !== null && view.live.length > this.minConsensus)) this.#assured = Math.max(this.#assured, position)
  }

  promise (vow: Vow, then: () => void): void {
    assert(vow.epoch > this.vow.epoch, 'promises rise')
    this.#promisedWhole = true
    this.#belonging.vow = vow
    this.#leaveView()
    this.persist({ vow }, () => {
      this.#promisedWhole = this.testimony.complete
      then()
    })
  }

  accept (view: View, then: () => void): void {
    this.#belonging.accepted = view
    this.persist({ accepted: view }, then)
  }

  learn (view: View): void {
    const before = this.known
    if (!this.#belonging.learn(view)) return
    this.agreement.onLearned(before, view)
    this.#preference.onView(before, view, this.#now)
    const { vow } = this
    if (view.epoch > vow.epoch) this.promise({ epoch: view.epoch, to: '', members: view.members, cluster: view.cluster }, () => {})
    else if (vow.cluster !== view.cluster) this.persist({ vow: this.#belonging.vow = { ...vow, cluster: view.cluster } })
    if (this.#belonging.removed) this.#leaveView()
    // It has nothing to install; but it has to know after a restart that it is a member.
    else if (this.#config.witness && view.members.includes(this.self)) {
      this.persist({ view }, () => {
        this.#belonging.view = view
        this.agreement.announce()
      })
    }
    this.agreement.announce()
  }

  open (view: View, waitMs: number): void {
    // Half a copy leads nobody: the others will propose again.
    if (!this.complete || this.#opening >= view.epoch) return
    const waitUntil = this.#now + longer(waitMs)
    this.#opening = view.epoch
    // Nobody is told of it before: if all who knew of a first view forgot it, nobody could go on from there.
    this.persist({ view }, () => {
      this.learn(view)
      this.#enter(view)
      if (this.vow.epoch !== view.epoch) return
      const { table, keys, seeded } = this.#application.atEnd(this.tail)
      this.#coordinator = new Coordinator(this, view, table, keys, seeded || view.seeder === null, waitUntil, this.#config)
      this.agreement.announce()
      for (const peer of this.connected) this.#coordinator.onUp(peer)
      this.submissions.connect(this.self, view.epoch)
    })
  }

  onInstalled (participant: Participant): void {
    const { view } = participant
    if ((this.view?.epoch ?? 0) < view.epoch) {
      this.#enter(view)
      this.agreement.announce()
    }
    // The step may have become durable after the session was lost, or after a later promise.
    if (this.#participant === participant) this.submissions.connect(view.coordinator, view.epoch)
  }

  onRestored (): void { this.#catchUp.onRestored() }

  onCopied (): void {
    this.#intact = true
    this.#catchUp.onCopied()
  }

  keepView (view: View): void {
    this.#belonging.view = view
    this.persist({ view })
  }

  reset (...begin: Parameters<Copying['begin']>): void { this.copying.begin(...begin) }
  restore (effect: Parameters<Copying['restore']>[0]): void { this.copying.restore(effect) }
  copied (): void { this.copying.end() }
  onCaughtUp (): void { this.agreement.announce() }
  onDiverged (position: number, peer: MemberId): void { this.emit({ type: 'diverged', position, peer }) }
  onConflict (of: 'names' | 'data', why: string): void { this.emit({ type: 'conflict', of, why }) }

  // Inputs.

  #take (input: Input): void {
    switch (input.type) {
      case 'up':
        this.agreement.onUp(input.peer, input.start, input.observer)
        this.#coordinator?.onUp(input.peer)
        this.#relaying.onUp(input.peer)
        break
      case 'down':
        this.#onDown(input.peer)
        break
      case 'message':
        if (this.agreement.isUp(input.from)) this.#onMessage(input.from, input.message)
        break
      case 'persisted': this.#onPersisted(input.id, input.applied); break
      case 'applied': this.#onApplied(input.through); break
      case 'restored': this.copying.onRestored(); break
      case 'chunk': {
        const { type, to, ...chunk } = input
        this.#source.onChunk(to, chunk)
        break
      }
      case 'digested':
        this.#source.onDigested(input.position, input.digest)
        this.#catchUp.onDigested(input.position, input.digest)
        break
      case 'loaded':
        this.#coordinator?.onLoaded(input.to, input.from, input.groups)
        this.#source.onLoaded(input.to, input.from, input.groups)
        break
      case 'write':
        this.submissions.add(input.ticket, input.write, input.seed, input.deadline)
        break
      case 'sync': this.#observing?.onSync(input.number); break
      case 'question': this.submissions.ask(input.origin, input.number); break
      case 'peers':
        this.#belonging.onPeers(input.required, input.unresolved)
        if (this.known === null) this.agreement.announce()
        else this.agreement.evaluate()
        break
      case 'remove':
        this.#belonging.onRemove(input.id, input.force, input.wanted)
        this.agreement.onWish()
        break
      case 'recover':
        this.#belonging.recovering = [...input.members].sort()
        this.#belonging.recoveryCluster = input.cluster
        this.agreement.onWish()
        break
      case 'unreachable': this.submissions.rejectAll('unreachable'); break
      case 'tick': this.#onTick(); break
      case 'flush': this.#coordinator?.flush(input.last); break
      case 'stop':
        this.submissions.rejectAll(input.why)
        this.#leaveView()
        this.#stopped = true
        this.#heartbeats.onStop()
        // The others need not wait until they miss this node.
        this.agreement.announce()
        break
      default:
        assert(input satisfies never, 'every input is known')
    }
  }

  #onMessage (from: MemberId, message: Message): void {
    this.agreement.onHeard(from)
    const isObserver = this.isObserver(from)
    if (isObserver ? !observersMay.has(message.type) : membersOnly.has(message.type) && this.known?.members.includes(from) !== true) return
    const epoch = epochOf(message)
    const coordinator = this.#coordinator?.view.epoch === epoch ? this.#coordinator : null
    const participant = this.#participant?.view.epoch === epoch && this.#participant.view.coordinator === from ? this.#participant : null
    if (isObserver && coordinator === null) this.#relaying.onMessage(from, message)

    switch (message.type) {
      case 'status': if (isObserver) this.#source.onStatus(from, message.caughtUp); else this.agreement.onStatus(from, message); break
      case 'propose': this.agreement.acceptor.onPropose(from, message); break
      case 'refuse': this.agreement.onRefuse(from, message.epoch); break
      case 'promise': this.agreement.onPromise(from, message); break
      case 'accept': this.agreement.acceptor.onAccept(from, message); break
      case 'accepted': this.agreement.onAccepted(from, message.epoch); break
      case 'lead': this.agreement.acceptor.onLead(from, message); break
      case 'deny': if (this.known?.members.includes(from) === true) this.#onDeny(message.id, message.why); break
      case 'view': this.#onView(from, message.view); break
      case 'follow': coordinator?.onFollow(from, message.outline, message.intact, this.appliedBy(from)); break
      case 'sync': participant?.onSync(message); break
      case 'prepare': participant?.onPrepare(message); break
      case 'ack': coordinator?.onAck(from, message.end, message.installed); break
      case 'commit': participant?.onCommit(message.committed); break
      case 'open': if (from === this.self || this.agreement.isUp(from, message.start)) coordinator?.onOpen(from, message.start, isObserver); break
      case 'submit':
        if (coordinator !== null && !isObserver) this.#preference.onWrites(from, message.writes.length)
        coordinator?.onSubmit(from, message)
        break
      case 'withdraw': coordinator?.onWithdraw(from, message.origin, message.number); break
      case 'heartbeat': this.#heartbeats.onHeartbeat(from, message); break
      case 'grant': this.#heartbeats.onGrant(from, message); break
      case 'fetch': this.#source.onFetch(from, message); break
      case 'fetched': this.#catchUp.onFetched(from, message); break
      case 'copy': this.#source.onRequest(from, message); break
      case 'snapshot': this.#catchUp.onSnapshot(from, message); break
      case 'chunk': this.#catchUp.onChunk(from, message); break
      case 'verify': this.#source.onRequest(from, message); break
      case 'verifying': this.#catchUp.onVerifying(from, message.position); break
      case 'digest': this.#catchUp.onDigest(from, message); break
      case 'readIndex': this.#readIndexes.onAsk(from, message.number); break
      case 'index': this.#observing?.onIndex(message); break
      case 'relay': coordinator?.onRelay(from, message); break
      case 'unrelayed': this.#relaying.onUnrelayed(from, message.node); break
      default: assert(message satisfies never, 'every message is known')
    }
  }

  #onView (from: MemberId, view: View): void {
    if (view.coordinator !== from || !this.agreement.isUp(from, view.coordinatorStart)) return
    this.learn(view)
    // Without a promise of this very epoch, nobody is live in it.
    if (this.known?.epoch !== view.epoch || this.vow.epoch !== view.epoch || !isLive(view, this.self) || !this.complete) return
    this.#participant = new Participant(this, view, this.view?.epoch === view.epoch)
    // It has its time from here on.
    this.#pace.onProgress()
  }

  #onDeny (id: MemberId, why: Denial): void {
    this.#belonging.onRemove(id, false, false)
    this.emit({ type: 'denied', id, why })
  }

  #onDown (peer: MemberId): void {
    this.#coordinator?.onDown(peer)
    if (this.#participant?.view.coordinator === peer) {
      this.#participant = null
      this.submissions.disconnect()
    }
    this.#source.onDown(peer)
    this.#readIndexes.onDown(peer)
    this.#relaying.onDown(peer)
    if (this.known?.members.includes(peer) === false) this.#heartbeats.forget(peer)
    this.#catchUp.onDown(peer)
    this.agreement.onDown(peer)
  }

  #onTick (): void {
    if (this.#observing === null) this.#heartbeats.onTick()
    this.submissions.onTick(this.#now)
    this.#coordinator?.onTick()
    this.#preference.onTick(this.#now)
    const view = this.#participant?.view
    if (view?.leaseFree === false && this.#pace.isStuck(this.#now)) this.#accusedIn = view.epoch
    this.agreement.evaluate()
    if (this.#belonging.isBehind) this.#catchUp.go()
    const { known } = this
    // Until the founders' data are in the log, the seeder's own are the only ones: it never needs a copy.
    // A promise tells where the log begins.
    if (known === null || !this.complete || this.#belonging.isPromised || (known.seeder !== null && !this.seeded)) return
    const [all, live] = this.#observing === null ? [[...holders(known), ...this.agreement.joiners], [this.self, ...known.live.map(({ id }) => id)]] : [[this.self], [this.self]]
    this.#log.truncate(this.#heartbeats.appliedBy(all), this.#heartbeats.appliedBy(live))
  }

  #onPersisted (id: number, applied: number): void {
    this.#durability.onPersisted(id, applied)
    this.#participant?.acknowledge()
  }

  #onApplied (through: number): void {
    assert(through === this.#application.at, 'one apply at a time')
    this.#pace.onBusy(null)
    const groups = this.#application.done(this.tail)
    for (const group of groups) group.entries.forEach((entry, i) => { this.submissions.onApplied(group.first + i, entry) })
    this.#log.onApplied(groups)
    const { id } = this.submissions
    if (id !== 0 && this.#application.table.get(id) === undefined) this.submissions.onForgotten()
    this.#catchUp.onApplied()
    this.#participant?.acknowledge()
  }

  // What follows from the state.

  /** This process has not run for a while: whatever did not come meanwhile is nobody's fault. */
  #forgive (): void {
    this.agreement.forgive()
    this.#coordinator?.forgive()
    this.#durability.forgive(this.#now)
    this.#pace.forgive(this.#now)
  }

  #enter (view: View): void {
    this.#belonging.view = view
    this.#pace.onProgress()
    this.#heartbeats.onEntered()
  }

  #leaveView (): void {
    this.#coordinator?.depose()
    this.#coordinator = null
    this.#participant = null
    this.submissions.disconnect()
  }

  /** After each input: what follows from the new state, whichever part has changed it. */
  #refresh (): void {
    if (this.#stopped) return
    if (this.#belonging.forgetDone()) this.agreement.onWish()
    if (this.#belonging.removed && this.agreement.isInstalled) this.#belonging.tellRemoved()
    if (this.#belonging.isBehind && this.#coordinator === null && this.#participant === null) { if (this.#catchUp.idle) this.#catchUp.go() } else this.#catchUp.stop()
    this.#source.serve()
    this.#readIndexes.answer()
    this.#applyNext()
    this.#observing?.refresh()
    this.submissions.onAssured(Math.min(this.#assured, this.applied))
    this.#pace.onPending(this.end > this.committed, this.#now)
    if (!this.#intact) this.#intact = this.#coordinator?.complete ?? this.#participant?.caughtUp ?? false

    const { ready, fit } = this
    if (fit !== this.#wasFit) {
      this.#wasFit = fit
      this.agreement.announce()
    }
    if (ready !== this.#wasReady) {
      this.#wasReady = ready
      this.submissions.onReady(ready)
    }
  }

  #applyNext (): void {
    if (!this.atRest) return
    // Never before the append is durable: an apply that survived its log entries would be a log with a hole.
    const through = Math.min(this.#log.committed, this.#log.durableEnd, this.#catchUp.applyLimit ?? Infinity)
    const apply = this.#application.next(this.tail, through)
    if (apply === null) return
    this.#pace.onBusy(this.#now)
    this.emit(apply)
  }
}
