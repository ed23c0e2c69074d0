import type { MemberId } from './entry.ts'
import type { View } from './view.ts'
import { isLive } from './view.ts'

/** Writes are counted for so long. */
const WINDOW_MS = 1000
/** Fewer in a window say nothing. */
const WRITES_MIN = 20
/** So many windows in a row have to say the same. */
const WINDOWS = 5
/** Doubles with each move of the last ten minutes, this often: so a load that wanders does not drag the coordination along. */
const DOUBLINGS_MAX = 6
const MEMORY_MS = 600_000

/** Where most writes come from, as the coordinator sees it: two thirds and more, for a while. */
export class Preference {
  readonly #counts = new Map<MemberId, number>()
  #windowFrom = 0
  #favourite: MemberId | null = null
  #streak = 0
  /** When the coordination was last handed over. */
  #moves: number[] = []

  /** The member to which the coordination should go; null if to nobody in particular. */
  get member (): MemberId | null {
    return this.#streak >= WINDOWS * 2 ** Math.min(this.#moves.length, DOUBLINGS_MAX) ? this.#favourite : null
  }

  onWrites (from: MemberId, count: number): void {
    this.#counts.set(from, (this.#counts.get(from) ?? 0) + count)
  }

  onView (before: View | null, view: View, now: number): void {
    this.#streak = 0
    if (before !== null && before.coordinator !== view.coordinator && isLive(view, before.coordinator)) this.#moves.push(now)
  }

  onTick (now: number): void {
    if (now - this.#windowFrom < WINDOW_MS) return
    this.#windowFrom = now
    this.#moves = this.#moves.filter(at => now - at < MEMORY_MS)
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
    const [most] = [...this.#counts].sort((a, b) => b[1] - a[1])
    const favourite = most !== undefined && total >= WRITES_MIN && most[1] * 3 >= total * 2 ? most[0] : null
    this.#streak = favourite !== null && favourite === this.#favourite ? this.#streak + 1 : 1
    this.#favourite = favourite
    this.#counts.clear()
  }
}
