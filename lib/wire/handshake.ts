import { codes } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { fromHex, toHex } from './hex.ts'
import type { Address, Identity } from './identity.ts'
import { readHistory, writeHistory } from './identity.ts'

/**
 * The three bodies of the handshake. See `spec/wire.md`, "Handshake".
 *
 * The dialler sends a hello, the acceptor answers with a welcome, the dialler sends a verdict (as
 * `start`), and if it is the acceptor who decides on duplicates, that one answers with a verdict too.
 */

export interface VersionRange {
  min: number
  max: number
}

/** The versions of the protocol that this code speaks. */
export const ownVersions: VersionRange = { min: 1, max: 1 }

/** No body of the handshake is larger. */
export const handshakeBytesMax = 4096

/** Tells apart the address of this very process and a process that runs on a copy of our disk. */
export const instanceBytes = 8

export interface Introduction {
  /** Random bytes in hex, made anew by each process. */
  instance: string
  identity: Identity
}

export interface Hello {
  versions: VersionRange
  /** Null if we share no version with the peer: then the rest means nothing to us. */
  body: (Introduction & { dialled: Address }) | null
}

export interface Welcome {
  versions: VersionRange
  /** The version to speak: the highest that both know. 0 if there is none, or if the acceptor tells a stranger nothing. */
  version: number
  /** Why the dialler is refused, or null. */
  code: ErrorCode | null
  /** Null if there is no common version, or if the dialler has to show first that it has the secret. */
  body: Introduction | null
}

export interface Verdict {
  /** Why the connection is refused, or null. */
  code: ErrorCode | null
  /**
   * Set by the side that decides on duplicates: numbers the connections on which it started a session.
   * Else 0.
   */
  order: number
}

const magic = Uint8Array.of(0x51, 0x4c, 0x56, 0x4c)
const idBytes = 16
const codeBytesMax = 64
const hostBytesMax = 255
const nameLengthMax = 64
/** Why a connection is refused; that a peer names anything else, such as a bug of ours, is no reason. */
export const refusals: readonly ErrorCode[] = [
  codes.version, codes.unauthorized, codes.self, codes.duplicate, codes.staleIdentity, codes.clusterMismatch, codes.queueFull, codes.protocol
]

/** The highest version in both ranges, or 0. */
export function commonVersion (a: VersionRange, b: VersionRange): number {
  const highest = Math.min(a.max, b.max)
  return highest >= Math.max(a.min, b.min) ? highest : 0
}

export function encodeHello (hello: Hello): Uint8Array {
  const writer = new ByteWriter(256)
  writeVersions(writer, hello.versions)
  if (hello.body !== null) {
    writeIntroduction(writer, hello.body)
    writeAddress(writer, hello.body.dialled)
  }
  return writer.finish()
}

export function decodeHello (bytes: Uint8Array): Hello {
  const reader = new ByteReader(bytes)
  const versions = readVersions(reader)
  if (commonVersion(versions, ownVersions) === 0) return { versions, body: null }

  const introduction = readIntroduction(reader)
  const dialled = readAddress(reader)
  reader.end()
  return { versions, body: { ...introduction, dialled } }
}

export function encodeWelcome (welcome: Welcome): Uint8Array {
  const writer = new ByteWriter(256)
  writeVersions(writer, welcome.versions)
  writer.varint(welcome.version)
  writer.text(welcome.code ?? '')
  if (welcome.body !== null) writeIntroduction(writer, welcome.body)
  return writer.finish()
}

export function decodeWelcome (bytes: Uint8Array): Welcome {
  const reader = new ByteReader(bytes)
  const versions = readVersions(reader)
  const version = reader.varint()
  if (version !== 0 && version !== commonVersion(versions, ownVersions)) reader.fail('not the highest common version')
  const code = readCode(reader)

  if (version === 0) return { versions, version, code: strangerCode(code), body: null }
  const body = readIntroduction(reader)
  reader.end()
  return { versions, version, code, body }
}

export function encodeVerdict (verdict: Verdict): Uint8Array {
  const writer = new ByteWriter(40)
  writer.text(verdict.code ?? '')
  writer.varint(verdict.order)
  return writer.finish()
}

export function decodeVerdict (bytes: Uint8Array): Verdict {
  const reader = new ByteReader(bytes)
  const code = readCode(reader)
  const order = reader.varint()
  reader.end()
  return { code, order }
}

/** True if the address can be told in a handshake. */
export function isAddress (address: Address): boolean {
  const { host, port } = address
  return typeof host === 'string' && host !== '' && new TextEncoder().encode(host).length <= hostBytesMax &&
    Number.isInteger(port) && port >= 0 && port <= 0xffff
}

export function writeVersions (writer: ByteWriter, versions: VersionRange): void {
  writer.raw(magic)
  writer.varint(versions.min)
  writer.varint(versions.max)
}

export function readVersions (reader: ByteReader): VersionRange {
  const bytes = reader.raw(magic.length)
  if (!magic.every((byte, i) => byte === bytes[i])) reader.fail('not a peer of this protocol')
  const min = reader.varint()
  const max = reader.varint()
  if (min < 1 || max < min) reader.fail('invalid range of versions')
  return { min, max }
}

export function readCode (reader: ByteReader): ErrorCode | null {
  const text = reader.text(codeBytesMax)
  if (text === '') return null
  // A newer peer may have reasons that we do not know.
  return isRefusal(text) ? text : codes.protocol
}

/** Who tells nothing of itself can refuse for two reasons. */
export function strangerCode (code: ErrorCode | null): ErrorCode {
  return code === codes.unauthorized ? code : codes.version
}

function isRefusal (text: string): text is ErrorCode {
  return refusals.some(code => code === text)
}

function writeIntroduction (writer: ByteWriter, introduction: Introduction): void {
  const { instance, identity } = introduction
  writer.raw(fromHex(instance))
  writer.raw(fromHex(identity.id))
  writer.varint(identity.start)
  writeHistory(writer, identity.history)
  writer.u8(identity.cluster === '' ? 0 : 1)
  writer.raw(fromHex(identity.cluster))
  writer.u8(identity.address === null ? 0 : 1)
  if (identity.address !== null) writeAddress(writer, identity.address)
  writer.text(identity.name)
  writer.flag(identity.observer)
}

function readIntroduction (reader: ByteReader): Introduction {
  const instance = toHex(reader.raw(instanceBytes))
  const id = toHex(reader.raw(idBytes))
  const start = reader.varint()
  const history = readHistory(reader)
  const cluster = reader.flag() ? toHex(reader.raw(idBytes)) : ''
  const address = reader.flag() ? readAddress(reader) : null
  const name = reader.text(nameLengthMax * 4)
  if (name.length > nameLengthMax) reader.fail('name too long')
  const observer = reader.flag()
  return { instance, identity: { id, start, history, cluster, address, name, observer } }
}

function writeAddress (writer: ByteWriter, address: Address): void {
  writer.text(address.host)
  writer.varint(address.port)
}

function readAddress (reader: ByteReader): Address {
  const host = reader.text(hostBytesMax)
  const port = reader.varint()
  if (host === '') reader.fail('empty host')
  if (port > 0xffff) reader.fail('invalid port')
  return { host, port }
}
