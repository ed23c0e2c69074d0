import type { ByteRange } from './gate.ts'
import type { Data, PrivateLevel, PrivateRangeOptions } from './private-api.ts'
import { concat, toBytes } from './formats.ts'
import { RESERVED } from './keys.ts'
import { compareBytes } from '../wire/bytes.ts'

/**
 * A database whose ranges are read: the wrapped one, or a sublevel below it. `prefix` leads from the wrapped database
 * to it (empty for itself), `rootPrefix` from the root database to the wrapped one (empty if it is the root).
 */
export interface View {
  readonly db: PrivateLevel
  readonly prefix: Uint8Array
  readonly rootPrefix: Uint8Array
}

/** True if `key` lies in the reserved space, where the first `offset` bytes are a prefix that does not count. */
export function isReservedAt (key: Uint8Array, offset: number): boolean {
  // Almost every key leaves here.
  if (key[offset] !== 0xff) return false
  if (key.length < offset + 8) return false
  for (let i = offset + 1; i < offset + 8; i++) if (key[i] !== 0xff) return false
  return true
}

/**
 * Lowers the upper bound in `options` so that the range ends before the reserved space. Returns true if it had to.
 * The bound is bytes even where the format is 'utf8': there is no text above all text, and the stores that take
 * text natively look at the type of each bound.
 */
export function clamp (options: PrivateRangeOptions): boolean {
  const upper = options.lte ?? options.lt

  if (upper !== undefined) {
    // UTF-8 has no byte 0xff.
    if (typeof upper === 'string') return false
    const order = compareBytes(upper, RESERVED)
    if (order < 0 || (order === 0 && options.lte === undefined)) return false
    delete options.lte
  }

  options.lt = RESERVED
  return true
}

/** The range in the key space of the wrapped database. The reserved space is never part of it. */
export function canonicalRange (view: View, options: PrivateRangeOptions): ByteRange {
  const { prefix } = view
  const range: ByteRange = {}

  if (options.gte !== undefined) range.gte = concat(prefix, toBytes(options.gte))
  else if (options.gt !== undefined) range.gt = concat(prefix, toBytes(options.gt))
  else if (prefix.length > 0) range.gte = prefix

  if (options.lte !== undefined) range.lte = concat(prefix, toBytes(options.lte))
  else if (options.lt !== undefined) range.lt = concat(prefix, toBytes(options.lt))
  else if (prefix.length > 0) range.lt = upperBound(prefix)

  clamp(range as PrivateRangeOptions)
  return range
}

/** The same range in the key space of the root. */
export function rootRange (rootPrefix: Uint8Array, range: ByteRange): ByteRange {
  const result: ByteRange = {}
  const whole = rootPrefix.length === 0

  if (range.gte !== undefined) result.gte = concat(rootPrefix, range.gte)
  else if (range.gt !== undefined) result.gt = concat(rootPrefix, range.gt)
  else if (!whole) result.gte = rootPrefix

  if (range.lte !== undefined) result.lte = concat(rootPrefix, range.lte)
  else if (range.lt !== undefined) result.lt = concat(rootPrefix, range.lt)
  else if (!whole) result.lt = upperBound(rootPrefix)

  return result
}

/** The key after all that begin with a prefix, which ends in the (ASCII) separator of a sublevel. */
function upperBound (prefix: Uint8Array): Uint8Array {
  const bound = new Uint8Array(prefix)
  bound[bound.length - 1] = (bound[bound.length - 1] as number) + 1
  return bound
}

/** `options` with the bounds of `range` in place of its own. */
export function withRange (options: PrivateRangeOptions, range: ByteRange): PrivateRangeOptions {
  const { gte, gt, lte, lt, ...rest } = options
  return { ...rest, ...range }
}

/** A key without its first `length` bytes. Prefixes of sublevels are ASCII, so characters are bytes. */
export function stripPrefix (key: Data, length: number): Data {
  if (length === 0) return key
  return typeof key === 'string' ? key.slice(length) : key.subarray(length)
}
