import createDebug from 'debug'
import type { MemberId } from './core/entry.ts'
import type { LeaseState } from './core/heartbeats.ts'
import type { Environment } from './env.ts'
import type { ErrorCode, Outcome, ReplicatorError } from './errors.ts'
import type { Address } from './net/network.ts'

const debug = createDebug('quorum-level:trace')

/** What happens again so soon after the last time, in milliseconds, is counted there. */
const REPEAT_MS = 60_000

/** How often something has happened in a row. `at` is the first time. */
interface Repeated {
  count: number
  /** The last time, by the wall clock. */
  last: number
}

/** What a node notes down: the name of each event, and what it says. Members are named by their ids, 32 hex digits each. */
export interface TraceShapes {
  /** The log was recovered; this is start number `start` of the node. */
  start: { id: MemberId, start: number, epoch: number, applied: number, end: number }
  /** The node stops taking part. */
  stop: { why: 'closed' | 'failed' }
  /** Why. The same as `stats().failure`. */
  failed: { code: ErrorCode, message: string }
  /** What was emitted as `error`, or would have been: attempts to connect that failed, for the most part. */
  error: { code: string, message: string } & Repeated
  /** `failAfter` attempts to reach this address have failed in a row. */
  fail: { address: Address }

  /** A peer is connected. `start`: the number of its start. `outbound`: from here. */
  up: { peer: MemberId, name: string, start: number, address: Address | null, outbound: boolean }
  /** It is not any more. */
  down: { peer: MemberId, code: ErrorCode, message: string }
  /** This node hung up on a peer that broke the protocol. */
  disconnect: { peer: MemberId, reason: string }

  /** `by` asks for promises, for a view of these members, without some that were live; `recover`: on the word of a person. */
  propose: { epoch: number, by: MemberId, members: readonly MemberId[], without: readonly MemberId[], recover: boolean }
  /** `by` does not give one. */
  refuse: { epoch: number, by: MemberId }
  /** This node promised not to take part in any view before that epoch: to `to`, or to nobody in particular if that is empty. */
  vow: { epoch: number, to: MemberId }
  /** The promise of another came in: where its log ends, which view it had installed, and whether its data are complete. */
  promise: { epoch: number, by: MemberId, end: number, installed: number, complete: boolean }
  /** `by` asks to accept a view. */
  accept: { epoch: number, by: MemberId, coordinator: MemberId, live: readonly MemberId[] }
  accepted: { epoch: number, by: MemberId }
  /** `by` has found a view chosen, in which `coordinator` leads. Nothing commits in it for `waitMs`, for the sake of leases. */
  lead: { epoch: number, by: MemberId, coordinator: MemberId, waitMs: number }
  /** `by` denies that `id` joins, or is removed. */
  deny: { id: MemberId, by: MemberId, why: string }
  /**
   * A view is known. Compared with the last one: `excluded` and `admitted` are members that are not live any more, or now; `joined` and
   * `left` are those that are new, or none any more.
   */
  view: {
    epoch: number
    coordinator: MemberId
    members: readonly MemberId[]
    live: readonly MemberId[]
    excluded: readonly MemberId[]
    admitted: readonly MemberId[]
    joined: readonly MemberId[]
    left: readonly MemberId[]
  }
  /** A view is installed here, which means that this node is live in it; `leads`: as its coordinator. */
  install: { epoch: number, leads: boolean }
  /** This node is none of the members any more, and they know it. */
  removed: { epoch: number }
  /** Here, `removePeer()`, `leave()` (its own id) or `recover()` was called; or given up (`wanted` is false). */
  change: { what: 'remove' | 'recover', members: readonly MemberId[], force: boolean, wanted: boolean }

  ready: { epoch: number, leads: boolean }
  /** `waitingFor`: what keeps it from being ready; empty if that shows later, as `waiting`. */
  notready: { epoch: number, waitingFor: string }
  waiting: { reason: string } & Repeated
  /** As in `stats().lease`. */
  lease: { state: LeaseState }

