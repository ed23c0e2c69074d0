import { AbstractIterator } from 'abstract-level'
import type { AbstractLevel } from 'abstract-level'
import { codes, ReplicatorError } from '../errors.ts'
import type { Operation } from '../wire/operations.ts'
import type { NativeFormat } from './formats.ts'
import type { ByteRange } from './gate.ts'
import type { PrivateIterator, PrivateLevel, PrivateOperation, PrivateRangeOptions } from './private-api.ts'
import type { Store } from './store.ts'
import { RESERVED } from './keys.ts'
import { concat } from './formats.ts'
import { rootRange } from './ranges.ts'

/** The methods of the root database as they were before the interception. */
export type RawApi = Pick<PrivateLevel, '_get' | '_batch' | '_iterator' | '_keys' | '_values'>

// Where abstract-level's iterators look for the encodings with which they decode. Not in its public types.
const { keyEncoding, valueEncoding } = AbstractIterator as unknown as { keyEncoding: symbol, valueEncoding: symbol }

// A hint for stores that read ahead in bytes, without which classic-level gives few entries at a time.
const highWaterMarkBytes = 256 * 1024

/** Behind all keys, also those of a database in which this one is a sublevel. */
const BEYOND = new Uint8Array(64).fill(0xff)

/** What all that write to one storage have to know of one another. */
interface Batches {
  readonly underWay: Set<Promise<void>>
  /** Of the first batch that failed since the storage was opened. */
  failure: { readonly error: unknown } | null
}

/** By root: several sublevels of one can be replicated. */
const batchesOf = new WeakMap<PrivateLevel, Batches>()

export interface RawRangeOptions {
  reverse?: boolean
  limit?: number
  snapshot?: object | null
}

/**
 * Reaches the storage of the root database through its private methods. A sublevel could forward to its parent, but
 * only through the public methods, which refuse while the parent closes (just when the log has to be finished), and
 * run the hooks of users on keys that are not theirs.
 */
export class RawStore implements Store {
  readonly #root: PrivateLevel
  readonly #raw: RawApi
  readonly #prefix: Uint8Array
  readonly #native: NativeFormat
  readonly #batches: Batches
  readonly #formats: { keyEncoding: 'buffer' | 'view', valueEncoding: 'buffer' | 'view' }
  readonly snapshots: boolean
  readonly flushes: boolean
  /** Whether the storage is open. Native stores crash the process if they are used when it is not. */
  usable = false

