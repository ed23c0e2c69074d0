import { AbstractLevel } from 'abstract-level'
import { codes, ReplicatorError } from '../errors.ts'
import { optionLimits } from '../limits.ts'
import type { Gate } from './gate.ts'
import type { Data, PrivateLevel, PrivateOperation, PrivateRangeOptions } from './private-api.ts'
import type { RawApi } from './raw-store.ts'
import type { Kind } from './range-reads.ts'
import type { Store } from './store.ts'
import type { WriteLimits } from './submission.ts'
import { toHex } from '../wire/hex.ts'
import { nativeFormat, toBytes } from './formats.ts'
import { OwnProperties } from './own-properties.ts'
import { pointReads } from './point-reads.ts'
import { privateApi, rootOf } from './private-api.ts'
import { RangeReads } from './range-reads.ts'
import { RawStore } from './raw-store.ts'
import { ReplicaChainedBatch } from './replica-chained-batch.ts'
import { interceptSublevels } from './sublevels.ts'
import { Submission } from './submission.ts'
import type { WriteOptions } from '../write-options.ts'

/** Where a root database keeps the prefixes that are wrapped in it, for all copies of this package in one process. */
const wrapped = Symbol.for('quorum-level')

const kinds = ['_iterator', '_keys', '_values'] as const satisfies readonly Kind[]

const defaults = privateApi(AbstractLevel.prototype as AbstractLevel<unknown, unknown, unknown>)

export type InterceptOptions = Partial<WriteLimits>

export interface Interception {
  /** The storage itself. Works from `gate.onStoreOpen()` until the promise of `gate.onStoreClosing()` settles. */
  readonly store: Store
  /** Where files can be kept that belong to it: in the directory of the database; null if it is in none. */
  readonly directory: string | null
  /** Whether it works now. */
  readonly isOpen: boolean
  /** Gives the database back as it was. Reads that wait still end by the gate. Idempotent. */
  uninstall (): void
}

/**
 * Puts `gate` between a database and its storage, on this very instance: its private methods are replaced, so that
 * encodings, sublevels, hooks, events and deferred operations remain those of abstract-level. Keys and values are
 * replicated as bytes. `options` limit keys to 64 KiB, values and writes to 16 MiB by default.
 *
 * Throws LEVEL_ALREADY_WRAPPED, and LEVEL_NOT_SUPPORTED for a database that cannot keep bytes.
 *
 * If `db` is a sublevel: sublevels of it that are open already at that moment go on bypassing the gate with clear() and
 * iterators until they are reopened, so make them afterwards (or in the same turn).
 */
