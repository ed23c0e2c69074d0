import { codes, ReplicatorError } from '../errors.ts'
import type { Data, PrivateLevel } from './private-api.ts'

const encoder = new TextEncoder()

/** Key or value as bytes. Not a copy, if it was bytes already. */
export function toBytes (data: Data): Uint8Array {
  return typeof data === 'string' ? encoder.encode(data) : data
}

/** The same key or value in memory of its own, for what outlives the call that passed it. */
export function copyData (data: Data): Data {
  // Not `data.slice()`, which is a view if it is a Buffer. This is a copy, and still a Buffer if it was one.
  return typeof data === 'string' ? data : Uint8Array.prototype.slice.call(data)
}

export function concat (a: Uint8Array, b: Uint8Array): Uint8Array {
  const result = new Uint8Array(a.length + b.length)
  result.set(a)
  result.set(b, a.length)
  return result
}

/** How one database keeps bytes. */
export interface NativeFormat {
  readonly format: 'buffer' | 'view'
  /** These bytes as an object that the store may keep. */
  keep (bytes: Uint8Array): Uint8Array
}

/** Throws if the database can only keep text: then bytes would have to be stored as something else. */
export function nativeFormat (root: PrivateLevel): NativeFormat {
  const format = binaryFormat(root)

  // A store that takes text as well as bytes has to bring them to one form of its own, so it copies.
  const copies = root.keyEncoding('utf8').format === 'utf8'
  if (copies) return { format, keep: (bytes) => bytes }

  // Any other may keep the very object that it is given, or (as IndexedDB does) clone all of the memory below a
  // view. A value that is cut out of a network frame must not keep the whole frame alive.
  const view = root.valueEncoding('view')
  const asBuffer = view.format === 'buffer'

  return {
    format,
    keep (bytes) {
      const whole = bytes.length === bytes.buffer.byteLength
      if (asBuffer) return view.encode(whole ? bytes : new Uint8Array(bytes)) as Uint8Array
      if (!whole) return new Uint8Array(bytes)
      return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer as ArrayBuffer)
    }
  }
}

function binaryFormat (root: PrivateLevel): 'buffer' | 'view' {
  let format: string | null = null
  let cause: unknown

  try {
    format = root.keyEncoding('buffer').format
  } catch (error) {
    // How abstract-level says that bytes cannot be brought to the formats of the store.
    cause = error
  }
  if (format === 'buffer' || format === 'view') return format

  throw new ReplicatorError(codes.notSupported,
    'The database keeps its data as text, but replication needs one that keeps bytes: ' +
    'its native format must be \'buffer\' or \'view\'', { cause })
}
