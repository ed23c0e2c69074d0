import type { AbstractLevel } from 'abstract-level'

/** What abstract-level hands to a store: a key or value in one of its formats, 'utf8', 'buffer' or 'view'. */
export type Data = string | Uint8Array

export type Format = 'utf8' | 'buffer' | 'view'

export interface PrivateOptions {
  readonly keyEncoding?: Format
  readonly valueEncoding?: Format
  readonly snapshot?: object | null
}

/** Options of `_iterator`, `_keys`, `_values` and `_clear`: bounds are in the format of `keyEncoding`. */
export interface PrivateRangeOptions extends PrivateOptions {
  gte?: Data
  gt?: Data
  lte?: Data
  lt?: Data
  readonly reverse: boolean
  readonly limit: number
  readonly keys?: boolean
  readonly values?: boolean
  readonly signal?: AbortSignal | null
}

export interface PrivateOperation {
  readonly type: 'put' | 'del'
  readonly key: Data
  readonly value?: Data
  /** Left over only if the operation is for a database that is not below the one that gets the batch. */
  readonly sublevel?: object | null
}

export interface PrivateEncoding {
  readonly format: Format
  encode (data: unknown): Data
}

/** What any iterator of abstract-level offers, whatever its items are. */
export interface PrivateIterator {
  next (): Promise<unknown>
  nextv (size: number, options?: object): Promise<unknown[]>
  all (options?: object): Promise<unknown[]>
  seek (target: Data, options?: object): void
  close (): Promise<void>
  _seek (target: Data, options: object): void
}

/** The side of an abstract-level database that faces its store. Part of its contract, but not of its public types. */
export interface PrivateLevel {
  readonly status: 'opening' | 'open' | 'closing' | 'closed'
  readonly parent: PrivateLevel | null
  keyEncoding (encoding: string): PrivateEncoding
  valueEncoding (encoding: string): PrivateEncoding
  prefixKey (key: string, format: 'utf8', local: boolean): string
  once (event: string, listener: () => void): unknown
  removeListener (event: string, listener: () => void): unknown
  attachResource (resource: object): void

  _open (options: object): Promise<void>
  _close (): Promise<void>
  _get (key: Data, options: PrivateOptions): Promise<Data | undefined>
  _getSync (key: Data, options: PrivateOptions): Data | undefined
  _snapshot (options: object): object
  _getMany (keys: Data[], options: PrivateOptions): Promise<Array<Data | undefined>>
  _has (key: Data, options: PrivateOptions): Promise<boolean>
  _hasMany (keys: Data[], options: PrivateOptions): Promise<boolean[]>
  _put (key: Data, value: Data, options: object): Promise<void>
  _del (key: Data, options: object): Promise<void>
  _batch (operations: PrivateOperation[], options: object): Promise<void>
  _chainedBatch (): object
  _clear (options: PrivateRangeOptions): Promise<void>
  _iterator (options: PrivateRangeOptions): PrivateIterator
  _keys (options: PrivateRangeOptions): PrivateIterator
  _values (options: PrivateRangeOptions): PrivateIterator
}

export function privateApi<F, K, V> (db: AbstractLevel<F, K, V>): PrivateLevel {
  return db as unknown as PrivateLevel
}

/** The database that owns the storage: the topmost ancestor. */
export function rootOf (db: PrivateLevel): PrivateLevel {
  let root = db
  while (root.parent != null) root = root.parent
  return root
}
