import type { Settlement } from './core/effects.ts'
import type { ErrorCode, ReplicatorError } from './errors.ts'
import { rejectionError } from './rejection.ts'

interface Caller {
  readonly resolve: () => void
  readonly reject: (error: ReplicatorError) => void
  readonly bytes: number
}

/** The callers of writes that are not settled yet. */
export class Callers {
  #lastTicket = 0
  #bytes = 0
  readonly #callers = new Map<number, Caller>()
  readonly #onRejected: (error: ReplicatorError) => void
  #committed = 0
  #unknown = 0
  readonly #rejected = new Map<ErrorCode, number>()

  constructor (onRejected: (error: ReplicatorError) => void = () => {}) {
    this.#onRejected = onRejected
  }

  get size (): number {
    return this.#callers.size
  }

  /** Of their writes. */
  get bytes (): number {
    return this.#bytes
  }

  /** How the writes that are settled have ended: how many committed, and how many were rejected, by code; `unknown`: of those, with this outcome. */
  get settled (): { committed: number, unknown: number, rejected: Partial<Record<ErrorCode, number>> } {
    return { committed: this.#committed, unknown: this.#unknown, rejected: Object.fromEntries(this.#rejected) }
  }

  /** A write that is not even added. */
  refuse (error: ReplicatorError): Promise<never> {
    this.#count(error)
    return Promise.reject(error)
  }

  /** `submit` gets the ticket under which the promise is settled. */
  add (bytes: number, submit: (ticket: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const ticket = ++this.#lastTicket
      this.#callers.set(ticket, { resolve, reject, bytes })
      this.#bytes += bytes
      submit(ticket)
    })
  }

  settle (ticket: number, settlement: Settlement, failure: ReplicatorError | null, waitingFor: string): void {
    const caller = this.#callers.get(ticket)
    if (caller === undefined) return
    this.#callers.delete(ticket)
    this.#bytes -= caller.bytes
    if (settlement.outcome === 'committed') {
      this.#committed++
      caller.resolve()
    } else {
      const error = rejectionError(settlement, failure, waitingFor)
      this.#count(error)
      caller.reject(error)
    }
  }

  /** Where there is no core that could settle them. */
  rejectAll (outcome: 'aborted' | 'unknown', why: 'closed' | 'failed', failure: ReplicatorError | null): void {
    for (const ticket of [...this.#callers.keys()]) this.settle(ticket, { outcome, why, transaction: null }, failure, '')
  }

  #count (error: ReplicatorError): void {
    this.#rejected.set(error.code, (this.#rejected.get(error.code) ?? 0) + 1)
    if (error.outcome === 'unknown') this.#unknown++
    this.#onRejected(error)
  }
}
