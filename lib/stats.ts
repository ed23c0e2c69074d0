import type { ErrorCode, ReplicatorError } from './errors.ts'
import type { SyncProgress } from './events.ts'
import type { Address } from './net/network.ts'
import type { Node } from './node.ts'
import type { Settings } from './options.ts'
import type { DiskPace } from './tracer.ts'
import { nameOf as memberName } from './core/view.ts'
import { version } from './version.ts'
import { ownVersions } from './wire/handshake.ts'

/** Where a replicator is in its life. */
export type ReplicatorStatus = 'opening' | 'notready' | 'ready' | 'failed' | 'closed'

export interface PeerStats {
  /** 32 hex digits. */
  id: string
  /** Of a member, that with which it joined. */
  name: string
  address: Address | null
  connected: boolean
  /** It is no member, and follows the log. */
  observer: boolean
  /** A member that holds every write, by the newest view known here. */
  live: boolean
  /** Why it is not live, for people; empty if it is, or if it is not a member. */
  why: string
  /** Everything up to this position is applied there, and on stable storage, as it said last; 0 if it has not. */
  applied: number
  /** This node has dialled it, not the other way round. */
  outbound: boolean
  /** Since when it is connected, by the wall clock, in milliseconds; null if it is not. */
  since: number | null
  /** How long it is silent by now, in milliseconds; null if it is not connected. */
  heardMs: number | null
  /** What came and what went over this connection. */
  bytesIn: number
  bytesOut: number
}

/** What a node knows of itself and its cluster. */
export interface ReplicatorStats {
  /** 32 hex digits; empty until the store has been read. */
  id: string
  /** Of a member, that with which it joined; of anybody else, what the option says. */
  name: string
  role: 'member' | 'witness' | 'observer'
  /** Of this package. */
  version: string
  /** The newest version of the protocol that it speaks. */
  protocol: number
  status: ReplicatorStatus
  /** Since when, by the wall clock, in milliseconds. */
  statusSince: number
  /** How often this node was started, this time included; 0 until the store has been read. What is counted is counted from there. */
  start: number
  /** 32 hex digits; empty until a cluster has formed. */
  cluster: string
  /** The epoch of the view that is installed here; 0 if none. */
  epoch: number
  /** Of that view; null if none. */
  coordinator: { id: string, name: string } | null
  isCoordinator: boolean
  /** The ids of all members; empty until a cluster has formed. */
  members: string[]
  /** The ids of those of them that only vote. */
  witnesses: string[]
  /** The ids of those that hold every write, by the newest view known here, which need not be installed. */
  live: string[]
  /** How many live peers must hold a write that is called here. */
  minConsensus: number
  /** Consistent reads are answered here. */
  readable: boolean
  /**
   * The right to answer them without asking others: `'free'` if none is needed, since nobody goes on without anybody; `'valid'`,
   * `'expired'`; `'none'` outside of a view.
   */
  lease: 'free' | 'valid' | 'expired' | 'none'
  /** What this node is getting from another; null if it lacks nothing, or gets nothing. */
  sync: SyncProgress | null
  /** The first position that is still in the log. */
  logStart: number
  /** Positions of the log: appended, on this node's disk, known to be committed, in the data. */
  end: number
  durable: number
  committed: number
  applied: number
  /** About how many bytes the log takes. */
  logBytes: number
  /** Where it is: in files beside the database, or in the database; null until that is known. */
  logPlace: 'files' | 'store' | null
  /** How long the oldest step of the store that is under way has taken so far, 0 if none is, and the slowest one took since the start; in milliseconds. */
  disk: DiskPace
  /** Writes called here that are submitted and undecided. */
  pendingWrites: number
  /** Writes called here that are not submitted yet. */
  queuedWrites: number
  /** The bytes of both. */
  waitingBytes: number
  /** Reads called here that wait. */
  waitingReads: number
  /** Writes called here that are committed. */
  committedWrites: number
  /** Those that were rejected, by the code of their error. */
  rejectedWrites: Partial<Record<ErrorCode, number>>
  /** How many of these had the outcome `'unknown'`. */
  unknownWrites: number
  peers: PeerStats[]
  /** What this node waits for before it can be ready; empty if for nothing. */
  waitingFor: string
  /** Why this node has stopped taking part; null if it has not. */
  failure: ReplicatorError | null
  lastError: Error | null
}

