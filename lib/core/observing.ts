import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'
import type { Message, StatusMessage } from './messages.ts'
import type { OriginTable } from './origins.ts'
import type { View } from './view.ts'

export interface ObservingHost extends Host {
  readonly now: number
  /** The newest view known, and the one that a restart would know. */
  readonly known: View | null
  readonly view: View | null
  readonly applied: number
  /** The table of origins, as of what is applied. */
  readonly table: OriginTable
  /** The data are a state of the cluster's: neither half of a copy, nor what was there before. */
  readonly hasCopy: boolean
  readonly caughtUp: boolean
  /** Live members that can be asked. */
  readonly sources: readonly MemberId[]
  readonly agreement: { isUp (id: MemberId, start?: number): boolean, statusOf (id: MemberId): StatusMessage | null }
  readonly submissions: { connect (coordinator: MemberId, epoch: number): void, disconnect (): void }
  /** A restart without a connection is to know where it belongs. */
  keepView (view: View): void
}

/** A question to a member that is not answered by then is asked again. */
const PATIENCE_MS = 1000

/**
 * An observer's part: it is no member, catches up all the time, submits its writes to whoever coordinates, and asks members how far it has
 * to follow the log for `sync()`. See `spec/protocol.md`, "Observers".
 */
export class Observing {
  readonly #host: ObservingHost
  /** In which it submits; 0 while there is no way to the coordinator. */
  #epoch = 0
  /** To whom: to the coordinator, or to a member that passes on; null: to nobody. */
  #to: MemberId | null = null
  /** It had once caught up since it last was without a source. */
  #follows = false
  /**
   * Whoever waits for a `sync()` waits for a number: the highest that is waited for, the one asked for (0: none), and the highest reached.
   * Nobody waits for the first: it is asked for at the start, before anything is submitted.
   */
  #wanted = 1
  #asked = 0
  #reached = 0
  #askedOf: MemberId | null = null
  #askedAt = 0
  /** The answer: this is to be applied. */
  #position: number | null = null

  constructor (host: ObservingHost) {
    this.#host = host
  }

  /** Everything that was acknowledged before this number was asked for is applied here. */
  get synced (): number {
    return Math.max(0, this.#reached - 1)
  }

  /** It follows the log, and there is a way to the coordinator. */
  get ready (): boolean {
    return this.#follows && this.#epoch > 0 && this.#host.hasCopy
  }

  onSync (number: number): void {
    this.#wanted = Math.max(this.#wanted, number + 1)
  }

  onIndex ({ number, position }: Message & { type: 'index' }): void {
    // Whoever was asked first may answer later than was hoped for.
    if (this.#askedOf !== null && number === this.#asked) this.#position ??= position
  }

  /** After each input. */
  refresh (): void {
    const { known, view, hasCopy, caughtUp, sources } = this.#host
    if (known !== null && hasCopy && caughtUp && view?.epoch !== known.epoch) this.#host.keepView(known)
    this.#follows = sources.length > 0 && (this.#follows || caughtUp)
    this.#askIndex()
    this.#submitTo(known)
  }

  /** The coordinator takes writes once it has opened its view. */
  #submitTo (known: View | null): void {
    const { submissions } = this.#host
    const to = known === null || this.#reached === 0 ? null : this.#wayTo(known)
    const epoch = known === null || to === null ? 0 : known.epoch
    if (to === this.#to && epoch === this.#epoch) return
    this.#epoch = epoch
    this.#to = to
    submissions.disconnect()
    if (to !== null) submissions.connect(to, epoch)
  }

  /** The coordinator, if it is connected, or a member that is connected with it: the same one as long as it is. */
  #wayTo ({ epoch, coordinator, coordinatorStart }: View): MemberId | null {
    const { agreement, sources } = this.#host
    if (agreement.isUp(coordinator, coordinatorStart)) return agreement.statusOf(coordinator)?.installed === epoch ? coordinator : null
    const relays = sources.filter(id => agreement.statusOf(id)?.connected.includes(coordinator) === true)
    return relays.find(id => id === this.#to) ?? relays[0] ?? null
  }

  /**
   * This process has opened nothing yet, and the log knows its start, or a later one: so its disk was put back to an old image. What was
   * written under that start, another process wrote.
   */
  #isFromThePast (): boolean {
    const { self, start, table } = this.#host
    return [...table.entries()].some(([, row]) => row.node === self && row.start >= start)
  }

  #askIndex (): void {
    const { now, applied, sources } = this.#host
    if (this.#position !== null && applied >= this.#position) {
      this.#position = this.#askedOf = null
      if (this.#reached === 0 && this.#isFromThePast()) {
        this.#wanted = 0
        return this.#host.emit({ type: 'denied', id: this.#host.self, why: 'stale' })
      }
      this.#reached = this.#asked
    }
    const isUnderWay = this.#askedOf !== null && sources.includes(this.#askedOf) && (this.#position !== null || now - this.#askedAt < PATIENCE_MS)
    if (this.#wanted === this.#reached || isUnderWay || sources.length === 0) return
    // The same question, if it has no answer yet: one may be on its way.
    if (this.#askedOf === null) this.#asked = this.#wanted
    this.#askedOf = sources.find(id => id !== this.#askedOf) ?? sources[0] as MemberId
    this.#askedAt = now
    this.#position = null
    this.#host.send(this.#askedOf, { type: 'readIndex', number: this.#asked })
  }
}
