import type { Group, LogName, MemberId } from './entry.ts'
import type { KeyRow } from './idempotency.ts'
import type { OriginRow } from './origins.ts'
import type { View } from './view.ts'

/** What a founder brings along, before a cluster has formed. */
export interface Founding {
  readonly name: string
  /** It would only vote. */
  readonly witness: boolean
  /** So many nodes have to found a cluster together, at least; 0: not said. */
  readonly founders: number
  /** The members behind its configured addresses. */
  readonly required: readonly MemberId[]
  /** How many of its configured addresses have not answered yet. */
  readonly unresolved: number
  /** A digest of the user data that it holds; empty without data. */
  readonly data: string
  /** The founders to whom it is bound by a vow; empty if it is not. */
  readonly vowed: readonly MemberId[]
}

/** What a node says of itself that asks to become a member. */
export interface Joining {
  readonly name: string
  readonly witness: boolean
  /** The name or id of a member that is gone for good, whose place it takes; empty if none. */
  readonly replaces: string
}

/** A member that shall be none any more. */
export interface Removal {
  readonly id: MemberId
  /** A person says that it is down for good. */
  readonly force: boolean
}

/** Why a node does not become a member, or a member is not removed. The numbers are those of the wire. */
export const denials = {
  /** Another member has the name of the node that would join. */
  name: 0,
  /** The member whose place it would take is alive. */
  alive: 1,
  /** There is no member whose place it could take. */
  unknown: 2,
  /** No more members are possible. */
  full: 3,
  /** No live member with the data would be left. */
  last: 4,
  /** Fewer members would be left than a minConsensus asks for. */
  consensus: 5,
  /** It cannot be asked, and in this view nobody can be left behind without being asked. */
  down: 6,
  /** It has forgotten what it has acknowledged: somebody has put an old copy of its disk in place. */
  stale: 7
} as const
export type Denial = keyof typeof denials

/** Where a member stands: the first message of each session, and sent again when it changes. */
export interface StatusMessage {
  readonly type: 'status'
  /** The highest epoch promised. */
  readonly promised: number
  /** The newest view known to be chosen; null if none. */
  readonly view: View | null
  /** The epoch of the newest view installed (or opened, as coordinator); 0 if none. */
  readonly installed: number
  /** With whom it has sessions, sorted; at most 64. */
  readonly connected: readonly MemberId[]
  /** How many peers must hold a write beside one node; `ALL_OTHERS`: all others that hold the data. */
  readonly minConsensus: number
  /** It is not live in the newest view that it knows, and has all of the log that was committed a moment ago. */
  readonly caughtUp: boolean
  /** False while it can take no part in a view: its store does not get on, or it is about to stop. */
  readonly fit: boolean
  /** Null once it belongs to a cluster, or if it founds none. */
  readonly founding: Founding | null
  /** Null unless it belongs to a cluster of which it is no member yet. */
  readonly joining: Joining | null
  /** Whose removal it asks for; its own id: it wants to leave. */
  readonly removing: readonly Removal[]
  /** With these, and nobody else, it would go on as a new cluster; empty if not. Sorted. */
  readonly recovering: readonly MemberId[]
}

/** As a `minConsensus`: more than anybody can ask for. */
export const ALL_OTHERS = 64

/** What an acceptor knows of a lease that it has granted. */
export interface LeaseLeft {
  /** Empty: anybody. */
  readonly holder: MemberId
  /** What is left of it, in milliseconds, rounded up. */
  readonly ms: number
}

