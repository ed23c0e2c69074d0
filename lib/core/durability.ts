import type { Effect, Persist } from './effects.ts'

/** The steps that are on their way to the disk, and what waits for them. */
export class Durability {
  readonly #emit: (effect: Effect) => void
  #lastId = 0
  /** In the order of their ids. */
  #waiting: Array<{ readonly id: number, readonly since: number, readonly then: () => void }> = []
  #applied = 0

  constructor (emit: (effect: Effect) => void) {
    this.#emit = emit
  }

  /** All up to here is applied on stable storage. */
  get applied (): number {
    return this.#applied
  }

  /** Since when the oldest step is under way; null if none is. */
  get since (): number | null {
    return this.#waiting[0]?.since ?? null
  }

  /** `then` runs once the step is durable, unless the node stops before. */
  persist (step: Partial<Persist>, now: number, then: () => void = () => {}): void {
    const id = ++this.#lastId
    const { groups = [], cut = null, vow = null, accepted = null, view = null, truncate = null, reset = null, copied = false } = step
    this.#emit({ type: 'persist', id, persist: { groups, cut, vow, accepted, view, truncate, reset, copied } })
    this.#waiting.push({ id, since: now, then })
    // What was applied before is not what will be.
    if (reset !== null) this.#applied = 0
  }

  /** This process has not run since they were begun. */
  forgive (now: number): void {
    this.#waiting = this.#waiting.map(step => ({ ...step, since: now }))
  }

  onPersisted (id: number, applied: number): void {
    this.#applied = Math.max(this.#applied, applied)
    while (this.#waiting.length > 0 && (this.#waiting[0] as { id: number }).id <= id) this.#waiting.shift()?.then()
  }
}
