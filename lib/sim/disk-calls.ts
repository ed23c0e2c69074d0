import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'

/** How a simulated disk behaves. Changes take effect at once. */
export interface DiskBehaviour {
  /** The most that a read takes, in milliseconds. */
  readMs: number
  /** The most that a write takes. */
  writeMs: number
  /** The most that a sync adds. */
  syncMs: number
  /** The probability that the store begins a new log file with a write. */
  fileChanges: number
  /** The probability that a write fails, and then whether it reached the disk nobody knows. */
  failedWrites: number
  failedReads: number
  /** No write succeeds, and none reaches the disk. */
  full: boolean
  /** Nothing is answered, and nothing written, for as long as this lasts. */
  hangs: boolean
}

export const goodDisk: DiskBehaviour = { readMs: 0.2, writeMs: 0.2, syncMs: 1, fileChanges: 0, failedWrites: 0, failedReads: 0, full: false, hangs: false }

/** How often a disk that hangs is looked at, in milliseconds. */
const LOOK_MS = 5

/** What one process asks of its disk: how long each call takes, in which order they are answered, and which fail. */
export class DiskCalls {
  readonly behaviour: DiskBehaviour
  readonly random: Random
  readonly #process: SimProcess
  /** What goes on when the disk does, in order. */
  #hanging: Array<() => void> = []

  constructor (process: SimProcess, random: Random, behaviour: DiskBehaviour) {
    this.#process = process
    this.random = random
    this.behaviour = behaviour
  }

  wait (mostMs: number, leastMs = 0): Promise<void> {
    return new Promise(resolve => {
      this.#process.schedule(leastMs + (mostMs === 0 ? 0 : this.random.skewed(0.01, mostMs)), 'disk', () => { this.#answer(resolve) })
    })
  }

  checkRead (): void {
    if (this.random.chance(this.behaviour.failedReads)) throw ioError('Input/output error')
  }

  /**
   * A write, when it is its turn: `land` puts it where every process sees it, `settle`, which is null if nothing is synced, puts it on
   * stable storage. If it fails, it may have landed.
   */
  async write<T> (land: () => T, settle: ((landed: T) => void) | null): Promise<void> {
    this.#checkSpace()
    const fails = this.random.chance(this.behaviour.failedWrites)
    if (fails && this.random.chance(0.5)) throw ioError('Input/output error')
    const landed = land()
    if (settle !== null) await this.wait(this.behaviour.syncMs)
    // A failed sync says nothing of the disk.
    if (fails) throw ioError('Input/output error')
    settle?.(landed)
  }

  /** A sync of what was written before. */
  async sync (settle: () => void): Promise<void> {
    await this.wait(this.behaviour.syncMs)
    this.#checkSpace()
    if (this.random.chance(this.behaviour.failedWrites)) throw ioError('Input/output error')
    settle()
  }

  #checkSpace (): void {
    if (this.behaviour.full) throw ioError('No space left on device')
  }

  #answer (resolve: () => void): void {
    if (!this.behaviour.hangs && this.#hanging.length === 0) return resolve()
    this.#hanging.push(resolve)
    if (this.#hanging.length === 1) this.#look()
  }

  #look (): void {
    this.#process.schedule(LOOK_MS, 'disk hangs', () => {
      if (this.behaviour.hangs) return this.#look()
      for (const resolve of this.#hanging.splice(0)) resolve()
    })
  }
}

/** As classic-level reports what LevelDB could not do. */
function ioError (message: string): Error {
  return Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' })
}
