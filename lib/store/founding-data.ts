import type { Operation } from '../wire/operations.ts'
import { RESERVED } from './keys.ts'
import type { Store } from './store.ts'

const BATCH_BYTES = 256 * 1024

/** The user's data, as the puts that would make them, in batches. */
export async function * foundingData (store: Store): AsyncGenerator<Operation[]> {
  let operations: Operation[] = []
  let bytes = 0
  for await (const chunk of store.entries({ lt: RESERVED })) {
    for (const [key, value] of chunk) {
      const size = key.length + value.length
      // A large entry goes alone: with others, it might be too large for one write.
      if (operations.length > 0 && bytes + size > BATCH_BYTES) {
        yield operations
        operations = []
        bytes = 0
      }
      operations.push({ type: 'put', key, value })
      bytes += size
    }
  }
  if (operations.length > 0) yield operations
}
