/** Keys and values. Making them must cost next to nothing: it happens in the processes that are measured. */
import { randomBytes } from 'node:crypto'

export interface Entry {
  key: string
  value: string
}

const keyBytes = 16

// Slices of it are values that do not compress well, as real ones: LevelDB compresses its tables.
const pool = randomBytes(768 * 1024).toString('base64')

/** 16 characters, never the same twice. */
export function freshKey (): string {
  return half() + half()
}

/** Of equal length, so that they sort by their numbers. */
export function numberedKey (number: number): string {
  return `n${String(number).padStart(keyBytes - 1, '0')}`
}

export function valueOf (bytes: number): string {
  const from = Math.floor(Math.random() * (pool.length - bytes))
  return pool.slice(from, from + bytes)
}

export function bytesOf (entries: number, valueBytes: number): number {
  return entries * (keyBytes + valueBytes)
}

// The first digit is always a 1, so that all have eight.
function half (): string {
  return Math.floor((1 + Math.random()) * 36 ** 7).toString(36)
}
