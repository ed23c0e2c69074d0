import type { ReplicaDigest, ReplicatorStats, SyncProgress, TraceEvent, ViewInfo } from '../../../index.ts'
import type { Change, KeyRange } from '../check/history.ts'
import type { Bulk } from './bulk.ts'
import type { FloodOptions, FloodReport } from './flood.ts'

export type SyncPhase = SyncProgress['phase']

/** What a node process is told at its start, as JSON in its first argument. */
export interface NodeConfig {
  name: string
  /** The directory of its database. */
  location: string
  host: string
  port: number
  /** Options of the replicator, `peers` included. */
  replicator: Record<string, unknown>
  /** Whoever is to be dialled at this port is dialled at that one instead. */
  detours: ReadonlyArray<{ port: number, through: number }>
  /** The module that exports `Replicator`: the source, or a build of it. */
  entry: string
  /** The first time that it catches up in this way, the process stands still, until it is released: in the middle, however fast it is. */
  haltAt?: SyncPhase
}

/** The file that releases a process that stands still. */
export function releaseFile ({ location }: NodeConfig): string {
  return `${location}.release`
}

/** What the parent can ask of a node process. All keys and values are utf8. */
export interface NodeMethods {
  put (key: string, value: string): void
  del (key: string): void
  batch (changes: readonly Change[]): void
  clear (range: KeyRange): void
  get (key: string): string | null
  getMany (keys: readonly string[]): Array<string | null>
  range (range: KeyRange): Array<[key: string, value: string]>
  /** Puts many entries that nobody else writes, see `bulk.ts`. Resolves once all are acknowledged. */
  fill (bulk: Bulk): void
  /** Begins to put more than it can, see `flood.ts`. */
  flood (options: FloodOptions): void
  /** What became of it so far. */
  flooded (): FloodReport
  /** Ends it. Resolves when all that was called has settled. */
  calm (): FloodReport
  /** Resolves once the replicator is ready. */
  ready (): void
  stats (): ReplicatorStats
  digest (): ReplicaDigest
  sync: () => void
  /** The most memory that the process has had, in bytes. */
  peakMemory (): number
  /** What it has now. */
  memory (): number
  trace (): TraceEvent[]
  /** All of the user's data, as bytes. */
  dump (): Array<[key: Uint8Array, value: Uint8Array]>
  /** How often each event of the replicator was emitted so far. */
  events (): Record<string, number>
  addPeer (address: { host: string, port: number }): void
  removePeer (member: string, force: boolean): void
  recover (members: string[]): { cluster: string, epoch: number }
  /** Leaves the cluster and closes the database; then the process ends by itself. If it may not leave, nothing is closed. */
  leave (force: boolean): void
  /** Closes the database and opens it again. */
  reopen (): void
  /** Closes replicator and database, and lets the process end by itself. */
  close (): void
  /** The same, without waiting for what is running: to see that closing settles it. */
  closeAbruptly (): void
}

export type NodeMethod = keyof NodeMethods

export interface Request {
  id: number
  method: NodeMethod
  args: unknown[]
}

export interface Failure {
  message: string
  stack?: string
  code?: string
  outcome?: string
  transaction?: string
}

export type Reply =
  | { type: 'listening' }
  | { type: 'event', name: string }
  | { type: 'view', view: ViewInfo }
  | { type: 'sync', progress: SyncProgress }
  /** The process stands still from now on, see `haltAt`. */
  | { type: 'halted' }
  | { type: 'result', id: number, value: unknown }
  | { type: 'failure', id: number, error: Failure }
