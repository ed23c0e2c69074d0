import type { ReplicatorStats } from '../../../index.ts'

/** More writes than anybody can take. */
export interface FloodOptions {
  /** The keys begin with this. */
  prefix: string
  /** How many keys there are. */
  keys: number
  /** Of each value. */
  bytes: number
  /** How many writes are called in each turn of the event loop, whatever became of those before. */
  perTurn: number
}

export interface FloodReport {
  /** How many writes have resolved (`'ok'`), or have rejected with `<code> <outcome>`. */
  outcomes: Record<string, number>
  /** How long the slowest write has taken of those that have resolved. */
  longestMs: number
  /** The longest time between two turns in which writes were called. */
  longestTurnMs: number
  /** The most writes that waited at a time, by the replicator's own count. */
  mostWaiting: number
  /** The most memory that the process has had meanwhile, and what it had before, in bytes. */
  rss: { before: number, most: number }
}

interface Target {
  put (key: string, value: string): Promise<void>
  stats (): ReplicatorStats
}

/** Writes without waiting for anything, until it is stopped. */
export class Flood {
  readonly #target: Target
  readonly #options: FloodOptions
  readonly #value: string
  readonly #report: FloodReport = { outcomes: {}, longestMs: 0, longestTurnMs: 0, mostWaiting: 0, rss: { before: process.memoryUsage.rss(), most: 0 } }
  #called = 0
  #settled = 0
  #lastTurn = performance.now()
  #stopped = false
  #onSettled = (): void => {}

  constructor (target: Target, options: FloodOptions) {
    this.#target = target
    this.#options = options
    this.#value = 'v'.repeat(options.bytes)
    this.#turn()
  }

  get report (): FloodReport {
    return this.#report
  }

  /** Resolves when all writes that were called have settled. */
  async stop (): Promise<FloodReport> {
    this.#stopped = true
    while (this.#settled < this.#called) await new Promise<void>((resolve) => { this.#onSettled = resolve })
    return this.#report
  }

  #turn (): void {
    if (this.#stopped) return
    const now = performance.now()
    this.#report.longestTurnMs = Math.max(this.#report.longestTurnMs, now - this.#lastTurn)
    this.#lastTurn = now
    for (let i = 0; i < this.#options.perTurn; i++) void this.#write()
    const { pendingWrites, queuedWrites } = this.#target.stats()
    const { rss } = this.#report
    this.#report.mostWaiting = Math.max(this.#report.mostWaiting, pendingWrites + queuedWrites)
    rss.most = Math.max(rss.most, process.memoryUsage.rss())
    setImmediate(() => { this.#turn() })
  }

  async #write (): Promise<void> {
    const { prefix, keys } = this.#options
    const key = `${prefix}${this.#called++ % keys}`
    const called = performance.now()
    let outcome = 'ok'
    try {
      await this.#target.put(key, this.#value)
      this.#report.longestMs = Math.max(this.#report.longestMs, performance.now() - called)
    } catch (error) {
      const { code, outcome: known } = error as { code?: string, outcome?: string }
      outcome = `${code ?? String(error)} ${known ?? '-'}`
    }
    this.#report.outcomes[outcome] = (this.#report.outcomes[outcome] ?? 0) + 1
    this.#settled++
    this.#onSettled()
  }
}
