import type { Group, LogName } from '../core/entry.ts'
import { ByteReader, ByteWriter, WireError, compareBytes } from '../wire/bytes.ts'
import { crc32c } from '../wire/crc32c.ts'
import { FormatError } from '../wire/group.ts'
import { fromHex, toHex } from '../wire/hex.ts'
import type { Files } from './files.ts'

/** The version of the layout of a segment. A higher one was written by a later release. */
export const SEGMENT_FORMAT = 1
/** Where the first block of a segment is. */
export const FIRST_BLOCK = 8192
/** Offsets have four bytes. */
export const SEGMENT_MAX = 0xffffffff
/** Where the second copy of the header is: what damages the one need not damage the other. */
const SECOND_COPY = 4096

const SALT_BYTES = 8
/** A block's header takes so much, and so much more for each record. */
const BLOCK_BYTES = 32
const RECORD_BYTES = 13
/** What the header of a block repeats of each record: its format and its checksum. */
const PREFIX_BYTES = 5

/** How much is looked through at once. */
const SEARCH_BYTES = 1 << 20

const magic = new TextEncoder().encode('qlvl-log')

/** What the header of a segment tells. */
export interface SegmentHeader {
  /** Of the log, 16 hex digits. */
  readonly id: string
  /** Names the file. Only grows. */
  readonly sequence: number
  /** The segment on which this one follows; 0 if it is the first of its log. */
  readonly previous: number
  /** The oldest segment that the log needed when this one began. */
  readonly oldest: number
  /** The log up to here is in the segments before. */
  readonly base: LogName
  /** Of the whole file, in bytes. */
  readonly size: number
  /** Tells the blocks of this use of the file from those of an earlier one. */
  readonly salt: Uint8Array
}

/** One file of a log. See `spec/log-files.md`. */
export interface Segment extends SegmentHeader {
  readonly name: string
  /** The checksum of what all its blocks have in common. */
  readonly seed: number
}

/** What is appended at once. */
export interface Block {
  readonly offset: number
  readonly length: number
  readonly records: readonly BlockRecord[]
}

export interface BlockRecord {
  /** Position of the first entry. */
  readonly first: number
  /** How many entries there are in it. */
  readonly count: number
  /** A view on what was read. */
  readonly record: Uint8Array
}

export type FileKind = 'log' | 'spare'

export function fileName (sequence: number, kind: FileKind): string {
  return `${sequence.toString(16).padStart(16, '0')}.${kind}`
}

/** Null for a name that no log gives. */
export function parseName (name: string): { sequence: number, kind: FileKind } | null {
  const [, digits, kind] = /^([0-9a-f]{16})\.(log|spare)$/.exec(name) ?? []
  if (digits === undefined) return null
  const sequence = parseInt(digits, 16)
  return Number.isSafeInteger(sequence) && sequence > 0 ? { sequence, kind: kind as FileKind } : null
}

export function makeSegment (header: SegmentHeader): Segment {
  const common = new Uint8Array(16 + SALT_BYTES)
  common.set(fromHex(header.id))
  writePosition(new DataView(common.buffer), 8, header.sequence)
  common.set(header.salt, 16)
  return { ...header, name: fileName(header.sequence, 'log'), seed: crc32c(common) }
}

/** All that is in front of the first block. */
export function encodeSegment (segment: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(128)
  writer.raw(magic)
  writer.u8(SEGMENT_FORMAT)
  writer.raw(fromHex(segment.id))
  for (const number of [segment.sequence, segment.previous, segment.oldest, segment.base.position, segment.base.epoch, segment.size]) writer.varint(number)
  writer.raw(segment.salt)
  const header = writer.finish()

  const bytes = new Uint8Array(FIRST_BLOCK)
  for (const at of [0, SECOND_COPY]) {
    bytes.set(header, at)
    new DataView(bytes.buffer).setUint32(at + header.length, crc32c(header))
  }
  return bytes
}

