/** A small seeded generator (mulberry32): the same seed gives the same sequence everywhere. */
export class Random {
  readonly seed: number
  #state: number

  constructor (seed: number) {
    this.seed = seed >>> 0
    this.#state = this.seed
  }

  /** A number in [0, 1). */
  next (): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer from `low` to `high`, both included. */
  integer (low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  pick<T> (items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('Nothing to pick from')
    return items[this.integer(0, items.length - 1)] as T
  }

  /** `count` different items, or all, in random order. */
  sample<T> (items: readonly T[], count: number): T[] {
    const left = [...items]
    const picked: T[] = []
    while (picked.length < count && left.length > 0) picked.push(...left.splice(this.integer(0, left.length - 1), 1))
    return picked
  }
}
