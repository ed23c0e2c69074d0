import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'
import type { Message, StatusMessage } from './messages.ts'
import type { View } from './view.ts'

export interface ObservingHost extends Host {
  readonly now: number
  /** The newest view known, and the one that a restart would know. */
  readonly known: View | null
  readonly view: View | null
  readonly applied: number
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
  /** In which it submits; 0 while it reaches no coordinator. */
  #epoch = 0
  /** It had once caught up since it last was without a source. */
  #follows = false
  /** Whoever waits for a `sync()` waits for a number: the highest that is waited for, the one asked for (0: none), and the highest reached. */
  #wanted = 0
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
    return this.#reached
  }

  /** It follows the log, and reaches the coordinator. */
  get ready (): boolean {
    return this.#follows && this.#epoch > 0 && this.#host.hasCopy
  }

  onSync (number: number): void {
    this.#wanted = Math.max(this.#wanted, number)
  }

  onIndex (from: MemberId, { number, position }: Message & { type: 'index' }): void {
    if (from === this.#askedOf && number === this.#asked) this.#position = position
  }

  /** After each input. */
  refresh (): void {
    const { known, view, hasCopy, caughtUp, sources } = this.#host
    if (known !== null && hasCopy && caughtUp && view?.epoch !== known.epoch) this.#host.keepView(known)
    this.#follows = sources.length > 0 && (this.#follows || caughtUp)
    this.#submitTo(known)
    this.#askIndex()
  }

  /** The coordinator takes writes once it has opened its view. */
  #submitTo (known: View | null): void {
    const { agreement, submissions } = this.#host
    const isOpen = known !== null && agreement.isUp(known.coordinator, known.coordinatorStart) && agreement.statusOf(known.coordinator)?.installed === known.epoch
    const epoch = isOpen ? known.epoch : 0
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    submissions.disconnect()
    if (isOpen) submissions.connect(known.coordinator, epoch)
  }

  #askIndex (): void {
    const { now, applied, sources } = this.#host
    if (this.#position !== null && applied >= this.#position) {
      this.#reached = this.#asked
      this.#position = this.#askedOf = null
    }
    const isUnderWay = this.#askedOf !== null && sources.includes(this.#askedOf) && (this.#position !== null || now - this.#askedAt < PATIENCE_MS)
    if (this.#wanted === this.#reached || isUnderWay || sources.length === 0) return
    this.#askedOf = sources.find(id => id !== this.#askedOf) ?? sources[0] as MemberId
    this.#asked = this.#wanted
    this.#askedAt = now
    this.#position = null
    this.#host.send(this.#askedOf, { type: 'readIndex', number: this.#asked })
  }
}
