interface Waiter {
  readonly position: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  readonly deadline: number
}

/** Reads that wait until a position is applied. */
export class Waiters {
  #waiters: Waiter[] = []

  get size (): number {
    return this.#waiters.length
  }

  add (position: number, deadline: number): Promise<void> {
    return new Promise((resolve, reject) => { this.#waiters.push({ position, resolve, reject, deadline }) })
  }

  onApplied (position: number): void {
    this.#take(waiter => waiter.position <= position, waiter => { waiter.resolve() })
  }

  onTick (now: number, error: () => Error): void {
    this.#take(waiter => waiter.deadline <= now, waiter => { waiter.reject(error()) })
  }

  rejectAll (error: () => Error): void {
    this.#take(() => true, waiter => { waiter.reject(error()) })
  }

  #take (isDue: (waiter: Waiter) => boolean, settle: (waiter: Waiter) => void): void {
    if (this.#waiters.length === 0) return
    const due = this.#waiters.filter(isDue)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => !isDue(waiter))
    due.forEach(settle)
  }
}
