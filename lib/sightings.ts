import { codes, ReplicatorError } from './errors.ts'
import { fixedLimits } from './limits.ts'
import type { Identity } from './net/network.ts'
import type { Sighting } from './store/layout.ts'

/** More peers than a node has; those that were first seen longest ago leave. */
export const SIGHTINGS_MAX = fixedLimits.sightings.value

/**
 * The newest start that a node has seen of each peer, and its nonce. By these it recognises a node that runs on a copy of
 * another's disk, or on an old state of its own: what that one had promised since is forgotten, so it may take no part.
 */
export class Sightings {
  readonly #seen: Map<string, Sighting>
  readonly #onChange: (id: string, sighting: Sighting | null) => void
  #order: number

  /** `onChange` is told what to keep of a peer: null if nothing more. */
  constructor (known: ReadonlyMap<string, Sighting>, onChange: (id: string, sighting: Sighting | null) => void) {
    this.#seen = new Map([...known].sort(([, a], [, b]) => a.order - b.order))
    this.#onChange = onChange
    this.#order = Math.max(0, ...[...known.values()].map(({ order }) => order))
  }

  /** Whether this cannot be the node that was seen, in the same start or a later one. */
  isStale (peer: Identity): boolean {
    const seen = this.#seen.get(peer.id)
    if (seen === undefined) return false
    if (peer.start < seen.start) return true
    // What the history does not reach back to may be as it says.
    const nonce = peer.history[peer.start - seen.start]
    return nonce !== undefined && nonce !== seen.nonce
  }

  note (peer: Identity): void {
    const { id, start, history } = peer
    const seen = this.#seen.get(id)
    if (seen !== undefined && seen.start >= start) return
    const sighting = { start, nonce: history[0] as string, order: ++this.#order }
    this.#seen.delete(id)
    this.#seen.set(id, sighting)
    this.#onChange(id, sighting)
    if (this.#seen.size > SIGHTINGS_MAX) this.#forgetOldest()
  }

  #forgetOldest (): void {
    const [oldest] = this.#seen.keys()
    if (oldest === undefined) return
    this.#seen.delete(oldest)
    this.#onChange(oldest, null)
  }
}

/** How a node fails whose disk is not the newest of its id. */
export function staleIdentityError (): ReplicatorError {
  return new ReplicatorError(codes.staleIdentity, 'The database of this node is a copy of that of another, is open in two processes or tabs, or was restored from an old image: what it had promised ' +
    'since is lost. It has stopped taking part: delete its database, and let it join as a new node.')
}
