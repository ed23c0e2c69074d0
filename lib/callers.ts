import type { Settlement } from './core/effects.ts'
import type { ReplicatorError } from './errors.ts'
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

  get size (): number {
    return this.#callers.size
  }

  /** Of their writes. */
  get bytes (): number {
    return this.#bytes
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
    if (settlement.outcome === 'committed') caller.resolve()
    else caller.reject(rejectionError(settlement, failure, waitingFor))
  }

  /** Where there is no core that could settle them. */
  rejectAll (outcome: 'aborted' | 'unknown', why: 'closed' | 'failed', failure: ReplicatorError | null): void {
    for (const ticket of [...this.#callers.keys()]) this.settle(ticket, { outcome, why, transaction: null }, failure, '')
  }
}
