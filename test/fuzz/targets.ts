import type { Group } from '../../lib/core/entry.ts'
import { readFrame } from '../../lib/inbox.ts'
import * as layout from '../../lib/store/layout.ts'
import type { Block, Segment, SegmentHeader } from '../../lib/store/segment.ts'
import { FIRST_BLOCK, decodeBlock, decodeSegment, encodeBlockHeader, encodeSegment, makeSegment } from '../../lib/store/segment.ts'
import { decodeAuth, decodeChallenge, decodeProof, encodeAuth, encodeChallenge, encodeProof, proofBytes } from '../../lib/wire/auth.ts'
import { ByteWriter } from '../../lib/wire/bytes.ts'
import { crc32c } from '../../lib/wire/crc32c.ts'
import { FrameDecoder } from '../../lib/wire/frame.ts'
import { decodeGroup, decodeGroupHeader, encodeGroup } from '../../lib/wire/group.ts'
import { decodeHello, decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, encodeWelcome } from '../../lib/wire/handshake.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import { MESSAGES_MAX, readMessages, writeMessage } from '../../lib/wire/messages.ts'
import { decodeOperations, encodeOperations } from '../../lib/wire/operations.ts'
import { decodeRpcFrame } from '../../lib/wire/rpc-frame.ts'
import { concat, encodeCall, framed } from '../support/bytes.ts'
import type { Generator } from './generate.ts'
import { mutate } from './mutate.ts'

/** One decoder. */
export interface Target<T = unknown> {
  readonly name: string
  /** A valid encoding. */
  make (generator: Generator): Uint8Array
  /** Null counts as a refusal, like an error of those that are allowed. */
  decode (bytes: Uint8Array): T | null
  encode (value: T): Uint8Array
  /** There is one encoding of each value: what is decoded encodes to the very bytes. */
  readonly canonical: boolean
  /** Makes the checksum right, so that what is behind it is looked at. */
  repair? (bytes: Uint8Array): Uint8Array
}

/** Where blocks are decoded. */
const OFFSET = FIRST_BLOCK
const STREAM_FRAME_MAX = 300

