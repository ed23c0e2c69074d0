import type { Group, LogName } from '../core/entry.ts'
import { lastPosition } from '../core/entry.ts'
import { decodeGroup, encodeGroup } from '../wire/group.ts'
import type { Operation } from '../wire/operations.ts'
import { baseKey, encodeBase, logEnd, logKey, logStart, numberOf } from './layout.ts'
import type { LogMedium, LogWrite } from './log-medium.ts'
import type { Store } from './store.ts'

/** How many records a truncation deletes at once. */
const DELETED_AT_ONCE = 1000

/** The log as records of the store: each write is one batch. */
export class StoreMedium implements LogMedium {
  readonly atomic = true
  readonly #store: Store
  /** Records up to the second position are to be deleted; those up to the first are gone. */
  #deleted = 0
  #truncated = 0

  constructor (store: Store) {
    this.#store = store
  }

  async write ({ begin, cut, groups, operations, truncate, sync }: LogWrite): Promise<void> {
    const all: Operation[] = []
    // What the log holds up to where it begins anew is deleted like what is truncated.
    const end = begin ?? cut
    if (end !== null) await this.#deleteAfter(end.position, all)
    const base = truncate ?? begin
    all.push(...operations)
    if (base !== null) all.push({ type: 'put', key: baseKey, value: encodeBase(base) })
    for (const group of groups) all.push({ type: 'put', key: logKey(group.first), value: encodeGroup(group) })
    if (all.length > 0) await this.#store.batch(all, { sync })
    if (begin !== null) this.#deleted = 0
    if (base !== null) this.#truncated = base.position
  }

  get untidy (): boolean {
    return this.#deleted < this.#truncated
  }

  /** A piece of what is truncated. If this is not done before the process ends, recovery looks away, and the next truncation does it. */
  async tidy (): Promise<void> {
    const truncated = this.#truncated
    const { operations, through } = await this.#some(this.#deleted, truncated)
    if (operations.length > 0) await this.#store.batch(operations, { sync: false })
    this.#deleted = through
  }

  async read (from: number, bytesMax: number): Promise<Group[]> {
    const groups: Group[] = []
    let bytes = 0
    for await (const chunk of this.#store.entries({ gte: logKey(from), lt: logEnd }, 64)) {
      for (const [, record] of chunk) {
        const group = decodeGroup(record)
        const last = groups[groups.length - 1]
        if (last !== undefined && group.first !== lastPosition(last) + 1) return groups
        groups.push(group)
        bytes += record.length
        if (bytes >= bytesMax) return groups
      }
    }
    return groups
  }

  /** Deletes all records, durably, a piece at a time: nobody needs them. */
  async clear (): Promise<void> {
    for (;;) {
      const { operations, through } = await this.#some(0, Number.MAX_SAFE_INTEGER)
      if (operations.length === 0) return
      await this.#store.batch(operations, { sync: true })
      if (through === Number.MAX_SAFE_INTEGER) return
    }
  }

  /** The deletion of the first records after a position, and up to where there are none then. */
  async #some (after: number, through: number): Promise<{ operations: Operation[], through: number }> {
    const operations: Operation[] = []
    for await (const keys of this.#store.keys({ gt: logKey(after), lte: logKey(through) }, { limit: DELETED_AT_ONCE })) {
      for (const key of keys) operations.push({ type: 'del', key })
    }
    const last = operations[DELETED_AT_ONCE - 1]
    return { operations, through: last === undefined ? through : numberOf(last.key) }
  }

  async #deleteAfter (position: number, operations: Operation[]): Promise<void> {
    for await (const keys of this.#store.keys({ gte: logKey(position + 1), lt: logEnd })) {
      for (const key of keys) operations.push({ type: 'del', key })
    }
  }
}

/** The records of a log that begins after `base`, for recovery. What is left over of a truncation is not among them. */
export async function * storedRecords (store: Store, base: LogName): AsyncGenerator<Array<readonly [first: number, record: Uint8Array]>> {
  for await (const chunk of store.entries({ gte: logStart, lt: logEnd })) {
    yield chunk.map(([key, record]) => [numberOf(key), record] as const).filter(([first]) => first > base.position)
  }
}
