import type { MemberId } from './entry.ts'
import { mayFound } from './founding.ts'
import type { Host } from './host.ts'
import type { Founding, Message, PromiseMessage, StatusMessage } from './messages.ts'
import type { Peers } from './peers.ts'
import type { View, Vow } from './view.ts'
import { sameMembers } from './view.ts'

/** A proposal that far beyond what was promised is nobody's honest next epoch; the numbers must not run out. */
export const EPOCHS_AHEAD_MAX = 1_000_000

export interface AcceptorHost extends Host {
  /** This node's clock, in milliseconds. */
  readonly now: number
  readonly vow: Vow
  /** The newest view known to be chosen. */
  readonly known: View | null
  /** What this node brings along as a founder; null if it is none. */
  readonly founding: Founding | null
  readonly minConsensus: number
  /** On the word of a person, it would go on with these alone, itself included; empty if not. Sorted. */
  readonly recovering: readonly MemberId[]
  readonly mustCopy: boolean
  /** False while it can take no part. */
  readonly fit: boolean
  /** What this node tells with a promise. */
  readonly testimony: Omit<PromiseMessage, 'type' | 'epoch'>
  /** The coordinator does not get on, although this node has done its part. */
  readonly accused: boolean
  /** Gives a promise; `then` runs when it is durable. */
  promise (vow: Vow, then: () => void): void
  /** Accepts a view; `then` runs when that is durable. */
  accept (view: View, then: () => void): void
  /** Opens a view as its coordinator. */
  open (view: View, waitMs: number): void
}

interface Speaker {
  readonly status: StatusMessage
  /** This node's status has changed. */
  announce (): void
}

/** What a node does with the proposals of others, and its own: it promises, and accepts, once per epoch. See `spec/protocol.md`, "Views". */
export class Acceptor {
  readonly #host: AcceptorHost
  readonly #peers: Peers
  readonly #speaker: Speaker

  constructor (host: AcceptorHost, peers: Peers, speaker: Speaker) {
    this.#host = host
    this.#peers = peers
    this.#speaker = speaker
  }

  onPropose (from: MemberId, message: Message & { type: 'propose' }): void {
    const { vow, known, self } = this.#host
    const acceptable = this.#host.fit && message.epoch > vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX &&
      this.#mayPromise(from, message)

    if (!acceptable) {
      // Our status tells the proposer what it did not know.
      this.#host.send(from, this.#speaker.status)
      this.#host.send(from, { type: 'refuse', epoch: message.epoch })
      return
    }

    const { epoch } = message
    this.#host.promise({ epoch, to: from, members: message.members, cluster: known === null ? vow.cluster : message.cluster }, () => {
      // Another promise may have overtaken this one on its way to the disk.
      if (this.#host.vow.epoch !== epoch) return
      if (from !== self) this.#speaker.announce()
      this.#host.send(from, { type: 'promise', epoch, ...this.#host.testimony })
    })
  }

  onAccept (from: MemberId, { view }: Message & { type: 'accept' }): void {
    const { vow } = this.#host
    if (vow.epoch !== view.epoch || vow.to !== from) return
    // A founder is bound to those that it has promised to.
    if (vow.cluster === '' && !sameMembers(vow.members, view.members)) return
    this.#host.accept(view, () => {
      if (this.#host.vow.epoch === view.epoch) this.#host.send(from, { type: 'accepted', epoch: view.epoch })
    })
  }

  onLead (from: MemberId, { view, waitMs }: Message & { type: 'lead' }): void {
    const { vow, self, start, known } = this.#host
    // Only the process that promised, and only once.
    if (vow.epoch !== view.epoch || vow.to !== from) return
    if (view.coordinator !== self || view.coordinatorStart !== start) return
    if (known !== null && known.epoch >= view.epoch) return
    this.#host.open(view, waitMs)
  }

  #mayPromise (from: MemberId, { known: epoch, cluster, members, without, recover }: Message & { type: 'propose' }): boolean {
    const { known, recovering } = this.#host
    // A person has to say so on each of them.
    if (recover) return known !== null && members.includes(from) && sameMembers(members, recovering)
    if (known === null) return epoch === 0 && members.includes(from) && mayFound(members, this.#host, id => this.#peers.isUp(id))
    return epoch === known.epoch && cluster === known.cluster && known.members.includes(from) && !this.#host.mustCopy &&
      without.every(accused => this.#agrees(known, from, accused))
  }

  /** Whether this member, too, would go on without one that is accused. */
  #agrees (known: View, from: MemberId, accused: MemberId): boolean {
    const { self, now } = this.#host
    // The coordinator knows who keeps up.
    if (accused === self || from === self || from === known.coordinator) return true
    if (!this.#peers.isReachable(accused, now)) return true
    if (accused === known.coordinator && this.#host.accused) return true
    const live = known.live.map(({ id }) => id)
    const difference = this.#peers.reach(from, live, self) - this.#peers.reach(accused, live, self)
    return difference > 0 || (difference === 0 && accused !== known.coordinator && from < accused)
  }
}
