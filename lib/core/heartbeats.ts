import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'
import { Leases } from './leases.ts'
import type { Message } from './messages.ts'
import type { View, Vow } from './view.ts'
import { isLive, majority } from './view.ts'

/** How often a lease is asked for, in milliseconds: several times while one lasts, and the answer to one may take as long. */
export const HEARTBEAT_MS = 150
/** Ticks come when they do: one that is so much too soon is soon enough. */
const SLACK_MS = 25

export interface HeartbeatHost extends Host {
  readonly now: number
  /** The wall clock, in milliseconds. */
  readonly wall: number
  readonly vow: Vow
  /** The newest view installed. */
  readonly view: View | null
  readonly connected: readonly MemberId[]
  /** All up to here is applied durably. */
  readonly syncedApplied: number
}

export type LeaseState = 'free' | 'valid' | 'expired' | 'none'

/** What members tell each other all the time: that they are there, what they have applied; and the leases that they grant. */
export class Heartbeats {
  readonly leases: Leases
  readonly #host: HeartbeatHost
  readonly #intervalMs: number
  /** What each member has applied, as last heard. */
  readonly #applied = new Map<MemberId, number>()
  /** In which epoch the newest grant was. */
  readonly #granted = new Map<MemberId, number>()
  /** Grants that go with the next heartbeat. */
  readonly #owed = new Map<MemberId, Message & { type: 'grant' }>()
  #sentAt = -Infinity

  constructor (host: HeartbeatHost, failureTimeoutMs: number) {
    this.#host = host
    this.leases = new Leases(host.now)
    this.#intervalMs = Math.min(HEARTBEAT_MS, failureTimeoutMs / 5)
  }

  onTick (): void {
    if (this.#host.now - this.#sentAt >= this.#intervalMs - SLACK_MS) this.#beat()
  }

  /** Another view is installed: what was granted in the last one is void. */
  onEntered (): void {
    this.leases.drop()
    this.#beat()
  }

  /** This node reads nothing any more: nobody need wait for its lease. */
  onStop (): void {
    this.#beat(0)
  }

  /** It is no member. */
  forget (peer: MemberId): void {
    this.#applied.delete(peer)
    this.#granted.delete(peer)
    this.#owed.delete(peer)
  }

  onHeartbeat (from: MemberId, { epoch, sent, applied }: Message & { type: 'heartbeat' }): void {
    this.#applied.set(from, Math.max(applied, this.#applied.get(from) ?? 0))
    if (epoch === 0) {
      this.leases.release(from)
      this.#owed.delete(from)
    }
    // Whoever has promised a later epoch grants no lease in this one.
    if (epoch === 0 || epoch < this.#host.vow.epoch) return
    const holds = this.#granted.get(from) === epoch && this.leases.holds(from, this.#host.now)
    this.#granted.set(from, epoch)
    this.leases.grant(from, this.#host.now)
    this.#owed.set(from, { type: 'grant', epoch, sent })
    // Who holds a lease in this view for a while yet can wait for our next heartbeat: so two nodes that rest send each other a frame, not two.
    if (!holds) this.#pay(from)
  }

  onGrant (from: MemberId, { epoch, sent }: Message & { type: 'grant' }): void {
    const { view } = this.#host
    if (view !== null && view.epoch === epoch && view.members.includes(from)) this.leases.hold(from, sent, majority(view.members) - 1)
  }

  /** Whether consistent reads may be answered at this moment, as far as others are concerned. */
  lease (now: number, wall: number): LeaseState {
    const { view, vow, self } = this.#host
    // A witness needs none.
    if (view === null || vow.epoch !== view.epoch || !isLive(view, self)) return 'none'
    if (view.leaseFree) return 'free'
    return this.leases.valid(now, wall, majority(view.members) - 1) ? 'valid' : 'expired'
  }

  /** What all of these members have applied durably, for all that is known. */
  appliedBy (members: readonly MemberId[]): number {
    const { self, syncedApplied } = this.#host
    return Math.min(...members.map(id => id === self ? syncedApplied : this.#applied.get(id) ?? 0))
  }

  #beat (epoch = this.#epoch): void {
    const { now, wall, connected, syncedApplied } = this.#host
    this.#sentAt = now
    const sent = this.leases.ask(now, wall)
    for (const peer of connected) {
      this.#host.send(peer, { type: 'heartbeat', epoch, sent, applied: syncedApplied })
      this.#pay(peer)
    }
  }

  #pay (peer: MemberId): void {
    const grant = this.#owed.get(peer)
    if (grant === undefined) return
    this.#owed.delete(peer)
    if (grant.epoch >= this.#host.vow.epoch) this.#host.send(peer, grant)
  }

  /** The epoch in which this node needs a lease; 0 if in none. */
  get #epoch (): number {
    const { view, vow, self } = this.#host
    // A lease that a witness held would be waited for, and serve nobody.
    return view === null || view.leaseFree || vow.epoch !== view.epoch || !isLive(view, self) ? 0 : view.epoch
  }
}
