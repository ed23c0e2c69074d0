import type { Persist } from '../core/effects.ts'
import { groupBytes } from '../core/entry.ts'
import type { Group, LogName } from '../core/entry.ts'
import type { Operation } from '../wire/operations.ts'
import type { Applier } from './apply.ts'
import type { ByteRange } from './gate.ts'
import {
  acceptedKey, appliedKey, copyKey, encodeApplied, encodeCopy, encodeKeyRow, encodeRow, encodeView, encodeVow, keyedEnd,
  keyedKey, keyedStart, numberOf, originKey, originsEnd, originsStart, viewKey, vowKey
} from './layout.ts'
import type { LogMedium } from './log-medium.ts'
import type { Store } from './store.ts'

type Reset = NonNullable<Persist['reset']>

interface Step {
  readonly id: number
  readonly persist: Persist
}

/**
 * Makes steps durable, in order. One write is under way at a time; all steps that come in meanwhile form the next one
 * (group commit), so under load a sync is shared by many groups. What a truncation leaves over is removed a piece at a time between
 * these writes, so that none waits for all of it.
 */
export class LogWriter {
  readonly #store: Store
  readonly #log: LogMedium
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

  /**
   * `sync`: whether groups are synced. What a node has said, decided or thrown away always is. `onPersisted` is also told up to
   * where the log is applied durably.
   */
  constructor (
    store: Store, log: LogMedium, applier: Applier, sync: boolean, unsyncedMax: number,
    onPersisted: (id: number, applied: number) => void, onError: (error: unknown) => void
  ) {
    this.#store = store
    this.#log = log
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
      while (this.#steps.length > 0 || (this.#log.untidy && !this.#stopped)) {
        if (this.#steps.length > 0) await this.#write(this.#take())
        if (this.#log.untidy && !this.#stopped) await this.#log.tidy()
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

  /**
   * Steps that can be written at once: a cut and a reset look at the disk, so they come first; and where groups and records of the
   * store are not written together, groups are first, so none may follow on a record.
   */
  #take (): Step[] {
    let records = false
    const isNext = ({ persist }: Step, i: number): boolean => {
      const { reset, cut, vow, accepted, view, copied, groups } = persist
      const isFirst = i > 0 && (cut !== null || reset !== null || (records && groups.length > 0 && !this.#log.atomic))
      records ||= reset !== null || vow !== null || accepted !== null || view !== null || copied
      return isFirst
    }
    const end = this.#steps.findIndex(isNext)
    return this.#steps.splice(0, end === -1 ? this.#steps.length : end)
  }

  async #write (steps: readonly Step[]): Promise<void> {
    const operations: Operation[] = []
    const appended: Group[] = []
    let sync = false
    let truncated: LogName | null = null

    for (const { persist } of steps) {
      const { reset, vow, accepted, view, truncate, groups, copied } = persist
      if (reset !== null) await this.#reset(reset, operations)
      if (vow !== null) operations.push({ type: 'put', key: vowKey, value: encodeVow(vow) })
      if (accepted !== null) operations.push({ type: 'put', key: acceptedKey, value: encodeView(accepted) })
      if (view !== null) operations.push({ type: 'put', key: viewKey, value: encodeView(view) })
      if (copied) operations.push({ type: 'del', key: copyKey })
      if (truncate !== null) truncated = truncate
      appended.push(...groups)
      for (const group of groups) this.#unsynced += groupBytes(group)

      // Deletions that are lost do no harm, if the new base is not.
      sync ||= this.#unsynced > this.#unsyncedMax || operations.length > 0 || persist.cut !== null ||
        (this.#sync && (groups.length > 0 || truncate !== null))
    }

    const { reset = null, cut = null } = steps[0]?.persist ?? {}
    const { position } = this.#applier
    await this.#log.write({ begin: reset?.base ?? null, cut, groups: appended, operations, truncate: truncated, sync })
    if (sync) {
      this.#applier.onSynced(position)
      this.#unsynced = 0
    }
    if (reset !== null) this.#applier.reset(reset.base, reset.seeded)
    this.#onPersisted((steps[steps.length - 1] as Step).id, this.#applier.durable)
  }

  /** The state that is copied, as far as it is not the log's. */
  async #reset ({ base, seeded, rows, keys }: Reset, operations: Operation[]): Promise<void> {
    await this.#deleteAllBut(rows, { gt: originsStart, lt: originsEnd }, operations)
    await this.#deleteAllBut(keys, { gt: keyedStart, lt: keyedEnd }, operations)
    operations.push({ type: 'put', key: appliedKey, value: encodeApplied({ ...base, seeded, durable: base.position }) })
    for (const [id, row] of rows) operations.push({ type: 'put', key: originKey(id), value: encodeRow(row) })
    for (const [position, row] of keys) operations.push({ type: 'put', key: keyedKey(position), value: encodeKeyRow(row) })
    operations.push({ type: 'put', key: copyKey, value: encodeCopy({ after: new Uint8Array(0), high: base.position }) })
  }

  async #deleteAllBut (rows: ReadonlyArray<readonly [number, unknown]>, range: ByteRange, operations: Operation[]): Promise<void> {
    const kept = new Set(rows.map(([number]) => number))
    for await (const keys of this.#store.keys(range)) {
      for (const key of keys) if (!kept.has(numberOf(key))) operations.push({ type: 'del', key })
    }
  }
}
