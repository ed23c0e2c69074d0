/** Identifies a member: 32 hex digits, made once per disk. */
export type MemberId = string

/**
 * Why the coordinator logged a skip in place of a write: it was withdrawn; or it is of a founder's data, and those are in the
 * log already; or the log has the same write (`repeated`), or another one (`differs`), under its key. The numbers are those of the
 * wire and the log.
 */
export const skipReasons = { withdrawn: 1, seeded: 2, repeated: 3, differs: 4 } as const
export type SkipReason = keyof typeof skipReasons

/** One change of one key, as in `lib/wire/operations.ts`; the core looks at keys only. */
export interface KeyedOperation {
  readonly type: 'put' | 'del'
  readonly key: Uint8Array
}

/**
 * A position of the log. Entries hold results only: nothing is evaluated again when they are applied.
 * `origin` is the position of the OPEN entry of the process that called the write, `number` counts its writes; `key`: under which its
 * caller may repeat it, empty if none.
 */
export type Entry =
  | { readonly kind: 'write', readonly origin: number, readonly number: number, readonly body: Uint8Array, readonly operations: readonly KeyedOperation[], readonly key?: string }
  | { readonly kind: 'skip', readonly origin: number, readonly number: number, readonly reason: SkipReason }
  | { readonly kind: 'open', readonly node: MemberId, readonly start: number, readonly observer?: true }
  /** The data that the seeding founder brought along are in the log up to here. */
  | { readonly kind: 'seeded', readonly origin: number, readonly number: number }

/**
 * Entries that are appended, sent, committed, applied and cut together. A group is encoded once: `record` is its
 * log record and the body of its PREPARE; the core never looks at it.
 */
export interface Group {
  readonly epoch: number
  /** Position of the first entry. */
  readonly first: number
  readonly entries: readonly Entry[]
  record?: Uint8Array
}

export function lastPosition (group: Group): number {
  return group.first + group.entries.length - 1
}

/** About what an entry takes in memory and on the wire, in bytes. */
export function entryBytes (entry: Entry): number {
  return entry.kind === 'write' ? entry.body.length + 32 : 32
}

export function groupBytes (group: Group): number {
  let bytes = 32
  for (const entry of group.entries) bytes += entryBytes(entry)
  return bytes
}

/**
 * The name of an entry, and of the log up to it: one process makes all entries of an epoch, on the log with which
 * it opened it, so logs that share a name are equal up to it. The empty log is named (0, 0).
 */
export interface LogName {
  readonly position: number
  readonly epoch: number
}

export const emptyLog: LogName = { position: 0, epoch: 0 }

/** Which of two logs goes on in a new view: the later epoch, then the longer one. */
export function compareNames (a: LogName, b: LogName): number {
  return a.epoch - b.epoch || a.position - b.position
}
