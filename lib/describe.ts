import { lastPosition } from './core/entry.ts'
import type { WireMessage } from './wire/messages.ts'

/** A message in a few words, for a person who follows a write through two nodes. */
export function describe (message: WireMessage): string {
  switch (message.type) {
    case 'prepare': return `prepare ${message.group.first}..${lastPosition(message.group)}, committed ${message.committed}`
    case 'submit': return `submit ${message.origin}:${message.first}..${message.first + message.writes.length - 1}`
    case 'withdraw': return `withdraw ${message.origin}:${message.number}`
    case 'ack': return `ack ${message.end}`
    case 'commit': return `commit ${message.committed}`
    default: return message.type
  }
}
