import type { Recovered } from '../core/config.ts'
import type { CopyState } from '../core/effects.ts'
import type { Group, LogName } from '../core/entry.ts'
import { emptyLog } from '../core/entry.ts'
import type { OriginRow } from '../core/origins.ts'
import type { View, Vow } from '../core/view.ts'
import { noVow } from '../core/view.ts'
import { codes, ReplicatorError } from '../errors.ts'
import { WireError, compareBytes } from '../wire/bytes.ts'
import type { Address } from '../wire/identity.ts'
import { decodeGroup, decodeGroupHeader, FormatError } from '../wire/group.ts'
import type { Operation } from '../wire/operations.ts'
import { digestData } from './copy.ts'
import { RESERVED } from './keys.ts'
import type { AppliedState, IdentityState, Sighting } from './layout.ts'
import {
  acceptedKey, addressesKey, appliedKey, baseKey, copyKey, decodeAddresses, decodeApplied, decodeBase, decodeCopy, decodeIdentity,
  decodeMark, decodeRow, decodeSighting, decodeView, decodeVow, encodeIdentity, encodeMark, identityKey, intactKey, logEnd, logStart,
  numberOf, originsEnd, originsStart, peerOf, sightingsEnd, sightingsStart, staleKey, viewKey, vowKey
} from './layout.ts'
import type { Store } from './store.ts'

export interface RecoveredDisk {
  /** Null on a store that no replicator has used. */
  readonly identity: IdentityState | null
  /** Another node has found that this disk is a copy, or an old state of one that went on. */
  readonly stale: boolean
  /** What was seen of other nodes, by their ids. */
  readonly sightings: ReadonlyMap<string, Sighting>
  /** Where the others were. */
  readonly addresses: readonly Address[]
  readonly recovered: Recovered
}

interface State {
  identity: IdentityState | null
  stale: boolean
  addresses: readonly Address[]
  readonly sightings: Map<string, Sighting>
  vow: Vow
  view: View | null
  accepted: View | null
  applied: AppliedState
  base: LogName
  copy: CopyState | null
  /** Whether the node ended in order. */
  intact: boolean
  readonly rows: Map<number, OriginRow>
}

/**
 * Reads what this node knew when it stopped, and checks all of it. Writes nothing. Rejects with LEVEL_LOG_TORN,
 * LEVEL_LOG_CORRUPT or LEVEL_LOG_FORMAT where the store does not hold what was once made durable.
 */
export async function recover (store: Store): Promise<RecoveredDisk> {
  const state: State = {
    identity: null,
    stale: false,
    addresses: [],
    sightings: new Map(),
    vow: noVow,
    view: null,
    accepted: null,
    applied: { position: 0, epoch: 0, seeded: false },
    base: emptyLog,
    copy: null,
    intact: false,
    rows: new Map()
  }
  for await (const chunk of store.entries({ gte: RESERVED, lt: logStart })) {
    for (const [key, value] of chunk) {
      decodeStateOrThrow(() => { readState(state, key, value) })
    }
  }

  decodeStateOrThrow(() => { checkState(state) })

  const { runs, groups, logBytes } = await readLog(store, state.base, state.applied.position)
  const isUsed = groups.length > 0 || runs.length > 0 || state.view !== null || state.accepted !== null || state.copy !== null
  if (state.identity === null && isUsed) {
    throw new ReplicatorError(codes.logCorrupt, 'The identity of this node is missing from its store')
  }

  const { vow, view, accepted, applied, base, copy, rows } = state
  return {
    identity: state.identity,
    stale: state.stale,
    sightings: state.sightings,
    addresses: state.addresses,
    recovered: {
      vow,
      view,
      accepted,
      // Before the first view, there is nothing to lose.
      intact: state.intact || view === null,
      base,
      logBytes,
      copy,
      applied: applied.position,
      runs,
      groups,
      rows,
      seeded: applied.seeded,
      data: view === null ? (await digestData(store)).digest : ''
    }
  }
}

/**
 * What a node writes, synced, before it tells anybody of its start. Unless it stays `intact` (its log was, and it syncs all that
 * it appends), its log is in doubt after a crash of the machine from then on, until `intactBatch()` is written.
 */
