import { AbstractIterator, AbstractLevel, AbstractSnapshot } from 'abstract-level'
import type { SimDisk } from './disk.ts'
import { toBytes, toText } from './disk.ts'
import type { DiskBehaviour } from './disk-calls.ts'
import { DiskCalls } from './disk-calls.ts'
import { SimFiles } from './files.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'

const manifest = { encodings: { view: true }, seek: true, has: true, getSync: true, additionalMethods: { compactRange: true }, explicitSnapshots: true, implicitSnapshots: true }

type Options = { keyEncoding?: string, snapshot?: object | null }
type RangeOptions = Options & { gt?: Uint8Array, gte?: Uint8Array, lt?: Uint8Array, lte?: Uint8Array, limit: number, reverse: boolean, keys: boolean, values: boolean }
type BatchOperation = { type: 'put', key: Uint8Array, value: Uint8Array } | { type: 'del', key: Uint8Array }
type Entry = [Uint8Array | undefined, Uint8Array | undefined]

/**
 * An abstract-level database on a simulated disk, opened by a simulated process. Like LevelDB, it writes one batch after
 * the other, and each is atomic.
 */
export class SimLevel<K = string, V = string> extends AbstractLevel<Uint8Array, K, V> {
  readonly #disk: SimDisk
  readonly #process: SimProcess
  readonly #random: Random
  readonly #behaviour: DiskBehaviour
  readonly #calls: DiskCalls
  /** When the last write that was begun will be done: writes queue. */
  #writesDone = 0

  constructor (disk: SimDisk, process: SimProcess, random: Random, behaviour: DiskBehaviour, options: { keyEncoding?: string, valueEncoding?: string } = {}) {
    super(manifest as never, options)
    this.#disk = disk
    this.#process = process
    this.#random = random
    this.#behaviour = behaviour
    this.#calls = new DiskCalls(process, random, behaviour)
  }

