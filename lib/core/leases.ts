import type { MemberId } from './entry.ts'
import type { LeaseLeft } from './messages.ts'

/** How long a lease lasts, counted from the sending of the heartbeat that asked for it. The same on all nodes. */
export const LEASE_MS = 600
/** Clocks run at most this much faster or slower than true time. The holder counts less than a lease, everybody else more. */
export const CLOCK_RATE_BOUND = 0.05

/** For whoever waits until a lease that is `ms` long by another's clock has passed. */
export function longer (ms: number): number {
  return ms * (1 + CLOCK_RATE_BOUND)
}

/** Nobody has granted a lease of which more is left. */
export const LEASE_LEFT_MAX_MS = Math.ceil(longer(LEASE_MS))

interface Instant {
  readonly now: number
  readonly wall: number
}

/** Of the heartbeats sent, so many are remembered: those that can still be answered in time. */
const BEATS_MAX = 32

/**
 * The leases of one node: those that it has granted, and those that it holds in its view. A member answers consistent reads only
 * while a majority of the members, itself included, grants it a lease, by the monotonic *and* the wall clock. See
 * `spec/protocol.md`, "Leases".
 */
export class Leases {
  /** Until when, by this node's clock, each member may hold a lease of ours. */
  readonly #granted = new Map<MemberId, number>()
  /** What a start of this node granted before, it does not remember. */
  readonly #unknownUntil: number
  #beats: Instant[] = []
  /** When each member's newest grant was asked for. */
  readonly #held = new Map<MemberId, Instant>()
  /** The lease is valid while the clocks are between these: from that of the asking on. */
  #asked: { readonly now: number, readonly earliest: number, readonly latest: number } | null = null

  constructor (now: number) {
    this.#unknownUntil = now + longer(LEASE_MS)
  }

  /** This node grants a lease now. */
  grant (holder: MemberId, now: number): void {
    for (const [other, until] of this.#granted) if (until <= now) this.#granted.delete(other)
    this.#granted.set(holder, now + longer(LEASE_MS))
  }

  /** Whether it holds a lease of ours, and half of that is left. */
  holds (holder: MemberId, now: number): boolean {
    return (this.#granted.get(holder) ?? 0) - now > LEASE_MS / 2
  }

  /** It reads nothing any more by what it was granted. */
  release (holder: MemberId): void {
    this.#granted.delete(holder)
  }

  /** What may be left of leases that this node has granted. To whom an earlier start has, nobody knows: to anybody. */
  left (now: number): LeaseLeft[] {
    const left: LeaseLeft[] = []
    const add = (holder: MemberId, until: number): void => {
      const ms = Math.ceil(until - now)
      if (ms > 0) left.push({ holder, ms })
    }
    add('', this.#unknownUntil)
    for (const [holder, until] of this.#granted) add(holder, until)
    return left
  }

  /** Leases are asked for; returns how the heartbeat names this moment. */
  ask (now: number, wall: number): number {
    const sent = Math.floor(now)
    if (this.#beats[this.#beats.length - 1]?.now !== sent) this.#beats.push({ now: sent, wall })
    if (this.#beats.length > BEATS_MAX) this.#beats.shift()
    return sent
  }

  /** A lease is granted that was asked for at `sent`. `others`: how many grants beside our own make a majority. */
  hold (from: MemberId, sent: number, others: number): void {
    const beat = this.#beats.find(({ now }) => now === sent)
    if (beat === undefined || (this.#held.get(from)?.now ?? -1) >= sent) return
    this.#held.set(from, beat)

    const newest = [...this.#held.values()].sort((a, b) => b.now - a.now)
    const last = newest[others - 1]
    const walls = newest.slice(0, others).map(({ wall }) => wall)
    this.#asked = last === undefined ? null : { now: last.now, earliest: Math.min(...walls), latest: Math.max(...walls) }
  }

  /** Another view: what was granted in the last one is void. */
  drop (): void {
    this.#held.clear()
    this.#beats = []
    this.#asked = null
  }

  /** Whether enough leases are held at this moment. `others`: how many grants beside our own make a majority. */
  valid (now: number, wall: number, others: number): boolean {
    if (others === 0) return true
    if (this.#asked === null) return false
    const length = LEASE_MS * (1 - CLOCK_RATE_BOUND)
    // A wall clock that was put back would let a lease live on while the other clock stands still.
    return now < this.#asked.now + length && wall >= this.#asked.latest && wall < this.#asked.earliest + length
  }
}
