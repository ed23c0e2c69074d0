import { isReserved } from './store/keys.ts'
import { WireError } from './wire/bytes.ts'
import type { WireMessage } from './wire/messages.ts'
import { readMessages } from './wire/messages.ts'
import type { Group } from './core/entry.ts'

/** Decodes a frame. Throws a WireError on an invalid one, and on one that reaches into the reserved key space. */
export function readFrame (body: Uint8Array): WireMessage[] {
  const messages = readMessages(body)
  for (const message of messages) {
    switch (message.type) {
      case 'submit':
        for (const write of message.writes) refuseReserved(write.operations)
        break
      case 'prepare':
        refuseGroup(message.group)
        break
      case 'fetched':
        for (const group of message.groups) refuseGroup(group)
        break
      case 'copy':
        if (message.after !== null) refuseKey(message.after)
        break
      case 'chunk':
        // Not only the entries: what is between these keys and not among the entries is going to be deleted.
        refuseKey(message.after)
        if (message.through !== null) refuseKey(message.through)
        for (const [key] of message.entries) refuseKey(key)
        break
    }
  }
  return messages
}

function refuseGroup (group: Group): void {
  for (const entry of group.entries) if (entry.kind === 'write') refuseReserved(entry.operations)
}

function refuseReserved (operations: ReadonlyArray<{ readonly key: Uint8Array }>): void {
  for (const { key } of operations) if (isReserved(key)) throw new WireError('an operation on a reserved key')
}

function refuseKey (key: Uint8Array): void {
  if (isReserved(key)) throw new WireError('a copy of a reserved key')
}
