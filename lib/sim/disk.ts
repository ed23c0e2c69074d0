import type { DirectoryImage } from './directory.ts'
import { SimDirectory } from './directory.ts'

/** A change of one key; the value null deletes. Keys are latin1 strings, so they sort like bytes. */
export interface DiskChange {
  readonly key: string
  readonly value: Uint8Array | null
}

/** All that a disk holds. */
export interface DiskImage {
  /** What is in the store, in order. */
  readonly store: ReadonlyArray<readonly [key: string, value: Uint8Array]>
  readonly files: DirectoryImage
}

/** A batch, and how to undo it. */
interface Batch {
  readonly changes: readonly DiskChange[]
  readonly undo: readonly DiskChange[]
  /** Numbers the batches. */
  readonly number: number
  /** Numbers the log files of the store. */
  readonly file: number
  synced: boolean
}

/**
 * What the disk of a simulated machine holds: a store, and plain files beside it. Batches of the store are atomic, and a crash of the machine loses a suffix of those that
 * were not synced; unless it is told to break that promise, see `cutPower`. Like LevelDB, the store begins a new log file now and
 * then: a sync covers the newest only, and of the one before, a suffix may be lost that was not synced, until yet another is begun.
 */
export class SimDisk {
  readonly files = new SimDirectory()
  /** All keys, sorted. */
  #keys: string[] = []
  readonly #values = new Map<string, Uint8Array>()
  /** From the first one on that is not synced. */
  #batches: Batch[] = []
  #written = 0
  #file = 0
  #torn: string | null = null
  /** The number of the last batch that was written before one that failed. */
  #soundUntil: number | null = null
  /** Called with each batch that is written. */
  onBatch: ((changes: readonly DiskChange[]) => void) | null = null
  /** Called when it is put back to an image, or replaced. */
  onReplace: (() => void) | null = null

  get (key: string): Uint8Array | undefined {
    return this.#values.get(key)
  }

  get size (): number {
    return this.#keys.length
  }

  /** How many batches a power cut could take. */
  get unsynced (): number {
    return this.#batches.filter(({ synced }) => !synced).length
  }

  /** How many batches were ever written. */
  get written (): number {
    return this.#written
  }

  /** The last batch is there in part. */
  get torn (): boolean {
    return this.#torn !== null
  }

  /** The key whose value is cut short, if it is. */
  get tornKey (): string | null {
    return this.#torn
  }

  /** What the key would have if all that a power cut could take, and a torn batch, were gone. */
  durable (key: string): Uint8Array | undefined {
    const touching = this.#batches.filter(({ changes }) => changes.some(change => change.key === key))
    const last = touching.filter(({ synced }) => synced).pop()
    if (last !== undefined) return last.changes.filter(change => change.key === key).pop()?.value ?? undefined
    if (touching[0] === undefined) return this.#values.get(key)
    // If a batch changes a key twice, what the key had before is undone last.
    return touching[0].undo.filter(change => change.key === key).pop()?.value ?? undefined
  }

  /** In order, from `from` (inclusive) to `to` (exclusive). A copy: a snapshot. */
  range (from: string | null, to: string | null): Array<[string, Uint8Array]> {
    const start = from === null ? 0 : this.#find(from)
    const end = to === null ? this.#keys.length : this.#find(to)
    return this.#keys.slice(start, end).map(key => [key, this.#values.get(key) as Uint8Array])
  }

  /** Everything at this moment: what a killed process leaves behind. */
  image (): DiskImage {
    return { store: this.range(null, null), files: this.files.image() }
  }

  /** The disk is put back to an image, or, if that is empty, replaced by a new one. Nothing of this is unsynced. */
  replace ({ store, files }: DiskImage): void {
    this.#values.clear()
    for (const [key, value] of store) this.#values.set(key, value)
    this.#keys = store.map(([key]) => key)
    this.#batches = []
    this.#torn = null
    this.#soundUntil = null
    this.files.replace(files)
    this.onReplace?.()
  }

