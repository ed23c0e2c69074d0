/** A change of one key; the value null deletes. Keys are latin1 strings, so they sort like bytes. */
export interface DiskChange {
  readonly key: string
  readonly value: Uint8Array | null
}

/** What the disk of a simulated machine holds. Batches are atomic, and a crash of the machine loses a suffix of those that were not synced. */
export class SimDisk {
  /** All keys, sorted. */
  #keys: string[] = []
  readonly #values = new Map<string, Uint8Array>()
  /** How to undo each batch that is not synced, oldest first. */
  #undo: DiskChange[][] = []
  /** How many batches were ever written, and how many of those are synced. */
  #written = 0
  #synced = 0
  /** Called with each batch that is written. */
  onBatch: ((changes: readonly DiskChange[]) => void) | null = null
  /** The same, with the number of the batch. */
  onWritten: ((batch: number, changes: readonly DiskChange[]) => void) | null = null
  /** Called when all batches up to this one are on stable storage. */
  onSync: ((batch: number) => void) | null = null

  get (key: string): Uint8Array | undefined {
    return this.#values.get(key)
  }

  get size (): number {
    return this.#keys.length
  }

  /** Batches that a power cut could take. */
  get unsynced (): number {
    return this.#undo.length
  }

  /** In order, from `from` (inclusive) to `to` (exclusive). A copy: a snapshot. */
  range (from: string | null, to: string | null): Array<[string, Uint8Array]> {
    const start = from === null ? 0 : this.#find(from)
    const end = to === null ? this.#keys.length : this.#find(to)
    return this.#keys.slice(start, end).map(key => [key, this.#values.get(key) as Uint8Array])
  }

  /** Returns the number of this batch, for `sync`. */
  write (changes: readonly DiskChange[]): number {
    const undo: DiskChange[] = []
    for (const { key, value } of changes) {
      undo.push({ key, value: this.#values.get(key) ?? null })
      this.#set(key, value)
    }
    this.#undo.push(undo.reverse())
    this.#written++
    this.onBatch?.(changes)
    this.onWritten?.(this.#written, changes)
    return this.#written
  }

  /** All batches up to this one are on stable storage. */
  sync (batch: number): void {
    if (batch <= this.#synced) return
    this.#undo.splice(0, batch - this.#synced)
    this.#synced = batch
    this.onSync?.(batch)
  }

  /** The power is cut: of the batches that were not synced, the first `kept` survive. */
  cutPower (kept: number): void {
    for (const undo of this.#undo.splice(kept).reverse()) {
      for (const { key, value } of undo) this.#set(key, value)
    }
    this.#undo = []
    this.#synced = this.#written
  }

  #set (key: string, value: Uint8Array | null): void {
    if (value === null) {
      if (!this.#values.delete(key)) return
      this.#keys.splice(this.#find(key), 1)
    } else {
      if (!this.#values.has(key)) this.#keys.splice(this.#find(key), 0, key)
      this.#values.set(key, value)
    }
  }

  /** The index of the first key that is not before `key`. */
  #find (key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

export function toText (bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

export function toBytes (text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
