/** The load generator. It runs in the process that writes, next to the database, as an application would. */
import { freshKey, numberedKey, valueOf } from './entries.ts'
import type { Entry } from './entries.ts'

/** Whatever can be written to. */
export interface Writer {
  put (key: string, value: string): Promise<unknown>
  batch (entries: Entry[]): Promise<unknown>
}

export interface LoadSpec {
  /** So many loops, each with one write after the other. */
  concurrency: number
  valueBytes: number
  /** Entries per write. One is a put, more are a batch. Default: 1. */
  perWrite?: number
  /** All loops together begin no more writes than that. Default: as many as they can. */
  perSecond?: number
  /** The same keys again and again, instead of fresh ones: for batches that shall not fill the disk. */
  sameKeys?: boolean
}

/** What has happened since `mark`. */
export interface LoadWindow {
  seconds: number
  /** One for each write that was acknowledged, in any order. */
  latenciesMs: Float64Array
  /** User and system time of the process. */
  cpuMicros: number
}

export interface LoadMethods {
  startLoad (spec: LoadSpec): void
  /** Begins to measure: what was before was for warming up. */
  markLoad (): void
  takeLoad (): LoadWindow
  /** Resolves with the number of new entries since the start, once all that was called is acknowledged. */
  stopLoad (): Promise<number>
}

export class Load {
  readonly #writer: Writer
  #latenciesMs: number[] = []
  #markedAt = 0
  #markedCpu = process.cpuUsage()
  #running = false
  #loops: Array<Promise<void>> = []
  #entries = 0

  constructor (writer: Writer) {
    this.#writer = writer
  }

  get methods (): LoadMethods {
    return {
      startLoad: (spec) => { this.start(spec) },
      markLoad: () => { this.mark() },
      takeLoad: () => this.take(),
      stopLoad: () => this.stop()
    }
  }

  start (spec: LoadSpec): void {
    if (this.#running) throw new Error('the load has not been stopped')
    const { perWrite = 1, sameKeys = false } = spec
    this.#running = true
    this.#entries = sameKeys ? perWrite : 0
    const pace = spec.perSecond === undefined ? null : new Pace(spec.perSecond)
    this.#loops = Array.from({ length: spec.concurrency }, async () => {
      while (this.#running) {
        await pace?.turn()
        const begun = performance.now()
        await this.#write(perWrite, spec.valueBytes, sameKeys)
        this.#latenciesMs.push(performance.now() - begun)
        if (!sameKeys) this.#entries += perWrite
      }
    })
    // One that fails is reported when the load is stopped, which need not be soon.
    for (const loop of this.#loops) loop.catch(() => { this.#running = false })
  }

  mark (): void {
    this.#latenciesMs = []
    this.#markedAt = performance.now()
    this.#markedCpu = process.cpuUsage()
  }

  take (): LoadWindow {
    const { user, system } = process.cpuUsage(this.#markedCpu)
    return {
      seconds: (performance.now() - this.#markedAt) / 1000,
      latenciesMs: Float64Array.from(this.#latenciesMs),
      cpuMicros: user + system
    }
  }

  async stop (): Promise<number> {
    this.#running = false
    await Promise.all(this.#loops)
    this.#latenciesMs = []
    return this.#entries
  }

  #write (perWrite: number, valueBytes: number, sameKeys: boolean): Promise<unknown> {
    if (perWrite === 1) return this.#writer.put(freshKey(), valueOf(valueBytes))
    return this.#writer.batch(Array.from({ length: perWrite }, (_, i) => ({ key: sameKeys ? numberedKey(i) : freshKey(), value: valueOf(valueBytes) })))
  }
}

/** Lets turns pass at an even rate, however few timers there are: a timer has only milliseconds. */
class Pace {
  readonly #perMs: number
  readonly #from = performance.now()
  #given = 0
  #tick: Promise<void> | null = null

  constructor (perSecond: number) {
    this.#perMs = perSecond / 1000
  }

  async turn (): Promise<void> {
    while (this.#given >= (performance.now() - this.#from) * this.#perMs) {
      this.#tick ??= new Promise((resolve) => {
        setTimeout(() => {
          this.#tick = null
          resolve()
        }, 1)
      })
      await this.#tick
    }
    this.#given++
  }
}

export interface Fill {
  entries: number
  valueBytes: number
  /** Numbered keys, in their order, are for those who have to know them. Default: fresh ones. */
  numbered?: boolean
}

/** Writes many entries, as quickly as it goes. */
export async function fill (writer: Writer, { entries, valueBytes, numbered = false }: Fill): Promise<void> {
  const perWrite = 100
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < entries) {
      const first = next
      next = Math.min(entries, first + perWrite)
      await writer.batch(Array.from({ length: next - first }, (_, i) => ({ key: numbered ? numberedKey(first + i) : freshKey(), value: valueOf(valueBytes) })))
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
}
