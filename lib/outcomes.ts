import type { Core } from './core/core.ts'
import type { Input } from './core/effects.ts'
import type { Environment } from './env.ts'

/** What became of a write, as `outcome()` tells it. */
export type WriteOutcome = 'committed' | 'aborted' | 'pending' | 'forgotten'

interface Question {
  readonly origin: number
  readonly number: number
  readonly deadline: number
  readonly resolve: (outcome: WriteOutcome) => void
  readonly reject: (error: Error) => void
}

/** Somebody asks what became of writes. The log tells it; where it does not, and the origin is gone, a skip in their place settles it. */
export class Outcomes {
  readonly #env: Environment
  readonly #timeoutMs: number
  readonly #coreOf: () => Core | null
  readonly #input: (input: Input) => void
  #asked: Question[] = []

  constructor (env: Environment, timeoutMs: number, coreOf: () => Core | null, input: (input: Input) => void) {
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#coreOf = coreOf
    this.#input = input
  }

  get size (): number {
    return this.#asked.length
  }

  /** As far as this node has applied the log, which has to be far enough. */
  ask (origin: number, number: number): Promise<WriteOutcome> {
    return new Promise((resolve, reject) => {
      const question = { origin, number, resolve, reject, deadline: this.#env.now() + this.#timeoutMs }
      if (this.#answer(question)) return
      this.#asked.push(question)
      this.#input({ type: 'question', origin, number })
    })
  }

  /** Something may have been applied. */
  onChange (): void {
    if (this.#asked.length > 0) this.#asked = this.#asked.filter(question => !this.#answer(question))
  }

  /** The coordinator may be another one by now. */
  onTick (now: number): void {
    for (const { origin, number } of [...this.#asked]) this.#input({ type: 'question', origin, number })
    this.#asked = this.#asked.filter(({ deadline, resolve }) => {
      if (now >= deadline) resolve('pending')
      return now < deadline
    })
  }

  rejectAll (error: Error): void {
    for (const { reject } of this.#asked.splice(0)) reject(error)
  }

  #answer ({ origin, number, resolve }: Question): boolean {
    const core = this.#coreOf()
    if (core === null) return false
    const fate = core.table.fate(origin, number)
    const { node = '', start = 0 } = core.table.get(origin) ?? {}
    const isAtWork = node === core.self ? start === core.start : core.isUp(node, start)
    if (fate === 'pending' && !isAtWork) return false
    resolve(fate)
    return true
  }
}

/** An id as errors of writes have it; null if it is none. */
export function readTransaction (id: unknown): { origin: number, number: number } | null {
  const match = typeof id === 'string' ? /^(\d{1,16}):(\d{1,16})$/.exec(id) : null
  const [origin, number] = [Number(match?.[1]), Number(match?.[2])]
  return Number.isSafeInteger(origin) && Number.isSafeInteger(number) ? { origin, number } : null
}
