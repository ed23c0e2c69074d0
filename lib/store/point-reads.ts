import type { Gate } from './gate.ts'
import type { Data, PrivateLevel, PrivateOptions } from './private-api.ts'
import type { RawStore } from './raw-store.ts'
import { copyData, toBytes } from './formats.ts'
import { isReservedAt, stripPrefix } from './ranges.ts'

export type PointApi = Pick<PrivateLevel, '_get' | '_getSync' | '_getMany' | '_has' | '_hasMany'>

/**
 * The methods that replace those of `db`. With an open gate each adds one look at it and one call. `offset` is the
 * length of the prefix that the keys carry here.
 */
export function pointReads (db: PrivateLevel, original: PointApi, gate: Gate, store: RawStore, offset: number): PointApi {
  const canonical = (key: Data) => toBytes(stripPrefix(key, offset))
  // UTF-8 has no byte 0xff, so text is never reserved.
  const isReserved = (key: Data) => typeof key !== 'string' && isReservedAt(key, offset)

  /** One original call for the keys that are not reserved, `missing` in the places of the others. */
  async function readMany<T> (
    keys: Data[], missing: T, wait: Promise<void> | null, read: (keys: Data[]) => Promise<T[]>
  ): Promise<T[]> {
    const allowed = keys.filter((key) => !isReserved(key))
    if (wait !== null) {
      await wait
      store.assertUsable()
    }
    if (allowed.length === keys.length) return read(keys)

    const results = allowed.length === 0 ? [] : await read(allowed)
    let at = 0
    return keys.map((key) => isReserved(key) ? missing : results[at++] as T)
  }

  function many<T> (
    keys: Data[], options: PrivateOptions, missing: T, read: (keys: Data[]) => Promise<T[]>
  ): Promise<T[]> {
    if (gate.open || options.snapshot != null) {
      return keys.some(isReserved) ? readMany(keys, missing, null, read) : read(keys)
    }
    // Of its own, so that the caller may change its buffers while the read waits.
    const stable = keys.map(copyData)
    return readMany(stable, missing, gate.waitForKeys(stable.map(canonical)), read)
  }

  return {
    _get (key: Data, options: PrivateOptions) {
      if (typeof key !== 'string' && isReservedAt(key, offset)) return Promise.resolve(undefined)
      if (gate.open || options.snapshot != null) return original._get.call(db, key, options)

      const stable = copyData(key)
      const wait = gate.waitForKey(canonical(stable))
      if (wait === null) return original._get.call(db, key, options)
      return wait.then(() => {
        store.assertUsable()
        return original._get.call(db, stable, options)
      })
    },

    _has (key: Data, options: PrivateOptions) {
      if (typeof key !== 'string' && isReservedAt(key, offset)) return Promise.resolve(false)
      if (gate.open || options.snapshot != null) return original._has.call(db, key, options)

      const stable = copyData(key)
      const wait = gate.waitForKey(canonical(stable))
      if (wait === null) return original._has.call(db, key, options)
      return wait.then(() => {
        store.assertUsable()
        return original._has.call(db, stable, options)
      })
    },

    _getSync (key: Data, options: PrivateOptions) {
      if (typeof key !== 'string' && isReservedAt(key, offset)) return undefined
      if (options.snapshot == null) gate.assertComplete()
      return original._getSync.call(db, key, options)
    },

    _getMany (keys: Data[], options: PrivateOptions) {
      return many<Data | undefined>(keys, options, undefined, (keys) => original._getMany.call(db, keys, options))
    },

    _hasMany (keys: Data[], options: PrivateOptions) {
      return many<boolean>(keys, options, false, (keys) => original._hasMany.call(db, keys, options))
    }
  }
}
