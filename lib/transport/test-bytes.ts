import type { Duplex } from 'node:stream'
import { realEnvironment } from '../env.ts'

const { nextTurn } = realEnvironment

/** How many turns of the event loop a writer has to wait before the reader takes it for stuck. */
const patience = 50

/** The bytes that every test sends: what is at the wrong place shows. */
export function bytesAt (position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(position + i)
  return bytes
}

function byteAt (position: number): number {
  return Math.imul(position + 1, 0x9e3779b1) >>> 24
}

/** Reads these bytes from a stream, and compares them. */
export class Reading {
  /** How many have arrived. */
  count = 0
  /** Null as long as all were right. */
  wrong: string | null = null
  /** Resolves with the end of the stream. Rejects if it fails, or is closed without one. */
  readonly ended: Promise<void>
  #due = Infinity
  #onDue: (() => void) | null = null

  constructor (stream: Duplex) {
    this.ended = new Promise((resolve, reject) => {
      stream.on('data', (chunk: unknown) => { this.#take(chunk) })
      stream.on('end', resolve)
      stream.on('error', reject)
      stream.on('close', () => { reject(new Error('the stream was closed without an end')) })
    })
    this.ended.catch(() => {})
  }

  /** Resolves when so many have arrived, or one that is wrong. */
  async until (count: number): Promise<void> {
    await Promise.race([this.ended, new Promise<void>((resolve) => {
      this.#due = count
      this.#onDue = resolve
      this.#tell()
    })])
  }

  #take (chunk: unknown): void {
    if (!(chunk instanceof Uint8Array)) this.wrong ??= 'what arrives is not bytes'
    else for (const byte of chunk) if (byte !== byteAt(this.count++)) this.wrong ??= `byte ${this.count - 1} is wrong`
    this.#tell()
  }

  #tell (): void {
    if (this.count >= this.#due || this.wrong !== null) this.#onDue?.()
  }
}

/** Resolves when the stream takes more. Rejects if it fails, or is closed. */
function drained (stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      stream.off('drain', onDrain).off('error', settle).off('close', onClose)
      if (error === null) resolve()
      else reject(error)
    }
    const onDrain = (): void => { settle(null) }
    const onClose = (): void => { settle(new Error('the stream was closed')) }
    stream.on('drain', onDrain).on('error', settle).on('close', onClose)
  })
}

/** Writes those bytes in chunks of these sizes, over and over, and waits whenever it is told to. */
export async function writeBytes (stream: Duplex, count: number, sizes: readonly number[]): Promise<void> {
  let position = 0
  for (let i = 0; position < count; i++) {
    const length = Math.min(sizes[i % sizes.length] as number, count - position)
    if (!stream.write(bytesAt(position, length))) await drained(stream)
    position += length
  }
}

/** Resolves when the stream tells in any way that the other side is gone. */
export function gone (stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve()
    for (const event of ['end', 'error', 'close']) stream.once(event, () => { resolve() })
    stream.resume()
  })
}

export function closed (stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve()
    else stream.once('close', () => { resolve() })
  })
}

/**
 * Writes as much and as fast as the one stream allows. At the other one, takes no more than it has to for this to go on. Resolves with
 * the most bytes that were on the way, and how often the writer was stuck.
 */
export async function writeToLazyReader (writer: Duplex, reader: Duplex, count: number): Promise<{ most: number, stuck: number }> {
  const chunk = new Uint8Array(64 * 1024)
  const portion = 1024 * 1024
  let [written, read, allowed, most, stuck] = [0, 0, 0, 0, 0]
  let onRead = (): void => {}
  reader.pause()
  reader.on('data', (bytes: Uint8Array) => {
    read += bytes.length
    if (read >= allowed) reader.pause()
    onRead()
  })

  while (written < count) {
    const goesOn = writer.write(chunk)
    written += chunk.length
    most = Math.max(most, written - read)
    if (goesOn) continue

    const draining = drained(writer).then(() => true)
    while (!await Promise.race([draining, turns(patience)])) {
      if (read < allowed) continue
      stuck++
      allowed = read + portion
      reader.resume()
    }
  }

  const all = new Promise<void>((resolve, reject) => {
    onRead = () => { if (read >= written) resolve() }
    reader.once('error', reject)
    reader.once('close', () => { reject(new Error('the stream was closed before all bytes were read')) })
    onRead()
  })
  allowed = Infinity
  reader.resume()
  await all
  return { most, stuck }
}

async function turns (count: number): Promise<false> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => { nextTurn(resolve) })
  return false
}
