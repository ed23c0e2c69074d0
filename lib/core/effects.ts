import type { Entry, Group, MemberId } from './entry.ts'
import type { Message, SubmittedWrite } from './messages.ts'
import type { OriginRow } from './origins.ts'
import type { View, Vow } from './view.ts'

/**
 * Something to be made durable, as one atomic step. Steps are executed in the order of their ids; several may be
 * executed as one. What must not be said before a step is durable is emitted only after the `persisted` input.
 */
export interface Persist {
  readonly groups: readonly Group[]
  /** Everything after this position is deleted from the log, before `groups` are appended. */
  readonly cut: number | null
  readonly vow: Vow | null
  readonly view: View | null
}

/** Why a write was rejected. */
export type Rejection =
  | 'timeout'
  | 'withdrawn'
  | 'seeded'
  | 'unreachable'
  | 'closed'
  | 'failed'

export type Settlement =
  | { readonly outcome: 'committed' }
  | { readonly outcome: 'aborted' | 'unknown', readonly why: Rejection, readonly transaction: string | null }

export type Effect =
  | { readonly type: 'persist', readonly id: number, readonly persist: Persist }
  | { readonly type: 'send', readonly to: MemberId, readonly message: Message }
  /**
   * Apply these entries, in order, in one atomic batch with `rows` (those of the table of origins that changed, null
   * where one left), `through` and `seeded`. The next apply comes only after the `applied` input.
   */
  | { readonly type: 'apply', readonly groups: readonly Group[], readonly through: number, readonly epoch: number, readonly rows: ReadonlyMap<number, OriginRow | null>, readonly seeded: boolean }
  /** Settle the caller of the write that was submitted with this ticket. */
  | { readonly type: 'settle', readonly ticket: number, readonly settlement: Settlement }
  /** Read groups from the log, beginning with the one that holds `from`, for the `loaded` input. */
  | { readonly type: 'load', readonly to: MemberId, readonly from: number }
  /** The peer broke the protocol, or cannot be served: end its session. */
  | { readonly type: 'disconnect', readonly peer: MemberId, readonly reason: string }
  /** Founders hold different data: no cluster is formed until a person decides. */
  | { readonly type: 'conflict', readonly why: string }
  /** This node's readiness or view may have changed. */
  | { readonly type: 'changed' }

export type Input =
  /** A session is up. Its peer's messages follow in order, until `down`. */
  | { readonly type: 'up', readonly peer: MemberId, readonly start: number }
  | { readonly type: 'down', readonly peer: MemberId }
  | { readonly type: 'message', readonly from: MemberId, readonly message: Message }
  /** All persists up to this id are durable. */
  | { readonly type: 'persisted', readonly id: number }
  | { readonly type: 'applied', readonly through: number }
  | { readonly type: 'loaded', readonly to: MemberId, readonly from: number, readonly groups: readonly Group[] }
  /** A write is called here. `ticket` comes back in its settlement. */
  | { readonly type: 'write', readonly ticket: number, readonly write: SubmittedWrite, readonly seed: boolean, readonly deadline: number }
  /** What is known of the configured peers. */
  | { readonly type: 'peers', readonly required: readonly MemberId[], readonly unresolved: number }
  /** Peers without which nothing commits have failed for good: waiting writes reject. */
  | { readonly type: 'unreachable' }
  /** Monotonic milliseconds. */
  | { readonly type: 'tick', readonly now: number }
  /** The end of a turn of the event loop. With `last`, no new entries are made: the node is about to stop. */
  | { readonly type: 'flush', readonly last: boolean }
  /** This node stops taking part: all waiting writes reject. */
  | { readonly type: 'stop', readonly why: 'closed' | 'failed' }

export type { Entry }