/** Tells the state of a member at its promise, see `lib/core/succession.ts`. */
export interface PromiseMessage {
  readonly type: 'promise'
  readonly epoch: number
  /** The newest view accepted; null if none. */
  readonly accepted: View | null
  /** The epoch of the newest view known to be chosen; 0 if none. */
  readonly known: number
  /** The epoch of the newest view installed; 0 if none. */
  readonly installed: number
  /** False if a crash may have taken what this log held when that view was installed. */
  readonly intact: boolean
  /** False while a copy is under way: the data and the log are of no use to anybody. */
  readonly complete: boolean
  readonly caughtUp: boolean
  readonly minConsensus: number
  /** The end of its log, durable. */
  readonly end: LogName
  /** Where its log begins: the last position that was truncated. */
  readonly base: number
  /** Everything up to here is committed, and in its log or its data. */
  readonly committed: number
  readonly leases: readonly LeaseLeft[]
}

/** The last position of each epoch in a log beyond `base`, oldest first. */
export interface LogOutline {
  /** A position that is certainly committed. */
  readonly base: number
  readonly runs: readonly LogName[]
}

export type Message =
  | StatusMessage
  | PromiseMessage
  /**
   * Asks for the promise of epoch `epoch`. `known`: the epoch of the newest view that the proposer knows to be chosen, 0 if none. `without`: live
   * members that the proposer means to exclude. `recover`: on the word of a person, a new cluster of these members alone.
   */
  | { readonly type: 'propose', readonly epoch: number, readonly known: number, readonly cluster: string, readonly members: readonly MemberId[], readonly without: readonly MemberId[], readonly recover: boolean }
  /** Not given. The status that goes before it says why. */
  | { readonly type: 'refuse', readonly epoch: number }
  /** Asks those that have promised to accept the view. */
  | { readonly type: 'accept', readonly view: View }
  /** Accepted, durably. */
  | { readonly type: 'accepted', readonly epoch: number }
  /**
   * The view is chosen: from the proposer to the member whose log it goes on with. Nothing commits in it before
   * `waitMs` have passed: so long a lease of an excluded member may last.
   */
  | { readonly type: 'lead', readonly view: View, readonly waitMs: number }
  /** The joining of the node that this goes to (`id` is its own), or a removal that it asked for, is not possible; or it may not take part. */
  | { readonly type: 'deny', readonly id: MemberId, readonly why: Denial }
  /** From the coordinator that has opened the view. */
  | { readonly type: 'view', readonly view: View }
  /** Asks the coordinator for what this log lacks. `intact`: all that it ever acknowledged is in it. */
  | { readonly type: 'follow', readonly epoch: number, readonly outline: LogOutline, readonly intact: boolean }
  /**
   * The answer: keep the log up to `common`; the view is installed once the log reaches `openEnd`, and holds everything that was
   * ever acknowledged once it reaches `end`. PREPAREs from `common` + 1 follow.
   */
  | { readonly type: 'sync', readonly epoch: number, readonly common: number, readonly commonEpoch: number, readonly openEnd: number, readonly end: number }
  /** Phase one. `committed` is the point reached in this epoch, 0 before that; so is that of COMMIT. */
  | { readonly type: 'prepare', readonly epoch: number, readonly committed: number, readonly group: Group }
  /** A yes vote for everything up to `end`, if `installed`; else only a receipt. */
  | { readonly type: 'ack', readonly epoch: number, readonly end: number, readonly installed: boolean }
  /** Phase two, where no PREPARE carries it. */
  | { readonly type: 'commit', readonly epoch: number, readonly committed: number }
  /** An origin starts: asks for an id. */
  | { readonly type: 'open', readonly epoch: number, readonly start: number }
  /** Consecutive numbers from `first` under one id. */
  | { readonly type: 'submit', readonly epoch: number, readonly origin: number, readonly first: number, readonly writes: readonly SubmittedWrite[] }
  /** A number that shall become a skip if it has no position yet. From another member than its origin: if that one cannot submit it any more. */
  | { readonly type: 'withdraw', readonly epoch: number, readonly origin: number, readonly number: number }

  /**
   * Regularly to every peer. `epoch`: asks for a lease in this epoch, unless 0. `sent` is the sender's clock, in milliseconds.
   * `applied`: all up to there is applied durably.
   */
  | { readonly type: 'heartbeat', readonly epoch: number, readonly sent: number, readonly applied: number }
  /** Grants the lease that was asked for at `sent`, counted from there. */
  | { readonly type: 'grant', readonly epoch: number, readonly sent: number }
  /** A member that is not live asks any that is for the committed log after the common prefix. */
  | { readonly type: 'fetch', readonly outline: LogOutline }
  /** The answer. Everything beyond `common` is to be cut; `truncated`: the log does not reach back so far, copy. */
  | { readonly type: 'fetched', readonly common: number, readonly commonEpoch: number, readonly committed: number, readonly truncated: boolean, readonly groups: readonly Group[] }
  /** Asks for a copy of the data: for its beginning (null), or the chunk after a key, at a state of `applied` or later. */
  | { readonly type: 'copy', readonly after: Uint8Array | null, readonly applied: number }
  /** The beginning of a copy: the log name, and the tables of origins and keys with which it starts. */
  | { readonly type: 'snapshot', readonly base: LogName, readonly seeded: boolean, readonly rows: ReadonlyArray<readonly [number, OriginRow]>, readonly keys: ReadonlyArray<readonly [number, KeyRow]> }
  /**
   * All entries after key `after` up to `through` (null: to the end of the data), each as it was at some position between
   * `applied`, what the asker had applied when it asked, and `high`. `left`: about how many bytes of data follow; 0 if that is not known.
   */
  | { readonly type: 'chunk', readonly after: Uint8Array, readonly through: Uint8Array | null, readonly applied: number, readonly high: number, readonly left: number, readonly entries: ReadonlyArray<readonly [Uint8Array, Uint8Array]> }
  /** Asks for a digest of the data at `applied` or later. */
  | { readonly type: 'verify', readonly applied: number }
  /** The digest will be of this position: apply exactly that far. */
  | { readonly type: 'verifying', readonly position: number }
  /** Empty: this store cannot give one. */
  | { readonly type: 'digest', readonly position: number, readonly digest: string }
  /** An observer asks for a position by which everything is that was acknowledged anywhere before. */
  | { readonly type: 'readIndex', readonly number: number }
  /** The answer: that position is committed. */
  | { readonly type: 'index', readonly number: number, readonly position: number }
  /** From a member to the coordinator: what an observer has sent that reaches only the member, with the start of its session there. */
  | { readonly type: 'relay', readonly node: MemberId, readonly start: number, readonly message: RelayedMessage }
  /** Back: something of this observer's was not taken. */
  | { readonly type: 'unrelayed', readonly node: MemberId }

