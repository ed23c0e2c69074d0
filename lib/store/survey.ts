import { Digest } from './digest.ts'
import { compareKeys, isReserved } from './keys.ts'
import { appliedKey, decodeApplied, identityKey, logEnd, logStart, originsEnd, originsStart } from './layout.ts'
import { decodeGroupHeader } from '../wire/group.ts'
import type { Store } from './store.ts'

/** What a replica holds at one applied position. Replicas at the same position have equal digests. */
export interface ReplicaDigest {
  /** All up to here is applied. */
  position: number
  /** How many entries the user's data have. */
  entries: number
  /** A digest of the user's data. */
  data: string
  /** A digest of the table of origins. */
  table: string
  /** A digest of the log up to `position`. */
  log: string
}

/** Reads all of a replica, from one snapshot. */
export async function digestReplica (store: Store): Promise<ReplicaDigest> {
  const data = new Digest()
  const table = new Digest()
  const log = new Digest()
  let position = 0

  // The reserved key space comes last, and in it the applied position comes before the log.
  for await (const chunk of store.entries({})) {
    for (const [key, value] of chunk) {
      if (!isReserved(key)) data.add(key, value)
      else if (compareKeys(key, appliedKey) === 0) position = decodeApplied(value).position
      else if (within(key, originsStart, originsEnd)) table.add(key, value)
      else if (within(key, logStart, logEnd)) {
        const { first, count } = decodeGroupHeader(value)
        if (first + count - 1 <= position) log.add(key, value)
      }
    }
  }
  return { position, entries: data.entries, data: data.hex(), table: table.hex(), log: log.hex() }
}

/** Deletes all that the replicator has stored, its identity last. */
export async function purge (store: Store): Promise<void> {
  for await (const chunk of store.entries({ gt: identityKey })) {
    await store.batch(chunk.map(([key]) => ({ type: 'del', key })), { sync: true })
  }
  await store.batch([{ type: 'del', key: identityKey }], { sync: true })
}

function within (key: Uint8Array, start: Uint8Array, end: Uint8Array): boolean {
  return compareKeys(key, start) >= 0 && compareKeys(key, end) < 0
}
