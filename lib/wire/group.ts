import type { Entry, Group, SkipReason } from '../core/entry.ts'
import { groupBytes, skipReasons } from '../core/entry.ts'
import { ByteReader, ByteWriter, WireError } from './bytes.ts'
import { crc32c } from './crc32c.ts'
import { fromHex, toHex } from './hex.ts'
import { decodeOperations } from './operations.ts'

/** The version of the record format. A higher one was written by a later release. */
export const RECORD_FORMAT = 1

/** The record was written by a version of this package that is newer than this one. */
export class FormatError extends WireError {}

const kinds = { write: 1, skip: 2, open: 3, seeded: 4, keyed: 5, observed: 6 } as const

/** Of the key of a write, in UTF-8. */
export const KEY_BYTES_MAX = 128

/**
 * The log record of a group, which is also the body of its PREPARE: encoded once, and kept on the group.
 * See `spec/wire.md`, "Groups".
 */
export function encodeGroup (group: Group): Uint8Array {
  if (group.record !== undefined) return group.record

  const writer = new ByteWriter(groupBytes(group) + 16)
  writer.u8(RECORD_FORMAT)
  writer.u32(0)
  writer.varint(group.epoch)
  writer.varint(group.first)
  writer.varint(group.entries.length)
  for (const entry of group.entries) encodeEntry(writer, entry)

  const record = writer.finish()
  const checksum = crc32c(record.subarray(5))
  new DataView(record.buffer, record.byteOffset).setUint32(1, checksum)
  group.record = record
  return record
}

function encodeEntry (writer: ByteWriter, entry: Entry): void {
  const key = entry.kind === 'write' ? entry.key ?? '' : ''
  if (entry.kind === 'open') {
    writer.u8(entry.observer === true ? kinds.observed : kinds.open)
    writer.raw(fromHex(entry.node))
    writer.varint(entry.start)
    return
  }
  writer.u8(key === '' ? kinds[entry.kind] : kinds.keyed)
  writer.varint(entry.origin)
  writer.varint(entry.number)
  if (key !== '') writer.text(key)
  if (entry.kind === 'write') writer.bytes(entry.body)
  else if (entry.kind === 'skip') writer.u8(skipReasons[entry.reason])
}

/** What a record says of itself without its entries. Checks format and checksum, like `decodeGroup`. */
export function decodeGroupHeader (record: Uint8Array): { epoch: number, first: number, count: number } {
  return readHeader(new ByteReader(record), record)
}

/** The inverse. Entries are views on `record`. Throws a WireError on anything but a whole, valid record, a FormatError on a newer one. */
export function decodeGroup (record: Uint8Array, whole?: ByteReader): Group {
  const reader = new ByteReader(record, whole)
  const { epoch, first, count } = readHeader(reader, record)
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) entries.push(decodeEntry(reader))
  reader.end()
  return { epoch, first, entries, record }
}

function readHeader (reader: ByteReader, record: Uint8Array): { epoch: number, first: number, count: number } {
  const format = reader.u8()
  if (format > RECORD_FORMAT) throw new FormatError(`record format ${format} is newer than ${RECORD_FORMAT}`)
  if (format !== RECORD_FORMAT) reader.fail('unknown record format')
  if (reader.u32() !== crc32c(record.subarray(5))) reader.fail('checksum mismatch')

  const epoch = reader.varint()
  const first = reader.varint()
  const count = reader.count(3)
  if (epoch === 0 || first === 0 || count === 0) reader.fail('empty group')
  if (first + count > Number.MAX_SAFE_INTEGER) reader.fail('position too large')
  return { epoch, first, count }
}

function decodeEntry (reader: ByteReader): Entry {
  const kind = reader.u8()
  if (kind === kinds.open || kind === kinds.observed) {
    return { kind: 'open', node: toHex(reader.raw(16)), start: reader.varint(), ...kind === kinds.observed ? { observer: true } : {} }
  }

  const origin = reader.varint()
  const number = reader.varint()
  if (kind === kinds.write || kind === kinds.keyed) {
    const key = kind === kinds.keyed ? readKey(reader) : ''
    const body = reader.bytes()
    return { kind: 'write', origin, number, body, operations: decodeOperations(body, reader), key }
  }
  if (kind === kinds.skip) {
    const code = reader.u8()
    for (const reason of Object.keys(skipReasons) as SkipReason[]) {
      if (skipReasons[reason] === code) return { kind: 'skip', origin, number, reason }
    }
    return reader.fail('unknown skip reason')
  }
  if (kind === kinds.seeded) return { kind: 'seeded', origin, number }
  return reader.fail('unknown entry kind')
}

/** The key of a write that has one. */
export function readKey (reader: ByteReader): string {
  const key = reader.text(KEY_BYTES_MAX)
  return key === '' ? reader.fail('an empty key') : key
}
