import { codes, ReplicatorError } from '../errors.ts'
import { encodeOperations, OPERATIONS_MAX } from '../wire/operations.ts'
import type { Operation } from '../wire/operations.ts'
import { KEY_BYTES_MAX } from '../wire/group.ts'
import type { WriteOptions } from '../write-options.ts'
import type { Data, PrivateOperation } from './private-api.ts'
import type { Gate } from './gate.ts'
import { toBytes } from './formats.ts'
import { isReserved } from './keys.ts'
import { stripPrefix } from './ranges.ts'

export interface WriteLimits {
  /** Largest key, in bytes. */
  keyBytesMax: number
  /** Largest value, in bytes. */
  valueBytesMax: number
  /** Largest encoded write, in bytes. */
  writeBytesMax: number
}

/** The write path: turns what the private API was given into operations, and these into one write for the gate. */
export class Submission {
  readonly limits: WriteLimits
  readonly #gate: Gate
  readonly #prefixLength: number

  constructor (gate: Gate, prefixLength: number, limits: WriteLimits) {
    this.#gate = gate
    this.#prefixLength = prefixLength
    this.limits = limits
  }

  /** Shares memory with its arguments as long as it is not submitted. */
  put (key: Data, value: Data): Operation {
    return { type: 'put', key: this.#key(key), value: this.#value(value) }
  }

  del (key: Data): Operation {
    return { type: 'del', key: this.#key(key) }
  }

  operation (op: PrivateOperation): Operation {
    if (op.sublevel != null) {
      throw new ReplicatorError(codes.notSupported,
        'A batch cannot write to a sublevel that is not part of the replicated database: write there in a batch of its own', { outcome: 'aborted' })
    }
    return op.type === 'put' ? this.put(op.key, op.value as Data) : this.del(op.key)
  }

  /**
   * Submits one write. The operations are encoded before this returns, so their memory is the caller's again. Throws
   * at once if they break a limit; then nothing is submitted.
   */
  submit (operations: readonly Operation[], options: WriteOptions = {}): Promise<void> {
    const key = idempotencyKeyOf(options)
    if (operations.length > OPERATIONS_MAX) throw tooLarge(`A write of ${operations.length} operations exceeds the limit of ${OPERATIONS_MAX}: split it`)
    let size = 0
    for (const op of operations) size += operationBytes(op)
    // Before room is made for all of it.
    this.assertSize(size)

    const body = encodeOperations(operations)
    this.assertSize(body.length)
    return this.#gate.write(body, key)
  }

  /** Throws if a write of that many bytes is too large. */
  assertSize (size: number): void {
    const { writeBytesMax } = this.limits
    if (size > writeBytesMax) throw tooLarge(`A write of ${size} bytes or more exceeds the limit of ${writeBytesMax}: split the batch, or raise writeBytesMax (an observer writes at most 1 MiB)`)
  }

  #key (data: Data): Uint8Array {
    const key = toBytes(stripPrefix(data, this.#prefixLength))
    const { keyBytesMax } = this.limits

    if (isReserved(key)) {
      throw new ReplicatorError(codes.reservedKey,
        'Keys that begin with eight 0xff bytes are reserved for the replicator: use another key', { outcome: 'aborted' })
    }
    if (key.length > keyBytesMax) {
      throw tooLarge(`A key of ${key.length} bytes exceeds the limit of ${keyBytesMax}: raise keyBytesMax`)
    }
    return key
  }

  #value (data: Data): Uint8Array {
    const value = toBytes(data)
    const { valueBytesMax } = this.limits
    if (value.length > valueBytesMax) throw tooLarge(`A value of ${value.length} bytes exceeds the limit of ${valueBytesMax}: raise valueBytesMax (an observer writes at most 1 MiB)`)
    return value
  }
}

/** What one operation adds to a write, not counting the lengths and types. */
export function operationBytes (op: Operation): number {
  return op.key.length + (op.type === 'put' ? op.value.length : 0)
}

/** Empty if there is none. */
function idempotencyKeyOf ({ idempotencyKey }: WriteOptions): string {
  if (idempotencyKey === undefined) return ''
  const isText = typeof idempotencyKey === 'string' && idempotencyKey !== ''
  const bytes = isText ? toBytes(idempotencyKey) : new Uint8Array(0)
  // Half of a character would be taken for any other half.
  if (!isText || new TextDecoder().decode(bytes) !== idempotencyKey) throw new TypeError("The option 'idempotencyKey' must be a non-empty string of whole characters")
  if (bytes.length > KEY_BYTES_MAX) throw tooLarge(`An idempotencyKey of ${bytes.length} bytes exceeds the limit of ${KEY_BYTES_MAX}`)
  return idempotencyKey
}

function tooLarge (message: string): ReplicatorError {
  return new ReplicatorError(codes.tooLarge, message, { outcome: 'aborted' })
}
