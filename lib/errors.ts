/**
 * Every error that this package rejects with or emits carries one of these stable codes. Each is a
 * heading in the README, with its cause and what to do about it.
 */
export const codes = {
  /** The replicator (or its database) was closed. */
  closed: 'LEVEL_REPLICATOR_CLOSED',
  /** The write, read or wait took longer than its time-out. */
  timeout: 'LEVEL_TIMEOUT',
  /** Peers without which no write can commit have failed for good (`failAfter`). */
  unreachable: 'LEVEL_CONSENSUS_UNREACHABLE',
  /** The bounded queue of writes is full. */
  queueFull: 'LEVEL_QUEUE_FULL',
  /** A key, value or batch is larger than the limits. */
  tooLarge: 'LEVEL_TOO_LARGE',
  /** The key lies in the key space that is reserved for the replicator. */
  reservedKey: 'LEVEL_RESERVED_KEY',
  /** A read waited for an undecided write on its key, and the write stayed undecided. */
  inDoubt: 'LEVEL_IN_DOUBT',
  /** The write was withdrawn before it got a position in the log. */
  withdrawn: 'LEVEL_WITHDRAWN',
  /** The log has another write under the same idempotencyKey. */
  keyReused: 'LEVEL_KEY_REUSED',
  /** The last record of the log is incomplete. */
  logTorn: 'LEVEL_LOG_TORN',
  /** A record of the log or of the replicator's own state fails its checksum or is missing. */
  logCorrupt: 'LEVEL_LOG_CORRUPT',
  /** The reserved key space was written by a newer version of this package. */
  logFormat: 'LEVEL_LOG_FORMAT',
  /** The database could not be opened, or the store or the file system refused a write or a read: this node has stopped taking part. */
  storeFailed: 'LEVEL_STORE_FAILED',
  /** An invariant is broken: a bug in this package. This node has stopped taking part. */
  internal: 'LEVEL_INTERNAL',
  /** What the option asks for is not there (yet), or the database cannot do it. */
  notSupported: 'LEVEL_NOT_SUPPORTED',
  /** The database is already wrapped by a replicator. */
  alreadyWrapped: 'LEVEL_ALREADY_WRAPPED',
  /** The peer belongs to another cluster. */
  clusterMismatch: 'LEVEL_CLUSTER_MISMATCH',
  /** A change of the members was called for on a node that is no member (yet). */
  notMember: 'LEVEL_NOT_MEMBER',
  /** The peer speaks no version of the protocol that we speak. */
  version: 'LEVEL_PROTOCOL_VERSION',
  /** The peer did not show that it has the secret of this node, or only one of the two has a secret. */
  unauthorized: 'LEVEL_UNAUTHORIZED',
  /** The peer sent what the protocol does not allow. */
  protocol: 'LEVEL_PROTOCOL_ERROR',
  /** The connection to a peer was lost. */
  connectionLost: 'LEVEL_CONNECTION_LOST',
  /** The address dialled is our own. */
  self: 'LEVEL_SELF_CONNECT',
  /** A second connection to a peer that is connected already. */
  duplicate: 'LEVEL_DUPLICATE_CONNECTION',
  /** Two founding nodes hold different data. */
  dataConflict: 'LEVEL_DATA_CONFLICT',
  /** The data of this node differ from those of another member at the same position: it has stopped taking part. */
  diverged: 'LEVEL_DIVERGED',
  /** The data of this node are being copied from another: they are not a state of the database yet. */
  incomplete: 'LEVEL_INCOMPLETE',
  /** A start of this node id older than one seen, or a second live one: a copied or restored disk. */
  staleIdentity: 'LEVEL_STALE_IDENTITY',
  /** A node that would join a cluster holds data of its own. */
  hasData: 'LEVEL_HAS_DATA',
  /** Another member has the name of the node that would join. */
  nameTaken: 'LEVEL_NAME_TAKEN',
  /** This node was removed from its cluster. */
  removed: 'LEVEL_REMOVED',
  /** A change of the members was refused: it would leave a cluster that cannot work, or contradicts what is known. */
  changeRefused: 'LEVEL_CHANGE_REFUSED',
  /** A witness holds no data: it is neither read nor written. */
  witness: 'LEVEL_WITNESS'
} as const

export type ErrorCode = typeof codes[keyof typeof codes]

/**
 * What is known about a write that rejected: `'aborted'` means that it is not applied and never
 * will be, on any node; `'unknown'` means that it may or may not be.
 */
export type Outcome = 'aborted' | 'unknown'

export interface ReplicatorErrorOptions {
  cause?: unknown
  outcome?: Outcome
  /** Identifies the write in the cluster: `<origin id>:<number>`. Default where the outcome is `aborted`: `0:0`, a write that was never submitted. */
  transaction?: string
}

/** Names all writes that were rejected before they were submitted. */
export const NEVER_SUBMITTED = '0:0'

export class ReplicatorError extends Error {
  readonly code: ErrorCode
  /** Only on errors of writes. */
  declare readonly outcome?: Outcome
  /** Only on the error with which a node stops: the same as `trace()` gave then. Not enumerable, so that it is not printed by accident. */
  declare readonly trace?: ReadonlyArray<{ readonly at: number, readonly event: string }>
  /** Only on errors of writes: what `outcome()` takes. */
  declare readonly transaction?: string

  constructor (code: ErrorCode, message: string, options: ReplicatorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ReplicatorError'
    this.code = code
    if (options.outcome !== undefined) this.outcome = options.outcome
    const transaction = options.transaction ?? (options.outcome === 'aborted' ? NEVER_SUBMITTED : undefined)
    if (transaction !== undefined) this.transaction = transaction
  }
}

/** A broken invariant. It is a bug in this package, so the replicator stops rather than guess. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

export function assert (condition: unknown, message: string): asserts condition {
  if (condition !== true && (condition === false || !condition)) throw new AssertionError(message)
}
