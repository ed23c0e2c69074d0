import type { Core } from './core/core.ts'
import type { Input } from './core/effects.ts'
import type { Environment } from './env.ts'
import { codes, ReplicatorError } from './errors.ts'

interface Waiting {
  readonly number: number
  readonly deadline: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** The callers of `sync()` on an observer: each waits until everything is applied that was acknowledged anywhere before its call. */
export class Syncs {
  readonly #env: Environment
  readonly #timeoutMs: number
  readonly #coreOf: () => Core | null
  readonly #input: (input: Input) => void
  #last = 0
  #waiting: Waiting[] = []

  constructor (env: Environment, timeoutMs: number, coreOf: () => Core | null, input: (input: Input) => void) {
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#coreOf = coreOf
    this.#input = input
  }

  get size (): number {
    return this.#waiting.length
  }

  wait (): Promise<void> {
    return new Promise((resolve, reject) => {
      const number = ++this.#last
      this.#waiting.push({ number, resolve, reject, deadline: this.#env.now() + this.#timeoutMs })
      this.#input({ type: 'sync', number })
    })
  }

  /** Something may have been applied. */
  onChange (): void {
    const synced = this.#coreOf()?.synced ?? 0
    while (this.#waiting.length > 0 && (this.#waiting[0] as Waiting).number <= synced) this.#waiting.shift()?.resolve()
  }

  onTick (now: number): void {
    while (this.#waiting.length > 0 && (this.#waiting[0] as Waiting).deadline <= now) {
      this.#waiting.shift()?.reject(new ReplicatorError(codes.timeout, 'This observer could not learn how far it has to follow the log: no member that is live and current has answered in time'))
    }
  }

  rejectAll (error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
