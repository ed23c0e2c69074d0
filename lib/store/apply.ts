import type { Effect } from '../core/effects.ts'
import type { Operation } from '../wire/operations.ts'
import { appliedKey, encodeApplied, encodeRow, originKey } from './layout.ts'
import type { Store } from './store.ts'

/** An apply is not synced as long as no more bytes than these would have to be written again. */
export const AGAIN_BYTES = 4 * 1024

/**
 * Applies committed entries to the data, in atomic batches with all that is a function of the log up to there.
 *
 * Callers wait for an apply, so it had better not wait for a sync: the entries are in the log, and the log is synced. But a store
 * that changes log files of its own may lose the end of the older one, and keep a later batch: then an apply would be missing
 * that *applied* says was made. So what was applied without a sync is written again, as a part of every batch that says so, until
 * one of them is synced: usually the next append to the log. See `spec/storage.md`.
 */
export class Applier {
  readonly #store: Store
  readonly #sync: boolean
  /** What was applied since the last synced batch. */
  #again: Operation[] = []
  #bytes = 0
  /** Up to where the log is applied. */
  #applied: number
  /** Up to where it is applied durably. */
  #durable: number
  #applying = false
  #rewriting: Promise<void> | null = null

  /** `sync`: whether what is applied has to be durable before anything depends on it. `applied`: when the node was started. */
  constructor (store: Store, sync: boolean, applied: number) {
    this.#store = store
    this.#sync = sync
    this.#applied = this.#durable = applied
  }

  /** `whole`: nothing may be left to be written again. */
  async apply (effect: Effect & { type: 'apply' }, whole: boolean): Promise<void> {
    // It would bring back what this one changes.
    while (this.#rewriting !== null) await this.#rewriting
    const operations = this.#again.concat(operationsOf(effect))
    const bytes = this.#bytes + effect.groups.reduce((sum, { entries }) => entries.reduce((sum, entry) => sum + (entry.kind === 'write' ? entry.body.length : 0), sum), 0)
    const sync = this.#sync && (whole || bytes > AGAIN_BYTES)
    this.#applying = true
    await this.#store.batch(operations, { sync })
    this.#applying = false
    this.#applied = effect.through
    if (sync) this.#durable = effect.through
    this.#leave(sync || !this.#sync ? [] : operations, bytes)
  }

  /** Up to where the log is applied durably. */
  get durable (): number {
    return this.#durable
  }

  /** Makes a synced batch of what has to be written again, and these operations, which are no data. */
  async write (operations: Operation[]): Promise<void> {
    // An apply under way might be overtaken by what was applied before it.
    const again = this.#applying ? [] : this.#again
    const applied = this.#applying && this.#sync ? this.#durable : this.#applied
    const batch = this.#store.batch(again.concat(operations), { sync: true })
    if (again.length > 0) this.#rewriting = batch.catch(() => {}).finally(() => { this.#rewriting = null })
    await batch
    // What was applied meanwhile is left.
    if (again.length > 0) this.#leave([], 0)
    this.#durable = Math.max(this.#durable, applied)
  }

  /** A copy begins here, durably: nothing was applied. */
  reset (position: number): void {
    this.#applied = this.#durable = position
  }

  /** Everything that was applied is durable afterwards. */
  async flush (): Promise<void> {
    if (this.#again.length > 0) await this.write([])
  }

  #leave (operations: Operation[], bytes: number): void {
    this.#again = operations
    this.#bytes = operations.length === 0 ? 0 : bytes
  }
}

function operationsOf ({ groups, rows, through: position, epoch, seeded }: Effect & { type: 'apply' }): Operation[] {
  const operations: Operation[] = []
  for (const group of groups) {
    for (const entry of group.entries) {
      if (entry.kind === 'write') for (const op of entry.operations) operations.push(op as Operation)
    }
  }
  for (const [id, row] of rows) {
    const key = originKey(id)
    operations.push(row === null ? { type: 'del', key } : { type: 'put', key, value: encodeRow(row) })
  }
  operations.push({ type: 'put', key: appliedKey, value: encodeApplied({ position, epoch, seeded }) })
  return operations
}
