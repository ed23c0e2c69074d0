import { crc32c } from '../wire/crc32c.ts'
import { hashKey } from '../core/pending.ts'

/** A running digest of entries, 64 bits in 16 hex digits: against accidents, not against attackers. */
export class Digest {
  #crc = 0
  #mix = 0x9747b28c
  #count = 0

  get entries (): number {
    return this.#count
  }

  add (key: Uint8Array, value: Uint8Array): void {
    const lengths = new Uint8Array(8)
    const view = new DataView(lengths.buffer)
    view.setUint32(0, key.length)
    view.setUint32(4, value.length)
    this.#crc = crc32c(value, crc32c(key, crc32c(lengths, this.#crc)))
    // An order-dependent mix of hashes that are independent of the checksum.
    this.#mix = Math.imul(this.#mix ^ hashKey(key), 0x85ebca6b)
    this.#mix = Math.imul((this.#mix ^ (this.#mix >>> 13)) ^ hashKey(value), 0xc2b2ae35)
    this.#mix ^= this.#mix >>> 16
    this.#count++
  }

  hex (): string {
    return this.#crc.toString(16).padStart(8, '0') + (this.#mix >>> 0).toString(16).padStart(8, '0')
  }
}