export const targets: readonly Target[] = [
  target({
    name: 'frame',
    make: generator => concat(...generator.list(() => framed(Uint8Array.of(1, ...generator.bytes(40))), 5)),
    // In pieces, as they may arrive.
    decode (bytes) {
      const decoder = new FrameDecoder(STREAM_FRAME_MAX)
      const frames: Uint8Array[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = 1 + (bytes[i] ?? 0) % 9
        decoder.push(bytes.subarray(at, at += size))
        for (let frame = decoder.next(); frame !== null; frame = decoder.next()) frames.push(frame)
      }
      return frames
    },
    encode: frames => concat(...frames.map(frame => framed(frame))),
    // Half a frame is no frame yet.
    canonical: false
  }),
  target({
    name: 'rpc-frame',
    make: generator => encodeCall(generator.rpcFrame()),
    decode: decodeRpcFrame,
    encode: encodeCall,
    canonical: true
  }),
  target({ name: 'auth', make: generator => encodeAuth(generator.auth()), decode: decodeAuth, encode: encodeAuth, canonical: false }),
  target({ name: 'challenge', make: generator => encodeChallenge(generator.challenge()), decode: decodeChallenge, encode: encodeChallenge, canonical: false }),
  target({
    name: 'proof',
    make: generator => encodeProof(generator.flag() ? null : new Uint8Array(proofBytes).fill(generator.random.below(256))),
    decode: bytes => ({ proof: decodeProof(bytes) }),
    encode: ({ proof }) => encodeProof(proof),
    canonical: true
  }),
  target({ name: 'hello', make: generator => encodeHello(generator.hello()), decode: decodeHello, encode: encodeHello, canonical: false }),
  target({ name: 'welcome', make: generator => encodeWelcome(generator.welcome()), decode: decodeWelcome, encode: encodeWelcome, canonical: false }),
  target({ name: 'verdict', make: generator => encodeVerdict(generator.verdict()), decode: decodeVerdict, encode: encodeVerdict, canonical: false }),
  target({
    name: 'messages',
    make: generator => encodeMessages([...generator.list(() => generator.message(), 3), liar(generator)]),
    decode: readMessages,
    encode: messages => encodeMessages(messages.map(bare)),
    canonical: true
  }),
  // What a node takes from a session: nothing on reserved keys.
  target({
    name: 'inbox',
    make: generator => encodeMessages([liar(generator)]),
    decode: readFrame,
    encode: messages => encodeMessages(messages.map(bare)),
    canonical: true
  }),
  target({
    name: 'group',
    make: generator => encodeGroup(generator.group()),
    decode (bytes) {
      const group = decodeGroup(bytes)
      const { epoch, first, count } = decodeGroupHeader(bytes)
      if (epoch !== group.epoch || first !== group.first || count !== group.entries.length) throw new Error('the header tells another group')
      return group
    },
    encode: group => encodeGroup(bareGroup(group)),
    canonical: true,
    repair: withChecksum(1)
  }),
  target({ name: 'operations', make: generator => encodeOperations(generator.operations()), decode: decodeOperations, encode: encodeOperations, canonical: true }),
  target({
    name: 'segment',
    make: generator => encodeHeader(headerOf(generator)),
    decode: bytes => decodeSegment(bytes, 1) ?? decodeSegment(bytes, 2),
    encode: encodeHeader,
    canonical: false,
    repair: bytes => bytes.length < 4 ? bytes : withU32(bytes, bytes.length - 4, crc32c(bytes.subarray(0, -4)))
  }),
  target({
    name: 'block',
    make: generator => blockOf(generator.groups(1).map(group => encodeGroup(group))),
    decode (bytes) {
      const block = decodeBlock(bytes, segment, OFFSET)
      if (typeof block !== 'number') return block
      // Whoever reads on would ask the same again, for ever.
      if (block <= bytes.length) throw new Error(`asks for ${block} bytes, and has ${bytes.length}`)
      return null
    },
    encode: block => blockOf(block.records.map(({ record }) => record), block),
    canonical: false,
    // Up to where the records begin, as the header itself says.
    repair (bytes) {
      if (bytes.length < 32) return bytes
      const end = Math.min(bytes.length, 32 + 13 * new DataView(bytes.buffer, bytes.byteOffset).getUint32(20))
      return withU32(bytes, 8, crc32c(bytes.subarray(12, end), segment.seed))
    }
  }),
  record('identity', generator => generator.identity(), layout.encodeIdentity, layout.decodeIdentity),
  record('sighting', generator => ({ start: generator.start(), nonce: generator.hex(8), order: generator.integer() }), layout.encodeSighting, layout.decodeSighting),
  record('addresses', generator => generator.list(() => generator.address()), layout.encodeAddresses, layout.decodeAddresses),
  record('vow', generator => generator.vow(), layout.encodeVow, layout.decodeVow),
  record('view', generator => generator.view(), layout.encodeView, layout.decodeView),
  record('applied', generator => ({ position: generator.position(), epoch: generator.epoch(), seeded: generator.flag(), durable: generator.position() }), layout.encodeApplied, layout.decodeApplied),
  record('row', generator => generator.row(1), layout.encodeRow, layout.decodeRow),
  record('key-row', generator => generator.keyRow(), layout.encodeKeyRow, layout.decodeKeyRow),
  record('base', generator => ({ position: generator.position(), epoch: generator.epoch() }), layout.encodeBase, layout.decodeBase),
  record('copy', generator => generator.copyState(), layout.encodeCopy, layout.decodeCopy),
  record('log-file', generator => generator.hex(8), layout.encodeLogFile, layout.decodeLogFile),
  record('mark', () => true, layout.encodeMark, (bytes) => {
    layout.decodeMark(bytes)
    return true
  })
]

export function encodeMessages (messages: readonly WireMessage[]): Uint8Array {
  const writer = new ByteWriter()
  for (const message of messages) writeMessage(writer, message)
  return writer.finish()
}

/** A message, of which the groups may be changed behind their checksums. */
function liar (generator: Generator): WireMessage {
  const message = generator.message()
  if (generator.random.chance(0.5)) return message
  const spoil = (group: Group): void => { group.record = withChecksum(1)(mutate(generator.random, encodeGroup(group), encodeGroup(generator.group()))) }
  if (message.type === 'prepare') spoil(message.group)
  if (message.type === 'fetched') message.groups.forEach(spoil)
  return message
}

/** A decoded group keeps its record, which would be written as it is. */
function bare (message: WireMessage): WireMessage {
  if (message.type === 'prepare') return { ...message, group: bareGroup(message.group) }
  return message.type === 'fetched' ? { ...message, groups: message.groups.map(bareGroup) } : message
}

function bareGroup ({ epoch, first, entries }: Group): Group {
  return { epoch, first, entries }
}

function target<T> (target: Target<T>): Target {
  return target as Target
}

/** A state record: format, checksum, payload. */
function record<T> (name: string, make: (generator: Generator) => T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): Target {
  return target({ name: `state ${name}`, make: generator => encode(make(generator)), decode, encode, canonical: false, repair: withChecksum(1) })
}

