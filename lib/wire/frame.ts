import { WireError } from './bytes.ts'

/** A frame is its length (u32, big-endian) and that many bytes, at least one. */
export const frameHeaderBytes = 4

/** Chunks below this size are merged while they wait, so that a frame sent byte by byte costs bytes, not objects. */
const mergeBytesMax = 64 * 1024

/** Writes the header of a frame of `length` bytes to the begin of `target`. */
export function writeFrameHeader (target: Uint8Array, length: number): void {
  target[0] = length >>> 24
  target[1] = length >>> 16
  target[2] = length >>> 8
  target[3] = length
}

/**
 * Cuts a stream of bytes into frames. Holds no more than what was pushed: the length that a peer
 * announces is checked against the limit, and never allocated before that many bytes are there.
 */
export class FrameDecoder {
  /** The largest length allowed. May be changed between two frames. */
  limit: number

  #chunks: Uint8Array[] = []
  #offset = 0
  #buffered = 0
  #length = 0

  constructor (limit: number) {
    this.limit = limit
  }

  /** Bytes that were pushed and not yet returned. */
  get buffered (): number {
    return this.#buffered
  }

  /** Takes over the chunk: it must not be changed afterwards. */
  push (chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    this.#merge()
  }

  /**
   * The payload of the next frame, or null if it is not complete. A view if it lies in one chunk. Throws a
   * WireError on a length that is not allowed; the stream is then unusable.
   */
  next (): Uint8Array | null {
    if (this.#length === 0) {
      if (this.#buffered < frameHeaderBytes) return null
      const length = this.#takeLength()
      if (length === 0) throw new WireError('empty frame')
      if (length > this.limit) throw new WireError(`frame of ${length} bytes exceeds the limit of ${this.limit}`)
      this.#length = length
    }

    if (this.#buffered < this.#length) return null
    const frame = this.#take(this.#length)
    this.#length = 0
    return frame
  }

  #takeLength (): number {
    const bytes = this.#take(frameHeaderBytes) as Uint8Array & { 0: number, 1: number, 2: number, 3: number }
    return ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0
  }

  #take (size: number): Uint8Array {
    this.#buffered -= size
    const first = this.#chunks[0] as Uint8Array
    const end = this.#offset + size

    if (end <= first.length) {
      const view = first.subarray(this.#offset, end)
      if (end === first.length) this.#dropFirst()
      else this.#offset = end
      return view
    }

    const whole = new Uint8Array(size)
    let at = 0
    while (at < size) {
      const chunk = this.#chunks[0] as Uint8Array
      const part = chunk.subarray(this.#offset, this.#offset + size - at)
      whole.set(part, at)
      at += part.length
      if (this.#offset + part.length === chunk.length) this.#dropFirst()
      else this.#offset += part.length
    }
    return whole
  }

  #dropFirst (): void {
    this.#chunks.shift()
    this.#offset = 0
  }

  // Two neighbours become one as soon as the later is not the smaller: each byte is then copied at
  // most log2(mergeBytesMax) times. The first chunk is left alone, it may be half consumed.
  #merge (): void {
    for (let last = this.#chunks.length - 1; last >= 2; last--) {
      const a = this.#chunks[last - 1] as Uint8Array
      const b = this.#chunks[last] as Uint8Array
      if (a.length > b.length || a.length + b.length > mergeBytesMax) return
      const merged = new Uint8Array(a.length + b.length)
      merged.set(a)
      merged.set(b, a.length)
      this.#chunks.length = last
      this.#chunks[last - 1] = merged
    }
  }
}
