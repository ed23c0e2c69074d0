import type { Entry, Group, LogName, MemberId } from './entry.ts'
import type { Denial, Message, SubmittedWrite } from './messages.ts'
import type { KeyRow } from './idempotency.ts'
import type { OriginRow } from './origins.ts'
import type { View, Vow } from './view.ts'

/**
 * Something to be made durable, as one atomic step. Steps are executed in the order of their ids; several may be
 * executed as one. What must not be said before a step is durable is emitted only after the `persisted` input.
 */
export interface Persist {
  readonly groups: readonly Group[]
  /** The log up to this name is kept, and the rest is deleted, before `groups` are appended. */
  readonly cut: LogName | null
  readonly vow: Vow | null
  readonly accepted: View | null
  readonly view: View | null
  /** The log up to this name is not needed any more; the name is kept. */
  readonly truncate: LogName | null
  /** A copy begins: the whole log is deleted, and the state of the replicator is this. The data follow in chunks. */
  readonly reset: { readonly base: LogName, readonly seeded: boolean, readonly rows: ReadonlyArray<readonly [number, OriginRow]>, readonly keys: ReadonlyArray<readonly [number, KeyRow]> } | null
  /** The copy is complete. */
  readonly copied: boolean
}

/** How far a copy of the data has come. */
export interface CopyState {
  /** All keys up to this one are copied; empty at the beginning; null at the end. */
  readonly after: Uint8Array | null
  /** The data are consistent once everything up to here is applied. */
  readonly high: number
}

/** Why a write was rejected. */
export type Rejection =
  | 'timeout'
  | 'withdrawn'
  | 'seeded'
  | 'differs'
  | 'unreachable'
  | 'copied'
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
   * where one left), the rows of the keys of these entries, without those of the positions `gone`, `through` and `seeded`. The next
   * apply comes only after the `applied` input.
   */
  | { readonly type: 'apply', readonly groups: readonly Group[], readonly through: number, readonly epoch: number, readonly rows: ReadonlyMap<number, OriginRow | null>, readonly gone: readonly number[], readonly seeded: boolean }
  /**
   * Write a chunk of a copy: the keys after `after` up to `through` become exactly `entries`; `copy` is stored with them. Like
   * an apply, and never beside one; `restored` follows.
   */
  | { readonly type: 'restore', readonly after: Uint8Array, readonly through: Uint8Array | null, readonly entries: ReadonlyArray<readonly [Uint8Array, Uint8Array]>, readonly copy: CopyState }
  /** Settle the caller of the write that was submitted with this ticket. */
  | { readonly type: 'settle', readonly ticket: number, readonly settlement: Settlement }
  /** Read groups from the log, beginning with the one that holds `from`, for the `loaded` input. */
  | { readonly type: 'load', readonly to: MemberId, readonly from: number }
  /** Read the user's entries after a key, up to some bytes, for the `chunk` input. */
  | { readonly type: 'chunk', readonly to: MemberId, readonly after: Uint8Array }
  /** Digest the user's data as they are in this very turn, for the `digested` input. */
  | { readonly type: 'digest', readonly position: number }
  /** The data differ from those of other members at the same position: the node stops. */
  | { readonly type: 'diverged', readonly position: number, readonly peer: MemberId }
  /** The peer broke the protocol, or cannot be served: end its session. `isFault`: false if it is not the peer's. */
  | { readonly type: 'disconnect', readonly peer: MemberId, readonly reason: string, readonly isFault?: false }
  /** What this node asked for, to join or to have a member removed, is not possible; or it may not take part. */
  | { readonly type: 'denied', readonly id: MemberId, readonly why: Denial }
  /** The cluster goes on without this node, for good. */
  | { readonly type: 'removed' }
  /** This node cannot belong to the cluster that it has reached: it holds data of its own, or it has another role there. */
  | { readonly type: 'refused', readonly why: 'hasData' | 'role' }
  /** Founders hold different data, or have one name: no cluster is formed until a person decides. */
  | { readonly type: 'conflict', readonly of: 'names' | 'data', readonly why: string }

export type Input =
  /** A session is up. Its peer's messages follow in order, until `down`. `observer`: that is all that the peer is. */
  | { readonly type: 'up', readonly peer: MemberId, readonly start: number, readonly observer?: boolean }
  | { readonly type: 'down', readonly peer: MemberId }
  | { readonly type: 'message', readonly from: MemberId, readonly message: Message }
  /** All persists up to this id are durable. `applied`: what had been applied when the last synced write began is on stable storage, too. */
  | { readonly type: 'persisted', readonly id: number, readonly applied: number }
  | { readonly type: 'applied', readonly through: number }
  | { readonly type: 'restored' }
  | { readonly type: 'chunk', readonly to: MemberId, readonly after: Uint8Array, readonly through: Uint8Array | null, readonly left: number, readonly entries: ReadonlyArray<readonly [Uint8Array, Uint8Array]> }
  /** Empty: this store cannot give one. */
  | { readonly type: 'digested', readonly position: number, readonly digest: string }
  | { readonly type: 'loaded', readonly to: MemberId, readonly from: number, readonly groups: readonly Group[] }
  /** A write is called here. `ticket` comes back in its settlement. */
  | { readonly type: 'write', readonly ticket: number, readonly write: SubmittedWrite, readonly seed: boolean, readonly deadline: number }
  /** Somebody who calls `sync()` on an observer waits until `synced` is so much. Numbers rise. */
  | { readonly type: 'sync', readonly number: number }
  /** Somebody asks what became of this write: if its origin cannot submit it any more, it never shall be. */
  | { readonly type: 'question', readonly origin: number, readonly number: number }
  /** What is known of the configured peers. */
  | { readonly type: 'peers', readonly required: readonly MemberId[], readonly unresolved: number }
  /** A member is to be removed, or (not wanted) need not be any more. */
  | { readonly type: 'remove', readonly id: MemberId, readonly force: boolean, readonly wanted: boolean }
  /** On the word of a person: these, this node included, go on as a new cluster, with this id if it is this node that proposes it. */
  | { readonly type: 'recover', readonly members: readonly MemberId[], readonly cluster: string }
  /** Peers without which nothing commits have failed for good: waiting writes reject. */
  | { readonly type: 'unreachable' }
  /** Several times a second. */
  | { readonly type: 'tick' }
  /** The end of a turn of the event loop. With `last`, no new entries are made: the node is about to stop. */
  | { readonly type: 'flush', readonly last: boolean }
  /** This node stops taking part: all waiting writes reject. */
  | { readonly type: 'stop', readonly why: 'closed' | 'failed' }

export type { Entry }
