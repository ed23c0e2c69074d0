import { codes, ReplicatorError } from '../errors.ts'
import { fixedLimits } from '../limits.ts'
import type { FeedOptions } from './iterator-feed.ts'
import type { Gate } from './gate.ts'
import type { Data, PrivateIterator, PrivateLevel, PrivateRangeOptions } from './private-api.ts'
import type { RawStore } from './raw-store.ts'
import type { View } from './ranges.ts'
import type { Submission } from './submission.ts'
import { concat, toBytes } from './formats.ts'
import { canonicalRange, clamp, isReservedAt, rootRange, stripPrefix, withRange } from './ranges.ts'
import { RESERVED } from './keys.ts'
import { ReplicaEntryIterator, ReplicaKeyIterator, ReplicaValueIterator } from './replica-iterator.ts'
import { compareBytes } from '../wire/bytes.ts'

export type Kind = '_iterator' | '_keys' | '_values'

const iterators = {
  _iterator: ReplicaEntryIterator,
  _keys: ReplicaKeyIterator,
  _values: ReplicaValueIterator
} as const

// One write of clear(): small enough not to hold up the writes of others.
const clearKeysMax = fixedLimits.clearKeys.value
const clearBytesMax = fixedLimits.clearBytes.value

export interface RangeReadsOptions {
  gate: Gate
  store: RawStore
  submission: Submission
  /** Leads from the root database to the wrapped one. */
  rootPrefix: Uint8Array
  /** Which kinds of iterators the root makes by methods of its own. The others are made of `_iterator`. */
  native: Readonly<Record<Kind, boolean>>
}

/** Iterators and clear(), of the wrapped database and of the sublevels below it. */
export class RangeReads {
  readonly #gate: Gate
  readonly #store: RawStore
  readonly #submission: Submission
  readonly #rootPrefix: Uint8Array
  readonly #native: Readonly<Record<Kind, boolean>>
  #last: Uint8Array | null = null

  constructor (options: RangeReadsOptions) {
    this.#gate = options.gate
    this.#store = options.store
    this.#submission = options.submission
    this.#rootPrefix = options.rootPrefix
    this.#native = options.native
  }

