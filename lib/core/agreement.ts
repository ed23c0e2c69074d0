import type { AcceptorHost } from './acceptor.ts'
import { Acceptor, EPOCHS_AHEAD_MAX } from './acceptor.ts'
import type { MemberId } from './entry.ts'
import type { FounderStatement, FoundingDecision } from './founding.ts'
import { decideFounding } from './founding.ts'
import { Membership } from './membership.ts'
import type { Founding, Joining, PromiseMessage, Removal, StatusMessage } from './messages.ts'
import { Peers } from './peers.ts'
import type { Change, FoundingView } from './succession.ts'
import { isSurvivor, succeed } from './succession.ts'
import type { View } from './view.ts'
import { sameRoles, holders, isLive, isQuorum, majority, sameMembers, since } from './view.ts'

/** The members propose one after the other, in the order of their ids, this many milliseconds apart. */
const STAGGER_MS = 150
/** Doubles with each epoch that was promised and led to nothing, this often. */
const DOUBLINGS_MAX = 6
/** A proposal that has led to nothing after so long, or twice the failure time-out, is made again. */
const PROPOSAL_MS = 3000
/** A member that is excluded is admitted again not before this; doubles each time, up to the second number. */
const PROBATION_MS = 250
const PROBATION_MAX_MS = 16_000
const PROBATION_MEMORY_MS = 60_000

export interface AgreementHost extends AcceptorHost {
  /** What it says of itself to become a member; null if it is one, or does not know of a cluster. */
  readonly joining: Joining | null
  /** Whose removal it asks for. */
  readonly removing: readonly Removal[]
  /** What that cluster would be called. */
  readonly recoveryCluster: string
  readonly caughtUp: boolean
  /** This process leads the view known. */
  readonly leads: boolean
  /** It was told to, and makes that durable. */
  readonly opening: boolean
  /** All live members follow it, and nothing that was before stands in the way of a change of the members. */
  readonly settled: boolean
  /** Who should rather coordinate; null: nobody in particular. */
  readonly preferred: MemberId | null
  /** Live members that do not keep up; of the coordinator's knowledge. */
  readonly stalled: readonly MemberId[]
  /** Live members that can never follow this node, which leads. */
  readonly lost: readonly MemberId[]
  /** Up to where a member has once told that it had applied the log, durably. */
  appliedBy (member: MemberId): number
  /** A view was chosen. */
  learn (view: View): void
  onConflict (of: 'names' | 'data', why: string): void
}

interface Proposal {
  readonly epoch: number
  readonly cluster: string
  /** Of the view that is to be. Whatever turns out to have been accepted before goes first. */
  readonly members: readonly MemberId[]
  readonly founding: FoundingView | null
  readonly change: Change | null
  readonly recovery: boolean
  readonly without: readonly MemberId[]
  /** Who is asked, this node included, with the start of each. */
  readonly starts: ReadonlyMap<MemberId, number>
  readonly promises: Map<MemberId, PromiseMessage>
  readonly accepted: Set<MemberId>
  /** Set when all that were asked have promised. */
  view: View | null
  waitMs: number
  chosen: boolean
  /** When it was made. */
  readonly at: number
}

/**
 * Agrees on views: single-decree Paxos with the epoch as its ballot, among the members. A proposer needs the promises of a
 * majority, goes on from the newest view that any of them has accepted, and has its own accepted by a majority. Each epoch
 * has one proposer, for a promise is given once per epoch. See `spec/protocol.md`, "Views".
 */
export class Agreement {
  readonly #host: AgreementHost
  readonly #peers: Peers
  /** The id that a cluster founded by this node gets. */
  readonly #freshCluster: string
  readonly #failureTimeoutMs: number
  readonly #membership: Membership
  readonly acceptor: Acceptor
  #proposal: Proposal | null = null
  /** A view that was accepted by this node, or by others, as promises have told, and is newer than the one known. */
  #accepted: View | null = null
  #lastProposed = 0
  /** A view is needed, and it is up to this node's patience to propose it, since then; for this promised epoch. */
  #patience: { readonly epoch: number, readonly from: number } | null = null
  #notBefore = 0
  #refusals = 0
  /** How many views in a row have changed nothing. */
  #idle = 0
  /** Nobody proposes another before that, unless it is sure to change something. */
  #idleUntil = 0
  /** Since when the coordinator of a view that nobody is excluded from lacks a session with a live member; null if it does not. */
  #strandedSince: number | null = null
  /** Members that were excluded: when they may be live again, and how long they had to wait. */
  readonly #probation = new Map<MemberId, { until: number, ms: number }>()
  /** Why no view is proposed, for people. */
  waitingFor = ''

