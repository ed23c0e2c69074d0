import type { LogName, MemberId } from './entry.ts'
import { compareNames } from './entry.ts'
import type { FoundingDecision } from './founding.ts'
import { decideFounding } from './founding.ts'
import type { Host } from './host.ts'
import type { Founding, Message, StatusMessage } from './messages.ts'
import type { View, Vow } from './view.ts'
import { sameMembers } from './view.ts'

/** A proposal that far beyond what was promised is nobody's honest next epoch; the numbers must not run out. */
const EPOCHS_AHEAD_MAX = 1_000_000

export interface AgreementHost extends Host {
  readonly vow: Vow
  readonly view: View | null
  readonly logEnd: LogName
  /** What this node brings along as a founder. */
  readonly founding: Founding
  /** Gives a promise; `then` runs when it is durable. */
  promise (vow: Vow, then: () => void): void
  /** Opens a view as its coordinator. */
  open (view: View): void
  onConflict (why: string): void
}

interface Peer {
  readonly start: number
  status: StatusMessage | null
}

interface Proposal {
  readonly epoch: number
  readonly cluster: string
  readonly members: readonly MemberId[]
  readonly seeder: MemberId | null
  readonly promises: Map<MemberId, LogName>
  /** The start of each member when it was asked. */
  readonly starts: Map<MemberId, number>
  /** Set when the view is decided. */
  view: View | null
}

/**
 * Agrees on views. The voters are fixed and all must be live, so the promise of all members, given durably and once per
 * epoch, takes the place of Paxos: whoever has all promises of an epoch owns it. The member with the lowest id proposes,
 * so there are no duels; the longest log wins. See `spec/protocol.md`, "Views".
 */
export class Agreement {
  readonly #host: AgreementHost
  /** The id that a cluster founded by this node gets. */
  readonly #freshCluster: string
  readonly #peers = new Map<MemberId, Peer>()
  #proposal: Proposal | null = null
  #lastProposed = 0
  /** Why no view is proposed, for people. */
  waitingFor = ''

  constructor (host: AgreementHost, freshCluster: string) {
    this.#host = host
    this.#freshCluster = freshCluster
  }

