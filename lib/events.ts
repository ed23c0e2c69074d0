import type { View } from './core/view.ts'
import type { ReplicatorError } from './errors.ts'

/** Who takes part in the cluster, and who leads, from one epoch on. Members are named by their ids, 32 hex digits each. */
export interface ViewInfo {
  epoch: number
  coordinator: string
  /** All, live or not. */
  members: string[]
  /** Those of them that only vote. */
  witnesses: string[]
  /** Those that hold every write. */
  live: string[]
}

/** How far a node has come that was away and gets what it lacks. `done` equals `total` at the end. */
export interface SyncProgress {
  /**
   * `'log'`: it gets what was written meanwhile; `done` and `total` are positions of the log. `'copy'`: it gets a copy of the data;
   * they are bytes. `'verify'`: its copy is compared with that of the source. `total` is 0 as long as it is not known.
   */
  phase: 'log' | 'copy' | 'verify'
  done: number
  total: number
  /** The id of the member that it gets it from. */
  source: string
}

/** The events of a replicator, with the arguments of their listeners. */
export interface ReplicatorEvents {
  /** Writes commit from here on: enough peers are live, and this node is in the view. */
  ready: []
  /** Writes wait from here on. */
  notready: []
  /** This node knows of a new view: once for each. It need not be live in it. */
  view: [view: ViewInfo]
  /** This node gets what it lacks from another. */
  sync: [progress: SyncProgress]
  /** A peer is connected, whoever dialled. Once per connection. */
  connect: [host: string, port: number]
  disconnect: [host: string, port: number]
  /** Trying again to connect. */
  reconnect: [host: string, port: number]
  /** `failAfter` attempts in a row have failed. Dialling goes on. */
  fail: [host: string, port: number]
  /** Something went wrong with a connection, or with this node. Only emitted where somebody listens. */
  error: [error: Error | ReplicatorError]
  /** The replicator has closed. */
  closed: []
}

export function viewInfo ({ epoch, coordinator, members, witnesses, live }: View): ViewInfo {
  return { epoch, coordinator, members: [...members], witnesses: [...witnesses], live: live.map(({ id }) => id) }
}