export function statsOf (node: Node, { status, statusSince, lastError }: Pick<ReplicatorStats, 'status' | 'statusSince' | 'lastError'>, settings: Settings): ReplicatorStats {
  const core = node.core
  const view = core?.view ?? null
  const known = core?.known ?? view
  const live = known === null ? [] : known.live.map(({ id }) => id)
  const { committed, unknown, rejected } = node.settled
  const standing = (id: string): Pick<PeerStats, 'live' | 'why' | 'applied'> => {
    const isLive = live.includes(id)
    return {
      live: isLive,
      why: core === null || isLive || known?.members.includes(id) !== true ? '' : core.agreement.whyNotLive(id),
      applied: core?.appliedBy(id) ?? 0
    }
  }
  // Of a member, the name by which others call it, whatever it says itself.
  const nameOf = (id: string, said = ''): string => {
    const where = [known, view].find(view => view?.members.includes(id) === true) ?? null
    return where === null ? said : memberName(where, id)
  }
  const connected = node.traffic.map(({ session, since, heardMs, bytesIn, bytesOut }): PeerStats => ({
    id: session.peer.id,
    name: nameOf(session.peer.id, session.peer.name),
    address: session.peer.address ?? session.address,
    connected: true,
    observer: session.peer.observer,
    outbound: session.outbound,
    since,
    heardMs,
    bytesIn,
    bytesOut,
    ...standing(session.peer.id)
  }))
  const missing = (known?.members ?? [])
    .filter(id => id !== node.id && !connected.some(peer => peer.id === id))
    .map((id): PeerStats => ({
      id, name: nameOf(id), address: null, connected: false, observer: false, outbound: false, since: null, heardMs: null, bytesIn: 0, bytesOut: 0, ...standing(id)
    }))

  return {
    id: node.id,
    name: node.name,
    role: settings.role,
    version,
    protocol: ownVersions.max,
    status,
    statusSince,
    start: node.start,
    cluster: known?.cluster ?? '',
    epoch: view?.epoch ?? 0,
    coordinator: view === null ? null : { id: view.coordinator, name: nameOf(view.coordinator) },
    isCoordinator: core?.leads ?? false,
    members: [...known?.members ?? []],
    witnesses: [...known?.witnesses ?? []],
    live,
    minConsensus: core?.minConsensus ?? settings.minConsensus ?? settings.peers.length,
    readable: node.readable,
    lease: node.lease,
    sync: core?.progress == null ? null : { ...core.progress },
    logStart: core === null ? 0 : core.base.position + 1,
    end: core?.end ?? 0,
    durable: core?.testimony.end.position ?? 0,
    committed: core?.committed ?? 0,
    applied: core?.applied ?? 0,
    logBytes: core?.logBytes ?? 0,
    logPlace: node.logPlace,
    disk: node.disk,
    pendingWrites: core?.submissions.undecided ?? 0,
    queuedWrites: core === null ? node.waiting : core.submissions.queued,
    waitingBytes: node.waitingBytes,
    waitingReads: node.waitingReads,
    committedWrites: committed,
    rejectedWrites: rejected,
    unknownWrites: unknown,
    peers: [...connected, ...missing],
    waitingFor: status === 'ready' || status === 'closed' ? '' : status === 'failed' ? lastError?.message ?? '' : node.waitingFor,
    // Where the database cannot be opened, there is no node that could fail, or the one of before.
    failure: status === 'failed' ? lastError as ReplicatorError : node.failure,
    lastError
  }
}