export function startBatch (identity: IdentityState, intact: boolean): Operation[] {
  return [
    { type: 'put', key: identityKey, value: encodeIdentity(identity) },
    intact ? { type: 'put', key: intactKey, value: encodeMark() } : { type: 'del', key: intactKey }
  ]
}

/** What is written, synced, when everything before it is durable and will stay so: by a node without syncs, as the last of all. */
export function intactBatch (): Operation[] {
  return [{ type: 'put', key: intactKey, value: encodeMark() }]
}

/** What is written, synced, when a node learns that its disk is a copy: however often it is started, it takes no part again. */
export function staleBatch (): Operation[] {
  return [{ type: 'put', key: staleKey, value: encodeMark() }]
}

function readState (state: State, key: Uint8Array, value: Uint8Array): void {
  if (compareBytes(key, identityKey) === 0) state.identity = decodeIdentity(value)
  else if (compareBytes(key, vowKey) === 0) state.vow = decodeVow(value)
  else if (compareBytes(key, viewKey) === 0) state.view = decodeView(value)
  else if (compareBytes(key, appliedKey) === 0) state.applied = decodeApplied(value)
  else if (compareBytes(key, originsStart) > 0 && compareBytes(key, originsEnd) < 0) state.rows.set(numberOf(key), decodeRow(value))
  else if (compareBytes(key, acceptedKey) === 0) state.accepted = decodeView(value)
  else if (compareBytes(key, baseKey) === 0) state.base = decodeBase(value)
  else if (compareBytes(key, copyKey) === 0) state.copy = decodeCopy(value)
  else if (compareBytes(key, intactKey) === 0) {
    decodeMark(value)
    state.intact = true
  } else if (compareBytes(key, staleKey) === 0) {
    decodeMark(value)
    state.stale = true
  } else if (compareBytes(key, addressesKey) === 0) state.addresses = decodeAddresses(value)
  else if (compareBytes(key, sightingsStart) > 0 && compareBytes(key, sightingsEnd) < 0) state.sightings.set(peerOf(key), decodeSighting(value))
  else throw new FormatError('a record of unknown kind')
}

/** Nothing is truncated that is not applied. */
function checkState ({ applied, base }: State): void {
  if (applied.position < base.position) {
    throw new WireError(`the log is truncated at position ${base.position}, but only ${applied.position} has been applied`)
  }
  if (applied.position === base.position && applied.epoch !== base.epoch) {
    throw new WireError(`the log is truncated in epoch ${base.epoch}, but position ${applied.position} was applied in epoch ${applied.epoch}`)
  }
}

/** Checks the whole log, and keeps what is after *applied*. */
async function readLog (store: Store, base: LogName, applied: number): Promise<{ runs: LogName[], groups: Group[], logBytes: number }> {
  const runs: LogName[] = base.position === 0 ? [] : [base]
  const groups: Group[] = []
  let logBytes = 0
  let end = base.position
  let epoch = base.epoch
  let broken: { position: number, error: unknown } | null = null

  for await (const chunk of store.entries({ gte: logStart })) {
    for (const [key, record] of chunk) {
      if (compareBytes(key, logEnd) >= 0) throw brokenLog(codes.logFormat, end + 1, new FormatError('a record of unknown kind'))
      // Something comes after the broken record, so it is not a torn end.
      if (broken !== null) throw brokenLog(codes.logCorrupt, broken.position, broken.error)

      try {
        const first = numberOf(key)
        // Left over from a truncation that was interrupted.
        if (first <= base.position) continue
        const header = decodeGroupHeader(record)
        if (first !== header.first) throw new WireError('a record at the place of another')
        if (first <= end) throw new WireError(`position ${first} is there twice`)
        if (first !== end + 1) throw new WireError(`positions ${end + 1} to ${first - 1} are missing`)
        if (header.epoch < epoch) throw new WireError(`epoch ${header.epoch} follows epoch ${epoch}`)

        end = first + header.count - 1
        epoch = header.epoch
        logBytes += record.length
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
  return { runs, groups, logBytes }
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