  /**
   * An iterator of the root database itself, by the method that it has for it: nothing stands between it and the user,
   * unless it has to wait.
   */
  iterateRoot (view: View, kind: Kind, original: PrivateLevel[Kind], options: PrivateRangeOptions): PrivateIterator {
    const wait = this.#wait(view, options)

    if (wait === null) {
      // Those that are not native come back here with kind `_iterator`.
      if (!this.#native[kind]) return original.call(view.db, options)
      const { lte, lt, reverse } = options
      const clamped = clamp(options)
      const iterator = original.call(view.db, options)
      return clamped && reverse ? this.#guardSeek(iterator, lte, lt) : iterator
    }

    return this.#replicaIterator(view, kind, wait, options)
  }

  /** An iterator of a sublevel. Always one of ours, because the prefix must be added and removed. */
  iterateSublevel (view: View, kind: Kind, options: PrivateRangeOptions): PrivateIterator {
    return this.#replicaIterator(view, kind, this.#wait(view, options), options)
  }

  async clear (view: View, options: PrivateRangeOptions): Promise<void> {
    const progress = { deleted: 0 }
    try {
      await this.#clear(view, options, progress)
    } catch (error) {
      throw clearError(error, progress.deleted)
    }
  }

  async #clear (view: View, options: PrivateRangeOptions, progress: { deleted: number }): Promise<void> {
    const range = canonicalRange(view, options)
    const wait = options.snapshot != null || this.#gate.open ? null : this.#gate.waitForRange(range)
    if (wait !== null) await wait

    const bytesMax = Math.min(clearBytesMax, this.#submission.limits.writeBytesMax >>> 1)
    const { reverse, limit, snapshot } = options
    let batch: Array<{ type: 'del', key: Uint8Array }> = []
    let bytes = 0

    const submit = async () => {
      await this.#submission.submit(batch)
      progress.deleted += batch.length
      batch = []
      bytes = 0
    }

    for await (const keys of this.#store.keys(range, { reverse, limit, snapshot: snapshot ?? null }, clearKeysMax)) {
      for (const key of keys) {
        if (batch.length > 0 && (batch.length === clearKeysMax || bytes + key.length > bytesMax)) await submit()
        batch.push({ type: 'del', key })
        bytes += key.length
      }
    }

    if (batch.length > 0) await submit()
  }

  #wait (view: View, options: PrivateRangeOptions): Promise<void> | null {
    if (this.#gate.open || options.snapshot != null) return null
    return this.#gate.waitForRange(canonicalRange(view, options))
  }

  #replicaIterator (view: View, kind: Kind, wait: Promise<void> | null, options: PrivateRangeOptions): PrivateIterator {
    const range = canonicalRange(view, options)
    // Without an upper bound of its own, the range of the wrapped database ends at the reserved space.
    const guarded = options.reverse && range.lt === RESERVED
    const inner = withRange(options, rootRange(this.#rootPrefix, range))
    const native = this.#native[kind]
    const how: Kind = native ? kind : '_iterator'
    const what = native || kind === '_iterator' ? null : { keys: kind === '_keys', values: kind === '_values' }

    const feed: FeedOptions = {
      wait,
      signal: options.signal,
      map: mapper(kind, native, this.#rootPrefix.length + view.prefix.length),
      open: () => {
        const iterator = this.#store.open(how, what === null ? inner : { ...inner, ...what })
        return guarded ? this.#guardSeek(iterator, options.lte, options.lt) : iterator
      }
    }

    return new iterators[kind](view.db, options, feed)
  }

  /**
   * An iterator refuses to seek beyond its range, so with the reserved space cut off, a reverse one would find nothing
   * when told to start from a key in there. It has to find the last key of the user, unless the user's own upper bound
   * (`lte` or `lt`) excludes that key.
   */
  #guardSeek (iterator: PrivateIterator, lte: Data | undefined, lt: Data | undefined): PrivateIterator {
    const original = iterator._seek
    const offset = this.#rootPrefix.length

    iterator._seek = (target: Data, options: object) => {
      if (typeof target !== 'string' && isReservedAt(target, offset)) {
        const key = target.subarray(offset)
        const excluded = lte !== undefined
          ? compareBytes(key, toBytes(lte)) > 0
          : lt !== undefined && compareBytes(key, toBytes(lt)) >= 0
        if (!excluded) target = this.#lastKey()
      }
      original.call(iterator, target, options)
    }
    return iterator
  }

  /** The last of all keys before the reserved space that keep to the limit on the length of keys. */
  #lastKey (): Uint8Array {
    if (this.#last === null) {
      const last = new Uint8Array(Math.max(8, this.#submission.limits.keyBytesMax)).fill(0xff)
      last[7] = 0xfe
      this.#last = concat(this.#rootPrefix, last)
    }
    return this.#last
  }
}

/** What turns an item of the iterator below into one of `kind`. Null if they are the same. */
function mapper (kind: Kind, native: boolean, prefixLength: number): ((item: unknown) => unknown) | null {
  const strip = (key: unknown) => key === undefined ? key : stripPrefix(key as Data, prefixLength)

  if (kind === '_iterator') {
    if (prefixLength === 0) return null
    return (item) => {
      const entry = item as [unknown, unknown]
      entry[0] = strip(entry[0])
      return entry
    }
  }

  if (kind === '_values') return native ? null : (item) => (item as [unknown, unknown])[1]
  if (native) return prefixLength === 0 ? null : strip
  return (item) => strip((item as [unknown, unknown])[0])
}

/**
 * clear() is a read and several writes, and rejects like a write: before the first is done with the outcome of that
 * one, or `'aborted'` if the read failed; later with `'unknown'`, for something was applied.
 */
function clearError (error: unknown, deleted: number): unknown {
  if (deleted === 0 && error instanceof ReplicatorError && error.outcome !== undefined) return error
  const code = error instanceof ReplicatorError ? error.code : codes.storeFailed
  return new ReplicatorError(code, `clear() stopped after ${deleted} keys: ${(error as Error).message}`, {
    cause: error,
    outcome: deleted === 0 ? 'aborted' : 'unknown'
  })
}
