import { MemoryLevel } from 'memory-level'
import type { CopyState, Persist } from '../../../lib/core/effects.ts'
import type { Group } from '../../../lib/core/entry.ts'
import { lastPosition } from '../../../lib/core/entry.ts'
import { intercept } from '../../../lib/store/intercept.ts'
import { RESERVED } from '../../../lib/store/keys.ts'
import type { AppliedState } from '../../../lib/store/layout.ts'
import { logEnd, logStart, numberOf } from '../../../lib/store/layout.ts'
import { Applier } from '../../../lib/store/apply.ts'
import { LogWriter } from '../../../lib/store/log-writer.ts'
import { startBatch } from '../../../lib/store/recovery.ts'
import type { Store } from '../../../lib/store/store.ts'
import { StoreMedium } from '../../../lib/store/store-medium.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import { DelayingGate } from './delaying-gate.ts'

export const nodeA = '0a'.repeat(16)
export const nodeB = '0b'.repeat(16)
export const identity = { id: nodeA, start: 1, history: ['1f'.repeat(8)] }

export const nothingApplied: AppliedState = { position: 0, epoch: 0, seeded: false, durable: 0 }

export interface Batch {
  readonly operations: readonly Operation[]
  readonly sync: boolean
}

/** The storage of an open database that no replicator uses. */
export async function openStore (): Promise<Store> {
  const db = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
  const gate = new DelayingGate()
  const { store } = intercept(db, gate)
  gate.store = store
  await db.open()
  return store
}

/** A store that notes its batches. */
export class RecordingStore implements Store {
  readonly batches: Batch[] = []
  /** What a batch waits for. */
  before: (batch: Batch) => Promise<void> = async () => {}
  snapshots: boolean
  flushes = false
  /** For each flush that has ended, how many batches had been written when it began. */
  readonly flushed: number[] = []
  readonly #store: Store

  constructor (store: Store) {
    this.#store = store
    this.snapshots = store.snapshots
  }

  async batch (operations: readonly Operation[], { sync }: { sync: boolean }): Promise<void> {
    const batch = { operations: [...operations], sync }
    await this.before(batch)
    await this.#store.batch(operations, { sync })
    this.batches.push(batch)
  }

  async flush (): Promise<boolean> {
    const { length } = this.batches
    await this.before({ operations: [], sync: true })
    this.flushed.push(length)
    return true
  }

  get (key: Uint8Array): Promise<Uint8Array | undefined> { return this.#store.get(key) }
  entries: Store['entries'] = (range, size) => this.#store.entries(range, size)
  sizeAfter (key: Uint8Array): Promise<number> { return this.#store.sizeAfter(key) }
  keys: Store['keys'] = (range, options) => this.#store.keys(range, options)
}

export async function recordingStore (batches: readonly Batch[] = []): Promise<RecordingStore> {
  const store = await openStore()
  for (const { operations } of batches) await store.batch(operations, { sync: true })
  return new RecordingStore(store)
}

/** The store as a crash leaves it, after each of the last batches. */
export async function crashes (before: readonly Batch[], batches: readonly Batch[]): Promise<RecordingStore[]> {
  const stores: RecordingStore[] = []
  for (let count = 0; count <= batches.length; count++) stores.push(await recordingStore([...before, ...batches.slice(0, count)]))
  return stores
}

/** A group of writes; that of the first position opens origin 1. */
export function group (first: number, count = 1, epoch = 1): Group {
  const entries: Group['entries'] = Array.from({ length: count }, (_, i) => {
    const position = first + i
    if (position === 1) return { kind: 'open', node: nodeA, start: 1 }
    const operations: Operation[] = [{ type: 'put', key: bytes(`k${position}`), value: bytes(`v${position}`) }]
    return { kind: 'write', origin: 1, number: position - 1, body: encodeOperations(operations), operations }
  })
  return { epoch, first, entries }
}

export function groups (first: number, last: number, count = 1, epoch = 1): Group[] {
  const all: Group[] = []
  for (let at = first; at <= last; at += count) all.push(group(at, count, epoch))
  return all
}

export function persist (fields: Partial<Persist>): Persist {
  return { groups: [], cut: null, vow: null, accepted: null, view: null, truncate: null, reset: null, copied: false, ...fields }
}

/** Writes these steps one after the other, as a node that has started would. */
export async function write (store: Store, ...steps: Array<Partial<Persist>>): Promise<void> {
  await store.batch(startBatch(identity, false), { sync: true })
  const writer = new LogWriter(store, new StoreMedium(store), new Applier(store, false, 1e6, nothingApplied, unexpected), false, 1e6, () => {}, unexpected)
  steps.forEach((fields, i) => { writer.add(i + 1, persist(fields)) })
  await settled()
  await writer.stop()
}

/** For what must not fail. */
export function unexpected (cause: unknown): never {
  throw new Error('The store has failed', { cause })
}

/** Memory answers within a few turns. */
export async function settled (): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise<void>((resolve) => { setImmediate(resolve) })
}

export async function logPositions (store: Store): Promise<number[]> {
  const positions: number[] = []
  for await (const keys of store.keys({ gte: logStart, lt: logEnd })) positions.push(...keys.map(numberOf))
  return positions
}

export async function dataOf (store: Store): Promise<Array<[string, string]>> {
  const data: Array<[string, string]> = []
  for await (const chunk of store.entries({ lt: RESERVED })) {
    for (const [key, value] of chunk) data.push([Buffer.from(key).toString(), Buffer.from(value).toString()])
  }
  return data
}

/** All that is in a store, for comparison. */
export async function contentsOf (store: Store): Promise<string[]> {
  const contents: string[] = []
  for await (const chunk of store.entries({})) for (const [key, value] of chunk) contents.push(`${toHex(key)}=${toHex(value)}`)
  return contents
}

export function plainCopy (copy: CopyState | null): { after: string | null, high: number } | null {
  return copy === null ? null : { after: copy.after === null ? null : Buffer.from(copy.after).toString(), high: copy.high }
}

export function ends (kept: readonly Group[]): number[] {
  return kept.map(lastPosition)
}

export function bytes (text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
