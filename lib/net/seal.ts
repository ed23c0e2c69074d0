import { WireError } from '../wire/bytes.ts'
import { equalBytes } from './equal-bytes.ts'
import { hmacWith } from './hmac.ts'
import type { Hmac } from './hmac.ts'

/** The first half of an HMAC-SHA256. */
export const tagBytes = 16

/** The two directions of one connection, as one side sees them. */
export interface Seals {
  sending: Seal
  receiving: Seal
}

/**
 * Makes, or checks, the tags of the frames of one direction. Each covers the number of the frame, too: so whoever stands between
 * the two sides can read and stop frames, but not change, add, repeat, swap or leave out any.
 */
export class Seal {
  readonly #hmac: Hmac
  readonly #number = new Uint8Array(8)
  readonly #numberView = new DataView(this.#number.buffer)
  #count = 0

  constructor (key: Uint8Array) {
    this.#hmac = hmacWith(key)
  }

  /** The tag of the next frame, which is given in parts. */
  tag (...parts: Uint8Array[]): Uint8Array {
    this.#numberView.setUint32(0, Math.floor(this.#count / 0x100000000))
    this.#numberView.setUint32(4, this.#count >>> 0)
    this.#count++
    return this.#hmac(this.#number, ...parts).subarray(0, tagBytes)
  }

  /** The next frame without its tag. Throws a WireError if that is wrong. */
  open (sealed: Uint8Array): Uint8Array {
    if (sealed.length < tagBytes) throw new WireError('a frame without a tag')
    const frame = sealed.subarray(0, sealed.length - tagBytes)
    if (!equalBytes(this.tag(frame), sealed.subarray(frame.length))) throw new WireError('a frame with a wrong tag')
    return frame
  }
}
