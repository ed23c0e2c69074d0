import type { Recovered } from '../core/config.ts'
import type { CopyState } from '../core/effects.ts'
import type { Group, LogName } from '../core/entry.ts'
import { emptyLog } from '../core/entry.ts'
import type { KeyRow } from '../core/idempotency.ts'
import { keyRowOf } from '../core/idempotency.ts'
import type { OriginRow } from '../core/origins.ts'
import type { View, Vow } from '../core/view.ts'
import { noVow } from '../core/view.ts'
import { codes, ReplicatorError } from '../errors.ts'
import { damageRemedy } from '../store-error.ts'
import { WireError, compareBytes } from '../wire/bytes.ts'
import type { Address } from '../wire/identity.ts'
import { decodeGroup, decodeGroupHeader, FormatError } from '../wire/group.ts'
import type { Operation } from '../wire/operations.ts'
import { digestData } from './copy.ts'
import { RESERVED } from './keys.ts'
import type { AppliedState, IdentityState, Sighting } from './layout.ts'
import {
  acceptedKey, addressesKey, appliedKey, baseKey, copyKey, decodeAddresses, decodeApplied, decodeBase, decodeCopy, decodeIdentity,
  decodeKeyRow, decodeLogFile, decodeMark, decodePart, decodeRow, decodeSighting, decodeView, decodeVow, encodeIdentity, encodeMark, encodePart, identityKey, intactKey, keyedEnd, keyedStart, kindOf, logEnd, logFileKey,
  logStart, numberOf, originsEnd, originsStart, partKey, peerOf, sightingsEnd, sightingsStart, staleKey, viewKey, vowKey
} from './layout.ts'
import type { FileLog } from './file-log.ts'
import type { Store } from './store.ts'
import { storedRecords } from './store-medium.ts'

export interface RecoveredDisk {
  /** Null on a store that no replicator has used. */
  readonly identity: IdentityState | null
  /** An observer holds this part of the data; null: all. */
  readonly part: Uint8Array | null
  /** Another node has found that this disk is a copy, or an old state of one that went on. */
  readonly stale: boolean
  /** What was seen of other nodes, by their ids. */
  readonly sightings: ReadonlyMap<string, Sighting>
  /** Where the others were. */
  readonly addresses: readonly Address[]
  readonly recovered: Recovered
  readonly applied: AppliedState
  /** Groups that have to be applied again. */
  readonly again: readonly Group[]
  /** The log is in files. */
  readonly inFiles: boolean
}

interface State {
  identity: IdentityState | null
  part: Uint8Array | null
  stale: boolean
  addresses: readonly Address[]
  readonly sightings: Map<string, Sighting>
  vow: Vow
  view: View | null
  accepted: View | null
  applied: AppliedState
  base: LogName
  copy: CopyState | null
  /** Empty: the log is in the store. */
  logFile: string
  /** Whether the node ended in order. */
  intact: boolean
  readonly rows: Map<number, OriginRow>
  readonly keys: Map<number, KeyRow>
}

/**
 * Reads what this node knew when it stopped, and checks all of it. Writes nothing. `log`: where the log is, if it is in files. Rejects
 * with LEVEL_LOG_TORN, LEVEL_LOG_CORRUPT or LEVEL_LOG_FORMAT where the disk does not hold what was once made durable.
 */
