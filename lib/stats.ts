import type { SyncProgress } from './events.ts'
import type { Address } from './net/network.ts'
import type { Node } from './node.ts'
import type { Settings } from './options.ts'
import { nameOf as memberName } from './core/view.ts'

/** Where a replicator is in its life. */
export type ReplicatorStatus = 'opening' | 'notready' | 'ready' | 'failed' | 'closed'

export interface PeerStats {
  /** 32 hex digits. */
  id: string
  name: string
  address: Address | null
  connected: boolean
  /** A member that holds every write, by the newest view known here. */
  live: boolean
  /** Why it is not live, for people; empty if it is, or if it is not a member. */
  why: string
}

/** What a node knows of itself and its cluster. */
export interface ReplicatorStats {
  /** 32 hex digits; empty until the store has been read. */
  id: string
  name: string
  role: 'member' | 'witness'
  status: ReplicatorStatus
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
  /** Positions of the log: appended, known to be committed, in the data. */
  end: number
  committed: number
  applied: number
  /** Writes called here that are submitted and undecided. */
  pendingWrites: number
  /** Writes called here that are not submitted yet. */
  queuedWrites: number
  peers: PeerStats[]
  /** What this node waits for before it can be ready; empty if for nothing. */
  waitingFor: string
  lastError: Error | null
}

export function statsOf (node: Node, status: ReplicatorStatus, settings: Settings, lastError: Error | null): ReplicatorStats {
  const core = node.core
  const view = core?.view ?? null
  const known = core?.known ?? view
  const live = known === null ? [] : known.live.map(({ id }) => id)
  const standing = (id: string): Pick<PeerStats, 'live' | 'why'> => {
    const isLive = live.includes(id)
    return { live: isLive, why: core === null || isLive || known?.members.includes(id) !== true ? '' : core.agreement.whyNotLive(id) }
  }
  const connected = node.sessions.map((session): PeerStats => ({
    id: session.peer.id,
    name: session.peer.name,
    address: session.peer.address ?? session.address,
    connected: true,
    ...standing(session.peer.id)
  }))
  const nameOf = (id: string): string => id === node.id ? settings.name : connected.find(peer => peer.id === id)?.name ?? (known === null ? '' : memberName(known, id))
  const missing = (known?.members ?? [])
    .filter(id => id !== node.id && !connected.some(peer => peer.id === id))
    .map((id): PeerStats => ({ id, name: nameOf(id), address: null, connected: false, ...standing(id) }))

  return {
    id: node.id,
    name: settings.name,
    role: settings.role,
    status,
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
    committed: core?.committed ?? 0,
    applied: core?.applied ?? 0,
    pendingWrites: core?.submissions.undecided ?? 0,
    queuedWrites: core === null ? node.waiting : core.submissions.queued,
    peers: [...connected, ...missing],
    waitingFor: status === 'ready' ? '' : node.waitingFor,
    lastError
  }
}