export function intercept<F, K, V> (
  db: AbstractLevel<F, K, V>, gate: Gate, options: InterceptOptions = {}
): Interception {
  if (!(db instanceof AbstractLevel)) {
    throw new ReplicatorError(codes.notSupported, 'The database was made with another copy or version of abstract-level than the one that this package uses (npm ls abstract-level)')
  }
  const level = privateApi(db)
  const root = rootOf(level)
  const native = nativeFormat(root)
  const isRoot = root === level
  const rootPrefix = isRoot ? new Uint8Array(0) : toBytes(level.prefixKey('', 'utf8', false))
  const localLength = isRoot ? 0 : level.prefixKey('', 'utf8', true).length

  const store = new RawStore(root, rawApi(root, isRoot), rootPrefix, native)
  const submission = new Submission(gate, localLength, {
    keyBytesMax: options.keyBytesMax ?? optionLimits.keyBytesMax.value,
    valueBytesMax: options.valueBytesMax ?? optionLimits.valueBytesMax.value,
    writeBytesMax: options.writeBytesMax ?? optionLimits.writeBytesMax.value
  })
  const ranges = new RangeReads({ gate, store, submission, rootPrefix, native: ownKinds(root) })
  const view = { db: level, prefix: new Uint8Array(0), rootPrefix }
  const points = pointReads(level, pick(level, ['_get', '_getSync', '_getMany', '_has', '_hasMany']), gate, store, localLength)
  const original = pick(level, ['_open', '_close', '_snapshot', ...kinds])
  const unregister = register(root, isRoot ? '' : level.prefixKey('', 'utf8', false))
  const instance = new OwnProperties(level)
  let installed = true

  const onOpen = async () => {
    if (store.usable) return
    store.usable = true
    await gate.onStoreOpen()
  }

  const replacements: Partial<PrivateLevel> = {
    async _open (options: object) {
      try {
        await original._open.call(level, options)
      } catch (error) {
        gate.onStoreUnopened(error)
        throw error
      }
      await onOpen()
    },
    async _close () {
      await gate.onStoreClosing()
      store.usable = false
      try {
        await original._close.call(level)
      } catch (error) {
        // abstract-level takes it that the database is still open.
        void onOpen()
        throw error
      }
    },
    ...points,
    _snapshot (options: object) {
      gate.assertComplete()
      return original._snapshot.call(level, options)
    },
    _put: (key: Data, value: Data, options: WriteOptions) => submission.submit([submission.put(key, value)], options),
    _del: (key: Data, options: WriteOptions) => submission.submit([submission.del(key)], options),
    _batch: (operations: PrivateOperation[], options: WriteOptions) => submission.submit(operations.map((op) => submission.operation(op)), options),
    _chainedBatch: () => new ReplicaChainedBatch(level, submission),
    _clear: (options: PrivateRangeOptions) => ranges.clear(view, options)
  }

  for (const kind of kinds) {
    replacements[kind] = isRoot
      ? (options: PrivateRangeOptions) => ranges.iterateRoot(view, kind, original[kind], options)
      : (options: PrivateRangeOptions) => ranges.iterateSublevel(view, kind, options)
  }

  for (const [name, method] of Object.entries(replacements)) instance.define(name, method)
  const sublevels = isRoot ? null : interceptSublevels(level, ranges, rootPrefix)

  if (level.status === 'open') {
    store.usable = true
    queueMicrotask(() => { if (installed) void gate.onStoreOpen() })
  } else if (level.status === 'opening') {
    // Its `_open` may be running already, and then it is not ours.
    level.once('open', onOpen)
  }

  return {
    store,
    directory: directoryOf(root, rootPrefix),
    get isOpen () { return store.usable },
    uninstall () {
      installed = false
      level.removeListener('open', onOpen)
      sublevels?.uninstall()
      instance.restore()
      unregister()
    }
  }
}

/** What can be flushed is on a disk; a database in a browser has a location that is no path. */
function directoryOf (root: PrivateLevel, prefix: Uint8Array): string | null {
  const { location, supports } = root as unknown as AbstractLevel<unknown> & { readonly location?: unknown }
  if (typeof location !== 'string' || location === '' || supports.additionalMethods['compactRange'] !== true) return null
  return `${location}/quorum-level${prefix.length === 0 ? '' : `-${toHex(prefix)}`}`
}

/** Two replicators must not keep their records in one key space, nor one replicate the records of another. */
function register (root: PrivateLevel, prefix: string): () => void {
  const holder = root as PrivateLevel & { [wrapped]?: Set<string> }
  if (holder[wrapped] === undefined) Object.defineProperty(root, wrapped, { value: new Set<string>(), configurable: true })
  const prefixes = holder[wrapped] as Set<string>
  for (const other of prefixes) {
    if (other.startsWith(prefix) || prefix.startsWith(other)) {
      throw new ReplicatorError(codes.alreadyWrapped, 'The database, or a part of it, or what it is a part of, is already wrapped by a replicator: use that one, or release() it first')
    }
  }
  prefixes.add(prefix)
  return () => {
    prefixes.delete(prefix)
    if (prefixes.size === 0) delete holder[wrapped]
  }
}

/** The original methods if `root` is what is wrapped; else those that it has when they are called. */
function rawApi (root: PrivateLevel, isRoot: boolean): RawApi {
  if (!isRoot) return root
  const { _get, _batch, _iterator, _keys, _values } = root
  return {
    _get: (key, options) => _get.call(root, key, options),
    _batch: (operations, options) => _batch.call(root, operations, options),
    _iterator: (options) => _iterator.call(root, options),
    _keys: (options) => _keys.call(root, options),
    _values: (options) => _values.call(root, options)
  }
}

function ownKinds (root: PrivateLevel): Record<Kind, boolean> {
  return {
    _iterator: true,
    _keys: root._keys !== defaults._keys,
    _values: root._values !== defaults._values
  }
}

function pick<N extends keyof PrivateLevel> (level: PrivateLevel, names: readonly N[]): Pick<PrivateLevel, N> {
  return Object.fromEntries(names.map((name) => [name, level[name]])) as Pick<PrivateLevel, N>
}