export async function recover (store: Store, log: FileLog | null = null): Promise<RecoveredDisk> {
  const state: State = {
    identity: null,
    part: null,
    stale: false,
    addresses: [],
    sightings: new Map(),
    vow: noVow,
    view: null,
    accepted: null,
    applied: { position: 0, epoch: 0, seeded: false, durable: 0 },
    base: emptyLog,
    copy: null,
    logFile: '',
    intact: false,
    rows: new Map(),
    keys: new Map()
  }
  for await (const chunk of store.entries({ gte: RESERVED, lt: logStart })) {
    for (const [key, value] of chunk) {
      decodeStateOrThrow(kindOf(key), () => { readState(state, key, value) })
    }
  }

  for await (const [key] of store.keys({ gte: logEnd }, { limit: 1 })) {
    if (key !== undefined) throw brokenLog(codes.logFormat, 0, new FormatError('a record of unknown kind'))
  }
  const { records, base } = await openRecords(store, state, log)
  decodeStateOrThrow('applied', () => { checkState(state.applied, base) })
  // The log would not have been truncated there otherwise.
  state.applied = { ...state.applied, durable: Math.max(state.applied.durable, base.position) }

  const { runs, groups, again, logBytes } = await readLog(records, base, state.applied)
  const isUsed = groups.length > 0 || runs.length > 0 || state.view !== null || state.accepted !== null || state.copy !== null || state.logFile !== ''
  if (state.identity === null && isUsed) {
    throw new ReplicatorError(codes.logCorrupt, `The identity of this node is missing from its store. Nothing was changed. ${damageRemedy}`)
  }

  const { vow, view, accepted, applied, copy, rows, keys } = state
  return {
    identity: state.identity,
    part: state.part,
    stale: state.stale,
    sightings: state.sightings,
    addresses: state.addresses,
    applied,
    again,
    inFiles: state.logFile !== '',
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
      keys: withAgain(keys, again),
      seeded: applied.seeded,
      data: view === null ? (await digestData(store)).digest : ''
    }
  }
}

/**
 * What a node writes, synced, before it tells anybody of its start. Unless it stays `intact` (its log was, and it syncs all that
 * it appends), its log is in doubt after a crash of the machine from then on, until `intactBatch()` is written.
 */
export function startBatch (identity: IdentityState, intact: boolean, part: Uint8Array | null = null): Operation[] {
  return [
    { type: 'put', key: identityKey, value: encodeIdentity(identity) },
    ...part === null ? [] : [{ type: 'put' as const, key: partKey, value: encodePart(part) }],
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
  else if (compareBytes(key, keyedStart) > 0 && compareBytes(key, keyedEnd) < 0) state.keys.set(numberOf(key), decodeKeyRow(value))
  else if (compareBytes(key, acceptedKey) === 0) state.accepted = decodeView(value)
  else if (compareBytes(key, baseKey) === 0) state.base = decodeBase(value)
  else if (compareBytes(key, copyKey) === 0) state.copy = decodeCopy(value)
  else if (compareBytes(key, logFileKey) === 0) state.logFile = decodeLogFile(value)
  else if (compareBytes(key, intactKey) === 0) {
    decodeMark(value)
    state.intact = true
  } else if (compareBytes(key, staleKey) === 0) {
    decodeMark(value)
    state.stale = true
  } else if (compareBytes(key, partKey) === 0) state.part = decodePart(value)
  else if (compareBytes(key, addressesKey) === 0) state.addresses = decodeAddresses(value)
  else if (compareBytes(key, sightingsStart) > 0 && compareBytes(key, sightingsEnd) < 0) state.sightings.set(peerOf(key), decodeSighting(value))
  else throw new FormatError('a record of unknown kind')
}

/** Nothing is truncated that is not applied, durably. The store may not say so yet. */
function checkState ({ position, epoch, durable }: AppliedState, base: LogName): void {
  if (position < durable) throw new WireError(`position ${durable} is durable, but only ${position} has been applied`)
  if (position < base.position) throw new WireError(`the log is truncated at position ${base.position}, but only ${position} has been applied`)
  if (position === base.position && epoch !== base.epoch) {
    throw new WireError(`the log is truncated in epoch ${base.epoch}, but position ${position} was applied in epoch ${epoch}`)
  }
}

type Records = AsyncIterable<ReadonlyArray<readonly [first: number, record: Uint8Array]>>

/** The log, wherever it is, and where it begins. */
async function openRecords (store: Store, { logFile, base }: State, log: FileLog | null): Promise<{ records: Records, base: LogName }> {
  if (logFile === '') return { records: storedRecords(store, base), base }
  if (log === null) throw new ReplicatorError(codes.logCorrupt, 'The log of this node is in files, and this database has no directory where they could be. Nothing was changed.')
  const records = log.recover(logFile)
  try {
    // Only the files say where the log begins.
    const first = await records.next()
    return { records: withFirst(first, records), base: log.base }
  } catch (error) {
    throw asBrokenLog(error, log.base.position + 1)
  }
}

async function * withFirst<T> (first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done === true) return
  yield first.value
  yield * rest
}

