import type { CopyState } from '../core/effects.ts'
import type { LogName } from '../core/entry.ts'
import type { KeyRow } from '../core/idempotency.ts'
import type { OriginRow } from '../core/origins.ts'
import type { View, Vow } from '../core/view.ts'
import { ByteReader, ByteWriter } from '../wire/bytes.ts'
import { crc32c } from '../wire/crc32c.ts'
import { FormatError, readKey } from '../wire/group.ts'
import { fromHex, toHex } from '../wire/hex.ts'
import type { Address } from '../wire/identity.ts'
import { readHistory, readNonce, writeHistory, writeNonce } from '../wire/identity.ts'
import { readAddresses, readRow, writeAddresses, writeRow } from '../wire/message-parts.ts'
import { readId, readIds, readOptionalId, readView, writeId, writeIds, writeOptionalId, writeView } from '../wire/view.ts'
import { RESERVED } from './keys.ts'

/**
 * Where the replicator keeps what, inside the reserved key space. See `spec/storage.md`. Each value but those of the
 * log is a state record: format, checksum, payload.
 */
export const STATE_FORMAT = 1

const ID_BYTES = 16
const LOG_ID_BYTES = 8

const kinds = { identity: 1, vow: 2, view: 3, applied: 4, origin: 5, accepted: 6, base: 7, copy: 8, intact: 9, sighting: 10, addresses: 11, stale: 12, logFile: 13, keyed: 14, part: 15, log: 16 } as const

export const identityKey = key(kinds.identity)
export const vowKey = key(kinds.vow)
export const viewKey = key(kinds.view)
export const appliedKey = key(kinds.applied)
export const originsStart = key(kinds.origin)
export const originsEnd = key(kinds.origin + 1)
export const acceptedKey = key(kinds.accepted)
export const baseKey = key(kinds.base)
export const copyKey = key(kinds.copy)
export const intactKey = key(kinds.intact)
export const sightingsStart = key(kinds.sighting)
export const sightingsEnd = key(kinds.sighting + 1)
export const addressesKey = key(kinds.addresses)
export const staleKey = key(kinds.stale)
export const logFileKey = key(kinds.logFile)
export const keyedStart = key(kinds.keyed)
export const keyedEnd = key(kinds.keyed + 1)
export const partKey = key(kinds.part)
export const logStart = key(kinds.log)
export const logEnd = key(kinds.log + 1)

/** The row of the origin with this id. */
export function originKey (id: number): Uint8Array {
  return key(kinds.origin, id)
}

/** The key of the write at this position. */
export function keyedKey (position: number): Uint8Array {
  return key(kinds.keyed, position)
}

/** The record of the group that begins at this position. */
export function logKey (first: number): Uint8Array {
  return key(kinds.log, first)
}

/** What was seen of the peer with this id. */
export function sightingKey (id: string): Uint8Array {
  const bytes = new Uint8Array(sightingsStart.length + ID_BYTES)
  bytes.set(sightingsStart)
  bytes.set(fromHex(id), sightingsStart.length)
  return bytes
}

/** The id in a key made by `sightingKey`. */
export function peerOf (key: Uint8Array): string {
  if (key.length !== sightingsStart.length + ID_BYTES) throw new FormatError('unknown reserved key')
  return toHex(key.subarray(sightingsStart.length))
}

/** The number in a key made by `originKey`, `keyedKey` or `logKey`. */
export function numberOf (key: Uint8Array): number {
  if (key.length !== RESERVED.length + 9) throw new FormatError('unknown reserved key')
  const view = new DataView(key.buffer, key.byteOffset + RESERVED.length + 1)
  return view.getUint32(0) * 0x100000000 + view.getUint32(4)
}

/** What kind of record a key in the reserved space has, for people. */
export function kindOf (key: Uint8Array): string {
  const kind = key[RESERVED.length]
  return Object.entries(kinds).find(([, number]) => number === kind)?.[0] ?? `kind ${kind}`
}

function key (kind: number, number?: number): Uint8Array {
  const bytes = new Uint8Array(RESERVED.length + 1 + (number === undefined ? 0 : 8))
  bytes.set(RESERVED)
  bytes[RESERVED.length] = kind
  if (number !== undefined) {
    const view = new DataView(bytes.buffer, RESERVED.length + 1)
    view.setUint32(0, Math.floor(number / 0x100000000))
    view.setUint32(4, number % 0x100000000)
  }
  return bytes
}

/** This node's id, made once, the number of its starts, and the nonces of the last of them, newest first. */
export interface IdentityState {
  readonly id: string
  readonly start: number
  readonly history: readonly string[]
}

/** The newest start of a peer that was seen. */
export interface Sighting {
  readonly start: number
  /** That of this start. */
  readonly nonce: string
  /** Numbers the sightings of a node, in the order in which they were made. */
  readonly order: number
}

/** What is in the data. Written in the same atomic batch as they. */
export interface AppliedState {
  readonly position: number
  readonly epoch: number
  readonly seeded: boolean
  /** Up to here, it is durable. What is after that has to be applied again after a crash of the machine. */
  readonly durable: number
}