  /** This node gets what it lacks from `source`, in another phase than before; as in the event `sync`. */
  sync: { phase: 'log' | 'copy' | 'verify', source: MemberId, done: number, total: number }
  /** It needs nothing more; its log ends there. */
  synced: { end: number }
  /** The copy that it gets begins: its own log is deleted, and begins after this position. */
  reset: { position: number }
  /** The copy is complete. */
  copied: Record<never, never>
  /** This node begins to give a copy of its data, as of this position. */
  serve: { peer: MemberId, position: number }
  /** The log ends at this position: what came after was never acknowledged, and is cut off. */
  cut: { position: number, epoch: number }
  /** The log begins after this position. */
  truncate: { position: number } & Repeated

  /** The store took so long for one step; `done`: it was done then. Once more at the end. */
  slow: { what: 'append' | 'apply', ms: number, done: boolean }
  /** This process did not run for so long: it was stopped, or its event loop was blocked. */
  pause: { ms: number }
  /** Writes that were called here were rejected. */
  reject: { code: ErrorCode, outcome: Outcome } & Repeated
}

export type TraceName = keyof TraceShapes

/** Something that happened on a node. `at`: the wall clock, in milliseconds. */
export type TraceEvent = { [E in TraceName]: { at: number, event: E } & TraceShapes[E] }[TraceName]

type RepeatedName = { [E in TraceName]: TraceShapes[E] extends Repeated ? E : never }[TraceName]

/** What has happened on a node last, as far as a person would ask: a ring in memory. Nothing is put into words before somebody looks. */
export class Trace {
  /** Who the node is, where several share a process. */
  label = ''
  readonly #env: Pick<Environment, 'wall'>
  readonly #max: number
  #events: TraceEvent[] = []
  /** Where the next event goes: the oldest one, once the ring is full. */
  #next = 0
  /** The events that may be counted on, by what makes them the same. */
  readonly #repeated = new Map<string, TraceEvent & Repeated>()

  /** `max`: how many events are kept. */
  constructor (env: Pick<Environment, 'wall'>, max: number) {
    this.#env = env
    this.#max = max
  }

  record<E extends TraceName> (event: E, details: TraceShapes[E]): void {
    this.#add({ at: this.#env.wall(), event, ...details } as unknown as TraceEvent)
  }

  /** The same `key` again, before long, is no new event: many attempts that fail shall not drive out why. */
  repeat<E extends RepeatedName> (key: string, event: E, details: Omit<TraceShapes[E], keyof Repeated>): void {
    if (this.#max === 0) return
    const now = this.#env.wall()
    const last = this.#repeated.get(key)
    if (last !== undefined && Math.abs(now - last.last) < REPEAT_MS) {
      last.count++
      last.last = now
      Object.assign(last, details)
      return
    }
    const first = { at: now, event, ...details, count: 1, last: now } as unknown as TraceEvent & Repeated
    this.#add(first)
    this.#repeated.set(key, first)
  }

  error (error: Error): void {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
    this.repeat(`error ${code} ${error.message}`, 'error', { code, message: error.message })
  }

  /** The node stops taking part: what had happened before goes with the error. */
  fail (error: ReplicatorError): void {
    this.record('failed', { code: error.code, message: error.message })
    Object.defineProperty(error, 'trace', { value: this.list(), configurable: true, writable: true })
  }

  /** Oldest first. A copy. */
  list (): TraceEvent[] {
    const oldest = this.#events.length < this.#max ? 0 : this.#next
    return [...this.#events.slice(oldest), ...this.#events.slice(0, oldest)].map(event => structuredClone(event))
  }

  #add (event: TraceEvent): void {
    if (debug.enabled) debug('%s %s %o', this.label, event.event, event)
    if (this.#max === 0) return
    const gone = this.#events[this.#next]
    if (gone !== undefined && 'last' in gone) this.#forget(gone)
    this.#events[this.#next] = event
    this.#next = (this.#next + 1) % this.#max
  }

  #forget (event: TraceEvent): void {
    for (const [key, repeated] of this.#repeated) if (repeated === event) this.#repeated.delete(key)
  }
}
