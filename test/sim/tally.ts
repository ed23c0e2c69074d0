import type { SimResult } from './run-seed.ts'
import type { FaultKind } from './settings.ts'

/** Sums over many runs. */
export class Tally {
  seeds = 0
  violations = 0
  #operations = 0
  #committed = 0
  #unknown = 0
  #events = 0
  #virtualMs = 0
  readonly #faults = new Map<FaultKind, number>()
  readonly #started = performance.now()

  add (result: SimResult): void {
    this.seeds++
    if (result.problems.length > 0) this.violations++
    this.#operations += result.operations
    this.#committed += result.committed
    this.#unknown += result.unknown
    this.#events += result.events
    this.#virtualMs += result.virtualMs
    for (const [kind, count] of Object.entries(result.faults)) {
      this.#faults.set(kind as FaultKind, (this.#faults.get(kind as FaultKind) ?? 0) + count)
    }
  }

  toString (): string {
    const seconds = (performance.now() - this.#started) / 1000
    const faults = [...this.#faults].sort().map(([kind, count]) => `${kind} ${count}`).join(', ')
    return [
      `${this.seeds} seeds in ${seconds.toFixed(0)} s, ${(this.seeds / seconds).toFixed(1)} seeds/s, ${this.#events} events, ${(this.#virtualMs / 60_000).toFixed(0)} min of virtual time`,
      `${this.#operations} operations: ${this.#committed} writes committed, ${this.#unknown} unknown`,
      `faults: ${faults === '' ? 'none' : faults}`,
      `${this.violations} violations`
    ].join('\n')
  }
}