/** Null if this is not the header of the segment with this number. Throws a FormatError on a newer one. */
export function decodeSegment (bytes: Uint8Array, sequence: number): Segment | null {
  const copies = [bytes.subarray(0, SECOND_COPY), bytes.subarray(SECOND_COPY)]
  for (const copy of copies) {
    const header = decodeCopy(copy)
    if (header?.sequence === sequence) return makeSegment(header)
  }
  for (const copy of copies) {
    const format = compareBytes(copy.subarray(0, magic.length), magic) === 0 ? copy[magic.length] ?? 0 : 0
    if (format > SEGMENT_FORMAT) throw new FormatError(`segment format ${format} of ${fileName(sequence, 'log')} is newer than ${SEGMENT_FORMAT}`)
  }
  return null
}

function decodeCopy (bytes: Uint8Array): SegmentHeader | null {
  const reader = new ByteReader(bytes)
  try {
    if (compareBytes(reader.raw(magic.length), magic) !== 0 || reader.u8() !== SEGMENT_FORMAT) return null
    const id = toHex(reader.raw(8))
    const sequence = reader.varint()
    const previous = reader.varint()
    const oldest = reader.varint()
    const base = { position: reader.varint(), epoch: reader.varint() }
    const size = reader.varint()
    const salt = reader.raw(SALT_BYTES).slice()
    const checksum = crc32c(bytes.subarray(0, reader.offset))
    return reader.u32() === checksum ? { id, sequence, previous, oldest, base, size, salt } : null
  } catch (error) {
    if (error instanceof WireError) return null
    throw error
  }
}

/** How many bytes a block of these records takes. */
export function blockBytes (records: readonly Uint8Array[]): number {
  let bytes = BLOCK_BYTES + RECORD_BYTES * records.length
  for (const record of records) bytes += record.length
  return bytes
}

/** What comes in front of the records of these groups. */
export function encodeBlockHeader (segment: Segment, offset: number, groups: readonly Group[], records: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES + RECORD_BYTES * records.length)
  const view = new DataView(header.buffer)
  header.set(segment.salt)
  view.setUint32(12, offset)
  view.setUint32(16, blockBytes(records))
  view.setUint32(20, records.length)
  writePosition(view, 24, (groups[0] as Group).first)

  let at = BLOCK_BYTES
  for (let i = 0; i < records.length; i++, at += RECORD_BYTES) {
    const record = records[i] as Uint8Array
    view.setUint32(at, (groups[i] as Group).entries.length)
    view.setUint32(at + 4, record.length)
    for (let j = 0; j < PREFIX_BYTES; j++) header[at + 8 + j] = record[j] as number
  }
  view.setUint32(8, crc32c(header.subarray(12), segment.seed))
  return header
}

/**
 * The block at this offset of the file, if a part of the file that begins there has all of it; otherwise, how many bytes it takes
 * to tell more. Null if there is none, or its records are not those with which it was written, as far as that is seen without
 * their checksums.
 */
export function decodeBlock (bytes: Uint8Array, segment: Segment, offset: number): Block | number | null {
  const needed = checkBlockHeader(bytes, segment, offset)
  if (needed !== true) return needed === false ? null : needed

  const view = viewOf(bytes)
  const length = view.getUint32(16)
  if (bytes.length < length) return length
  const records: BlockRecord[] = []
  let first = readPosition(view, 24)
  let start = BLOCK_BYTES + RECORD_BYTES * view.getUint32(20)
  for (let at = BLOCK_BYTES, end = start; at < end; at += RECORD_BYTES) {
    const count = view.getUint32(at)
    const size = view.getUint32(at + 4)
    const record = bytes.subarray(start, start + size)
    for (let i = 0; i < PREFIX_BYTES; i++) if (record[i] !== bytes[at + 8 + i]) return null
    records.push({ first, count, record })
    first += count
    start += size
  }
  // A length that is not the sum of its parts would lead to anywhere; one of 0, nowhere, for ever.
  return start === length ? { offset, length, records } : null
}

