import type { Group, LogName, MemberId } from './entry.ts'
import type { View } from './view.ts'

/** What a founder brings along, before a cluster has formed. */
export interface Founding {
  /** How many peers must hold a write beside one node. */
  readonly minConsensus: number
  /** The members behind its configured addresses. */
  readonly required: readonly MemberId[]
  /** How many of its configured addresses have not answered yet. */
  readonly unresolved: number
  /** With whom it has sessions. */
  readonly connected: readonly MemberId[]
  /** A digest of the user data that it holds; empty without data. */
  readonly data: string
  /** The founders to whom it is bound by a vow; empty if it is not. */
  readonly vowed: readonly MemberId[]
}

/** Where a member stands: the first message of each session, and sent again when it changes. */
export interface StatusMessage {
  readonly type: 'status'
  /** The highest epoch promised. */
  readonly promised: number
  /** The newest view installed (or opened, as coordinator); epoch 0 if none. */
  readonly epoch: number
  readonly coordinator: MemberId
  readonly coordinatorStart: number
  /** Null once a view is installed. */
  readonly founding: Founding | null
}

/** The last position of each epoch in a log beyond `base`, oldest first. */
export interface LogOutline {
  /** A position that is certainly committed. */
  readonly base: number
  readonly runs: readonly LogName[]
}

export type Message =
  | StatusMessage
  /** Asks for the promise of epoch `epoch`. */
  | { readonly type: 'propose', readonly epoch: number, readonly cluster: string, readonly members: readonly MemberId[] }
  /** Not given. The status that goes before it says why. */
  | { readonly type: 'refuse', readonly epoch: number }
  /** Given. `end` is durable. */
  | { readonly type: 'promise', readonly epoch: number, readonly end: LogName }
  /** From the proposer to the member whose log the new view goes on with. */
  | { readonly type: 'lead', readonly view: View }
  /** From the coordinator that has opened the view. */
  | { readonly type: 'view', readonly view: View }
  /** Asks the coordinator for what this log lacks. */
  | { readonly type: 'follow', readonly epoch: number, readonly outline: LogOutline }
  /**
   * The answer: keep the log up to `common`; the view is installed once the log reaches `openEnd`, and holds everything that was
   * ever acknowledged once it reaches `end`. PREPAREs from `common` + 1 follow.
   */
  | { readonly type: 'sync', readonly epoch: number, readonly common: number, readonly openEnd: number, readonly end: number }
  /** Phase one. */
  | { readonly type: 'prepare', readonly epoch: number, readonly committed: number, readonly group: Group }
  /** A yes vote for everything up to `end`, if `installed`; else only a receipt. */
  | { readonly type: 'ack', readonly epoch: number, readonly end: number, readonly installed: boolean }
  /** Phase two, where no PREPARE carries it. */
  | { readonly type: 'commit', readonly epoch: number, readonly committed: number }
  /** An origin starts: asks for an id. */
  | { readonly type: 'open', readonly epoch: number, readonly start: number }
  /** Consecutive numbers from `first` under one id. */
  | { readonly type: 'submit', readonly epoch: number, readonly origin: number, readonly first: number, readonly writes: readonly SubmittedWrite[] }
  /** A number that shall become a skip if it has no position yet. */
  | { readonly type: 'withdraw', readonly epoch: number, readonly origin: number, readonly number: number }

/** A user's write; one of the data that a founder brought along; the mark that ends those. The numbers are those of the wire. */
export const submissionKinds = { write: 0, seeded: 1, seed: 2 } as const
export type SubmissionKind = keyof typeof submissionKinds

export interface SubmittedWrite {
  readonly body: Uint8Array
  readonly operations: ReadonlyArray<{ readonly type: 'put' | 'del', readonly key: Uint8Array }>
  readonly kind: SubmissionKind
}
