import type { SimResult } from './run-seed.ts'
import type { ChangeKind, FaultKind } from './settings.ts'

/** Sums over many runs. */
export class Tally {
  seeds = 0
  violations = 0
  #operations = 0
  #observed = 0
  #relayed = 0
  #outside = 0
  #stale = 0
  #committed = 0
  #unknown = 0
  #events = 0
  #virtualMs = 0
  readonly #faults = new Map<FaultKind, number>()
  readonly #changes = new Map<ChangeKind, number>()
  readonly #started = performance.now()

  add (result: SimResult): void {
    this.seeds++
    if (result.problems.length > 0) this.violations++
    this.#operations += result.operations
    this.#observed += result.observed
    this.#relayed += result.relayed
    this.#outside += result.outside
    this.#stale += result.stale
    this.#committed += result.committed
    this.#unknown += result.unknown
    this.#events += result.events
    this.#virtualMs += result.virtualMs
    addTo(this.#faults, result.faults)
    addTo(this.#changes, result.changes)
  }

  toString (): string {
    const seconds = (performance.now() - this.#started) / 1000
    return [
      `${this.seeds} seeds in ${seconds.toFixed(0)} s, ${(this.seeds / seconds).toFixed(1)} seeds/s, ${this.#events} events, ${(this.#virtualMs / 60_000).toFixed(0)} min of virtual time`,
      `${this.#operations} operations: ${this.#committed} writes committed, ${this.#unknown} unknown; ${this.#observed} reads and syncs on observers`,
      `observers: ${this.#relayed} writes relayed, ${this.#outside} refused as not in their part; ${this.#stale} old disks refused`,
      `faults: ${show(this.#faults)}`,
      `changes: ${show(this.#changes)}`,
      `${this.violations} violations`
    ].join('\n')
  }
}

function addTo<K extends string> (sums: Map<K, number>, counts: Partial<Record<K, number>>): void {
  for (const [kind, count] of Object.entries(counts) as Array<[K, number]>) sums.set(kind, (sums.get(kind) ?? 0) + count)
}

function show (sums: ReadonlyMap<string, number>): string {
  return [...sums].sort().map(([kind, count]) => `${kind} ${count}`).join(', ') || 'none'
}
