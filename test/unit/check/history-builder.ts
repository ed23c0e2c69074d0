import type { Change, KeyRange, LogEntry, Operation, Outcome, Problem, Verdict } from '../../support/check/history.ts'

export type Time = readonly [invoked: number, completed: number]

/** Writes histories by hand: each call takes the client, the time and what was done, and gets the next id. */
export class HistoryBuilder {
  readonly operations: Operation[] = []

  put (client: string, time: Time, key: string, value: string, outcome: Outcome = 'ok'): this {
    return this.#add({ ...this.#common(client, time, outcome), kind: 'put', key, value })
  }

  del (client: string, time: Time, key: string, outcome: Outcome = 'ok'): this {
    return this.#add({ ...this.#common(client, time, outcome), kind: 'del', key })
  }

  batch (client: string, time: Time, changes: Record<string, string | null>, outcome: Outcome = 'ok'): this {
    return this.#add({ ...this.#common(client, time, outcome), kind: 'batch', changes: changesFrom(changes) })
  }

  clear (client: string, time: Time, range: KeyRange, outcome: Outcome = 'ok'): this {
    return this.#add({ ...this.#common(client, time, outcome), kind: 'clear', range })
  }

  get (client: string, time: Time, key: string, result: string | null): this {
    return this.#add({ ...this.#common(client, time, 'ok'), kind: 'get', key, result })
  }

  getMany (client: string, time: Time, found: Record<string, string | null>): this {
    const keys = Object.keys(found)
    return this.#add({ ...this.#common(client, time, 'ok'), kind: 'getMany', keys, result: Object.values(found) })
  }

  range (client: string, time: Time, range: KeyRange, found: Record<string, string>): this {
    return this.#add({ ...this.#common(client, time, 'ok'), kind: 'range', range, result: Object.entries(found) })
  }

  #common (client: string, [invoked, completed]: Time, outcome: Outcome): { id: number, client: string, node: string, invoked: number, completed: number, outcome: Outcome } {
    return { id: this.operations.length, client, node: `node of ${client}`, invoked, completed, outcome }
  }

  #add (operation: Operation): this {
    this.operations.push(operation)
    return this
  }
}

export function logOf (...entries: Array<Record<string, string | null>>): LogEntry[] {
  return entries.map((changes, i) => ({ position: i + 1, changes: changesFrom(changes) }))
}

export function rulesOf (verdict: Verdict): Array<Problem['rule']> {
  return verdict.verdict === 'violation' ? [...new Set(verdict.problems.map(({ rule }) => rule))] : []
}

/** What a failing test prints. */
export function messageOf (verdict: Verdict): string {
  switch (verdict.verdict) {
    case 'ok': return 'ok'
    case 'undecided': return verdict.message
    case 'violation': return verdict.problems.map(({ rule, message }) => `${rule}: ${message}`).join('\n')
  }
}

function changesFrom (changes: Record<string, string | null>): Change[] {
  return Object.entries(changes).map(([key, value]) => ({ key, value }))
}
