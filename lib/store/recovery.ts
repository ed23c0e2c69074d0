import type { Recovered } from '../core/config.ts'
import type { Group, LogName } from '../core/entry.ts'
import type { OriginRow } from '../core/origins.ts'
import type { View, Vow } from '../core/view.ts'
import { noVow } from '../core/view.ts'
import { codes, ReplicatorError } from '../errors.ts'
import { WireError } from '../wire/bytes.ts'
import { decodeGroup, decodeGroupHeader, FormatError } from '../wire/group.ts'
import { Digest } from './digest.ts'
import { compareKeys, RESERVED } from './keys.ts'
import type { AppliedState, IdentityState } from './layout.ts'
import { appliedKey, decodeApplied, decodeIdentity, decodeRow, decodeView, decodeVow, identityKey, logEnd, logStart, numberOf, originsEnd, originsStart, viewKey, vowKey } from './layout.ts'
import type { Store } from './store.ts'

export interface RecoveredDisk {
  /** Null on a store that no replicator has used. */
  readonly identity: IdentityState | null
  readonly recovered: Recovered
}

interface State {
  identity: IdentityState | null
  vow: Vow
  view: View | null
  applied: AppliedState
  readonly rows: Map<number, OriginRow>
}

/**
 * Reads what this node knew when it stopped, and checks all of it. Writes nothing. Rejects with LEVEL_LOG_TORN,
 * LEVEL_LOG_CORRUPT or LEVEL_LOG_FORMAT where the store does not hold what was once made durable.
 */
export async function recover (store: Store): Promise<RecoveredDisk> {
  const state: State = { identity: null, vow: noVow, view: null, applied: { position: 0, epoch: 0, seeded: false }, rows: new Map() }
  for await (const chunk of store.entries({ gte: RESERVED, lt: logStart })) {
    for (const [key, value] of chunk) {
      decodeStateOrThrow(() => { readState(state, key, value) })
    }
  }

  const { runs, groups } = await readLog(store, state.applied.position)
  if (state.identity === null && (groups.length > 0 || runs.length > 0 || state.view !== null)) {
    throw new ReplicatorError(codes.logCorrupt, 'The identity of this node is missing from its store')
  }

  const { vow, view, applied, rows } = state
  return {
    identity: state.identity,
    recovered: {
      vow,
      view,
      applied: applied.position,
      runs,
      groups,
      rows,
      seeded: applied.seeded,
      data: view === null ? await digestData(store) : ''
    }
  }
}

function readState (state: State, key: Uint8Array, value: Uint8Array): void {
  if (compareKeys(key, identityKey) === 0) state.identity = decodeIdentity(value)
  else if (compareKeys(key, vowKey) === 0) state.vow = decodeVow(value)
  else if (compareKeys(key, viewKey) === 0) state.view = decodeView(value)
  else if (compareKeys(key, appliedKey) === 0) state.applied = decodeApplied(value)
  else if (compareKeys(key, originsStart) > 0 && compareKeys(key, originsEnd) < 0) state.rows.set(numberOf(key), decodeRow(value))
  else throw new FormatError('a record of unknown kind')
}

/** Checks the whole log, and keeps what is after *applied*. */
async function readLog (store: Store, applied: number): Promise<{ runs: LogName[], groups: Group[] }> {
  const runs: LogName[] = []
  const groups: Group[] = []
  let end = 0
  let broken: { position: number, error: unknown } | null = null

  for await (const chunk of store.entries({ gte: logStart })) {
    for (const [key, record] of chunk) {
      if (compareKeys(key, logEnd) >= 0) throw brokenLog(codes.logFormat, end + 1, new FormatError('a record of unknown kind'))
      // Something comes after the broken record, so it is not a torn end.
      if (broken !== null) throw brokenLog(codes.logCorrupt, broken.position, broken.error)

      try {
        const first = numberOf(key)
        const header = decodeGroupHeader(record)
        if (first !== header.first) throw new WireError('a record at the place of another')
        if (end !== 0 && first !== end + 1) throw new WireError(`positions ${end + 1} to ${first - 1} are missing`)
        if (end === 0 && first !== 1) throw new WireError(`positions 1 to ${first - 1} are missing`)

        end = first + header.count - 1
        if (end > applied) groups.push(decodeGroup(record))
        else {
          const last = runs[runs.length - 1]
          if (last?.epoch === header.epoch) runs.pop()
          runs.push({ position: end, epoch: header.epoch })
        }
      } catch (error) {
        if (error instanceof FormatError) throw brokenLog(codes.logFormat, end + 1, error)
        if (!(error instanceof WireError)) throw error
        broken = { position: end + 1, error }
      }
    }
  }

  if (broken !== null) throw brokenLog(codes.logTorn, broken.position, broken.error)
  if (end < applied) {
    throw brokenLog(codes.logTorn, end + 1, new WireError(`position ${applied} has been applied, but the log ends at ${end}`))
  }
  if ((runs[runs.length - 1]?.position ?? 0) !== applied) {
    throw brokenLog(codes.logCorrupt, applied, new WireError('what is applied does not end with a group'))
  }
  return { runs, groups }
}

function brokenLog (code: typeof codes.logTorn | typeof codes.logCorrupt | typeof codes.logFormat, position: number, cause: unknown): ReplicatorError {
  const message = code === codes.logFormat
    ? 'The log was written by a newer version of quorum-level, or is damaged'
    : code === codes.logTorn
      ? `The log is torn at its end, at position ${position}`
      : `The log is damaged at position ${position}`
  return new ReplicatorError(code, `${message}: ${(cause as Error).message}. Nothing was changed.`, { cause })
}

function decodeStateOrThrow (decode: () => void): void {
  try {
    decode()
  } catch (error) {
    if (error instanceof FormatError) {
      throw new ReplicatorError(codes.logFormat, `The state of the replicator was written by a newer version of quorum-level, or is damaged: ${error.message}. Nothing was changed.`, { cause: error })
    }
    if (error instanceof WireError) {
      throw new ReplicatorError(codes.logCorrupt, `The state of the replicator is damaged: ${error.message}. Nothing was changed.`, { cause: error })
    }
    throw error
  }
}

/** A digest of the user's data; the empty string if there are none. */
async function digestData (store: Store): Promise<string> {
  const digest = new Digest()
  for await (const chunk of store.entries({ lt: RESERVED })) {
    for (const [key, value] of chunk) digest.add(key, value)
  }
  return digest.entries === 0 ? '' : digest.hex()
}