  /** The store is opened, and makes durable what it finds. */
  flush (): void {
    if (!this.torn) this.#batches = []
  }

  /**
   * A write has failed, and where in its log file the store goes on is not where it will look: what is written from now on is lost when
   * it is opened again, synced or not.
   */
  spoil (): void {
    this.#soundUntil ??= this.#written
  }

  /** The store is not open any more: when it is opened, it does not find what is behind a write that failed. */
  forgetSpoiled (): void {
    const last = this.#soundUntil ?? Infinity
    this.#soundUntil = null
    const first = this.#batches.findIndex(({ number }) => number > last)
    if (first !== -1) for (const batch of this.#batches.splice(first).reverse()) this.#undo(batch)
  }

  /** All batches up to this one are in tables. */
  flushed (number: number): void {
    for (const batch of this.#batches) batch.synced ||= batch.number <= number
    this.#forgetSynced()
  }

  /** The store begins a new log file. Before it does, it has flushed what was in the one before the last. */
  changeFile (): void {
    for (const batch of this.#batches) batch.synced ||= batch.file < this.#file
    this.#forgetSynced()
    this.#file++
  }

  /** Returns the number of this batch, for `sync`. */
  write (changes: readonly DiskChange[]): number {
    this.#written++
    this.#perform(changes)
    this.onBatch?.(changes)
    return this.#written
  }

  /** All batches up to this one, of the same log file, are on stable storage. */
  sync (number: number): void {
    if (number > (this.#soundUntil ?? Infinity)) return
    const file = this.#batches.find(batch => batch.number === number)?.file
    for (const batch of this.#batches) batch.synced ||= batch.number <= number && batch.file === file
    this.#forgetSynced()
  }

  /**
   * What a power cut does to the store: of the batches of each log file that were not synced, the first `kept` survive. With `tear`, the first of the
   * newest that does not is lost only in part: its last value is there with so many of its bytes as `tear` says, which must be
   * fewer than it has, and what comes before that is there as a whole. A batch that does not end with a value is lost as a whole.
   */
  cutPower (kept: number, tear: ((bytes: number) => number) | null = null): void {
    // A second cut finds nothing that the first has left to lose.
    if (this.torn) return
    const lost = [this.#file - 1, this.#file].flatMap(file => this.#batches.filter(batch => batch.file === file && !batch.synced).slice(kept))
    const batches = this.#batches
    this.#batches = []
    for (const batch of batches.slice().reverse()) this.#undo(batch)
    for (const batch of batches) if (!lost.includes(batch)) for (const { key, value } of batch.changes) this.#set(key, value)
    const first = lost.find(({ file }) => file === this.#file)
    if (tear !== null && first !== undefined) this.#tear(first.changes, tear)
  }

  /** A torn batch goes as a whole, as it should have. */
  mend (): void {
    if (!this.torn) return
    this.#torn = null
    this.cutPower(0)
  }

  #tear (changes: readonly DiskChange[], tear: (bytes: number) => number): void {
    const last = changes[changes.length - 1]
    if (last === undefined || last.value === null || last.value.length === 0) return
    const value = last.value.slice(0, tear(last.value.length))
    const before = this.#values.get(last.key)
    if (before !== undefined && toText(before) === toText(value)) return
    this.#perform([...changes.slice(0, -1), { key: last.key, value }])
    this.#torn = last.key
  }

  #perform (changes: readonly DiskChange[]): void {
    const undo: DiskChange[] = []
    for (const { key, value } of changes) {
      undo.push({ key, value: this.#values.get(key) ?? null })
      this.#set(key, value)
    }
    this.#batches.push({ changes, undo: undo.reverse(), number: this.#written, file: this.#file, synced: false })
  }

  #forgetSynced (): void {
    const first = this.#batches.findIndex(({ synced }) => !synced)
    this.#batches.splice(0, first === -1 ? this.#batches.length : first)
  }

  #undo ({ undo }: Batch): void {
    for (const { key, value } of undo) this.#set(key, value)
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
