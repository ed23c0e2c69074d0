import { codes, ReplicatorError } from './errors.ts'
import { WRITE_BYTES_LIMIT } from './limits.ts'
import { foundingData } from './store/founding-data.ts'
import type { Store } from './store/store.ts'
import type { Operation } from './wire/operations.ts'
import { encodeOperations } from './wire/operations.ts'

/** Writes the data that a founder brought along into the log, and then that this was all. */
export async function seed (store: Store, submit: (write: { body: Uint8Array, operations: readonly Operation[], kind: 'seed' | 'seeded' }) => Promise<void>): Promise<void> {
  for await (const operations of foundingData(store)) {
    const body = encodeOperations(operations)
    if (body.length > WRITE_BYTES_LIMIT) {
      throw new ReplicatorError(codes.tooLarge, `The data that this node brings along hold an entry of ${body.length} bytes: more than the ${WRITE_BYTES_LIMIT} that can be replicated. Take it out before this node founds a cluster`)
    }
    await submit({ body, operations, kind: 'seed' })
  }
  await submit({ body: encodeOperations([]), operations: [], kind: 'seeded' })
}
