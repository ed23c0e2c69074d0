import type { Group, LogName } from '../core/entry.ts'
import type { Operation } from '../wire/operations.ts'

/** What is written at once: in the order of these fields, or as one. */
export interface LogWrite {
  /** A copy of the data begins: the log is empty, and begins after this name. */
  readonly begin: LogName | null
  /** The log ends with this name. */
  readonly cut: LogName | null
  readonly groups: readonly Group[]
  /** On records of the store. */
  readonly operations: readonly Operation[]
  /** The log is not needed up to here. */
  readonly truncate: LogName | null
  /** Whether all that has to be durable. */
  readonly sync: boolean
}

/** Where the groups of the log are. One write is under way at a time, and any number of reads. */
export interface LogMedium {
  /** Whether a write is done as a whole or not at all. */
  readonly atomic: boolean
  write (write: LogWrite): Promise<void>
  /** Something is left to do between writes. */
  readonly untidy: boolean
  /** Does a piece of that. */
  tidy (): Promise<void>
  /**
   * Groups in order, beginning with the one that starts at or after position `from`, until they take `bytesMax` bytes (at least one).
   * They follow one on another, also if a truncation comes in between. Verified: throws a WireError if damaged.
   */
  read (from: number, bytesMax: number): Promise<Group[]>
}
