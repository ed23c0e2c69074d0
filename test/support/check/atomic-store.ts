import { inRange } from './history.ts'
import type { Change, History, KeyRange, LogEntry, Operation, Outcome } from './history.ts'
import type { Random } from './random.ts'

export interface SimulationOptions {
  operations: number
  clients: number
  keys: number
  /** How many of 100 writes are aborted, and how many have an unknown outcome. */
  abortedPercent?: number
  unknownPercent?: number
  /** How many of 100 operations touch several keys. */
  multiPercent?: number
}

export interface Simulation {
  history: Operation[]
  log: LogEntry[]
  state: Map<string, string>
}

/** An operation without what only its execution tells. */
type Request =
  | { kind: 'put', key: string, value: string }
  | { kind: 'del', key: string }
  | { kind: 'batch', changes: Change[] }
  | { kind: 'clear', range: KeyRange }
  | { kind: 'get', key: string }
  | { kind: 'getMany', keys: string[] }
  | { kind: 'range', range: KeyRange }

interface Running {
  request: Request
  id: number
  invoked: number
  fate: Outcome
  effect: 'waiting' | 'done'
  result: unknown
}

/**
 * Makes a correct history: clients call an atomic map, and each operation takes effect at one random moment between its
 * beginning and its end (an unknown one perhaps much later, or never). What the checkers are tested against.
 */
export function simulateAtomicStore (random: Random, options: SimulationOptions): Simulation {
  const keys = Array.from({ length: options.keys }, (_, i) => `k${i}`)
  const state = new Map<string, string>()
  const log: LogEntry[] = []
  const history: Operation[] = []
  const running = new Map<number, Running>()
  const late: Running[] = []
  let clock = 0
  let started = 0

  while (history.length < options.operations) {
    clock++
    if (late.length > 0 && random.next() < 0.05) takeEffect(late.splice(random.integer(0, late.length - 1), 1)[0]!)

    const client = random.integer(0, options.clients - 1)
    const operation = running.get(client)
    if (operation === undefined) {
      if (started < options.operations) running.set(client, begin())
    } else if (operation.effect === 'waiting' && operation.fate === 'ok') takeEffect(operation)
    else {
      if (operation.fate === 'unknown') {
        const dice = random.next()
        if (dice < 0.3) takeEffect(operation)
        else if (dice < 0.6) late.push(operation)
      }
      running.delete(client)
      history.push({
        id: operation.id,
        client: `c${client}`,
        node: `n${client % 3}`,
        invoked: operation.invoked,
        completed: clock,
        outcome: operation.fate,
        ...operation.request,
        ...(operation.result === undefined ? {} : { result: operation.result })
      } as Operation)
    }
  }
  return { history: history.sort((a, b) => a.id - b.id), log, state }

  function begin (): Running {
    const id = started++
    const request = choose(id)
    const isRead = request.kind === 'get' || request.kind === 'getMany' || request.kind === 'range'
    const dice = random.next() * 100
    const aborted = options.abortedPercent ?? 0
    const unknown = options.unknownPercent ?? 0
    const fate = isRead || dice >= aborted + unknown ? 'ok' : dice < aborted ? 'aborted' : 'unknown'
    return { request, id, invoked: clock, fate, effect: 'waiting', result: undefined }
  }

  function choose (id: number): Request {
    const key = random.pick(keys)
    const multi = random.next() * 100 < (options.multiPercent ?? 0)
    if (multi) {
      const some = random.sample(keys, random.integer(2, 4))
      const dice = random.next()
      if (dice < 0.4) return { kind: 'getMany', keys: some }
      if (dice < 0.6) return { kind: 'range', range: random.next() < 0.5 ? {} : { gte: key, limit: 2 } }
      if (dice < 0.62) return { kind: 'clear', range: { gte: key } }
      return { kind: 'batch', changes: some.map((k) => ({ key: k, value: random.next() < 0.2 ? null : `v${id}` })) }
    }
    const dice = random.next()
    if (dice < 0.5) return { kind: 'get', key }
    return dice < 0.9 ? { kind: 'put', key, value: `v${id}` } : { kind: 'del', key }
  }

  function takeEffect (operation: Running): void {
    const { request, id } = operation
    operation.effect = 'done'
    switch (request.kind) {
      case 'put': commit(id, [{ key: request.key, value: request.value }]); break
      case 'del': commit(id, [{ key: request.key, value: null }]); break
      case 'batch': commit(id, request.changes); break
      case 'clear': commit(id, [...state.keys()].filter((key) => inRange(key, request.range)).map((key) => ({ key, value: null }))); break
      case 'get': operation.result = state.get(request.key) ?? null; break
      case 'getMany': operation.result = request.keys.map((key) => state.get(key) ?? null); break
      case 'range': operation.result = [...state].filter(([key]) => inRange(key, request.range)).sort().slice(0, request.range.limit)
    }
  }

  function commit (write: number, changes: readonly Change[]): void {
    if (changes.length === 0) return
    log.push({ position: log.length + 1, changes, write })
    for (const { key, value } of changes) {
      if (value === null) state.delete(key)
      else state.set(key, value)
    }
  }
}

/** The log as one reads it from a disk: without the ids of the operations. */
export function withoutIds (log: readonly LogEntry[]): LogEntry[] {
  return log.map(({ position, changes }) => ({ position, changes }))
}

/** The history with one operation changed. Throws if there is no such operation. */
export function alter (history: History, wanted: (operation: Operation) => boolean, change: (operation: Operation) => Operation): Operation[] {
  const index = history.findIndex(wanted)
  if (index < 0) throw new RangeError('No such operation in the history')
  return history.map((operation, i) => i === index ? change(operation) : operation)
}
