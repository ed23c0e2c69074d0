import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'
import type { Message, RelayedMessage } from './messages.ts'
import type { View } from './view.ts'

export interface RelayHost extends Host {
  /** The newest view known. */
  readonly known: View | null
  readonly agreement: { startOf (peer: MemberId): number | null }
}

/**
 * A member's part for observers that do not reach the coordinator: passes on what they ask of it. Where something may have been lost on
 * the way, it ends their sessions, for then they submit again: so they can rely on this way as on a session with the coordinator.
 */
export class Relaying {
  readonly #host: RelayHost
  /** For whom something was passed on, and to whom; or would have been, without a session. */
  readonly #relayed = new Map<MemberId, MemberId>()

  constructor (host: RelayHost) {
    this.#host = host
  }

  onMessage (from: MemberId, message: Message): void {
    const { known, self, agreement } = this.#host
    const start = agreement.startOf(from)
    // Of an epoch that is over, or not known here yet, the observer learns by STATUS, and submits again.
    if (!isRelayed(message) || start === null || known?.epoch !== message.epoch || known.coordinator === self) return
    this.#relayed.set(from, known.coordinator)
    this.#host.send(known.coordinator, { type: 'relay', node: from, start, message })
  }

  /** The coordinator has not taken something. */
  onUnrelayed (from: MemberId, node: MemberId): void {
    if (this.#relayed.get(node) === from) this.#end(node, 'has to submit again what was not taken')
  }

  onDown (peer: MemberId): void {
    this.#relayed.delete(peer)
  }

  /** In another session: an observer may not have noticed that the one before has ended. If that stays so, there will be another view. */
  onUp (peer: MemberId): void {
    for (const [node, to] of this.#relayed) if (to === peer) this.#end(node, 'has to submit again what may be lost')
  }

  #end (node: MemberId, reason: string): void {
    this.#relayed.delete(node)
    this.#host.emit({ type: 'disconnect', peer: node, reason, isFault: false })
  }
}

function isRelayed (message: Message): message is RelayedMessage {
  return message.type === 'open' || message.type === 'submit' || message.type === 'withdraw'
}
