import type { FileLog } from './file-log.ts'
import { Digest } from './digest.ts'
import { isReserved } from './keys.ts'
import { appliedKey, decodeApplied, identityKey, logFileKey, originsEnd, originsStart } from './layout.ts'
import type { Store } from './store.ts'
import { compareBytes } from '../wire/bytes.ts'

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
}

/** Reads the data and what belongs to them, from one snapshot. Not the log, which begins elsewhere on each replica. */
export async function digestReplica (store: Store): Promise<ReplicaDigest> {
  const data = new Digest()
  const table = new Digest()
  let position = 0

  for await (const chunk of store.entries({ lt: originsEnd })) {
    for (const [key, value] of chunk) {
      if (!isReserved(key)) data.add(key, value)
      else if (compareBytes(key, appliedKey) === 0) position = decodeApplied(value).position
      else if (compareBytes(key, originsStart) > 0) table.add(key, value)
    }
  }
  return { position, entries: data.entries, data: data.hex(), table: table.hex() }
}

/** Deletes all that the replicator has stored, its identity last. `log`: in files, if there can be any. */
export async function purge (store: Store, log: FileLog | null): Promise<void> {
  // First, so that nobody goes on from files that are half deleted.
  await store.batch([{ type: 'del', key: logFileKey }], { sync: true })
  for await (const chunk of store.entries({ gt: identityKey })) {
    await store.batch(chunk.map(([key]) => ({ type: 'del', key })), { sync: true })
  }
  await store.batch([{ type: 'del', key: identityKey }], { sync: true })
  await log?.destroy()
}
