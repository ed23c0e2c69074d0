import type { Operation } from '../wire/operations.ts'
import type { ByteRange } from './gate.ts'

/**
 * The raw storage below a wrapped database, in bytes: the only way in which the replicator itself reads and
 * writes. Keys are as the user's database sees them (relative to it, if it is a sublevel); they may lie in the
 * reserved space.
 */
export interface Store {
  /** Applies all or nothing. With `sync`, resolves when it is on stable storage, as far as the store can. */
  batch (operations: readonly Operation[], options: { sync: boolean }): Promise<void>
  /** Whether it can be flushed. If not, each batch that has to stay must be synced. */
  readonly flushes: boolean
  /** What was written before is on stable storage when this resolves with true; with false, the store is being closed. Other writes go on meanwhile. */
  flush (): Promise<boolean>
  get (key: Uint8Array): Promise<Uint8Array | undefined>
  /** Whether each `entries()` and `keys()` reads from one snapshot, taken in the turn in which iterating begins. */
  readonly snapshots: boolean
  /** About how many bytes the user's entries after a key take; 0 if the store cannot tell. */
  sizeAfter (key: Uint8Array): Promise<number>
  /** In key order, in chunks of at most `size` entries, from one snapshot where the store has them. */
  entries (range: ByteRange, size?: number): AsyncIterable<Array<[key: Uint8Array, value: Uint8Array]>>
  /** Only the keys, at most `limit` of them. */
  keys (range: ByteRange, options?: { limit?: number }): AsyncIterable<Uint8Array[]>
}
