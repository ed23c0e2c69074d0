import { compareBytes } from '../wire/bytes.ts'
import type { ByteRange } from './gate.ts'

/**
 * The reserved key space: all keys that begin with eight 0xff bytes, which are also the last in key order. No UTF-8
 * text has such a byte, and no random key hits it (2^-64). See `spec/storage.md`.
 */
export const RESERVED: Uint8Array = new Uint8Array(8).fill(0xff)

/** True if `key` lies in the reserved key space. */
export function isReserved (key: Uint8Array): boolean {
  if (key.length < 8) return false
  for (let i = 0; i < 8; i++) if (key[i] !== 0xff) return false
  return true
}

/** A function that tells whether a key lies in a range. */
export function rangeFilter ({ gte, gt, lte, lt }: ByteRange): (key: Uint8Array) => boolean {
  return (key) =>
    (gte === undefined || compareBytes(key, gte) >= 0) &&
    (gt === undefined || compareBytes(key, gt) > 0) &&
    (lte === undefined || compareBytes(key, lte) <= 0) &&
    (lt === undefined || compareBytes(key, lt) < 0)
}
