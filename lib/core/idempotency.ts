import type { Entry } from './entry.ts'

/** A write that was called under a key. */
export interface KeyRow {
  readonly key: string
  /** Tells a repetition from another write under the same key. */
  readonly digest: number
}

/**
 * Under which keys writes have entered the log: so that a write that is called again under the same key is not made again. A pure
 * function of the log up to some position, the same on every node. Holds the last `size` of them.
 */
export class KeyTable {
  readonly #size: number
  /** By key, in the order of the log. */
  readonly #rows = new Map<string, { readonly position: number, readonly digest: number }>()
  /** Positions of rows that were given, and should have left before. */
  readonly excess: number[] = []

  /** `rows`: in the order of their positions. */
  constructor (size: number, rows: Iterable<readonly [number, KeyRow]> = []) {
    this.#size = size
    for (const [position, { key, digest }] of rows) this.#add(position, key, digest, this.excess)
  }

  get (key: string): { readonly position: number, readonly digest: number } | undefined {
    return this.#rows.get(key)
  }

  * entries (): IterableIterator<[number, KeyRow]> {
    for (const [key, { position, digest }] of this.#rows) yield [position, { key, digest }]
  }

  clone (): KeyTable {
    return new KeyTable(this.#size, this.entries())
  }

  /** Takes in the next entry. The positions of rows that leave are added to `gone`. */
  take (position: number, entry: Entry, gone: number[] = []): void {
    const row = keyRowOf(entry)
    if (row !== null) this.#add(position, row.key, row.digest, gone)
  }

  #add (position: number, key: string, digest: number, gone: number[]): void {
    this.#rows.set(key, { position, digest })
    if (this.#rows.size <= this.#size) return
    const [oldest, { position: first }] = this.#rows.entries().next().value as [string, { position: number }]
    this.#rows.delete(oldest)
    gone.push(first)
  }
}

/** What the table holds of this entry; null if nothing. */
export function keyRowOf (entry: Entry): KeyRow | null {
  return entry.kind === 'write' && entry.key !== undefined && entry.key !== '' ? { key: entry.key, digest: digestOf(entry.body) } : null
}

/** FNV-1a, 32 bits: against accidents, not against malice. */
export function digestOf (body: Uint8Array): number {
  let digest = 0x811c9dc5
  for (let i = 0; i < body.length; i++) digest = Math.imul(digest ^ (body[i] as number), 0x01000193)
  return digest >>> 0
}
