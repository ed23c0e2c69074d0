import type { Environment, Timer } from '../env.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/**
 * One process of a simulated machine: its timers and callbacks run only while it lives, and wait while it is paused. It
 * is the environment of the replicator that runs in it.
 */
export class SimProcess implements Environment {
  readonly name: string
  /** How fast its clock runs: 1 is true time. */
  readonly drift: number
  readonly #world: World
  readonly #random: Random
  #alive = true
  #paused = false
  #deferred: Array<() => void> = []

  constructor (world: World, name: string, drift: number) {
    this.#world = world
    this.name = name
    this.drift = drift
    this.#random = world.random.fork()
  }

  get alive (): boolean {
    return this.#alive
  }

  get running (): boolean {
    return this.#alive && !this.#paused
  }

  /** Something happens to this process after a delay of true time. */
  schedule (delayMs: number, label: string, run: () => void): void {
    this.#world.schedule(delayMs, `${this.name} ${label}`, () => { this.#enter(run) })
  }

  now (): number {
    return this.#world.now * this.drift
  }

  setTimer (fn: () => void, delayMs: number): Timer {
    let cancelled = false
    this.schedule(delayMs / this.drift, 'timer', () => { if (!cancelled) fn() })
    return { cancel: () => { cancelled = true } }
  }

  nextTurn (fn: () => void): void {
    this.schedule(this.#random.skewed(0.001, 0.02), 'turn', fn)
  }

  randomBytes (length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#random.below(256))
  }

  /** The process is gone: nothing of it runs any more. */
  kill (): void {
    this.#alive = false
    this.#deferred = []
  }

  pause (): void {
    this.#paused = true
  }

  resume (): void {
    this.#paused = false
    const deferred = this.#deferred
    this.#deferred = []
    for (const run of deferred) this.schedule(0, 'resumes', run)
  }

  #enter (run: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#deferred.push(run)
    else run()
  }
}
