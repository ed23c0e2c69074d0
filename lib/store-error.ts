import { codes, ReplicatorError } from './errors.ts'

/** What a person can do about it, by what the system or the store says. */
const advices: ReadonlyArray<readonly [pattern: RegExp, advice: string]> = [
  [/ENOSPC|EDQUOT|no space left|quota exceeded/i, 'The disk is full: free some space.'],
  [/EROFS|read-only file system/i, 'The file system is read-only: the system makes it so when the drive fails, or somebody did.'],
  [/\bEIO\b|input\/output error/i, 'The drive, or the way to it, is failing: see the log of the system.'],
  [/EFBIG|file too large/i, 'A limit on the size of files is reached (ulimit -f).'],
  [/EMFILE|ENFILE|too many open files/i, 'A limit on open files is reached (ulimit -n).'],
  [/EACCES|EPERM|permission denied|operation not permitted/i, 'The process may not write there.']
]

/** Something was refused by the store, or by the files beside it, without which a node cannot take part. */
export function storeError (what: string, cause: unknown): ReplicatorError {
  const reason = reasonOf(cause)
  const advice = advices.find(([pattern]) => pattern.test(reason))?.[1]
  return new ReplicatorError(codes.storeFailed, `${what}: ${reason}. ${advice === undefined ? '' : `${advice} `}` +
    'This node has stopped taking part; it keeps what it has. When the cause is gone, close the database and open it again, or restart the process.', { cause })
}

/** What a node says whose log or state is damaged. */
export const damageRemedy = 'Delete the database of this node, and start it with `replaces`, as the successor of itself: then it gets a copy from the others.'

/** A record of the log turned out to be damaged while the node was running. */
export function damageError (cause: Error): ReplicatorError {
  return new ReplicatorError(codes.logCorrupt, `The log is damaged: ${cause.message}. This node has stopped taking part. ${damageRemedy}`, { cause })
}

/** Something was refused that nobody needs. */
export function neglectError (what: string, cause: unknown): ReplicatorError {
  return new ReplicatorError(codes.storeFailed, `${what}: ${reasonOf(cause)}. Nothing is lost.`, { cause })
}

function reasonOf (cause: unknown): string {
  // A database that is part of another was not opened with it.
  if (cause instanceof Error && cause.cause instanceof Error && (cause as { code?: string }).code === 'LEVEL_DATABASE_NOT_OPEN') return reasonOf(cause.cause)
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '')
}