/** The checksum at this offset is of all that follows on it. */
function withChecksum (at: number): (bytes: Uint8Array) => Uint8Array {
  return bytes => bytes.length < at + 4 ? bytes : withU32(bytes, at, crc32c(bytes.subarray(at + 4)))
}

function withU32 (bytes: Uint8Array, at: number, value: number): Uint8Array {
  const result = Uint8Array.from(bytes)
  new DataView(result.buffer).setUint32(at, value)
  return result
}

const segment: Segment = makeSegment({
  id: '1d'.repeat(8), sequence: 2, previous: 1, oldest: 1, base: { position: 0, epoch: 0 }, size: 1 << 21, salt: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
})

function headerOf (generator: Generator): SegmentHeader {
  const [previous, oldest, position, epoch, size] = [generator.integer(), generator.integer(), generator.integer(), generator.integer(), generator.integer()]
  return { ...segment, sequence: generator.flag() ? 1 : 2, previous, oldest, base: { position, epoch }, size }
}

/** The first copy, without the zeros behind it. */
function encodeHeader (header: SegmentHeader): Uint8Array {
  const numbers = new ByteWriter(64)
  for (const number of [header.sequence, header.previous, header.oldest, header.base.position, header.base.epoch, header.size]) numbers.varint(number)
  return encodeSegment(header).slice(0, 17 + numbers.length + 8 + 4)
}

function blockOf (records: readonly Uint8Array[], block?: Block): Uint8Array {
  const groups = records.map((record, i) => {
    // What is behind the checksum of a record is not the block's matter.
    if (block !== undefined) return { epoch: 1, first: (block.records[i] as { first: number }).first, entries: { length: (block.records[i] as { count: number }).count } as unknown as Group['entries'] }
    return decodeGroup(record)
  })
  if (groups.length === 0) groups.push({ epoch: 1, first: 1, entries: [] })
  return concat(encodeBlockHeader(segment, OFFSET, groups, records), ...records)
}

/** Frames that are as large as they may be, full of the smallest things there are: of what, and the frame. */
export function * crowdedFrames (bytesMax: number): Iterable<[what: string, frame: Uint8Array]> {
  const two = Uint8Array.of(0, 0)
  yield ['operations of one write', submit([operations(Math.min(2_000_000, bytesMax - 100), two)])]
  yield ['operations of many writes', submit(Array.from({ length: 16 }, () => operations(Math.min(2_000_000, Math.floor(bytesMax / 17)), two)))]
  yield ['writes of one message', submit(Array.from({ length: Math.floor((bytesMax - 20) / 3) }, () => Uint8Array.of(0)))]
  yield ['entries of one group', groupOf(Math.floor((bytesMax - 40) / 5))]
  yield ['runs of outlines', outlines(bytesMax)]
  yield ['messages', concat(...Array.from({ length: MESSAGES_MAX }, () => Uint8Array.of(0x04, 1)))]
}

function operations (bytes: number, operation: Uint8Array): Uint8Array {
  const count = Math.floor((bytes - 8) / operation.length)
  const writer = new ByteWriter(bytes + 16)
  writer.varint(count)
  for (let i = 0; i < count; i++) writer.raw(operation)
  return writer.finish()
}

function submit (bodies: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter(1024)
  for (const byte of [0x22, 1, 1, 1]) writer.u8(byte)
  writer.varint(bodies.length)
  for (const body of bodies) {
    writer.u8(0)
    writer.bytes(body)
  }
  return writer.finish()
}

function groupOf (count: number): Uint8Array {
  const group = new ByteWriter(count * 5 + 32)
  group.u8(1)
  group.u32(0)
  group.varint(1)
  group.varint(1)
  group.varint(count)
  for (let i = 0; i < count; i++) group.raw(smallWrite)
  const writer = new ByteWriter(group.length + 32)
  for (const byte of [0x13, 1, 0]) writer.u8(byte)
  writer.bytes(withChecksum(1)(group.finish()))
  return writer.finish()
}

const smallWrite = Uint8Array.of(1, 1, 1, 1, 0)

/** Outlines of as many runs as each may have. */
function outlines (bytesMax: number): Uint8Array {
  const one = new ByteWriter(1024)
  one.u8(0x41)
  one.varint(0)
  one.varint(4096)
  for (let i = 1; i <= 4096; i++) {
    one.varint(i)
    one.varint(i)
  }
  const outline = one.finish()
  return concat(...Array.from({ length: Math.min(MESSAGES_MAX, Math.floor(bytesMax / outline.length)) }, () => outline))
}
