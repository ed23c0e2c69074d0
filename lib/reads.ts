import type { Core } from './core/core.ts'
import type { Environment } from './env.ts'
import { codes, ReplicatorError } from './errors.ts'
import { Waiters } from './waiters.ts'

/** Reads that wait: until this node is readable, and then until what touches their keys is applied. */
export class Reads {
  readonly #env: Environment
  readonly #timeoutMs: number
  readonly #unreadable = new Waiters()
  readonly #pending = new Waiters()

  constructor (env: Environment, timeoutMs: number) {
    this.#env = env
    this.#timeoutMs = timeoutMs
  }

  get size (): number {
    return this.#unreadable.size + this.#pending.size
  }

  /** Null if the read may be served now. `positionOf` tells what it has to wait for. */
  wait (coreOf: () => Core | null, positionOf: (core: Core) => number, deadline = this.#env.now() + this.#timeoutMs): Promise<void> | null {
    const core = coreOf()
    if (core?.readable !== true) {
      return this.#unreadable.add(0, deadline).then(() => this.wait(coreOf, positionOf, deadline) ?? undefined)
    }
    const position = positionOf(core)
    return position <= core.applied ? null : this.#pending.add(position, deadline)
  }

  onReadable (): void {
    this.#unreadable.onApplied(0)
  }

  onApplied (position: number): void {
    this.#pending.onApplied(position)
  }

  onTick (now: number, waitingFor: string): void {
    this.#pending.onTick(now, () => new ReplicatorError(codes.inDoubt, 'The key has a write whose outcome is not decided yet'))
    this.#unreadable.onTick(now, () => new ReplicatorError(codes.timeout, `This node cannot answer consistent reads yet: ${waitingFor}`))
  }

  rejectAll (error: () => Error): void {
    this.#unreadable.rejectAll(error)
    this.#pending.rejectAll(error)
  }
}