  constructor (host: AgreementHost, freshCluster: string, failureTimeoutMs: number, now: number) {
    this.#host = host
    this.#freshCluster = freshCluster
    this.#failureTimeoutMs = failureTimeoutMs
    this.#peers = new Peers(failureTimeoutMs, now)
    this.#membership = new Membership(host, this.#peers, failureTimeoutMs)
    this.acceptor = new Acceptor(host, this.#peers, this)
  }

  get connected (): MemberId[] { return this.#peers.connected }

  isObserver (peer: MemberId): boolean { return this.#peers.isObserver(peer) }

  /** Who is connected, and will be a member once it has all data. */
  get joiners (): MemberId[] {
    return this.#peers.statuses.filter(([, { joining }]) => joining?.witness === false).map(([id]) => id)
  }

  isUp (peer: MemberId, start?: number): boolean {
    return this.#peers.isUp(peer, start)
  }

  statusOf (peer: MemberId): StatusMessage | null {
    return this.#peers.status(peer)
  }

  /** The start of its session; null without one. */
  startOf (peer: MemberId): number | null { return this.#peers.start(peer) }

  onHeard (peer: MemberId): void { this.#peers.onHeard(peer, this.#host.now) }

  /** So many members have installed the view known that they go on without anybody else, also if all of them are restarted. */
  get isInstalled (): boolean {
    const { known } = this.#host
    return known !== null && isQuorum(known.members.filter(id => this.#installed(id) >= known.epoch), known, true)
  }

  /** Why a member is not live in the view known, for people; empty if it is. */
  whyNotLive (id: MemberId): string {
    const { known, self } = this.#host
    if (known === null || isLive(known, id)) return ''
    if (known.witnesses.includes(id)) return 'a witness'
    if (id === self) return this.#host.caughtUp ? 'about to be admitted' : 'catching up'
    const status = this.#peers.status(id)
    if (status === null) return 'not connected'
    if (!status.fit) return 'its store does not get on, or it is closing'
    if (!this.#peers.isReachable(id, this.#host.now)) return 'silent'
    return status.caughtUp ? 'about to be admitted' : 'catching up'
  }

  get status (): StatusMessage {
    const { vow, known, founding, testimony, caughtUp, fit, joining, removing, recovering } = this.#host
    return {
      type: 'status',
      promised: vow.epoch,
      view: known,
      installed: testimony.installed,
      connected: this.connected.slice(0, 64),
      minConsensus: testimony.minConsensus,
      caughtUp,
      fit,
      founding,
      joining,
      removing,
      recovering
    }
  }

  onUp (peer: MemberId, start: number, observer = false): void {
    this.#peers.onUp(peer, start, this.#host.now, observer)
    // What observers come and go is no news to the others.
    if (observer) return this.#host.send(peer, this.status)
    this.#membership.onUp(peer, this.#host.now)
    this.announce()
  }

  onDown (peer: MemberId): void {
    if (this.#peers.isObserver(peer)) return this.#peers.forget(peer)
    this.#peers.onDown(peer)
    this.#membership.forget(peer)
    if (this.#host.known?.members.includes(peer) === false) this.#peers.forget(peer)
    const proposal = this.#proposal
    if (proposal !== null && !proposal.chosen && proposal.starts.has(peer)) this.#proposal = null
    this.announce()
  }

  onStatus (from: MemberId, status: StatusMessage): void {
    const { vow, known } = this.#host
    if (status.promised > vow.epoch + EPOCHS_AHEAD_MAX || (status.view?.epoch ?? 0) > vow.epoch + EPOCHS_AHEAD_MAX) {
      this.#host.emit({ type: 'disconnect', peer: from, reason: 'promises an epoch that nobody can have reached' })
      return
    }
    this.#peers.onStatus(from, status)
    this.#membership.onStatus(from)
    if (status.view !== null && status.view.epoch > (known?.epoch ?? 0)) this.#host.learn(status.view)
    this.evaluate()
  }

  /** What this node asks for has changed. */
  onWish (): void {
    this.#membership.onStatus(this.#host.self)
    this.announce()
  }

  /** This node has not run for a while. */
  forgive (): void { this.#peers.forgive(this.#host.now) }

  /** A view is known that was not before. */
  onLearned (before: View | null, view: View): void {
    this.#refusals = 0
    this.#notBefore = 0
    this.#patience = null
    if (this.#proposal !== null && this.#proposal.epoch <= view.epoch) this.#proposal = null
    if ((this.#accepted?.epoch ?? 0) <= view.epoch) this.#accepted = null
    this.#idle = before !== null && sameRoles(before, view) ? this.#idle + 1 : 0
    this.#idleUntil = this.#idle > 0 ? this.#host.now + this.#backOff(this.#idle) : 0
    this.#strandedSince = null
    for (const { id } of before?.live ?? []) {
      if (isLive(view, id)) continue
      const { now } = this.#host
      const last = this.#probation.get(id)
      const ms = last === undefined || now - last.until > PROBATION_MEMORY_MS ? PROBATION_MS : Math.min(2 * last.ms, PROBATION_MAX_MS)
      this.#probation.set(id, { ms, until: now + ms })
    }
  }

  /** This node's status has changed. */
  announce (): void {
    const { status } = this
    for (const peer of [...this.connected, ...this.#peers.observers]) this.#host.send(peer, status)
    this.evaluate()
  }

  onRefuse (from: MemberId, epoch: number): void {
    const proposal = this.#proposal
    if (proposal === null || proposal.epoch !== epoch || proposal.view !== null || !proposal.starts.has(from)) return
    // Trying again at once would be a busy loop.
    this.#proposal = null
    this.#refusals++
    this.#notBefore = this.#host.now + this.#backOff(this.#refusals)
  }

  onPromise (from: MemberId, message: PromiseMessage): void {
    const proposal = this.#proposal
    if (proposal === null || proposal.epoch !== message.epoch || proposal.view !== null || !proposal.starts.has(from)) return
    // Whoever has forgotten what it had applied runs on an old copy of its disk.
    const intact = message.intact && message.end.position >= this.#host.appliedBy(from)
    proposal.promises.set(from, { ...message, intact })
    const missing = proposal.starts.size - proposal.promises.size
    // Its own promise comes last: as a founder, it binds itself only to those who are bound to it.
    if (missing === 1 && !proposal.promises.has(this.#host.self)) this.#propose(this.#host.self, proposal)
    if (missing > 0) return

    const succession = succeed({
      epoch: proposal.epoch,
      founding: proposal.founding,
      change: proposal.change,
      recovery: proposal.recovery ? proposal : null,
      preferred: this.#host.preferred,
      without: proposal.without,
      promises: proposal.promises,
      starts: proposal.starts,
      areConnected: (a, b) => this.#peers.areConnected(a, b, this.#host.self)
    })
    const { view } = succession
    if (view === null) {
      this.waitingFor = succession.why
      // Next time, its members are asked as well.
      if ((succession.previous?.epoch ?? 0) > (this.#host.known?.epoch ?? 0)) this.#accepted = succession.previous
      this.#proposal = null
      this.#refusals++
      this.#notBefore = this.#host.now + this.#backOff(this.#refusals)
      return
    }
    proposal.view = view
    proposal.waitMs = succession.waitMs
    for (const id of proposal.starts.keys()) this.#host.send(id, { type: 'accept', view })
  }

  onAccepted (from: MemberId, epoch: number): void {
    const proposal = this.#proposal
    if (proposal === null || proposal.epoch !== epoch || proposal.view === null || proposal.chosen || !proposal.starts.has(from)) return
    proposal.accepted.add(from)
    const { view, waitMs } = proposal
    if (!isQuorum([...proposal.accepted], view, false)) return
    proposal.chosen = true
    this.#host.send(view.coordinator, { type: 'lead', view, waitMs })
  }

  /** Proposes a view if one is needed and it is up to this node. Called after everything that may change that, and with each tick. */
  evaluate (): void {
    this.waitingFor = ''
    // It is about to lead.
    if (!this.#host.fit || this.#host.opening) return
    const { known, self, recovering } = this.#host
    if (known === null) this.#evaluateFounding()
    else if (recovering.length > 0) this.#evaluateRecovery(recovering)
    else if (known.members.includes(self)) this.#evaluateView(known)
    else this.waitingFor = 'joining the cluster'
  }

  #evaluateFounding (): void {
    const { founding, self, now } = this.#host
    if (founding === null) {
      this.waitingFor = 'waiting for a member of the cluster'
      return
    }
    const decision = this.#decideFounding(founding)
    if (!decision.found) {
      this.waitingFor = decision.why
      this.#proposal = null
      if ('conflict' in decision) this.#host.onConflict(decision.conflict, decision.why)
      return
    }
    const { members } = decision
    if (members.some(id => id !== self && this.#peers.status(id) === null)) {
      this.waitingFor = 'waiting for members to connect'
      return
    }
    if (members[0] !== self || now < this.#notBefore) return
    this.#start({ asked: members, without: [], members, cluster: this.#freshCluster, founding: { ...decision, cluster: this.#freshCluster }, change: null, recovery: false })
  }

  /** On the word of a person, given on each of them, these go on without all others. */
  #evaluateRecovery (members: readonly MemberId[]): void {
    const { self, now, recoveryCluster } = this.#host
    const isReady = (id: MemberId): boolean => id === self || sameMembers(this.#peers.status(id)?.recovering ?? [], members)
    if (!members.every(isReady)) {
      this.waitingFor = 'waiting until recover() is called on the other survivors, with the same members'
      return
    }
    if (members[0] !== self || now < this.#notBefore) return
    this.#start({ asked: members, without: [], members, cluster: recoveryCluster, founding: null, change: null, recovery: true })
  }

  #evaluateView (known: View): void {
    const { self, now, testimony } = this.#host
    // What this node has accepted itself, it need not be told.
    const own = testimony.accepted
    if (own !== null && own.epoch > Math.max(known.epoch, this.#accepted?.epoch ?? 0)) this.#accepted = own
    // Whoever joins may have promised what came to nothing: then it waits for a view beyond that.
    const promised = this.#promised([...known.members, ...this.joiners])
    if (!this.#isNeeded(known, promised)) {
      this.#patience = null
      if (known.live.some(({ id }) => id !== self && !this.#peers.isUp(id))) this.waitingFor = 'waiting for members to connect'
      else if (this.#host.stalled.length > 0) this.waitingFor = 'waiting for members that keep up'
      return
    }

    const { stalled, lost } = this.#host
    const change = this.#change(known, promised)
    const forced = change?.forced ?? []
    const reachable = this.#voters(known).filter(id => this.#isReachable(id) && !forced.includes(id))
    const isGone = (id: MemberId): boolean => id !== self &&
      (this.#peers.isGone(id, now) || stalled.includes(id) || forced.includes(id) || (id === known.coordinator && this.#host.accused))
    // Whoever is missing gets its time to come back.
    const missing = known.live.some(({ id }) => !reachable.includes(id) && !isGone(id))
    const all = isEverybody(known, reachable, forced)
    if (missing || !this.#isEnough(known, promised, reachable, forced)) {
      this.waitingFor = 'waiting for members to connect'
      this.#proposal = null
      return
    }
    // Where a member may have lost its log, its promise tells.
    if (!all && !reachable.some(id => isSurvivor({ installed: this.#installed(id), intact: true, complete: true }, since(known, id)))) {
      this.waitingFor = 'waiting for a member that is sure to hold everything'
      return
    }
    if (!all && !isLive(known, self)) return

    if (!this.#isPatient(promised, known, reachable)) return
    const slow = change === null ? this.#slow(known) : []
    const without = known.leaseFree ? lost : known.live.map(({ id }) => id).filter(id => !reachable.includes(id) || slow.includes(id) || lost.includes(id))
    // Whoever is not to be live can promise all the same; it is not asked where it is not needed.
    const others = reachable.filter(id => !without.includes(id))
    const asked = known.leaseFree || !this.#isQuorum(known, others) ? reachable : others
    const added = change?.add.map(({ id }) => id) ?? []
    const members = (this.#accepted ?? known).members.filter(id => change?.remove.includes(id) !== true)
    this.#start({
      asked: [...new Set([...asked, ...added])].sort(),
      without: without.filter(id => members.includes(id)),
      members: [...members, ...added].sort(),
      cluster: known.cluster,
      founding: null,
      change,
      recovery: false
    })
  }

  /** Whether a view can come of the promises of these, for all that is known. */
  #isEnough (known: View, promised: number, reachable: readonly MemberId[], forced: readonly MemberId[]): boolean {
    if (!known.leaseFree) return this.#isQuorum(known, reachable)
    // Where nobody has promised anything newer, the members read, and shall not stop for what no majority can agree on.
    if (isEverybody(known, reachable, forced) && (promised > known.epoch || isQuorum(reachable, known, true))) return true
    // One that was accepted after that has had the promises of all.
    const accepted = this.#accepted
    return accepted !== null && (accepted.leaseFree ? isEverybody(accepted, reachable, forced) : this.#isQuorum(known, reachable))
  }

  /** Whose promises may be needed: the members, and those of a newer view that may have been chosen. */
  #voters (known: View): readonly MemberId[] {
    if (this.#accepted === null) return known.members
    return [...new Set([...known.members, ...this.#accepted.members, ...this.#accepted.before])].sort()
  }

  #isQuorum (known: View, ids: readonly MemberId[]): boolean {
    return isQuorum(ids, known, true) && (this.#accepted === null || isQuorum(ids, this.#accepted, false))
  }

  /** How the members are to change now; null if not. */
  #change (known: View, promised: number): Change | null {
    // What a view is being left for, it is left for; unless somebody is back who was believed to be down, and may be reading.
    const proposal = this.#proposal
    const isBack = proposal?.view === null && proposal.change?.forced.some(id => this.#peers.isUp(id)) === true
    if (proposal?.epoch === promised && proposal.change?.of === known.epoch && !isBack) return proposal.change
    // Nobody can be excluded from a view that may have been chosen, and nobody knows; but a person can say who is gone for good.
    const without = this.#accepted?.leaseFree === true ? this.#membership.without(this.#accepted) : null
    if (without !== null) return without
    const isLeft = promised > known.epoch || (known.coordinator !== this.#host.self && !this.#peers.isUp(known.coordinator, known.coordinatorStart))
    if (isLeft && !known.leaseFree) return null
    // Who is to take its place may get a copy only when the others go on without it.
    return this.#membership.change(known, isLeft, id => this.#isReachable(id)) ?? (isLeft && isLive(known, this.#host.self) ? this.#membership.without(known) : null)
  }

  #isReachable (id: MemberId): boolean {
    const { self, now, known } = this.#host
    if (id === self) return true
    // Where nobody can be excluded, silence is no reason not to ask.
    if (known?.leaseFree === true) return this.#peers.status(id)?.fit === true
    return this.#peers.isReachable(id, now) && !(id === known?.coordinator && this.#host.accused)
  }

  #installed (id: MemberId): number {
    return id === this.#host.self ? this.#host.testimony.installed : this.#peers.status(id)?.installed ?? 0
  }

  /** The highest epoch promised by anybody. */
  #promised (members: readonly MemberId[]): number {
    return Math.max(this.#host.vow.epoch, ...members.map(id => this.#peers.status(id)?.promised ?? 0))
  }

  #isNeeded (known: View, promised: number): boolean {
    const { self, start, leads, now } = this.#host
    if (promised > known.epoch) return true
    if (known.coordinator === self) {
      if (known.coordinatorStart !== start) return true
      return leads && this.#wantsChange(known)
    }
    if (this.#peers.isUp(known.coordinator) && !this.#peers.isUp(known.coordinator, known.coordinatorStart)) return true
    // Where nobody can be excluded, it is waited for; unless a person says that it will not come, or it does not get on.
    if (known.leaseFree) return this.#change(known, promised)?.forced.includes(known.coordinator) === true || this.#isStranded(known)
    return this.#peers.isGone(known.coordinator, now) || this.#host.accused
  }

  /** Whether the coordinator has lacked a session with a live member for so long that another one would be excluded for it, and this node reaches all. */
  #isStranded ({ coordinator, live, members }: View): boolean {
    const { self, now } = this.#host
    const isStranded = members.every(id => this.#isReachable(id)) &&
      live.some(({ id }) => id !== coordinator && !this.#peers.areConnected(coordinator, id, self))
    if (!isStranded) this.#strandedSince = null
    else this.#strandedSince ??= now
    return this.#strandedSince !== null && now - this.#strandedSince >= this.#failureTimeoutMs && now >= this.#idleUntil
  }

  /** Whether the coordinator of a view that is led would rather have another. */
  #wantsChange (known: View): boolean {
    const { members, leaseFree, live } = known
    const { self, now, preferred } = this.#host
    if (this.#change(known, known.epoch) !== null) return true
    const data = holders(known)
    const strict = known.witnesses.length === 0 &&
      data.every(id => (id === self ? this.#host.testimony.minConsensus : this.#peers.status(id)?.minConsensus ?? 0) >= data.length - 1)
    const wantsMove = preferred !== null && preferred !== self && this.#host.settled && isLive(known, preferred) &&
      live.every(({ id }) => this.#isReachable(id) && (id === preferred || this.#peers.areConnected(id, preferred, self)))
    if (leaseFree) {
      return (!strict || wantsMove || this.#host.lost.length > 0) && members.every(id => this.#isReachable(id))
    }
    const unfit = [...this.#slow(known), ...this.#host.lost]
    if (live.some(({ id }) => id !== self && (this.#peers.isGone(id, now) || unfit.includes(id)))) return true
    if (live.length < data.length) return wantsMove || members.some(id => this.#isAdmissible(known, id))
    return wantsMove || (strict && members.every(id => this.#isReachable(id)))
  }

  /** The live members that do not keep up, if a majority does: without one, the cluster is as slow as they are. */
  #slow (known: View): readonly MemberId[] {
    const { stalled } = this.#host
    const quick = known.members.filter(id => this.#isReachable(id) && !stalled.includes(id))
    return quick.length >= majority(known.members) ? stalled : []
  }

  #isAdmissible (known: View, id: MemberId): boolean {
    const status = this.#peers.status(id)
    return !isLive(known, id) && status?.caughtUp === true && this.#isReachable(id) &&
      this.#host.now >= (this.#probation.get(id)?.until ?? 0) &&
      known.live.every(member => member.id === this.#host.self || status.connected.includes(member.id))
  }

  /** Gives those before it the time to propose, and more of it the more attempts have failed. */
  #isPatient (promised: number, known: View, reachable: readonly MemberId[]): boolean {
    const { now, self, vow, leads } = this.#host
    if (now < this.#notBefore) return false
    // Whoever leads knows best what is needed; unless another was faster.
    if (leads && promised === known.epoch) return now >= this.#idleUntil || known.live.some(({ id }) => id !== self && this.#peers.isGone(id, now))
    if (this.#patience?.epoch !== promised) this.#patience = { epoch: promised, from: now }
    const attempts = promised - known.epoch
    const turns = reachable.indexOf(self) + (attempts > 0 && !(vow.epoch === promised && vow.to === self) ? 1 : 0)
    // Others who reach other members may count as many turns.
    const own = known.members.indexOf(self) / known.members.length
    return turns === 0 || now >= this.#patience.from + (turns + own) * this.#backOff(attempts)
  }

  #backOff (attempts: number): number {
    return STAGGER_MS * 2 ** Math.min(attempts, DOUBLINGS_MAX)
  }

  #start (plan: Pick<Proposal, 'cluster' | 'members' | 'founding' | 'change' | 'recovery' | 'without'> & { readonly asked: readonly MemberId[] }): void {
    const { self, start } = this.#host
    const { asked, ...rest } = plan
    const starts = new Map(asked.map(id => [id, id === self ? start : this.#peers.start(id) as number]))
    // An epoch is proposed once: a promise of it may have been given that this node never heard of.
    const promised = Math.max(this.#promised(asked), this.#lastProposed)
    const proposal = this.#proposal
    const underWay = proposal !== null && proposal.epoch >= promised &&
      this.#host.now - proposal.at < Math.max(PROPOSAL_MS, 2 * this.#failureTimeoutMs) && sameMembers(proposal.members, plan.members) &&
      sameMembers([...proposal.starts.keys()], asked) && asked.every(id => proposal.starts.get(id) === starts.get(id))
    if (underWay) return

    const epoch = promised + 1
    this.#lastProposed = epoch
    const made: Proposal = { ...rest, epoch, starts, promises: new Map(), accepted: new Set(), view: null, waitMs: 0, chosen: false, at: this.#host.now }
    this.#proposal = made
    const others = asked.filter(id => id !== self)
    for (const id of others.length > 0 ? others : asked) this.#propose(id, made)
  }

  #propose (to: MemberId, { epoch, cluster, members, without, recovery }: Proposal): void {
    this.#host.send(to, { type: 'propose', epoch, known: this.#host.known?.epoch ?? 0, cluster, members, without, recover: recovery })
  }

  #decideFounding (founding: Founding): FoundingDecision {
    const { self, minConsensus } = this.#host
    const statements = new Map<MemberId, FounderStatement>([[self, { ...founding, connected: this.connected, minConsensus }]])
    for (const id of this.connected) {
      const status = this.#peers.status(id)
      // With a view already: if that counts us in, its coordinator will tell us; else we are none of its members.
      if (status?.founding != null && status.fit) statements.set(id, { ...status.founding, connected: status.connected, minConsensus: status.minConsensus })
    }
    return decideFounding(self, statements)
  }
}

/** Of the members of this view, all are there, or down for good. */
function isEverybody ({ members }: View, reachable: readonly MemberId[], forced: readonly MemberId[]): boolean {
  return members.every(id => reachable.includes(id) || forced.includes(id))
}
