import type { Address } from './net/network.ts'
import type { Node } from './node.ts'
import type { Settings } from './options.ts'

/** Where a replicator is in its life. */
export type ReplicatorStatus = 'opening' | 'notready' | 'ready' | 'failed' | 'closed'

export interface PeerStats {
  /** 32 hex digits. */
  id: string
  name: string
  address: Address | null
  connected: boolean
}

/** What a node knows of itself and its cluster. */
export interface ReplicatorStats {
  /** 32 hex digits; empty until the store has been read. */
  id: string
  name: string
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
  const connected = node.sessions.map((session): PeerStats => ({
    id: session.peer.id,
    name: session.peer.name,
    address: session.peer.address ?? session.address,
    connected: true
  }))
  const nameOf = (id: string): string => id === node.id ? settings.name : connected.find(peer => peer.id === id)?.name ?? ''
  const missing = (view?.members ?? [])
    .filter(id => id !== node.id && !connected.some(peer => peer.id === id))
    .map((id): PeerStats => ({ id, name: '', address: null, connected: false }))

  return {
    id: node.id,
    name: settings.name,
    status,
    cluster: view?.cluster ?? '',
    epoch: view?.epoch ?? 0,
    coordinator: view === null ? null : { id: view.coordinator, name: nameOf(view.coordinator) },
    isCoordinator: core?.leads ?? false,
    members: [...view?.members ?? []],
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
