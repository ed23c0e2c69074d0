import type { Recovered } from '../../lib/core/config.ts'
import type { CopyState, Effect } from '../../lib/core/effects.ts'
import type { Group, LogName } from '../../lib/core/entry.ts'
import { emptyLog, lastPosition } from '../../lib/core/entry.ts'
import type { KeyRow } from '../../lib/core/idempotency.ts'
import { keyRowOf } from '../../lib/core/idempotency.ts'
import type { OriginRow } from '../../lib/core/origins.ts'
import type { View, Vow } from '../../lib/core/view.ts'
import { noVow } from '../../lib/core/view.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'

export type PersistEffect = Effect & { type: 'persist' }
export type ApplyEffect = Effect & { type: 'apply' }

export type DiskState = Pick<CoreDisk, 'start' | 'vow' | 'view' | 'accepted' | 'base' | 'copy' | 'log' | 'applied' | 'rows' | 'keys' | 'seeded' | 'data'>

/** What survives a crash; a loss of power takes a suffix of what was not synced. */
export class CoreDisk {
  start = 0
  vow: Vow = noVow
  view: View | null = null
  accepted: View | null = null
  base: LogName = emptyLog
  copy: CopyState | null = null
  log: Group[] = []
  applied = 0
  rows = new Map<number, OriginRow>()
  keys = new Map<number, KeyRow>()
  seeded = false
  data = new Map<string, string>()
  /** Of the data that a founder brings along. */
  digest = ''
  /** Whether groups are synced. */
  memory = false
  /** With `memory`: it was stopped in order. */
  intact = true
  /** What had been applied at the last sync. */
  appliedDurably = 0
  #synced = this.#state()
  #unsynced: Array<() => void> = []

  /** Another start is counted, before anything else is done. */
  begin (): void {
    this.#write(true, () => { this.start++ })
  }

  persist ({ persist }: PersistEffect): void {
    const { reset, cut, vow, accepted, view, groups, copied } = persist
    const sync = reset !== null || cut !== null || vow !== null || accepted !== null || view !== null || copied || (!this.memory && groups.length > 0)
    this.#write(sync, () => { this.#persist(persist) })
  }

  restore (effect: Effect & { type: 'restore' }): void {
    this.#write(false, () => { this.#restore(effect) })
  }

  apply (effect: ApplyEffect): void {
    this.#write(false, () => { this.#apply(effect) })
  }

  /** The power fails: of the batches since the last sync, the first ones are left. Returns how many are lost. */
  lose (kept: number): number {
    const batches = this.#unsynced
    Object.assign(this, this.#synced)
    this.#synced = this.#state()
    this.#unsynced = batches.slice(0, kept)
    for (const batch of this.#unsynced) batch()
    return batches.length - this.#unsynced.length
  }

  /** All that is on it, for `putBack`. */
  image (): DiskState {
    return this.#state()
  }

  putBack (image: DiskState): void {
    Object.assign(this, image)
    this.#synced = this.#state()
    this.#unsynced = []
  }

  holds (position: number, epoch: number): boolean {
    return this.applied >= position || this.log.some(group => group.epoch === epoch && group.first <= position && lastPosition(group) >= position)
  }

  #state (): DiskState {
    const { start, vow, view, accepted, base, copy, log, applied, rows, keys, seeded, data } = this
    return { start, vow, view, accepted, base, copy, log: [...log], applied, rows: new Map(rows), keys: new Map(keys), seeded, data: new Map(data) }
  }

  #write (sync: boolean, batch: () => void): void {
    batch()
    if (!sync) {
      this.#unsynced.push(batch)
      return
    }
    this.appliedDurably = this.applied
    this.#synced = this.#state()
    this.#unsynced = []
  }

  #persist (persist: PersistEffect['persist']): void {
    const { reset, cut, vow, accepted, view, truncate, groups, copied } = persist
    if (reset !== null) {
      this.log = []
      this.base = reset.base
      this.applied = reset.base.position
      this.seeded = reset.seeded
      this.rows = new Map(reset.rows)
      this.keys = new Map(reset.keys)
      this.copy = { after: new Uint8Array(0), high: reset.base.position }
    }
    if (cut !== null) {
      this.log = this.log.filter(group => lastPosition(group) <= cut.position)
      const last = this.log[this.log.length - 1]
      const end = last === undefined ? this.base : { position: lastPosition(last), epoch: last.epoch }
      if (end.position !== cut.position || end.epoch !== cut.epoch) throw new Error(`cuts at ${cut.position} of epoch ${cut.epoch}, where no group ends`)
    }
    if (vow !== null) this.vow = vow
    if (accepted !== null) this.accepted = accepted
    if (view !== null) this.view = view
    if (truncate !== null) {
      if (truncate.position > this.applied) throw new Error('truncates what is not applied')
      this.base = truncate
      this.log = this.log.filter(group => group.first > truncate.position)
    }
    this.log.push(...groups)
    if (copied) this.copy = null
  }

  #restore ({ after, through, entries, copy }: Effect & { type: 'restore' }): void {
    for (const key of [...this.data.keys()]) {
      if (key > text(after) && (through === null || key <= text(through))) this.data.delete(key)
    }
    for (const [key, value] of entries) this.data.set(text(key), text(value))
    this.copy = copy
  }

  /** Some entries after a key. */
  chunk (after: Uint8Array, size: number): { entries: Array<[Uint8Array, Uint8Array]>, through: Uint8Array | null, left: number } {
    const keys = [...this.data.keys()].filter(key => key > text(after)).sort()
    const taken = keys.slice(0, size)
    return {
      entries: taken.map(key => [bytes(key), bytes(this.data.get(key) as string)]),
      left: keys.length - taken.length,
      through: taken.length < keys.length ? bytes(taken[taken.length - 1] as string) : null
    }
  }

  #apply (effect: ApplyEffect): void {
    for (const group of effect.groups) {
      for (const [i, entry] of group.entries.entries()) {
        const row = keyRowOf(entry)
        if (row !== null) this.keys.set(group.first + i, row)
        if (entry.kind !== 'write') continue
        for (const op of decodeOperations(entry.body)) {
          if (op.type === 'put') this.data.set(text(op.key), text(op.value))
          else this.data.delete(text(op.key))
        }
      }
    }
    for (const [id, row] of effect.rows) {
      if (row === null) this.rows.delete(id)
      else this.rows.set(id, row)
    }
    for (const position of effect.gone) this.keys.delete(position)
    this.applied = effect.through
    this.seeded = effect.seeded
  }

  recovered (): Recovered {
    const runs: LogName[] = this.base.position > 0 ? [this.base] : []
    const groups: Group[] = []
    for (const group of this.log) {
      const position = lastPosition(group)
      if (position > this.applied) groups.push(group)
      else {
        if (runs[runs.length - 1]?.epoch === group.epoch) runs.pop()
        runs.push({ position, epoch: group.epoch })
      }
    }
    const { vow, view, accepted, base, copy, applied, rows, keys, seeded, digest } = this
    return { vow, view, accepted, intact: this.intact || view === null, base, logBytes: 100 * this.log.length, copy, applied, runs, groups, rows, keys, seeded, data: digest }
  }

  /** Those after a position. */
  entriesAfter (position: number): unknown[] {
    return this.log.flatMap(group => group.entries.map((entry, i) => ({ position: group.first + i, epoch: group.epoch, ...entry, operations: undefined })))
      .filter(entry => entry.position > position)
  }
}

export function bytes (value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function text (value: Uint8Array): string {
  return new TextDecoder().decode(value)
}
