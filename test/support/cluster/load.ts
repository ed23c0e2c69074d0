import type { Change, KeyRange, Operation } from '../check/history.ts'
import type { Random } from '../check/random.ts'
import { BULK } from './bulk.ts'
import type { ClusterNode } from './cluster-node.ts'
import { RemoteError } from './cluster-node.ts'

export interface LoadOptions {
  random: Random
  clientsPerNode: number
  keys: readonly string[]
}

/** All that a history tells of. */
export const EVERYTHING: KeyRange = { lt: BULK }

type Request =
  | { kind: 'put', key: string, value: string }
  | { kind: 'del', key: string }
  | { kind: 'batch', changes: Change[] }
  | { kind: 'get', key: string }
  | { kind: 'getMany', keys: string[] }
  | { kind: 'range', range: KeyRange }

type Result = string | null | Array<string | null> | Array<[string, string]>

/**
 * Clients of all nodes, each doing one random operation after the other, and the history of what they did. Times are
 * taken in this process, before the request and after the answer: that can only widen the intervals.
 */
export class Load {
  readonly history: Operation[] = []
  /** What did not succeed, for people. */
  readonly failures: string[] = []
  readonly #nodes: readonly ClusterNode[]
  readonly #options: LoadOptions
  readonly #waiting = new Set<{ left: number, resolve: () => void }>()
  /** The clients of each node that has some, and what stops them. */
  readonly #clients = new Map<ClusterNode, { stop: () => void, stopped: Promise<unknown> }>()
  #lastClient = 0
  #lastId = 0

  constructor (nodes: readonly ClusterNode[], options: LoadOptions) {
    this.#nodes = nodes
    this.#options = options
  }

  start (): void {
    for (const node of this.#nodes) this.add(node)
  }

  /** Clients of one more node. */
  add (node: ClusterNode): void {
    const abort = new AbortController()
    const aborted = new Promise<void>((resolve) => { abort.signal.addEventListener('abort', () => { resolve() }) })
    // The values that a client writes are numbered by it: so none comes twice.
    const clients = Array.from({ length: this.#options.clientsPerNode }, () => this.#client(node, `${node.name}${this.#lastClient++}`, abort.signal, aborted))
    this.#clients.set(node, { stop: () => { abort.abort() }, stopped: Promise.all(clients) })
  }

  /** Resolves when the clients of this node have finished what they were doing. */
  async retire (node: ClusterNode): Promise<void> {
    const clients = this.#clients.get(node)
    this.#clients.delete(node)
    clients?.stop()
    await clients?.stopped
  }

  /** Resolves when all clients have finished what they were doing. */
  async stop (): Promise<void> {
    await Promise.all([...this.#clients.keys()].map((node) => this.retire(node)))
  }

  /** Resolves when `count` more operations have ended, however they did. */
  async operations (count: number): Promise<void> {
    await new Promise<void>((resolve) => { this.#waiting.add({ left: count, resolve }) })
  }

  /** Does one operation as a client of its own, and records it. Rejects as the operation does. */
  async perform (node: ClusterNode, client: string, request: Request): Promise<Result> {
    const id = ++this.#lastId
    const common = { id, client, node: node.name, invoked: now(), ...request }
    try {
      const result = await send(node, request)
      this.#record({ ...common, completed: now(), outcome: 'ok', ...(isRead(request) ? { result } : {}) } as Operation)
      return result
    } catch (error) {
      this.failures.push(`${request.kind} of ${client}: ${error instanceof RemoteError ? error.code : (error as Error).constructor.name}: ${(error as Error).message}`)
      // Without a word on the outcome, as from a node that died, the write may have happened.
      const outcome = error instanceof RemoteError && error.outcome === 'aborted' ? 'aborted' : 'unknown'
      this.#record({ ...common, completed: now(), outcome: isRead(request) ? 'aborted' : outcome } as Operation)
      throw error
    }
  }

  async #client (node: ClusterNode, client: string, signal: AbortSignal, aborted: Promise<void>): Promise<void> {
    for (let i = 0; !signal.aborted; i++) {
      if (!node.up) {
        await Promise.race([node.whenUp(), aborted])
        continue
      }
      // What fails is recorded, and judged at the end.
      await this.perform(node, client, this.#choose(`${client}.${i}`)).catch(() => {})
    }
  }

  #choose (value: string): Request {
    const { random, keys } = this.#options
    const key = random.pick(keys)
    const dice = random.next()
    if (dice < 0.35) return { kind: 'put', key, value }
    if (dice < 0.42) return { kind: 'del', key }
    if (dice < 0.55) {
      const changes = random.sample(keys, random.integer(2, 4)).map((key) => ({ key, value: random.next() < 0.2 ? null : value }))
      return { kind: 'batch', changes }
    }
    if (dice < 0.8) return { kind: 'get', key }
    if (dice < 0.92) return { kind: 'getMany', keys: random.sample(keys, random.integer(2, 4)) }
    return { kind: 'range', range: random.next() < 0.5 ? EVERYTHING : { ...EVERYTHING, gte: key } }
  }

  #record (operation: Operation): void {
    this.history.push(operation)
    for (const waiting of this.#waiting) {
      if (--waiting.left > 0) continue
      this.#waiting.delete(waiting)
      waiting.resolve()
    }
  }
}

async function send (node: ClusterNode, request: Request): Promise<Result> {
  switch (request.kind) {
    case 'put': await node.call('put', request.key, request.value); return null
    case 'del': await node.call('del', request.key); return null
    case 'batch': await node.call('batch', request.changes); return null
    case 'get': return await node.call('get', request.key)
    case 'getMany': return await node.call('getMany', request.keys)
    case 'range': return await node.call('range', request.range)
  }
}

function isRead ({ kind }: Request): boolean {
  return kind === 'get' || kind === 'getMany' || kind === 'range'
}

/** Nanoseconds since this module was loaded, as a safe integer. */
const origin = process.hrtime.bigint()
function now (): number {
  return Number(process.hrtime.bigint() - origin)
}
