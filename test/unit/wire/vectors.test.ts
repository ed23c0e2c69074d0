import { readFileSync } from 'node:fs'
import tape from 'tape'
import type { Group, SkipReason } from '../../../lib/core/entry.ts'
import { skipReasons } from '../../../lib/core/entry.ts'
import type { Denial, SubmissionKind } from '../../../lib/core/messages.ts'
import { denials, submissionKinds } from '../../../lib/core/messages.ts'
import { isReserved } from '../../../lib/store/keys.ts'
import {
  acceptedKey, addressesKey, appliedKey, baseKey, copyKey, decodeAddresses, decodeApplied, decodeBase, decodeCopy,
  decodeIdentity, decodeKeyRow, decodeLogFile, decodeMark, decodePart, decodeRow, decodeSighting, decodeView, decodeVow, encodeAddresses, encodeApplied,
  encodeBase, encodeCopy, encodeIdentity, encodeKeyRow, encodeLogFile, encodeMark, encodePart, encodeRow, encodeSighting, encodeView, encodeVow, identityKey,
  intactKey, keyedKey, logFileKey, logKey, numberOf, originKey, partKey, peerOf, sightingKey, staleKey, viewKey, vowKey
} from '../../../lib/store/layout.ts'
import { decodeAuth, decodeChallenge, decodeProof, encodeAuth, encodeChallenge, encodeProof } from '../../../lib/wire/auth.ts'
import { ByteReader, ByteWriter, WireError } from '../../../lib/wire/bytes.ts'
import { crc32c } from '../../../lib/wire/crc32c.ts'
import { FrameDecoder } from '../../../lib/wire/frame.ts'
import { decodeGroup, decodeGroupHeader, encodeGroup } from '../../../lib/wire/group.ts'
import {
  decodeHello, decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, encodeWelcome
} from '../../../lib/wire/handshake.ts'
import { fromHex, toHex } from '../../../lib/wire/hex.ts'
import type { WireMessage } from '../../../lib/wire/messages.ts'
import { readMessages, writeMessage } from '../../../lib/wire/messages.ts'
import { decodeOperations, encodeOperations } from '../../../lib/wire/operations.ts'
import { decodeRpcFrame } from '../../../lib/wire/rpc-frame.ts'
import { concat, encodeCall, framed } from '../../support/bytes.ts'

// The vectors of `spec/vectors`: bytes that were released stay what they are. Each is decoded, compared with what it
// is said to hold, and encoded again; those under `refused` must be refused.

interface Vector {
  name: string
  kind: string
  hex: string
  value: unknown
}

interface Refused {
  name: string
  kind: string
  hex: string
  why: string
}

interface VectorFile {
  about: string
  vectors: Vector[]
  refused?: Refused[]
}

interface Codec {
  decode (bytes: Uint8Array): unknown
  encode (value: never): Uint8Array
}

const operationsCodec: Codec = { decode: decodeOperations, encode: encodeOperations }

const groupCodec: Codec = {
  decode: decodeGroup,
  encode: (group: Group) => encodeGroup(withoutRecord(group))
}

const messageCodec: Codec = {
  decode: readMessages,
  encode (messages: WireMessage[]) {
    const writer = new ByteWriter()
    for (const message of messages) {
      if (message.type === 'prepare') writeMessage(writer, { ...message, group: withoutRecord(message.group) })
      else if (message.type === 'fetched') writeMessage(writer, { ...message, groups: message.groups.map(withoutRecord) })
      else writeMessage(writer, message)
    }
    return writer.finish()
  }
}

const integerCodec: Codec = {
  decode (bytes) {
    const reader = new ByteReader(bytes)
    const value = reader.varint()
    reader.end()
    return value
  },
  encode (value: number) {
    const writer = new ByteWriter()
    writer.varint(value)
    return writer.finish()
  }
}

const rpcCodec: Codec = {
  decode: decodeRpcFrame,
  encode: encodeCall
}

