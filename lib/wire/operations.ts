import { ByteReader, ByteWriter } from './bytes.ts'

/** One change of one key. Keys and values are bytes as the store keeps them. */
export type Operation =
  | { type: 'put', key: Uint8Array, value: Uint8Array }
  | { type: 'del', key: Uint8Array }

/** One write has no more operations. Small ones take more memory decoded than encoded, so bytes are not limit enough. */
export const OPERATIONS_MAX = 1_000_000

/**
 * Encodes the operations of one write. The same bytes travel to the coordinator, to the participants
 * and into the log. The result shares no memory with the operations.
 */
export function encodeOperations (operations: readonly Operation[]): Uint8Array {
  let size = 5
  for (const op of operations) {
    size += 11 + op.key.length + (op.type === 'put' ? op.value.length : 0)
  }

  const writer = new ByteWriter(size)
  writer.varint(operations.length)
  for (const op of operations) {
    writer.u8(op.type === 'put' ? 1 : 0)
    writer.bytes(op.key)
    if (op.type === 'put') writer.bytes(op.value)
  }
  return writer.finish()
}

/** The inverse. The operations are views on `body`, of which `whole` is. Throws a WireError on anything but a whole, valid encoding. */
export function decodeOperations (body: Uint8Array, whole?: ByteReader): Operation[] {
  const reader = new ByteReader(body, whole)
  const count = reader.count(2)
  if (count > OPERATIONS_MAX) reader.fail('too many operations')
  const operations: Operation[] = []

  for (let i = 0; i < count; i++) {
    const type = reader.u8()
    const key = reader.bytes()
    if (type === 1) operations.push({ type: 'put', key, value: reader.bytes() })
    else if (type === 0) operations.push({ type: 'del', key })
    else reader.fail('unknown operation type')
  }

  reader.end()
  return operations
}
