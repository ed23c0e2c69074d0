/** Ticks come several times a second: if nothing came for so long, this process did not run. */
const PAUSE_MS = 1000
/** A store that needs longer than this, and than the failure time-out, for one step has stalled. */
const STALL_MS = 1000

/** Whether things get on: this process, its store, and the coordinator that it follows. */
export class Pace {
  /** What takes longer, in milliseconds, has stalled. */
  readonly stallMs: number
  readonly #pauseMs: number
  /** Since when an apply, or a piece of a copy, is being written; null if none is. */
  #busySince: number | null = null
  /** Since when entries are pending and the committed point stands still; null if it does not. */
  #stuckSince: number | null = null

  constructor (failureTimeoutMs: number) {
    this.stallMs = Math.max(STALL_MS, failureTimeoutMs)
    this.#pauseMs = Math.min(PAUSE_MS, Math.max(100, failureTimeoutMs / 2))
  }

  /** Whether this process did not run between two moments. */
  isPause (from: number, to: number): boolean {
    return to - from > this.#pauseMs
  }

  /** What did not come while this process did not run is nobody's fault. */
  forgive (now: number): void {
    if (this.#busySince !== null) this.#busySince = now
    if (this.#stuckSince !== null) this.#stuckSince = now
  }

  /** The store is written, or is done; see also `Durability.since`. */
  onBusy (since: number | null): void {
    this.#busySince = since
  }

  /** Whether the store hangs; `persisting` is since when the oldest step to the log is under way. */
  hangs (now: number, persisting: number | null): boolean {
    return [this.#busySince, persisting].some(since => since !== null && now - since >= this.stallMs)
  }

  /** The committed point has moved; or somebody else gets its time to move it. */
  onProgress (): void {
    this.#stuckSince = null
  }

  /** Whether anything is pending. */
  onPending (isPending: boolean, now: number): void {
    if (!isPending) this.#stuckSince = null
    else this.#stuckSince ??= now
  }

  /** Entries have been pending for so long that the coordinator is to blame. */
  isStuck (now: number): boolean {
    return this.#stuckSince !== null && now - this.#stuckSince > 2 * this.stallMs
  }
}