/** Whether the header of a block is there, and valid; or how many bytes it takes to tell. */
function checkBlockHeader (bytes: Uint8Array, segment: Segment, offset: number): boolean | number {
  if (bytes.length < BLOCK_BYTES) return BLOCK_BYTES
  for (let i = 0; i < SALT_BYTES; i++) if (bytes[i] !== segment.salt[i]) return false
  const view = viewOf(bytes)
  const headerBytes = BLOCK_BYTES + RECORD_BYTES * view.getUint32(20)
  if (view.getUint32(12) !== offset || offset + headerBytes > segment.size) return false
  if (bytes.length < headerBytes) return headerBytes
  return view.getUint32(8) === crc32c(bytes.subarray(12, headerBytes), segment.seed)
}

/** The blocks of a segment from an offset on, as they are read, about so many bytes at a time, until there is none. */
export async function * readBlocks (files: Files, segment: Segment, offset: number, windowBytes: number): AsyncGenerator<Block[]> {
  let needed: number = BLOCK_BYTES
  for (;;) {
    const length = Math.min(Math.max(windowBytes, needed), segment.size - offset)
    if (length < needed) return
    const window = await files.read(segment.name, offset, length)
    if (window.length < needed) return

    const blocks: Block[] = []
    let at = 0
    let next = decodeBlock(window, segment, offset)
    while (next !== null && typeof next !== 'number') {
      blocks.push(next)
      at += next.length
      next = decodeBlock(window.subarray(at), segment, offset + at)
    }
    if (blocks.length > 0) yield blocks
    if (next === null) return
    needed = next
    offset += at
  }
}

/** The offset of the first valid header of a block at or behind this one; null if there is none. */
export async function findBlock (files: Files, segment: Segment, from: number): Promise<number | null> {
  for (let at = from; at + BLOCK_BYTES <= segment.size; at += SEARCH_BYTES - SALT_BYTES + 1) {
    const bytes = await files.read(segment.name, at, Math.min(SEARCH_BYTES, segment.size - at))
    for (let i = indexOfSalt(bytes, segment.salt, 0); i !== -1; i = indexOfSalt(bytes, segment.salt, i + 1)) {
      if (await hasBlock(files, segment, at + i)) return at + i
    }
  }
  return null
}

/** Whether a file that has no header of its own has been used as this segment all the same: its first block tells. */
export async function isBeheaded (files: Files, id: string, sequence: number): Promise<boolean> {
  const name = fileName(sequence, 'log')
  const size = await files.size(name)
  const salt = await files.read(name, FIRST_BLOCK, SALT_BYTES)
  if (salt.length < SALT_BYTES) return false
  const base = { position: 0, epoch: 0 }
  return await hasBlock(files, makeSegment({ id, sequence, previous: 0, oldest: 0, base, size, salt }), FIRST_BLOCK)
}

/** Of the block's own content, only the header is looked at. */
async function hasBlock (files: Files, segment: Segment, offset: number): Promise<boolean> {
  for (let needed = BLOCK_BYTES; ;) {
    const bytes = await files.read(segment.name, offset, needed)
    const found = bytes.length < needed ? false : checkBlockHeader(bytes, segment, offset)
    if (typeof found === 'boolean') return found
    needed = found
  }
}

function indexOfSalt (bytes: Uint8Array, salt: Uint8Array, from: number): number {
  for (let i = bytes.indexOf(salt[0] as number, from); i !== -1; i = bytes.indexOf(salt[0] as number, i + 1)) {
    if (compareBytes(bytes.subarray(i, i + SALT_BYTES), salt) === 0) return i
  }
  return -1
}

function viewOf (bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function writePosition (view: DataView, at: number, position: number): void {
  view.setUint32(at, Math.floor(position / 0x100000000))
  view.setUint32(at + 4, position % 0x100000000)
}

function readPosition (view: DataView, at: number): number {
  return view.getUint32(at) * 0x100000000 + view.getUint32(at + 4)
}
