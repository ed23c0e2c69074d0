/** What the prompt and the processes of the nodes say to each other over Node's IPC channel. */

export interface Address {
  host: string
  port: number
}

export interface NodeOptions extends Address {
  name: string
  /** The folder of its database. */
  location: string
  peers: Address[]
  role: 'member' | 'witness'
  minConsensus: number
  failureTimeoutMs: number
  readTimeoutMs: number
  writeTimeoutMs: number
}

export type Operation =
  | { type: 'put', key: string, value: string }
  | { type: 'del', key: string }

export type Entry = [key: string, value: string]

export interface Stats {
  status: string
  epoch: number
  /** The names of nodes, here and below. */
  coordinator: string | null
  /** Those that vote: all that there are. */
  members: string[]
  witnesses: string[]
  live: string[]
  readable: boolean
  lease: string
  /** What it is getting from another node; null if it lacks nothing. */
  sync: Progress | null
  logStart: number
  end: number
  committed: number
  applied: number
  connected: number
  peers: number
  pendingWrites: number
  queuedWrites: number
  /** What it waits for before it can be ready. */
  waitingFor: string | null
  lastError: string | null
}

export interface Progress {
  phase: 'log' | 'copy' | 'verify'
  /** Positions of the log, or bytes. */
  done: number
  /** 0 if it is not known. */
  total: number
}

export interface Digest {
  /** How much of the log is in the data. */
  position: number
  entries: number
  data: string
  /** Of the table of origins: who has written, and how much. */
  table: string
}

export interface LoadProgress {
  phase: 'checking' | 'writing'
  bytes: number
  totalBytes: number
}

export interface LoadResult {
  written: number
  seconds: number
  /** The first write that failed, in the order of the file. No more were begun after that. */
  failure: { line: number, error: Failure } | null
  /** How many writes failed, all of them under way at the same time as the first. */
  failed: number
}

/** An error, as far as it is worth telling. */
export interface Failure {
  message: string
  code?: string
  outcome?: string
  transaction?: string
}

/** Something that has happened on a node. The details are those of `replicator.trace()`, with names in the place of ids. */
export interface Traced {
  at: number
  event: string
  [detail: string]: unknown
}

/** What a node can be asked to do. */
export interface Calls {
  /** Opens the database and listens. A node that is cut off talks to no other. */
  open (options: NodeOptions, isCut: boolean): void
  /** Waits until the node can write. */
  ready (): void
  /** Cuts or mends its connections to all others. */
  cut (isCut: boolean): void
  put (key: string, value: string): void
  del (key: string): void
  batch (operations: Operation[]): void
  get (key: string): string | undefined
  /** The entries from the key `from` whose keys start with `prefix`. */
  scan (from: string, prefix: string, limit: number): Entry[]
  load (file: string): LoadResult
  stats (): Stats
  trace (): Traced[]
  digest (): Digest
  /** Leaves the cluster, which goes on without it. The replicator is closed then. */
  leave (): void
  /** Removes another one from the cluster. */
  remove (name: string, force: boolean): void
  /** Goes on with these alone, if they all do. */
  recover (names: string[]): void
  /** Closes the replicator and the database; the process ends by itself afterwards. */
  close (): void
}

export type Method = keyof Calls

export interface Request {
  id: number
  method: Method
  args: unknown[]
}

export type Message =
  | { type: 'result', id: number, result: unknown }
  | { type: 'failure', id: number, failure: Failure }
  | { type: 'progress', id: number, progress: LoadProgress }
  /** Something to tell, without having been asked. */
  | { type: 'event', text: string }
