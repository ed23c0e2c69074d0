import type { Core } from './core/core.ts'
import type { Input } from './core/effects.ts'
import type { Environment } from './env.ts'
import { Outcomes } from './outcomes.ts'
import { Reads } from './reads.ts'
import { Syncs } from './syncs.ts'

/** All who wait for something other than a write: for reads, for outcomes, and on an observer for `sync()`. */
export class Waiters {
  readonly reads: Reads
  readonly outcomes: Outcomes
  readonly syncs: Syncs

  constructor (env: Environment, timeoutMs: number, coreOf: () => Core | null, input: (input: Input) => void) {
    this.reads = new Reads(env, timeoutMs, coreOf)
    this.outcomes = new Outcomes(env, timeoutMs, coreOf, input)
    this.syncs = new Syncs(env, timeoutMs, coreOf, input)
  }

  get size (): number {
    return this.reads.size + this.outcomes.size + this.syncs.size
  }

  /** Something may have been applied, or have become readable. */
  onChange (): void {
    this.reads.onChange()
    this.outcomes.onChange()
    this.syncs.onChange()
  }

  onTick (now: number, waitingFor: string): void {
    this.reads.onTick(now, waitingFor)
    this.outcomes.onTick(now)
    this.syncs.onTick(now)
  }

  rejectAll (error: () => Error): void {
    this.reads.rejectAll(error)
    this.outcomes.rejectAll(error())
    this.syncs.rejectAll(error())
  }
}
