import type { CoordinatorLimits } from './coordinator.ts'
import type { CopyState } from './effects.ts'
import type { Group, LogName, MemberId } from './entry.ts'
import type { KeyRow } from './idempotency.ts'
import type { OriginRow } from './origins.ts'
import type { Part } from './part.ts'
import type { SubmissionLimits } from './submissions.ts'
import type { View, Vow } from './view.ts'

export interface CoreConfig extends CoordinatorLimits, SubmissionLimits {
  readonly self: MemberId
  /** Counts the starts of this node; durable. */
  readonly start: number
  /** The cluster id to use if this node founds one. */
  readonly freshCluster: string
  /** Null: as many as there are configured peers. */
  readonly minConsensus: number | null
  /** What people call this node. */
  readonly name: string
  /** It only votes. */
  readonly witness: boolean
  /** It follows the log, and is never a member. */
  readonly observer: boolean
  /** An observer may hold only a part of the data; null: all of them. */
  readonly part: Part | null
  /** It may found a cluster, with at least so many nodes. */
  readonly mayFound: boolean
  readonly founders: number
  /** The only cluster that it joins; empty: any. */
  readonly cluster: string
  /** Where it joins a cluster, its own data are overwritten. */
  readonly overwrite: boolean
  /** The name or id of a member whose place it takes when it joins; empty if none. */
  readonly replaces: string
  /** It hands the coordination over to where most writes come from. */
  readonly handsOver: boolean
  /** A member that is silent for this long, in milliseconds, is excluded. */
  readonly failureTimeoutMs: number
  /** The log is truncated to what all live members have applied when it takes more bytes; below, to what all members have. */
  readonly logBytesMax: number
  /** How many origins the table keeps. */
  readonly originsMax: number
  /** How many keys of writes the table keeps. */
  readonly keysMax: number
  /** An apply takes groups up to this many bytes. */
  readonly applyBytesMax: number
}

/** What was found on this node's disk. */
export interface Recovered {
  readonly vow: Vow
  /** The newest view installed. */
  readonly view: View | null
  /** The newest view accepted. */
  readonly accepted: View | null
  /** False: a crash of the machine may have taken the end of the log. */
  readonly intact: boolean
  /** The name of the log where it was truncated; (0, 0) if it never was. */
  readonly base: LogName
  /** About how many bytes the log takes. */
  readonly logBytes: number
  /** Null unless a copy is under way. */
  readonly copy: CopyState | null
  readonly applied: number
  /** The outline of the log up to *applied*, `base` first if it was truncated. */
  readonly runs: readonly LogName[]
  /** The log after *applied*. */
  readonly groups: readonly Group[]
  /** The table of origins at *applied*. */
  readonly rows: Iterable<[number, OriginRow]>
  /** The table of keys there, in order. */
  readonly keys: Iterable<[number, KeyRow]>
  readonly seeded: boolean
  /** A digest of the user data, as long as no view is installed; empty without data. */
  readonly data: string
}