/** Checks the whole log, and keeps what is after *applied*, and what has to be applied again. */
async function readLog (
  records: Records, base: LogName, { position: applied, durable }: AppliedState
): Promise<{ runs: LogName[], groups: Group[], again: Group[], logBytes: number }> {
  const runs: LogName[] = base.position === 0 ? [] : [base]
  const groups: Group[] = []
  const again: Group[] = []
  let logBytes = 0
  let end = base.position
  let epoch = base.epoch
  let broken: { position: number, error: unknown } | null = null

  const check = (first: number, record: Uint8Array): void => {
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
      if (end > durable) again.push(decodeGroup(record))
    }
  }

  try {
    for await (const chunk of records) {
      for (const [first, record] of chunk) {
        // Something comes after the broken record, so it is not a torn end.
        if (broken !== null) throw brokenLog(codes.logCorrupt, broken.position, broken.error)
        try {
          check(first, record)
        } catch (error) {
          if (error instanceof FormatError || !(error instanceof WireError)) throw error
          broken = { position: end + 1, error }
        }
      }
    }
  } catch (error) {
    throw asBrokenLog(error, end + 1)
  }

  if (broken !== null) throw brokenLog(codes.logTorn, broken.position, broken.error)
  if (end < applied) {
    throw brokenLog(codes.logTorn, end + 1, new WireError(`position ${applied} has been applied, but the log ends at ${end}`))
  }
  if ((runs[runs.length - 1]?.position ?? 0) !== applied) {
    throw brokenLog(codes.logCorrupt, applied, new WireError('what is applied does not end with a group'))
  }
  return { runs, groups, again, logBytes }
}

/** With the rows of what is applied again, in order. */
function withAgain (keys: Map<number, KeyRow>, again: readonly Group[]): Array<[number, KeyRow]> {
  for (const group of again) {
    group.entries.forEach((entry, i) => {
      const row = keyRowOf(entry)
      if (row !== null) keys.set(group.first + i, row)
    })
  }
  return [...keys].sort(([a], [b]) => a - b)
}

/** Damage that nothing can come after. Anything else is passed on. */
function asBrokenLog (error: unknown, position: number): unknown {
  if (error instanceof FormatError) return brokenLog(codes.logFormat, position, error)
  return error instanceof WireError ? brokenLog(codes.logCorrupt, position, error) : error
}

function brokenLog (code: typeof codes.logTorn | typeof codes.logCorrupt | typeof codes.logFormat, position: number, cause: unknown): ReplicatorError {
  const message = code === codes.logFormat
    ? 'The log was written by a newer version of quorum-level, or is damaged'
    : code === codes.logTorn
      ? `The log is torn at its end, at position ${position}`
      : `The log is damaged at position ${position}`
  const remedy = code === codes.logFormat ? '' : ` ${damageRemedy}`
  return new ReplicatorError(code, `${message}: ${(cause as Error).message}. Nothing was changed.${remedy}`, { cause })
}

function decodeStateOrThrow (kind: string, decode: () => void): void {
  try {
    decode()
  } catch (error) {
    if (error instanceof FormatError) {
      throw new ReplicatorError(codes.logFormat, `The state of the replicator was written by a newer version of quorum-level, or is damaged, in its record '${kind}': ${error.message}. Nothing was changed.`, { cause: error })
    }
    if (error instanceof WireError) {
      throw new ReplicatorError(codes.logCorrupt, `The state of the replicator is damaged, in its record '${kind}': ${error.message}. Nothing was changed. ${damageRemedy}`, { cause: error })
    }
    throw error
  }
}
