import { netChanges, versionOf } from './history.ts'
import type { Change, LogEntry } from './history.ts'

/**
 * Every state that a log went through: state 0 is the beginning, state i the one after the first i entries. Answers in
 * which states certain keys had certain values.
 */
export class Versions {
  readonly count: number
  /** For each version the half-open intervals of states in which it is current, as start, end, start, end, … */
  readonly #spans = new Map<string, number[]>()
  readonly #history = new Map<string, Array<{ since: number, value: string | null }>>()

  constructor (log: readonly LogEntry[], initial: ReadonlyMap<string, string>) {
    this.count = log.length
    for (const [key, value] of initial) this.#record(key, value, 0)
    log.forEach((entry, i) => {
      for (const { key, value } of netChanges(entry.changes)) this.#record(key, value, i + 1)
    })
    for (const [key, history] of this.#history) {
      history.forEach(({ since, value }, i) => {
        const name = value === null ? key : versionOf(key, value)
        const spans = this.#spans.get(name) ?? []
        spans.push(since, history[i + 1]?.since ?? Infinity)
        this.#spans.set(name, spans)
      })
    }
  }

  valueAt (key: string, state: number): string | null {
    let value: string | null = null
    const history = this.#history.get(key) ?? []
    let low = 0
    let high = history.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (history[middle]!.since <= state) {
        value = history[middle]!.value
        low = middle + 1
      } else high = middle
    }
    return value
  }

  /** The first state from `from` on that agrees with all that was read, or -1. */
  nextMatch (reads: readonly Change[], from: number): number {
    let state = from
    for (let moved = true; moved;) {
      moved = false
      for (const { key, value } of reads) {
        const next = this.#next(key, value, state)
        if (next < 0 || next > this.count) return -1
        if (next > state) {
          state = next
          moved = true
        }
      }
    }
    return state
  }

  /** The last state up to `to` that agrees with all that was read, or -1. */
  previousMatch (reads: readonly Change[], to: number): number {
    let state = Math.min(to, this.count)
    for (let moved = true; moved;) {
      moved = false
      for (const { key, value } of reads) {
        const previous = this.#previous(key, value, state)
        if (previous < 0) return -1
        if (previous < state) {
          state = previous
          moved = true
        }
      }
    }
    return state
  }

  #record (key: string, value: string | null, since: number): void {
    let history = this.#history.get(key)
    if (history === undefined) {
      history = since === 0 ? [] : [{ since: 0, value: null }]
      this.#history.set(key, history)
    }
    if (history[history.length - 1]?.value !== value || history.length === 0) history.push({ since, value })
  }

  #spansOf (key: string, value: string | null): number[] {
    if (value === null && !this.#history.has(key)) return [0, Infinity]
    return this.#spans.get(value === null ? key : versionOf(key, value)) ?? []
  }

  #next (key: string, value: string | null, state: number): number {
    const spans = this.#spansOf(key, value)
    const i = firstSpanEndingAfter(spans, state)
    return i < spans.length ? Math.max(state, spans[i]!) : -1
  }

  #previous (key: string, value: string | null, state: number): number {
    const spans = this.#spansOf(key, value)
    const i = firstSpanEndingAfter(spans, state)
    if (i < spans.length && spans[i]! <= state) return state
    return i > 0 ? spans[i - 1]! - 1 : -1
  }
}

function firstSpanEndingAfter (spans: readonly number[], state: number): number {
  let low = 0
  let high = spans.length / 2
  while (low < high) {
    const middle = (low + high) >> 1
    if (spans[2 * middle + 1]! > state) high = middle
    else low = middle + 1
  }
  return 2 * low
}