  /** Plain files, on the same disk. */
  get files (): SimFiles {
    return new SimFiles(this.#disk.files, this.#calls)
  }

  async _open (): Promise<void> {
    this.#disk.forgetSpoiled()
    // As LevelDB does with the log files that it finds.
    if (this.#behaviour.fileChanges > 0) this.#disk.flush()
    await this.#calls.wait(this.#behaviour.readMs)
  }

  /** Like LevelDB, which writes all that is in memory into a table. */
  async compactRange (): Promise<void> {
    const { written } = this.#disk
    await this.#calls.sync(() => { this.#disk.flushed(written) })
  }

  async _put (key: Uint8Array, value: Uint8Array, options: object): Promise<void> {
    await this._batch([{ type: 'put', key, value }], options)
  }

  async _del (key: Uint8Array, options: object): Promise<void> {
    await this._batch([{ type: 'del', key }], options)
  }

  async _batch (operations: BatchOperation[], options: object): Promise<void> {
    const sync = (options as { sync?: boolean }).sync === true
    const changes = operations.map(op => ({ key: toText(op.key), value: op.type === 'put' ? op.value.slice() : null }))
    const { writeMs, fileChanges } = this.#behaviour
    const now = this.#process.now() / this.#process.drift
    const landing = Math.max(now, this.#writesDone) + this.#random.skewed(0.01, writeMs)
    this.#writesDone = landing

    await this.#calls.wait(0, landing - now)
    const land = (): number => {
      if (fileChanges > 0 && this.#random.chance(fileChanges)) this.#disk.changeFile()
      return this.#disk.write(changes)
    }
    try {
      await this.#calls.write(land, sync ? written => { this.#disk.sync(written) } : null)
    } catch (error) {
      this.#disk.spoil()
      throw error
    }
  }

  async _get (key: Uint8Array, options: Options): Promise<Uint8Array | undefined> {
    return (await this._getMany([key], options))[0]
  }

  async _getMany (keys: Uint8Array[], options: Options): Promise<Array<Uint8Array | undefined>> {
    const texts = keys.map(toText)
    // A thread takes its snapshot some time between the call and the answer.
    if (this.#random.chance(0.5)) await this.#calls.wait(this.#behaviour.readMs)
    const values = texts.map(text => this.#read(text, options))
    await this.#calls.wait(this.#behaviour.readMs)
    this.#calls.checkRead()
    return values
  }

  async _has (key: Uint8Array, options: Options): Promise<boolean> {
    return (await this._get(key, options)) !== undefined
  }

  async _hasMany (keys: Uint8Array[], options: Options): Promise<boolean[]> {
    return (await this._getMany(keys, options)).map(value => value !== undefined)
  }

  _getSync (key: Uint8Array, options: Options): Uint8Array | undefined {
    return this.#read(toText(key), options)
  }

  _iterator (options: RangeOptions): SimIterator<K, V> {
    const from = options.gte !== undefined ? toText(options.gte) : options.gt !== undefined ? toText(options.gt) + '\0' : null
    const to = options.lt !== undefined ? toText(options.lt) : options.lte !== undefined ? toText(options.lte) + '\0' : null
    const { snapshot } = options
    const entries = snapshot instanceof SimSnapshot
      ? snapshot.entries.filter(([key]) => (from === null || key >= from) && (to === null || key < to))
      : this.#disk.range(from, to)
    return new SimIterator<K, V>(this, options, entries, async () => {
      await this.#calls.wait(this.#behaviour.readMs)
      this.#calls.checkRead()
    })
  }

  _snapshot (options: object): SimSnapshot {
    return new SimSnapshot(options, this.#disk.range(null, null))
  }

  #read (text: string, options: Options): Uint8Array | undefined {
    const value = options.snapshot instanceof SimSnapshot ? options.snapshot.get(text) : this.#disk.get(text)
    return value?.slice()
  }
}

class SimSnapshot extends AbstractSnapshot {
  readonly entries: ReadonlyArray<readonly [string, Uint8Array]>
  readonly #map: Map<string, Uint8Array>

  constructor (options: object, entries: Array<[string, Uint8Array]>) {
    // Its constructor takes options that its public types do not tell.
    const owned = [options] as unknown as []
    super(...owned)
    this.entries = entries
    this.#map = new Map(entries)
  }

  get (key: string): Uint8Array | undefined {
    return this.#map.get(key)
  }
}

class SimIterator<K, V> extends AbstractIterator<AbstractLevel<Uint8Array, K, V>, K, V> {
  readonly #entries: ReadonlyArray<readonly [string, Uint8Array]>
  readonly #wait: () => Promise<void>
  readonly #reverse: boolean
  #at: number

  constructor (db: AbstractLevel<Uint8Array, K, V>, options: RangeOptions, entries: ReadonlyArray<readonly [string, Uint8Array]>, wait: () => Promise<void>) {
    super(db, options as never)
    this.#entries = entries
    this.#wait = wait
    this.#reverse = options.reverse
    this.#at = options.reverse ? entries.length - 1 : 0
  }

  async _next (): Promise<[K, V] | undefined> {
    return (await this._nextv(1))[0]
  }

  async _nextv (size: number): Promise<Array<[K, V]>> {
    await this.#wait()
    const found: Entry[] = []
    while (found.length < size) {
      const entry = this.#entries[this.#at]
      if (entry === undefined) break
      this.#at += this.#reverse ? -1 : 1
      found.push([toBytes(entry[0]), entry[1].slice()])
    }
    return found as Array<[K, V]>
  }

  _seek (target: unknown): void {
    const text = toText(target as Uint8Array)
    if (this.#reverse) {
      this.#at = this.#entries.length - 1
      while (this.#at >= 0 && (this.#entries[this.#at] as [string, Uint8Array])[0] > text) this.#at--
    } else {
      this.#at = this.#entries.findIndex(([key]) => key >= text)
      if (this.#at === -1) this.#at = this.#entries.length
    }
  }
}
