import type { Effect } from '../core/effects.ts'
import type { Operation } from '../wire/operations.ts'
import { Digest } from './digest.ts'
import type { ByteRange } from './gate.ts'
import { RESERVED } from './keys.ts'
import { copyKey, encodeCopy } from './layout.ts'
import type { Store } from './store.ts'
import { compareBytes } from '../wire/bytes.ts'

/** About what an entry takes on the wire beside its bytes. */
const ENTRY_BYTES = 8

type DataEntry = readonly [key: Uint8Array, value: Uint8Array]

/** Consecutive entries of the user's data. */
export interface DataChunk {
  readonly entries: readonly DataEntry[]
  /** The last key; null if these are the last entries. */
  readonly through: Uint8Array | null
  /** About how many bytes follow; 0 if that is not known. */
  readonly left: number
}

/** Reads the user's entries after a key (empty: from the very first), until they take `bytesMax` bytes; at least one. */
export async function readChunk (store: Store, after: Uint8Array, bytesMax: number): Promise<DataChunk> {
  const entries: DataEntry[] = []
  let bytes = 0
  for await (const found of store.entries(dataRange(after, null), 256)) {
    for (const [key, value] of found) {
      const last = entries[entries.length - 1]?.[0]
      bytes += key.length + value.length + ENTRY_BYTES
      // A key may be empty, but a chunk does not end there: the next would begin with it again.
      if (last !== undefined && last.length > 0 && bytes > bytesMax) return { entries, through: last, left: await store.sizeAfter(last) }
      entries.push([key, value])
    }
  }
  return { entries, through: null, left: 0 }
}

/**
 * Makes the user's data between two keys exactly these entries, and notes how far the copy is. Not atomic: what was
 * interrupted is done again, from the key that was noted before. All of it synced, for the same reason as an apply.
 */
export async function restore (store: Store, effect: Effect & { type: 'restore' }): Promise<void> {
  const { after, through, entries, copy } = effect
  // The entries are in key order. If they are not, some are deleted here that are written below.
  let next = 0
  for await (const keys of store.keys(dataRange(after, through))) {
    const operations: Operation[] = []
    for (const key of keys) {
      while (next < entries.length && compareBytes((entries[next] as DataEntry)[0], key) < 0) next++
      const kept = entries[next]
      if (kept === undefined || compareBytes(kept[0], key) !== 0) operations.push({ type: 'del', key })
    }
    if (operations.length > 0) await store.batch(operations, { sync: true })
  }

  const operations: Operation[] = entries.map(([key, value]) => ({ type: 'put', key, value }))
  operations.push({ type: 'put', key: copyKey, value: encodeCopy(copy) })
  await store.batch(operations, { sync: true })
}

/** A digest of the user's data, as they are in the turn of the call where the store has snapshots; empty without data. */
export async function digestData (store: Store): Promise<{ digest: string, entries: number }> {
  const digest = new Digest()
  // The first chunk is asked for, and so the snapshot taken, before anything is awaited.
  for await (const chunk of store.entries({ lt: RESERVED })) {
    for (const [key, value] of chunk) digest.add(key, value)
  }
  return { digest: digest.entries === 0 ? '' : digest.hex(), entries: digest.entries }
}

/**
 * What replicas at one position compare: tells the user's data as they are in the turn of the call. Empty if the store
 * cannot do that.
 */
export async function verificationDigest (store: Store): Promise<string> {
  if (!store.snapshots) return ''
  const { digest, entries } = await digestData(store)
  return `${entries}:${digest}`
}

function dataRange (after: Uint8Array, through: Uint8Array | null): ByteRange {
  return {
    ...(after.length > 0 ? { gt: after } : null),
    ...(through === null ? { lt: RESERVED } : { lte: through })
  }
}