const streamCodec: Codec = {
  decode (bytes) {
    const decoder = new FrameDecoder(1024)
    // Byte by byte, as a stream may bring them.
    const frames: Uint8Array[] = []
    for (let i = 0; i < bytes.byteLength; i++) {
      decoder.push(bytes.slice(i, i + 1))
      for (let frame = decoder.next(); frame !== null; frame = decoder.next()) frames.push(frame)
    }
    if (decoder.buffered !== 0) throw new WireError('a frame is incomplete')
    return frames
  },
  encode (frames: Uint8Array[]) {
    return concat(...frames.map((frame) => framed(frame)))
  }
}

const markCodec: Codec = {
  decode (bytes) {
    decodeMark(bytes)
    return true
  },
  encode: encodeMark
}

const codecs: Record<string, Codec> = {
  integer: integerCodec,
  operations: operationsCodec,
  group: groupCodec,
  messages: messageCodec,
  auth: { decode: decodeAuth, encode: encodeAuth },
  challenge: { decode: decodeChallenge, encode: encodeChallenge },
  proof: { decode: decodeProof, encode: encodeProof },
  hello: { decode: decodeHello, encode: encodeHello },
  welcome: { decode: decodeWelcome, encode: encodeWelcome },
  verdict: { decode: decodeVerdict, encode: encodeVerdict },
  rpc: rpcCodec,
  stream: streamCodec,
  identity: { decode: decodeIdentity, encode: encodeIdentity },
  vow: { decode: decodeVow, encode: encodeVow },
  view: { decode: decodeView, encode: encodeView },
  applied: { decode: decodeApplied, encode: encodeApplied },
  origin: { decode: decodeRow, encode: encodeRow },
  keyed: { decode: decodeKeyRow, encode: encodeKeyRow },
  base: { decode: decodeBase, encode: encodeBase },
  copy: { decode: decodeCopy, encode: encodeCopy },
  intact: markCodec,
  sighting: { decode: decodeSighting, encode: encodeSighting },
  addresses: { decode: decodeAddresses, encode: encodeAddresses },
  stale: markCodec,
  logFile: { decode: decodeLogFile, encode: encodeLogFile },
  part: { decode: (bytes) => toHex(decodePart(bytes)), encode: (hex) => encodePart(fromHex(hex as string)) }
}

const used = new Set<string>()

for (const name of ['integers', 'operations', 'groups', 'messages', 'handshake', 'rpc-frames', 'state']) {
  tape(`vectors: ${name}`, { timeout: 30_000 }, async (t) => {
    const { vectors, refused = [] } = readVectors<VectorFile>(name)
    t.ok(vectors.length > 0, 'there are vectors')

    for (const vector of vectors) {
      const { decode, encode } = codecOf(vector.kind)
      const decoded = decode(fromHex(vector.hex))
      t.deepEqual(toPlain(decoded), vector.value, `${vector.name}: decoded`)
      t.equal(toHex(encode(decoded as never)), vector.hex, `${vector.name}: encoded`)
    }
    for (const { name, kind, hex, why } of refused) {
      t.throws(() => codecOf(kind).decode(fromHex(hex)), new RegExp(why), `${name}: refused`)
    }
  })
}

tape('vectors: every kind and every type of message has one', { timeout: 30_000 }, async (t) => {
  for (const kind of Object.keys(codecs)) t.ok(used.has(kind), kind)

  const { vectors } = readVectors<VectorFile>('messages')
  const types = new Set(vectors.flatMap(({ value }) => (value as WireMessage[]).map(({ type }) => type)))
  const all: Array<WireMessage['type']> = [
    'status', 'propose', 'promise', 'refuse', 'accept', 'accepted', 'lead', 'view', 'deny', 'follow', 'sync', 'prepare', 'ack', 'commit',
    'open', 'submit', 'withdraw', 'heartbeat', 'grant', 'fetch', 'fetched', 'copy', 'snapshot', 'chunk', 'verify', 'verifying',
    'digest', 'addresses'
  ]
  for (const type of all) t.ok(types.has(type), type)

  const messages = vectors.flatMap(({ value }) => value as WireMessage[])
  const submitted = new Set(messages.flatMap(message => message.type === 'submit' ? message.writes.map(({ kind }) => kind) : []))
  for (const kind of Object.keys(submissionKinds) as SubmissionKind[]) t.ok(submitted.has(kind), `a submission of kind ${kind}`)

  const denied = new Set(messages.flatMap(message => message.type === 'deny' ? [message.why] : []))
  for (const why of Object.keys(denials) as Denial[]) t.ok(denied.has(why), `a denial because of ${why}`)

  const entries = readVectors<VectorFile>('groups').vectors.flatMap(({ value }) => (value as Group).entries)
  const skipped = new Set(entries.flatMap(entry => entry.kind === 'skip' ? [entry.reason] : []))
  for (const reason of Object.keys(skipReasons) as SkipReason[]) t.ok(skipped.has(reason), `a skip with reason ${reason}`)
})

