/** Thrown by every decoder on bytes that are not a whole, valid encoding. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Bytewise, shorter first: the order of keys in a store. */
export function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Writes integers, byte strings and texts one after the other into a buffer that grows as needed. */
export class ByteWriter {
  #buffer: Uint8Array
  #length = 0

  constructor (sizeHint = 64) {
    this.#buffer = new Uint8Array(sizeHint)
  }

  get length (): number {
    return this.#length
  }

  u8 (value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  flag (value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  /** Big-endian. */
  u32 (value: number): void {
    this.#reserve(4)
    const b = this.#buffer
    let at = this.#length
    b[at++] = value >>> 24
    b[at++] = value >>> 16
    b[at++] = value >>> 8
    b[at++] = value
    this.#length = at
  }

  /** A non-negative safe integer, 7 bits a byte, least significant first. */
  varint (value: number): void {
    this.#reserve(8)
    while (value > 0x7fffffff) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80
      value = Math.floor(value / 0x80)
    }
    while (value > 0x7f) {
      this.#buffer[this.#length++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    this.#buffer[this.#length++] = value
  }

  raw (bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A varint length, then the bytes. */
  bytes (bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** Bytes that may be missing. */
  optionalBytes (bytes: Uint8Array | null): void {
    this.flag(bytes !== null)
    if (bytes !== null) this.bytes(bytes)
  }

  text (text: string): void {
    this.bytes(encoder.encode(text))
  }

  /** What was written so far. The writer must not be used afterwards. */
  finish (): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve (size: number): void {
    const needed = this.#length + size
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}

/**
 * All lists of one input together have no more items: decoded, the smallest take a hundred times what they take encoded. Nobody
 * sends more than one write with as many operations as there may be, and some 2 MiB of others.
 */
export const ITEMS_MAX = 2_000_000

/** Reads what a ByteWriter wrote. Never reads beyond its end, and never allocates what it has not seen. */
export class ByteReader {
  readonly #buffer: Uint8Array
  #at = 0
  readonly #items: { left: number }

  /** `whole`: what this is a part of, with which it shares the bound of items. */
  constructor (buffer: Uint8Array, whole?: ByteReader) {
    this.#buffer = buffer
    this.#items = whole === undefined ? { left: ITEMS_MAX } : whole.#items
  }

  get remaining (): number {
    return this.#buffer.length - this.#at
  }

  get offset (): number {
    return this.#at
  }

  u8 (): number {
    const value = this.#buffer[this.#at]
    if (value === undefined) this.fail('truncated')
    this.#at++
    return value
  }

  flag (): boolean {
    const flag = this.u8()
    if (flag > 1) this.fail('invalid flag')
    return flag === 1
  }

  u32 (): number {
    const value = ((this.u8() << 24) | (this.u8() << 16) | (this.u8() << 8) | this.u8()) >>> 0
    return value
  }

  varint (): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        // One encoding for each number, so that equal logs have equal bytes.
        if (byte === 0 && i > 0) this.fail('integer with leading zero')
        if (value > Number.MAX_SAFE_INTEGER) this.fail('integer too large')
        return value
      }
      scale *= 0x80
    }
    return this.fail('integer too long')
  }

  /** A varint that counts items of at least `itemBytes` bytes each, which must still be there. */
  count (itemBytes: number): number {
    const count = this.varint()
    if (count * itemBytes > this.remaining) this.fail('count beyond the end')
    this.#items.left -= count
    if (this.#items.left < 0) this.fail('too many items')
    return count
  }

  /** A view, not a copy. */
  raw (length: number): Uint8Array {
    if (length > this.remaining) this.fail('truncated')
    this.#at += length
    return this.#buffer.subarray(this.#at - length, this.#at)
  }

  bytes (lengthMax: number = Number.MAX_SAFE_INTEGER): Uint8Array {
    const length = this.varint()
    if (length > lengthMax) this.fail('byte string too long')
    return this.raw(length)
  }

  optionalBytes (): Uint8Array | null {
    return this.flag() ? this.bytes() : null
  }

  text (lengthMax: number): string {
    const bytes = this.bytes(lengthMax)
    try {
      return decoder.decode(bytes)
    } catch {
      return this.fail('invalid UTF-8')
    }
  }

  /** Everything must have been read. */
  end (): void {
    if (this.remaining !== 0) this.fail('trailing bytes')
  }

  fail (reason: string): never {
    throw new WireError(`${reason} at offset ${this.#at}`)
  }
}
