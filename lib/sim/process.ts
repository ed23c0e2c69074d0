import type { Environment, Timer } from '../env.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** What the wall clock of every machine shows at the beginning. */
const BEGINNING = Date.UTC(2026, 0, 1)
/** The error of clock arithmetic, in milliseconds. */
const ROUNDING = 1e-6

/** The wall clock of a machine, which somebody may set. It stays when processes come and go. */
export interface WallClock {
  /** How far it is ahead of true time, in milliseconds. */
  aheadMs: number
}

/**
 * One process of a simulated machine: its timers and callbacks run only while it lives, and wait while it is paused. It
 * is the environment of the replicator that runs in it.
 */
export class SimProcess implements Environment {
  readonly name: string
  /** How fast its clocks run: 1 is true time. */
  readonly drift: number
  readonly #world: World
  readonly #random: Random
  readonly #wallClock: Readonly<WallClock>
  #alive = true
  #paused = false
  /** Since when the machine is suspended, in true time; null if it is not. */
  #suspendedAt: number | null = null
  /** How long it was suspended before, altogether. */
  #suspendedMs = 0
  #deferred: Array<() => void> = []

  constructor (world: World, name: string, drift: number, wallClock: Readonly<WallClock> = { aheadMs: 0 }) {
    this.#world = world
    this.name = name
    this.drift = drift
    this.#wallClock = wallClock
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
    return ((this.#suspendedAt ?? this.#world.now) - this.#suspendedMs) * this.drift
  }

  wall (): number {
    return BEGINNING + this.#world.now * this.drift + this.#wallClock.aheadMs
  }

  setTimer (fn: () => void, delayMs: number): Timer {
    const due = this.now() + delayMs
    let cancelled = false
    const wait = (leftMs: number): void => {
      this.schedule(leftMs / this.drift, 'timer', () => {
        if (cancelled) return
        // The clock stands still while the machine is suspended.
        const left = due - this.now()
        if (left > ROUNDING) wait(left)
        else fn()
      })
    }
    wait(delayMs)
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

  /** The process stands still; its clocks run on. */
  pause (): void {
    this.#paused = true
  }

  /** The machine stands still, and its monotonic clock with it; the wall clock runs on. */
  suspend (): void {
    this.#paused = true
    this.#suspendedAt ??= this.#world.now
  }

  resume (): void {
    this.#paused = false
    if (this.#suspendedAt !== null) this.#suspendedMs += this.#world.now - this.#suspendedAt
    this.#suspendedAt = null
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
