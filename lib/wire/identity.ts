import type { ByteReader, ByteWriter } from './bytes.ts'
import { fromHex, toHex } from './hex.ts'

/** Where a node can be dialled. */
export interface Address {
  host: string
  port: number
}

/** How a node introduces itself in the handshake. See `spec/wire.md`, "Handshake". */
export interface Identity {
  /** 16 random bytes in hex, made when the disk was first used: the member, and its incarnation. */
  id: string
  /** Counts the starts of this id. Durable before it is told. */
  start: number
  /** The nonce of this start, and before it, newest first, those of the starts before: as many as are kept. */
  history: readonly string[]
  /** 16 bytes in hex, or the empty string as long as the node has joined no cluster. */
  cluster: string
  /** Where this node says it can be dialled, if it knows. */
  address: Address | null
  /** A name for people, at most 64 characters; may be empty. */
  name: string
  /** It follows the log and never votes: no member, and not about to be one. */
  observer: boolean
}

/** Random bytes, made anew by each start of a node: two starts with one number and two nonces are of two copies of one disk. */
export const nonceBytes = 8

/** So many nonces are kept, that of the current start included: a copy that is started more often without meeting anybody is not recognised. */
export const HISTORY_MAX = 64

export function writeHistory (writer: ByteWriter, history: readonly string[]): void {
  writer.varint(history.length)
  for (const nonce of history) writeNonce(writer, nonce)
}

export function readHistory (reader: ByteReader): string[] {
  const count = reader.count(nonceBytes)
  if (count < 1 || count > HISTORY_MAX) reader.fail('invalid number of nonces')
  return Array.from({ length: count }, () => readNonce(reader))
}

export function writeNonce (writer: ByteWriter, nonce: string): void {
  writer.raw(fromHex(nonce))
}

export function readNonce (reader: ByteReader): string {
  return toHex(reader.raw(nonceBytes))
}
