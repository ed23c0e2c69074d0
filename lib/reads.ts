import type { Core } from './core/core.ts'
import type { Environment } from './env.ts'
import { codes, ReplicatorError } from './errors.ts'

/** A read that waits until this node is readable, and then until what touches its keys is applied. */
interface WaitingRead {
  readonly positionOf: (core: Core) => number
  readonly deadline: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** What it waits for, as the log was when it began; null while that is not known. */
  position: number | null
  /** The log that this position belongs to. */
  cuts: number
}

/** The reads of one node that wait. */
export class Reads {
  readonly #env: Environment
  readonly #timeoutMs: number
  readonly #coreOf: () => Core | null
  #waiting: WaitingRead[] = []

  constructor (env: Environment, timeoutMs: number, coreOf: () => Core | null) {
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#coreOf = coreOf
  }

  get size (): number {
    return this.#waiting.length
  }

  /** Null if the read may be served now; else resolves in the turn in which it may. `positionOf` tells what it has to wait for. */
  wait (positionOf: (core: Core) => number): Promise<void> | null {
    const core = this.#coreOf()
    if (core !== null && this.#isReadable(core) && positionOf(core) <= core.applied) return null
    return new Promise((resolve, reject) => {
      const read: WaitingRead = { positionOf, resolve, reject, deadline: this.#env.now() + this.#timeoutMs, position: null, cuts: 0 }
      if (core !== null && this.#isReadable(core)) this.#look(read, core)
      this.#waiting.push(read)
    })
  }

  /** Something may have been applied, or have become readable. */
  onChange (): void {
    if (this.#waiting.length === 0) return
    const core = this.#coreOf()
    if (core === null || !this.#isReadable(core)) return
    this.#take((read) => {
      // What was cut off is not waited for; what came in its place is.
      if (read.position === null || read.cuts !== core.cuts) this.#look(read, core)
      return read.position === null || read.position <= core.applied
    }, read => { read.resolve() })
  }

  onTick (now: number, waitingFor: string): void {
    this.#take(read => read.deadline <= now, (read) => {
      read.reject(read.position === null || !this.#isReadable(this.#coreOf())
        ? new ReplicatorError(codes.timeout, `This node cannot answer consistent reads: ${waitingFor === '' ? 'it is about to install a view' : waitingFor}`)
        : new ReplicatorError(codes.inDoubt, 'What is to be read has a write whose outcome is not decided yet: read again when enough members are up'))
    })
  }

  rejectAll (error: () => Error): void {
    this.#take(() => true, read => { read.reject(error()) })
  }

  #look (read: WaitingRead, core: Core): void {
    read.position = read.positionOf(core)
    read.cuts = core.cuts
  }

  #isReadable (core: Core | null): boolean {
    return core?.readable(this.#env.now(), this.#env.wall()) === true
  }

  #take (isDue: (read: WaitingRead) => boolean, settle: (read: WaitingRead) => void): void {
    if (this.#waiting.length === 0) return
    const due: WaitingRead[] = []
    this.#waiting = this.#waiting.filter((read) => {
      if (!isDue(read)) return true
      due.push(read)
      return false
    })
    due.forEach(settle)
  }
}
