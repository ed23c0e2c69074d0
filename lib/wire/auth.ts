import type { ErrorCode } from '../errors.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { commonVersion, ownVersions, readCode, readVersions, strangerCode, writeVersions } from './handshake.ts'
import type { VersionRange } from './handshake.ts'
import { fromHex, toHex } from './hex.ts'

/**
 * The bodies with which two nodes show each other that they have the same secret, before the handshake. See
 * `spec/wire.md`, "Secret".
 *
 * The dialler calls `auth`, the acceptor answers with a challenge; the dialler calls `prove`, and only if that proof is
 * right, the acceptor answers with its own. Until then neither side tells who it is.
 */

/** Random bytes of each side, made anew for each connection, so that no proof is good for another one. */
export const challengeBytes = 32

/** An HMAC-SHA256. */
export const proofBytes = 32

export interface Auth {
  versions: VersionRange
  /** Random bytes in hex. Null if we share no version with the peer: then the rest means nothing to us. */
  nonce: string | null
}

export interface Challenge {
  versions: VersionRange
  /** The version to speak: the highest that both know. 0 if the dialler is refused. */
  version: number
  /** Why the dialler is refused, or null. */
  code: ErrorCode | null
  /** Random bytes in hex. Null if the dialler is refused. */
  nonce: string | null
}

export function encodeAuth (auth: Auth): Uint8Array {
  const writer = new ByteWriter(64)
  writeVersions(writer, auth.versions)
  if (auth.nonce !== null) writer.raw(fromHex(auth.nonce))
  return writer.finish()
}

export function decodeAuth (bytes: Uint8Array): Auth {
  const reader = new ByteReader(bytes)
  const versions = readVersions(reader)
  if (commonVersion(versions, ownVersions) === 0) return { versions, nonce: null }
  const nonce = toHex(reader.raw(challengeBytes))
  reader.end()
  return { versions, nonce }
}

export function encodeChallenge (challenge: Challenge): Uint8Array {
  const writer = new ByteWriter(64)
  writeVersions(writer, challenge.versions)
  writer.varint(challenge.version)
  if (challenge.nonce === null) writer.text(challenge.code ?? '')
  else writer.raw(fromHex(challenge.nonce))
  return writer.finish()
}

export function decodeChallenge (bytes: Uint8Array): Challenge {
  const reader = new ByteReader(bytes)
  const versions = readVersions(reader)
  const version = reader.varint()
  if (version === 0) return { versions, version, code: strangerCode(readCode(reader)), nonce: null }
  if (version !== commonVersion(versions, ownVersions)) reader.fail('not the highest common version')
  const nonce = toHex(reader.raw(challengeBytes))
  reader.end()
  return { versions, version, code: null, nonce }
}

/** Null, as an answer: the other one was wrong. */
export function encodeProof (proof: Uint8Array | null): Uint8Array {
  const writer = new ByteWriter(1 + proofBytes)
  writer.flag(proof !== null)
  if (proof !== null) writer.raw(proof)
  return writer.finish()
}

export function decodeProof (bytes: Uint8Array): Uint8Array | null {
  const reader = new ByteReader(bytes)
  const proof = reader.flag() ? reader.raw(proofBytes) : null
  reader.end()
  return proof
}