tape('vectors: checksums', { timeout: 30_000 }, async (t) => {
  const { vectors } = readVectors<{ vectors: Array<{ name: string, hex: string, crc32c: string }> }>('checksums')
  t.ok(vectors.some(({ crc32c }) => crc32c === 'e3069283'), 'the known answer is among them')
  for (const { name, hex, crc32c: expected } of vectors) {
    const bytes = fromHex(hex)
    t.equal(crc32c(bytes).toString(16).padStart(8, '0'), expected, name)
    const half = bytes.byteLength >>> 1
    t.equal(crc32c(bytes.subarray(half), crc32c(bytes.subarray(0, half))), parseInt(expected, 16), `${name}: in two parts`)
  }
})

tape('vectors: keys of the store', { timeout: 30_000 }, async (t) => {
  const { vectors } = readVectors<{ vectors: Array<{ kind: string, number: number | null, hex: string }> }>('keys')
  const fixed: Record<string, Uint8Array> = {
    identity: identityKey,
    vow: vowKey,
    view: viewKey,
    applied: appliedKey,
    accepted: acceptedKey,
    base: baseKey,
    copy: copyKey,
    intact: intactKey,
    sighting: sightingKey('0b'.padStart(32, '0')),
    addresses: addressesKey,
    stale: staleKey,
    logFile: logFileKey,
    part: partKey
  }

  for (const { kind, number, hex } of vectors) {
    const key = number === null ? fixed[kind] : kind === 'origin' ? originKey(number) : kind === 'keyed' ? keyedKey(number) : logKey(number)
    t.equal(toHex(key ?? new Uint8Array(0)), hex, `${kind} ${number ?? ''}`)
    t.ok(isReserved(fromHex(hex)), 'lies in the reserved key space')
    if (number !== null) t.equal(numberOf(fromHex(hex)), number, 'and tells its number')
    if (kind === 'sighting') t.equal(peerOf(fromHex(hex)), '0b'.padStart(32, '0'), 'and tells its id')
  }
  const keys = vectors.map(({ hex }) => hex)
  t.deepEqual(keys, [...keys].sort(), 'in key order')
})

tape('vectors: the header of a group is read without its entries', { timeout: 30_000 }, async (t) => {
  for (const { name, hex, value } of readVectors<VectorFile>('groups').vectors) {
    const { epoch, first, entries } = value as Group
    t.deepEqual(decodeGroupHeader(fromHex(hex)), { epoch, first, count: entries.length }, name)
  }
})

function readVectors<T> (name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../spec/vectors/${name}.json`, import.meta.url), 'utf8')) as T
}

function codecOf (kind: string): Codec {
  const codec = codecs[kind]
  if (codec === undefined) throw new TypeError(`no codec for "${kind}"`)
  used.add(kind)
  return codec
}

/** What JSON can hold: bytes as hex. The bytes of a group's own record are what is being tested, so they are left out. */
function toPlain (value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'record').map(([name, item]) => [name, toPlain(item)]))
}

/** A decoded group keeps its record, which would be returned as it is. */
function withoutRecord ({ epoch, first, entries }: Group): Group {
  return { epoch, first, entries }
}
