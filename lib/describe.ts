import type { Core } from './core/core.ts'
import { lastPosition } from './core/entry.ts'
import { holders, isQuorum } from './core/view.ts'
import type { WireMessage } from './wire/messages.ts'

/** What keeps a node from being ready, for people. `minConsensus`: as its options say, null if they do not. */
export function describeWaiting (core: Core | null, minConsensus: number | null): string {
  if (core === null) return 'it is still opening'
  const { view, known } = core
  if (core.observes) return known === null ? 'it reaches no member' : core.hasCopy ? 'it reaches no coordinator' : 'it gets a copy'
  if (known?.members.includes(core.self) === false && core.joining === null) return 'it was removed, and stays until enough of the others go on without it'
  if (view !== null && holders(view).length <= (minConsensus ?? 0)) {
    return `minConsensus asks for ${minConsensus} peers, and the cluster has ${holders(view).length} members with the data`
  }
  // Whoever takes the place of another may wait for ever.
  if (known !== null && core.joining !== null && !isQuorum(core.connected, known, true)) {
    return 'joining the cluster, of which no majority is connected; if the others are gone for good, recover() has to be called on those that are left'
  }
  return core.agreement.waitingFor
}

/** A message in a few words, for a person who follows a write through two nodes. */
export function describe (message: WireMessage): string {
  switch (message.type) {
    case 'prepare': return `prepare ${message.group.first}..${lastPosition(message.group)}, committed ${message.committed}`
    case 'submit': return `submit ${message.origin}:${message.first}..${message.first + message.writes.length - 1}`
    case 'withdraw': return `withdraw ${message.origin}:${message.number}`
    case 'ack': return `ack ${message.end}`
    case 'commit': return `commit ${message.committed}`
    case 'fetch': return `fetch from ${message.outline.base + 1} or later`
    case 'fetched': return describeFetched(message)
    // Keys are the user's data, which a log shall not hold.
    case 'copy': return message.after === null ? 'copy' : `copy after a key of ${message.after.length} bytes, at ${message.applied}`
    case 'snapshot': return `snapshot at ${message.base.position}`
    case 'chunk': return `chunk of ${message.entries.length} entries, high ${message.high}${message.through === null ? ', the last' : ''}`
    case 'relay': return `relay ${describe(message.message)} of ${message.node.slice(0, 8)}`
    default: return message.type
  }
}

function describeFetched ({ common, committed, truncated, groups }: Extract<WireMessage, { type: 'fetched' }>): string {
  if (truncated) return `fetched nothing after ${common}: truncated`
  const [first, last] = [groups[0], groups[groups.length - 1]]
  const range = first === undefined || last === undefined ? 'nothing' : `${first.first}..${lastPosition(last)}`
  return `fetched ${range} after ${common}, committed ${committed}`
}
