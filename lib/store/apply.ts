import type { Effect } from '../core/effects.ts'
import type { Group, LogName } from '../core/entry.ts'
import { lastPosition } from '../core/entry.ts'
import { keyRowOf } from '../core/idempotency.ts'
import type { OriginRow } from '../core/origins.ts'
import type { Part } from '../core/part.ts'
import { isInPart } from '../core/part.ts'
import { toHex } from '../wire/hex.ts'
import type { Operation } from '../wire/operations.ts'
import type { AppliedState } from './layout.ts'
import { appliedKey, encodeApplied, encodeKeyRow, encodeRow, keyedKey, originKey } from './layout.ts'
import type { LogMedium } from './log-medium.ts'
import type { Store } from './store.ts'

/** How much one batch of what is applied again holds, and how much is read of the log for it. */
const REAPPLIED_BYTES = 1024 * 1024

/**
 * Puts committed entries into the data, and knows up to where that is durable.
 *
 * Callers wait for an apply, and the log, which is synced, has the entries: so an apply is not synced. A power cut may then take any
 * of the batches since the store was flushed, and leave later ones; what they changed is applied again from the log at the next
 * start. Each batch tells up to where there is nothing to apply again, and has all rows of origins that changed since. See
 * `spec/storage.md`, "What is applied again".
 */
export class Applier {
  readonly #store: Store
  readonly #sync: boolean
  readonly #flushBytes: number
  readonly #onError: (error: unknown) => void
  readonly #part: Part | null
  #state: AppliedState
  #covered: number
  /** Rows that changed after `durable`, each with the position at which it did. */
  #rows = new Map<number, { readonly row: OriginRow | null, readonly position: number }>()
  /** What the store says of `durable`. */
  #noted: number
  /** Of what was applied since the last flush began. */
  #bytes = 0
  #flushing: Promise<void> | null = null
  /** Counts the copies: what a flush covered that began before is not there any more. */
  #copies = 0

  /** `sync`: what is applied has to become durable. The store is flushed whenever `flushBytes` were applied. `part`: of the data; null: all. */
  constructor (store: Store, sync: boolean, flushBytes: number, state: AppliedState, onError: (error: unknown) => void, part: Part | null = null) {
    this.#part = part
    this.#store = store
    this.#sync = sync
    this.#flushBytes = flushBytes
    this.#onError = onError
    this.#state = state
    this.#covered = state.position
    this.#noted = state.durable
  }

  async apply ({ groups, rows, gone, through: position, epoch, seeded }: Effect & { type: 'apply' }): Promise<void> {
    for (const [id, row] of rows) this.#rows.set(id, { row, position })
    // A store that cannot be flushed syncs each batch.
    const sync = this.#sync && !this.#store.flushes
    const durable = this.#sync && !sync ? this.#state.durable : position
    const state = { position, epoch, seeded, durable }

    const operations = operationsOf(groups, this.#part)
    for (const [id, { row }] of this.#rows) operations.push(rowOperation(id, row))
    // One that stays because of a power cut leaves again after the next start.
    for (const position of gone) operations.push({ type: 'del', key: keyedKey(position) })
    operations.push({ type: 'put', key: appliedKey, value: encodeApplied(state) })
    await this.#store.batch(operations, { sync })

    this.#noted = durable
    // The flush that went on meanwhile may have ended.
    this.#state = { ...state, durable: Math.max(durable, this.#state.durable) }
    if (durable === position) this.#rows.clear()
    for (const group of groups) for (const entry of group.entries) if (entry.kind === 'write') this.#bytes += entry.body.length
    if (durable < position && this.#bytes >= this.#flushBytes) this.#flushing ??= this.#flush()
  }

  get position (): number {
    return this.#state.position
  }

  /** Up to where nothing that is applied needs the log any more. */
  get durable (): number {
    return this.#sync ? this.#state.durable : this.#covered
  }

  /** A batch is synced that began when this was applied. Without syncs of its own, that is what the log can be truncated by. */
  onSynced (position: number): void {
    this.#covered = Math.max(this.#covered, position)
  }

  /** A copy begins here, durably: nothing was applied. */
  reset ({ position, epoch }: LogName, seeded: boolean): void {
    this.#copies++
    this.#rows.clear()
    this.#state = { position, epoch, seeded, durable: position }
    this.#covered = position
    this.#noted = position
  }

  /** Nothing is under way any more. After this, nothing has to be applied again. */
  async stop (log: LogMedium): Promise<void> {
    await this.#flushing
    if (this.#noted === this.#state.position) return
    const groups: Group[] = []
    for (let at = this.#state.durable; at < this.#state.position;) {
      groups.push(...await log.read(at + 1, REAPPLIED_BYTES))
      at = lastPosition(groups[groups.length - 1] as Group)
    }
    await reapply(this.#store, groups, this.#state, this.#part, [...this.#rows].map(([id, { row }]) => [id, row]))
  }

  async #flush (): Promise<void> {
    const { position } = this.#state
    const copies = this.#copies
    this.#bytes = 0
    try {
      if (!await this.#store.flush() || copies !== this.#copies) return
      this.#state = { ...this.#state, durable: position }
      for (const [id, row] of this.#rows) if (row.position <= position) this.#rows.delete(id)
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#flushing = null
    }
  }
}

/**
 * Applies groups again, those after what is durable, up to the position of `state`, which becomes durable: of each key, only what is
 * left of it in the end, so that nobody who reads sees it go back. `rows`: those of the table of origins that may not be durable
 * either; at a start, what the store found when it was opened is. Each batch is synced. Interrupted, it can begin anew.
 */
export async function reapply (store: Store, groups: readonly Group[], state: AppliedState, part: Part | null = null, rows: Iterable<readonly [number, OriginRow | null]> = []): Promise<void> {
  const last = new Map<string, Operation>()
  for (const group of groups) {
    if (group.first > state.durable && lastPosition(group) <= state.position) for (const op of operationsOf([group], part)) last.set(toHex(op.key), op)
  }
  let operations: Operation[] = []
  let bytes = 0
  for (const op of last.values()) {
    operations.push(op)
    bytes += op.key.length + (op.type === 'put' ? op.value.length : 0)
    if (bytes < REAPPLIED_BYTES) continue
    await store.batch(operations, { sync: true })
    operations = []
    bytes = 0
  }
  for (const [id, row] of rows) operations.push(rowOperation(id, row))
  operations.push({ type: 'put', key: appliedKey, value: encodeApplied({ ...state, durable: state.position }) })
  await store.batch(operations, { sync: true })
}

/** What entries change in this part of the data, and in the table of keys. */
function operationsOf (groups: readonly Group[], part: Part | null): Operation[] {
  const operations: Operation[] = []
  for (const group of groups) {
    group.entries.forEach((entry, i) => {
      if (entry.kind === 'write') for (const op of entry.operations) if (isInPart(part, op.key)) operations.push(op as Operation)
      const row = keyRowOf(entry)
      if (row !== null) operations.push({ type: 'put', key: keyedKey(group.first + i), value: encodeKeyRow(row) })
    })
  }
  return operations
}

function rowOperation (id: number, row: OriginRow | null): Operation {
  const key = originKey(id)
  return row === null ? { type: 'del', key } : { type: 'put', key, value: encodeRow(row) }
}