  get connected (): MemberId[] {
    return [...this.#peers.keys()].sort()
  }

  isUp (peer: MemberId, start?: number): boolean {
    const found = this.#peers.get(peer)
    return found !== undefined && (start === undefined || found.start === start)
  }

  get status (): StatusMessage {
    const { vow, view, founding } = this.#host
    return {
      type: 'status',
      promised: vow.epoch,
      epoch: view?.epoch ?? 0,
      coordinator: view?.coordinator ?? '',
      coordinatorStart: view?.coordinatorStart ?? 0,
      founding: view === null ? founding : null
    }
  }

  onUp (peer: MemberId, start: number): void {
    this.#peers.set(peer, { start, status: null })
    this.announce()
  }

  onDown (peer: MemberId): void {
    this.#peers.delete(peer)
    if (this.#proposal?.members.includes(peer) === true) this.#proposal = null
    if (this.#host.view === null) this.announce()
    else this.evaluate()
  }

  onStatus (from: MemberId, status: StatusMessage): void {
    const peer = this.#peers.get(from)
    if (peer === undefined) return
    if (status.promised > this.#host.vow.epoch + EPOCHS_AHEAD_MAX) {
      this.#host.emit({ type: 'disconnect', peer: from, reason: 'promises an epoch that nobody can have reached' })
      return
    }
    peer.status = status
    this.evaluate()
  }

  /** This node's status has changed. */
  announce (): void {
    const { status } = this
    for (const peer of this.#peers.keys()) this.#host.send(peer, status)
    this.evaluate()
  }

  onPropose (from: MemberId, message: Message & { type: 'propose' }): void {
    const { vow, view, self } = this.#host
    const acceptable = message.epoch > vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX && message.members.includes(from) && (view === null
      ? this.#mayFound(message.members)
      : sameMembers(message.members, view.members) && message.cluster === view.cluster)

    if (!acceptable) {
      // Our status tells the proposer what it did not know.
      this.#host.send(from, this.status)
      this.#host.send(from, { type: 'refuse', epoch: message.epoch })
      return
    }

    const { epoch } = message
    this.#host.promise({ epoch, to: from, members: message.members }, () => {
      // Another promise may have overtaken this one on its way to the disk.
      if (this.#host.vow.epoch !== epoch) return
      if (from !== self) this.announce()
      this.#host.send(from, { type: 'promise', epoch, end: this.#host.logEnd })
    })
  }

  onRefuse (from: MemberId, epoch: number): void {
    const proposal = this.#proposal
    if (proposal === null || proposal.epoch !== epoch || proposal.view !== null || !proposal.members.includes(from)) return
    // The next news, of whatever kind, is the occasion for the next proposal: trying again at once would be a busy loop.
    this.#proposal = null
  }

  onPromise (from: MemberId, message: Message & { type: 'promise' }): void {
    const proposal = this.#proposal
    if (proposal === null || proposal.epoch !== message.epoch || proposal.view !== null) return
    if (!proposal.members.includes(from)) return
    proposal.promises.set(from, message.end)
    const missing = proposal.members.length - proposal.promises.size
    // Its own promise comes last: as a founder, it binds itself only to those who are bound to it.
    if (missing === 1 && !proposal.promises.has(this.#host.self)) this.#propose(this.#host.self, proposal)
    if (missing > 0) return

    // All have promised: the longest log becomes the log of the view. No other log holds an entry that it lacks.
    let coordinator = proposal.members[0] as MemberId
    for (const id of proposal.members) {
      const longest = proposal.promises.get(coordinator) as LogName
      if (compareNames(proposal.promises.get(id) as LogName, longest) > 0) coordinator = id
    }
    proposal.view = {
      epoch: proposal.epoch,
      cluster: proposal.cluster,
      members: proposal.members,
      coordinator,
      coordinatorStart: proposal.starts.get(coordinator) as number,
      seeder: proposal.seeder
    }
    this.#host.send(coordinator, { type: 'lead', view: proposal.view })
  }

  onLead (from: MemberId, message: Message & { type: 'lead' }): void {
    const { vow, self, start, view } = this.#host
    const ours = message.view
    // Only the process that promised, and only once.
    if (vow.epoch !== ours.epoch || vow.to !== from) return
    if (ours.coordinator !== self || ours.coordinatorStart !== start) return
    if (view !== null && view.epoch >= ours.epoch) return
    this.#host.open(ours)
  }

  /** Proposes a view if one is needed and it is up to this node. Called after everything that may change that. */
  evaluate (): void {
    const { view, self, start, vow } = this.#host
    this.waitingFor = ''

    const decision: FoundingDecision = view === null
      ? this.#decideFounding()
      : { found: true, members: view.members, seeder: view.seeder }
    if (!decision.found) {
      this.waitingFor = decision.why
      this.#proposal = null
      if ('conflict' in decision) this.#host.onConflict(decision.why)
      return
    }

    const { members, seeder } = decision
    // An epoch is proposed once: a promise of it may have been given that this node never heard of.
    let promised = Math.max(vow.epoch, this.#lastProposed)
    const starts = new Map([[self, start]])
    for (const id of members) {
      if (id === self) continue
      const peer = this.#peers.get(id)
      if (peer === undefined || peer.status === null) {
        this.waitingFor = 'waiting for members to connect'
        return
      }
      promised = Math.max(promised, peer.status.promised)
      starts.set(id, peer.start)
    }
    if (members[0] !== self) return
    if (this.#isLed(promised, members)) return

    const proposal = this.#proposal
    const underWay = proposal !== null && proposal.epoch >= promised &&
      sameMembers(proposal.members, members) &&
      members.every(id => proposal.starts.get(id) === starts.get(id))
    if (underWay) return

    const epoch = promised + 1
    this.#lastProposed = epoch
    const cluster = view?.cluster ?? this.#freshCluster
    const made: Proposal = { epoch, cluster, members, seeder, promises: new Map(), starts, view: null }
    this.#proposal = made
    const others = members.filter(id => id !== self)
    for (const id of others.length > 0 ? others : members) this.#propose(id, made)
  }

  #propose (to: MemberId, { epoch, cluster, members }: Proposal): void {
    this.#host.send(to, { type: 'propose', epoch, cluster, members })
  }

  /** True if the newest promise has led to a view whose coordinator is there. */
  #isLed (promised: number, members: readonly MemberId[]): boolean {
    const { view, self } = this.#host
    const seen = [view, ...members.map(id => id === self ? null : this.#peers.get(id)?.status ?? null)]
    return seen.some(known => known !== null && known.epoch > 0 && known.epoch === promised && this.#isHere(known.coordinator, known.coordinatorStart))
  }

  #isHere (id: MemberId, start: number): boolean {
    if (id === this.#host.self) return start === this.#host.start
    return this.isUp(id, start)
  }

  #decideFounding (): FoundingDecision {
    const statements = new Map<MemberId, Founding>([[this.#host.self, this.#host.founding]])
    for (const [id, peer] of this.#peers) {
      if (peer.status === null) continue
      if (peer.status.founding === null) {
        // It has a view already. If that counts us in, its coordinator will tell us; else we are none of its members.
        continue
      }
      statements.set(id, peer.status.founding)
    }
    return decideFounding(this.#host.self, statements)
  }

  /** Whether this node agrees to be one of exactly these founders. */
  #mayFound (members: readonly MemberId[]): boolean {
    const { self, founding } = this.#host
    // Bound is bound: what a founder lacks later, after a restart for example, does not matter any more.
    if (founding.vowed.length > 0) return sameMembers(founding.vowed, members)
    return members.includes(self) &&
      founding.unresolved === 0 &&
      founding.required.every(id => members.includes(id)) &&
      members.length > founding.minConsensus &&
      members.every(id => id === self || this.#peers.has(id))
  }
}
