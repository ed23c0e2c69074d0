import { isReserved } from './store/keys.ts'
import { WireError } from './wire/bytes.ts'
import type { WireMessage } from './wire/messages.ts'
import { readMessages } from './wire/messages.ts'

/** Decodes a frame. Throws a WireError on an invalid one, and on one that writes into the reserved key space. */
export function readFrame (body: Uint8Array): WireMessage[] {
  const messages = readMessages(body)
  for (const message of messages) {
    if (message.type === 'submit') {
      for (const write of message.writes) refuseReserved(write.operations)
    } else if (message.type === 'prepare') {
      for (const entry of message.group.entries) if (entry.kind === 'write') refuseReserved(entry.operations)
    }
  }
  return messages
}

function refuseReserved (operations: ReadonlyArray<{ readonly key: Uint8Array }>): void {
  for (const { key } of operations) if (isReserved(key)) throw new WireError('an operation on a reserved key')
}
