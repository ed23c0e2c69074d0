import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'
import type { Message, RelayedMessage } from './messages.ts'
import type { View } from './view.ts'

export interface RelayHost extends Host {
  /** The newest view known. */
  readonly known: View | null
  readonly agreement: { startOf (peer: MemberId): number | null }
}

/** Passes what an observer asks of the coordinator, which it does not reach itself, on to that one. What gets lost, the observer sends again. */
export function relay (host: RelayHost, from: MemberId, message: Message): void {
  const { known, self, agreement } = host
  const start = agreement.startOf(from)
  if (!isRelayed(message) || start === null || known?.epoch !== message.epoch || known.coordinator === self) return
  host.send(known.coordinator, { type: 'relay', node: from, start, message })
}

function isRelayed (message: Message): message is RelayedMessage {
  return message.type === 'open' || message.type === 'submit' || message.type === 'withdraw'
}