  constructor (root: PrivateLevel, raw: RawApi, prefix: Uint8Array, native: NativeFormat) {
    this.#root = root
    this.#raw = raw
    this.#prefix = prefix
    this.#native = native
    this.#batches = batchesOf.get(root) ?? { underWay: new Set(), failure: null }
    batchesOf.set(root, this.#batches)
    this.snapshots = (root as unknown as AbstractLevel<unknown>).supports.implicitSnapshots
    this.flushes = (root as unknown as AbstractLevel<unknown>).supports.additionalMethods['compactRange'] === true
    this.#formats = Object.freeze({ keyEncoding: native.format, valueEncoding: native.format })
  }

  /**
   * LevelDB goes on after a batch that failed, but it may not find what it writes then when it is opened again, synced or not. So
   * nothing is written after one until the root is closed, and none that was under way at the same time is believed: which of
   * them came first in the log file of the store, nobody can tell. They all reject with the first error.
   */
  async batch (operations: readonly Operation[], options: { sync: boolean }): Promise<void> {
    this.assertUsable()
    // Some stores cannot take an empty batch; none syncs for one.
    if (operations.length === 0) return
    this.#assertSound()

    const { format, keep } = this.#native
    const length = operations.length
    const batch = new Array<PrivateOperation>(length)

    for (let i = 0; i < length; i++) {
      const op = operations[i] as Operation
      const key = this.#prefix.length === 0 ? keep(op.key) : keep(concat(this.#prefix, op.key))
      batch[i] = op.type === 'put'
        ? { type: 'put', key, value: keep(op.value), keyEncoding: format, valueEncoding: format } as PrivateOperation
        : { type: 'del', key, keyEncoding: format } as PrivateOperation
    }

    const { underWay } = this.#batches
    const write = this.#raw._batch(batch, { sync: options.sync })
    underWay.add(write)
    try {
      await write
    } catch (error) {
      throw this.#fail(error)
    } finally {
      underWay.delete(write)
    }
    if (underWay.size > 0) await Promise.allSettled(underWay)
    this.#assertSound()
  }

  /**
   * LevelDB's sync covers its newest log file only. To compact a range, it first writes all that is in memory into a table, which it
   * syncs; behind the last key there is nothing else to do. (`DBImpl::CompactRange`, db/db_impl.cc.)
   */
  async flush (): Promise<boolean> {
    this.assertUsable()
    const root = this.#root as unknown as AbstractLevel<unknown> & { compactRange: (start: Uint8Array, end: Uint8Array, options: object) => Promise<void> }
    // Unlike the methods below, this one refuses as soon as the store begins to close.
    if (root.status !== 'open') return false
    await root.compactRange(BEYOND, BEYOND, { keyEncoding: this.#native.format })
    return true
  }

  async get (key: Uint8Array): Promise<Uint8Array | undefined> {
    this.assertUsable()
    const value = await this.#raw._get(this.#rootKey(key), this.#formats)
    return value as Uint8Array | undefined
  }

  async sizeAfter (key: Uint8Array): Promise<number> {
    this.assertUsable()
    // An addition of some stores, of which LevelDB's is one; not part of abstract-level.
    const { approximateSize } = this.#root as { approximateSize?: (start: Uint8Array, end: Uint8Array, options: object) => Promise<number> }
    if (typeof approximateSize !== 'function') return 0
    const size = approximateSize.call(this.#root, this.#rootKey(key), this.#rootKey(RESERVED), { keyEncoding: this.#native.format })
    // It is for people only: nothing shall fail for it.
    return await size.catch(() => 0)
  }

  /** The snapshot is taken in the turn in which iterating begins. */
  async * entries (range: ByteRange, size = 1000): AsyncGenerator<Array<[key: Uint8Array, value: Uint8Array]>> {
    const iterator = this.#iterator(range, {}, true)
    const length = this.#prefix.length

    try {
      while (true) {
        const chunk = await iterator.nextv(size) as Array<[Uint8Array, Uint8Array]>
        if (chunk.length === 0) return
        if (length > 0) for (const entry of chunk) entry[0] = entry[0].subarray(length)
        yield chunk
      }
    } finally {
      await iterator.close()
    }
  }

  /** Only the keys. */
  async * keys (range: ByteRange, options: RawRangeOptions = {}, size = 1000): AsyncGenerator<Uint8Array[]> {
    const iterator = this.#iterator(range, options, false)
    const length = this.#prefix.length

    try {
      while (true) {
        const chunk = await iterator.nextv(size) as Array<[Uint8Array, unknown]>
        if (chunk.length === 0) return
        yield chunk.map(([key]) => key.subarray(length))
      }
    } finally {
      await iterator.close()
    }
  }

  /**
   * Opens an iterator of the root as it is, with bounds in the key space of the root. Its items are in the formats that
   * `options` names, not decoded.
   */
  open (kind: '_iterator' | '_keys' | '_values', options: PrivateRangeOptions): PrivateIterator {
    this.assertUsable()
    return this.#raw[kind]({
      ...options,
      [keyEncoding]: this.#root.keyEncoding(options.keyEncoding as string),
      [valueEncoding]: this.#root.valueEncoding(options.valueEncoding as string)
    } as PrivateRangeOptions)
  }

  assertUsable (): void {
    if (!this.usable) throw new ReplicatorError(codes.closed, 'The database is not open')
  }

  #assertSound (): void {
    const { failure } = this.#batches
    if (failure !== null) throw failure.error
  }

  /** Returns the error of the first batch that failed. */
  #fail (error: unknown): unknown {
    const batches = this.#batches
    if (batches.failure === null) {
      batches.failure = { error }
      // Not when a sublevel is: that leaves the storage open.
      this.#root.once('closed', () => { batches.failure = null })
    }
    return batches.failure.error
  }

  #iterator (range: ByteRange, options: RawRangeOptions, values: boolean): PrivateIterator {
    const { reverse = false, limit = -1, snapshot } = options
    return this.open('_iterator', {
      ...rootRange(this.#prefix, range),
      ...this.#formats,
      ...(snapshot == null ? null : { snapshot }),
      reverse,
      limit,
      keys: true,
      values,
      highWaterMarkBytes
    } as PrivateRangeOptions)
  }

  #rootKey (key: Uint8Array): Uint8Array {
    return this.#prefix.length === 0 ? key : concat(this.#prefix, key)
  }
}
