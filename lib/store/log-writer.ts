import type { Persist } from '../core/effects.ts'
import type { Group } from '../core/entry.ts'
import type { Operation } from '../wire/operations.ts'
import { decodeGroup, encodeGroup } from '../wire/group.ts'
import { encodeView, encodeVow, logEnd, logKey, viewKey, vowKey } from './layout.ts'
import type { Store } from './store.ts'

interface Step {
  readonly id: number
  readonly persist: Persist
}

/**
 * Makes steps durable, in order. One write is under way at a time; all steps that come in meanwhile form the next one
 * (group commit), so under load a sync is shared by many groups.
 */
export class LogWriter {
  readonly #store: Store
  readonly #sync: boolean
  readonly #onPersisted: (id: number) => void
  readonly #onError: (error: unknown) => void
  #steps: Step[] = []
  #writing = false
  #failed = false
  #idle: Array<() => void> = []

  /** `sync`: whether groups are synced. Promises and views always are. */
  constructor (store: Store, sync: boolean, onPersisted: (id: number) => void, onError: (error: unknown) => void) {
    this.#store = store
    this.#sync = sync
    this.#onPersisted = onPersisted
    this.#onError = onError
  }

  add (id: number, persist: Persist): void {
    if (this.#failed) return
    this.#steps.push({ id, persist })
    if (!this.#writing) void this.#run()
  }

  /** Resolves when nothing is under way any more. What is not under way yet is dropped. */
  async stop (): Promise<void> {
    this.#steps = []
    if (this.#writing) await new Promise<void>(resolve => { this.#idle.push(resolve) })
  }

  async #run (): Promise<void> {
    this.#writing = true
    try {
      while (this.#steps.length > 0) {
        const steps = this.#take()
        const operations: Operation[] = []
        let sync = false

        for (const { persist } of steps) {
          if (persist.cut !== null) operations.push(...await this.#cut(persist.cut))
          if (persist.vow !== null) operations.push({ type: 'put', key: vowKey, value: encodeVow(persist.vow) })
          if (persist.view !== null) operations.push({ type: 'put', key: viewKey, value: encodeView(persist.view) })
          for (const group of persist.groups) operations.push({ type: 'put', key: logKey(group.first), value: encodeGroup(group) })
          sync ||= persist.vow !== null || persist.view !== null || persist.cut !== null || this.#sync
        }

        if (operations.length > 0) await this.#store.batch(operations, { sync })
        this.#onPersisted((steps[steps.length - 1] as Step).id)
      }
    } catch (error) {
      // Nobody knows what reached the disk: no later step may pretend to follow this one.
      this.#steps = []
      this.#failed = true
      this.#onError(error)
    } finally {
      this.#writing = false
      for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  /** Steps that can be written as one batch: a cut looks at the disk, so it comes first in its batch. */
  #take (): Step[] {
    const cut = this.#steps.findIndex((step, i) => i > 0 && step.persist.cut !== null)
    return cut === -1 ? this.#steps.splice(0) : this.#steps.splice(0, cut)
  }

  async #cut (position: number): Promise<Operation[]> {
    const operations: Operation[] = []
    for await (const chunk of this.#store.entries({ gte: logKey(position + 1), lt: logEnd })) {
      for (const [key] of chunk) operations.push({ type: 'del', key })
    }
    return operations
  }
}

/**
 * Reads groups from the log, in order, beginning with the one that starts at or after position `from`, until they take
 * `bytesMax` bytes (at least one). Verified like all that is read from the log: throws a WireError if damaged.
 */
export async function readLog (store: Store, from: number, bytesMax: number): Promise<Group[]> {
  const groups: Group[] = []
  let bytes = 0
  for await (const chunk of store.entries({ gte: logKey(from), lt: logEnd }, 64)) {
    for (const [, record] of chunk) {
      groups.push(decodeGroup(record))
      bytes += record.byteLength
      if (bytes >= bytesMax) return groups
    }
  }
  return groups
}