export function encodeIdentity (state: IdentityState): Uint8Array {
  return encodeState((writer) => {
    writeId(writer, state.id)
    writer.varint(state.start)
    writeHistory(writer, state.history)
  })
}

export function decodeIdentity (record: Uint8Array): IdentityState {
  return decodeState(record, (reader) => ({ id: readId(reader), start: reader.varint(), history: readHistory(reader) }))
}

export function encodeSighting (sighting: Sighting): Uint8Array {
  return encodeState((writer) => {
    writer.varint(sighting.start)
    writeNonce(writer, sighting.nonce)
    writer.varint(sighting.order)
  })
}

export function decodeSighting (record: Uint8Array): Sighting {
  return decodeState(record, (reader) => ({ start: reader.varint(), nonce: readNonce(reader), order: reader.varint() }))
}

export function encodeAddresses (addresses: readonly Address[]): Uint8Array {
  return encodeState((writer) => { writeAddresses(writer, addresses) })
}

export function decodeAddresses (record: Uint8Array): Address[] {
  return decodeState(record, readAddresses)
}

export function encodeVow (vow: Vow): Uint8Array {
  return encodeState((writer) => {
    writer.varint(vow.epoch)
    writeOptionalId(writer, vow.to)
    writeIds(writer, vow.members)
    writeOptionalId(writer, vow.cluster)
  })
}

export function decodeVow (record: Uint8Array): Vow {
  return decodeState(record, (reader) => ({ epoch: reader.varint(), to: readOptionalId(reader), members: readIds(reader), cluster: readOptionalId(reader) }))
}

/** Of the view that is installed as well as of the one that is accepted. */
export function encodeView (view: View): Uint8Array {
  return encodeState((writer) => { writeView(writer, view) })
}

export function decodeView (record: Uint8Array): View {
  return decodeState(record, readView)
}

export function encodeApplied (state: AppliedState): Uint8Array {
  return encodeState((writer) => {
    writer.varint(state.position)
    writer.varint(state.epoch)
    writer.u8(state.seeded ? 1 : 0)
    writer.varint(state.durable)
  })
}

export function decodeApplied (record: Uint8Array): AppliedState {
  return decodeState(record, (reader) => ({ position: reader.varint(), epoch: reader.varint(), seeded: reader.u8() === 1, durable: reader.varint() }))
}

export function encodeRow (row: OriginRow): Uint8Array {
  return encodeState((writer) => { writeRow(writer, row) })
}

export function decodeRow (record: Uint8Array): OriginRow {
  return decodeState(record, readRow)
}

export function encodeKeyRow ({ key, digest }: KeyRow): Uint8Array {
  return encodeState((writer) => {
    writer.text(key)
    writer.u32(digest)
  })
}

export function decodeKeyRow (record: Uint8Array): KeyRow {
  return decodeState(record, (reader) => ({ key: readKey(reader), digest: reader.u32() }))
}

/** Which part of the data is here, by a prefix of its keys. */
export function encodePart (part: Uint8Array): Uint8Array {
  return encodeState((writer) => { writer.bytes(part) })
}

export function decodePart (record: Uint8Array): Uint8Array {
  return decodeState(record, (reader) => reader.bytes().slice())
}

/** The name of the log where it was truncated. */
export function encodeBase (base: LogName): Uint8Array {
  return encodeState((writer) => {
    writer.varint(base.position)
    writer.varint(base.epoch)
  })
}

export function decodeBase (record: Uint8Array): LogName {
  return decodeState(record, (reader) => ({ position: reader.varint(), epoch: reader.varint() }))
}

export function encodeCopy (copy: CopyState): Uint8Array {
  return encodeState((writer) => {
    writer.flag(copy.after === null)
    if (copy.after !== null) writer.bytes(copy.after)
    writer.varint(copy.high)
  })
}

export function decodeCopy (record: Uint8Array): CopyState {
  return decodeState(record, (reader) => {
    // Not a view on the record, which is the store's.
    const after = reader.flag() ? null : new Uint8Array(reader.bytes())
    return { after, high: reader.varint() }
  })
}

/** The id of a log that is in files. */
export function encodeLogFile (id: string): Uint8Array {
  return encodeState((writer) => { writer.raw(fromHex(id)) })
}

export function decodeLogFile (record: Uint8Array): string {
  return decodeState(record, (reader) => toHex(reader.raw(LOG_ID_BYTES)))
}

/** For a record that says all by being there: intact, and stale. */
export function encodeMark (): Uint8Array {
  return encodeState(() => {})
}

export function decodeMark (record: Uint8Array): void {
  decodeState(record, () => {})
}

function encodeState (write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(64)
  writer.u8(STATE_FORMAT)
  writer.u32(0)
  write(writer)
  const record = writer.finish().slice()
  new DataView(record.buffer).setUint32(1, crc32c(record.subarray(5)))
  return record
}

function decodeState<T> (record: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(record)
  const format = reader.u8()
  if (format > STATE_FORMAT) throw new FormatError(`state format ${format} is newer than ${STATE_FORMAT}`)
  if (format !== STATE_FORMAT) reader.fail('unknown state format')
  if (reader.u32() !== crc32c(record.subarray(5))) reader.fail('checksum mismatch')
  const state = read(reader)
  reader.end()
  return state
}
