/** A small seeded generator (mulberry32): the same seed gives the same run. */
export class Random {
  #state: number

  constructor (seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to, not including, 1. */
  next (): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000
  }

  /** An integer from 0 up to, not including, `below`. */
  below (below: number): number {
    return Math.floor(this.next() * below)
  }

  /** From `low` to `high`, more often near `low`: most things are quick, some are slow. */
  skewed (low: number, high: number): number {
    return low + (high - low) * this.next() ** 4
  }

  chance (probability: number): boolean {
    return this.next() < probability
  }

  pick<T> (items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as T
  }

  /** An independent generator, so that what one part draws does not change what another gets. */
  fork (): Random {
    return new Random(Math.floor(this.next() * 0x100000000))
  }
}
