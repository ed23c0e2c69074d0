import type { Group, LogName, MemberId } from './entry.ts'
import { lastPosition } from './entry.ts'
import type { Host } from './host.ts'
import type { LogTail } from './log-tail.ts'
import type { Message } from './messages.ts'
import type { View } from './view.ts'

export interface ParticipantHost extends Host {
  readonly tail: LogTail
  /** Where the log was truncated. */
  readonly base: LogName
  /** The highest position that this node knows to be committed. */
  readonly committed: number
  /** What is committed is not applied fast enough. */
  readonly backlogged: boolean
  /** Everything that this log ever held is in it. */
  readonly intact: boolean
  /** Appends a group of another's making. With `view`, that view is installed in the same atomic step. */
  append (group: Group, then: () => void, view: View | null): void
  /** Deletes all after this position, durably before anything that is appended later. */
  cut (position: number): void
  /** All live members of this view have everything up to here. */
  commit (position: number, view: View): void
  onInstalled (participant: Participant): void
  /** What is committed here is not in the log of this peer. */
  onDiverged (position: number, peer: MemberId): void
}

/**
 * Follows the coordinator of one epoch: brings the log into line, installs the view, appends, votes. Made when the
 * coordinator of the promised epoch says that it has opened it. See `spec/protocol.md`, "Views".
 */
export class Participant {
  readonly view: View
  readonly #host: ParticipantHost
  #phase: 'asked' | 'syncing' | 'installed' = 'asked'
  /** True once the view is durable here, whatever the session does. */
  #durable: boolean
  #openEnd = 0
  /** The end of the coordinator's log when it let us follow. */
  #syncEnd = 0
  /** The durable end, and the one acknowledged. */
  #end = 0
  #acknowledged = 0
  /** The coordinator says that so much of its log is committed. */
  #told = 0

  constructor (host: ParticipantHost, view: View, installed: boolean) {
    this.#host = host
    this.view = view
    this.#durable = installed
    this.#end = 0
    host.send(view.coordinator, { type: 'follow', epoch: view.epoch, outline: host.tail.outline(host.committed), intact: host.intact })
  }

  /** This log holds everything that was acknowledged before this session. */
  get caughtUp (): boolean {
    return this.installed && this.#end >= this.#syncEnd
  }

  /** In line with the coordinator and allowed to vote. */
  get installed (): boolean {
    return this.#phase === 'installed'
  }

  onSync (message: Message & { type: 'sync' }): void {
    if (this.#phase !== 'asked') return
    const { tail, base, committed } = this.#host
    const end = tail.end.position
    const { coordinator } = this.view
    const differs = message.common >= base.position && !tail.has({ position: message.common, epoch: message.commonEpoch })

    if (differs && message.common <= committed) {
      this.#host.onDiverged(message.common, coordinator)
      return
    }
    if (differs || message.common > end || message.common < committed || (this.#durable && message.common < end) || !tail.isBoundary(message.common)) {
      this.#host.emit({ type: 'disconnect', peer: coordinator, reason: 'asks to cut what is committed' })
      return
    }

    this.#phase = 'syncing'
    this.#openEnd = message.openEnd
    this.#syncEnd = message.end
    // What both logs hold is all kept: this member goes on to be one that has everything it ever voted for.
    if (message.common < end) this.#host.cut(message.common)

    // All that this log holds was durable before: it is acknowledged as soon as the view is.
    const settled = (): void => {
      this.#end = Math.max(this.#end, message.common)
      if (this.#durable) this.#install()
      this.#acknowledge()
    }

    if (this.#durable) {
      // Appends of this very process may still be on their way to the disk: wait for them, too.
      this.#host.persist({}, settled)
    } else if (message.common >= this.#openEnd) {
      this.#durable = true
      this.#host.persist({ view: this.view }, settled)
    }
  }

  onPrepare (message: Message & { type: 'prepare' }): void {
    if (this.#phase === 'asked') return
    const { group } = message
    const end = this.#host.tail.end

    if (lastPosition(group) <= end.position) return
    if (group.first !== end.position + 1 || group.epoch < end.epoch || group.epoch > this.view.epoch) {
      this.#host.emit({ type: 'disconnect', peer: this.view.coordinator, reason: 'sends a group out of order' })
      return
    }

    const last = lastPosition(group)
    const installs = !this.#durable && last >= this.#openEnd
    if (installs) this.#durable = true
    this.#host.append(group, () => {
      this.#end = last
      if (installs) this.#install()
    }, installs ? this.view : null)
    // A COMMIT may have overtaken what it speaks of.
    this.#told = Math.max(this.#told, message.committed)
    this.#host.commit(Math.min(this.#told, last), this.view)
  }

  onCommit (committed: number): void {
    if (this.#phase === 'asked') return
    this.#told = Math.max(this.#told, committed)
    this.#host.commit(Math.min(this.#told, this.#host.tail.end.position), this.view)
  }

  /**
   * Several persists may have become durable at once: one vote covers them. It waits while there is a backlog, so that
   * no more comes than this node can apply.
   */
  acknowledge (): void {
    if (this.#end > this.#acknowledged && !this.#host.backlogged) this.#acknowledge()
  }

  #acknowledge (): void {
    this.#acknowledged = this.#end
    this.#host.send(this.view.coordinator, {
      type: 'ack', epoch: this.view.epoch, end: this.#end, installed: this.installed
    })
  }

  #install (): void {
    if (this.#phase === 'installed') return
    this.#phase = 'installed'
    this.#host.onInstalled(this)
  }
}