/** What may be relayed. */
export type RelayedMessage = Extract<Message, { readonly type: 'open' | 'submit' | 'withdraw' }>

/** To which view it belongs; null: to none. */
export function epochOf (message: Message): number | null {
  if (message.type === 'relay') return message.message.epoch
  return 'epoch' in message ? message.epoch : null
}

/** What only members may say. From anybody else it is late, or early, and means nothing. */
export const membersOnly: ReadonlySet<Message['type']> = new Set(['follow', 'ack', 'open', 'submit', 'withdraw', 'relay', 'unrelayed'])
/** All that observers may say: they take no part in what is agreed on. */
export const observersMay: ReadonlySet<Message['type']> = new Set(['status', 'open', 'submit', 'withdraw', 'fetch', 'copy', 'verify', 'readIndex'])

/** A user's write; one of the data that a founder brought along; the mark that ends those. The numbers are those of the wire. */
export const submissionKinds = { write: 0, seeded: 1, seed: 2 } as const
export type SubmissionKind = keyof typeof submissionKinds

export interface SubmittedWrite {
  readonly body: Uint8Array
  readonly operations: ReadonlyArray<{ readonly type: 'put' | 'del', readonly key: Uint8Array }>
  readonly kind: SubmissionKind
  /** Under which its caller may repeat it; empty if none. */
  readonly key?: string
}
