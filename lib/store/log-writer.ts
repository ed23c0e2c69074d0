import type { Persist } from '../core/effects.ts'
import type { Group } from '../core/entry.ts'
import { groupBytes, lastPosition } from '../core/entry.ts'
import type { Operation } from '../wire/operations.ts'
import { decodeGroup, encodeGroup } from '../wire/group.ts'
import {
  acceptedKey, appliedKey, baseKey, copyKey, encodeApplied, encodeBase, encodeCopy, encodeRow, encodeView, encodeVow, logEnd,
  logKey, numberOf, originKey, originsEnd, originsStart, viewKey, vowKey
} from './layout.ts'
import type { Applier } from './apply.ts'
import type { Store } from './store.ts'

type Reset = NonNullable<Persist['reset']>

interface Step {
  readonly id: number
  readonly persist: Persist
}

/** How many records a truncation deletes at once. */
const DELETED_AT_ONCE = 1000

/**
 * Makes steps durable, in order. One write is under way at a time; all steps that come in meanwhile form the next one
 * (group commit), so under load a sync is shared by many groups. What a truncation leaves over is deleted a piece at a
 * time between these writes, so that none waits for all of it.
 */
export class LogWriter {
  readonly #store: Store
  readonly #applier: Applier
  readonly #sync: boolean
  readonly #onPersisted: (id: number, applied: number) => void
  readonly #onError: (error: unknown) => void
  #steps: Step[] = []
  #writing = false
  #stopped = false
  #failed = false
  #idle: Array<() => void> = []
  /** How many bytes of groups were written since the last sync, and how many may be: without one now and then, the log could never be truncated. */
  #unsynced = 0
  readonly #unsyncedMax: number
  /** Records up to the second position are to be deleted; those up to the first are gone. */
  #deleted = 0
  #truncated = 0

  /**
   * `sync`: whether groups are synced. What a node has said, decided or thrown away always is. `onPersisted` is also told up to
   * where the log is applied durably.
   */
  constructor (
    store: Store, applier: Applier, sync: boolean, unsyncedMax: number,
    onPersisted: (id: number, applied: number) => void, onError: (error: unknown) => void
  ) {
    this.#store = store
    this.#sync = sync
    this.#unsyncedMax = unsyncedMax
    this.#applier = applier
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
    this.#stopped = true
    this.#steps = []
    if (this.#writing) await new Promise<void>(resolve => { this.#idle.push(resolve) })
  }

  async #run (): Promise<void> {
    this.#writing = true
    try {
      while (this.#steps.length > 0 || this.#mustDelete) {
        if (this.#steps.length > 0) await this.#write(this.#take())
        if (this.#mustDelete) await this.#deleteSome()
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

  /** Steps that can be written as one batch: a cut and a reset look at the disk, so they come first in their batch. */
  #take (): Step[] {
    const first = this.#steps.findIndex(({ persist }, i) => i > 0 && (persist.cut !== null || persist.reset !== null))
    return first === -1 ? this.#steps.splice(0) : this.#steps.splice(0, first)
  }

  async #write (steps: readonly Step[]): Promise<void> {
    const operations: Operation[] = []
    let sync = false
    let deleted = this.#deleted
    let truncated = this.#truncated
    let copiedFrom: number | null = null

    for (const { persist } of steps) {
      const { reset, cut, vow, accepted, view, truncate, groups, copied } = persist
      if (reset !== null) {
        await this.#reset(reset, operations)
        deleted = 0
        truncated = copiedFrom = reset.base.position
      }
      if (cut !== null) await this.#cut(cut, operations)
      if (vow !== null) operations.push({ type: 'put', key: vowKey, value: encodeVow(vow) })
      if (accepted !== null) operations.push({ type: 'put', key: acceptedKey, value: encodeView(accepted) })
      if (view !== null) operations.push({ type: 'put', key: viewKey, value: encodeView(view) })
      if (truncate !== null) {
        operations.push({ type: 'put', key: baseKey, value: encodeBase(truncate) })
        truncated = truncate.position
      }
      for (const group of groups) operations.push({ type: 'put', key: logKey(group.first), value: encodeGroup(group) })
      if (copied) operations.push({ type: 'del', key: copyKey })

      // Deletions that are lost do no harm, if the new base is not.
      for (const group of groups) this.#unsynced += groupBytes(group)
      sync ||= this.#unsynced > this.#unsyncedMax || reset !== null || cut !== null || vow !== null || accepted !== null || view !== null || copied ||
        (this.#sync && (groups.length > 0 || truncate !== null))
    }

    if (sync) {
      await this.#applier.write(operations)
      if (copiedFrom !== null) this.#applier.reset(copiedFrom)
      this.#unsynced = 0
    } else if (operations.length > 0) await this.#store.batch(operations, { sync: false })
    this.#deleted = deleted
    this.#truncated = truncated
    this.#onPersisted((steps[steps.length - 1] as Step).id, this.#applier.durable)
  }

  async #cut (position: number, operations: Operation[]): Promise<void> {
    for await (const keys of this.#store.keys({ gte: logKey(position + 1), lt: logEnd })) {
      for (const key of keys) operations.push({ type: 'del', key })
    }
  }

  /** What the log holds up to the new base is deleted like what is truncated. */
  async #reset ({ base, seeded, rows }: Reset, operations: Operation[]): Promise<void> {
    await this.#cut(base.position, operations)
    const kept = new Set(rows.map(([id]) => id))
    for await (const keys of this.#store.keys({ gt: originsStart, lt: originsEnd })) {
      for (const key of keys) if (!kept.has(numberOf(key))) operations.push({ type: 'del', key })
    }
    operations.push({ type: 'put', key: baseKey, value: encodeBase(base) })
    operations.push({ type: 'put', key: appliedKey, value: encodeApplied({ ...base, seeded }) })
    for (const [id, row] of rows) operations.push({ type: 'put', key: originKey(id), value: encodeRow(row) })
    operations.push({ type: 'put', key: copyKey, value: encodeCopy({ after: new Uint8Array(0), high: base.position }) })
  }

  get #mustDelete (): boolean {
    return this.#deleted < this.#truncated && !this.#stopped
  }

  /** If this is not done before the process ends, recovery looks away, and the next truncation does it. */
  async #deleteSome (): Promise<void> {
    const range = { gt: logKey(this.#deleted), lte: logKey(this.#truncated) }
    const operations: Operation[] = []
    let deleted = this.#truncated
    for await (const keys of this.#store.keys(range, { limit: DELETED_AT_ONCE })) {
      for (const key of keys) operations.push({ type: 'del', key })
      if (operations.length === DELETED_AT_ONCE) deleted = numberOf(keys[keys.length - 1] as Uint8Array)
    }
    if (operations.length > 0) await this.#store.batch(operations, { sync: false })
    this.#deleted = deleted
  }
}

/**
 * Reads groups from the log, in order, beginning with the one that starts at or after position `from`, until they take
 * `bytesMax` bytes (at least one). They follow one on another, also if a truncation comes in between. Verified like all that is read from the log: throws a WireError if damaged.
 */
export async function readLog (store: Store, from: number, bytesMax: number): Promise<Group[]> {
  const groups: Group[] = []
  let bytes = 0
  for await (const chunk of store.entries({ gte: logKey(from), lt: logEnd }, 64)) {
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
