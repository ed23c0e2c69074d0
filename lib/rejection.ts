import type { Rejection, Settlement } from './core/effects.ts'
import type { ErrorCode } from './errors.ts'
import { codes, ReplicatorError } from './errors.ts'

const codeOf = {
  timeout: codes.timeout,
  withdrawn: codes.withdrawn,
  seeded: codes.withdrawn,
  differs: codes.keyReused,
  unreachable: codes.unreachable,
  copied: codes.timeout,
  closed: codes.closed,
  failed: codes.storeFailed
} as const satisfies Record<Rejection, ErrorCode>

const reasonOf = {
  timeout: 'it took too long',
  withdrawn: 'it was withdrawn',
  seeded: 'the data of the founders are in the log already',
  differs: 'its idempotencyKey is that of another write',
  copied: 'its place in the log was not seen: this node has got a copy of the data',
  unreachable: 'peers without which no write can commit have failed',
  closed: 'the replicator was closed',
  failed: 'this node has stopped taking part'
} as const satisfies Record<Rejection, string>

/** What the caller of a rejected write gets. `failure` is why this node has stopped taking part, if it has. */
export function rejectionError (settlement: Settlement & { outcome: 'aborted' | 'unknown' }, failure: ReplicatorError | null, waitingFor: string): ReplicatorError {
  const { outcome, why, transaction } = settlement
  const verdict = outcome === 'aborted' ? 'The write was not applied' : 'The outcome of the write is unknown'
  const hint = why === 'timeout' && waitingFor !== '' ? ` (${waitingFor})` : ''
  const cause = why === 'failed' ? failure : null
  return new ReplicatorError(cause?.code ?? codeOf[why], `${verdict}: ${cause?.message ?? reasonOf[why]}${hint}`, {
    outcome,
    ...(cause === null ? {} : { cause }),
    ...(transaction === null ? {} : { transaction })
  })
}
