/** One node of a cluster: what an application would do, and the load that it would have. */
import { Replicator } from '../../../index.ts'
import type { ReplicaDigest, ReplicatorOptions, ReplicatorStats, SyncProgress } from '../../../index.ts'
import { freshKey, numberedKey, valueOf } from './entries.ts'
import { footprintMethods } from './footprint.ts'
import type { FootprintMethods } from './footprint.ts'
import { GroupCommit } from './group-commit.ts'
import { levelWriter, openLevel, putOf } from './level.ts'
import type { Level } from './level.ts'
import { fill, Load } from './load.ts'
import type { Fill, LoadMethods, LoadSpec } from './load.ts'
import { timeReads } from './reads.ts'
import type { ReadSpec } from './reads.ts'
import { Scans } from './scans.ts'
import { serve } from './serve.ts'

export interface NodeConfig {
  location: string
  host: string
  port: number
  replicator: ReplicatorOptions
  /** Memory is watched from the start. */
  watchMemory?: boolean
}

export interface CatchUp {
  /** In the order in which they came. */
  phases: Array<SyncProgress['phase']>
  /** From the start of the replicator until it was ready. */
  totalMs: number
  /** Of that, from the first thing that it got from another. */
  syncMs: number
}

export interface NodeMethods extends LoadMethods, FootprintMethods {
  ready (): Promise<void>
  stats (): Pick<ReplicatorStats, 'isCoordinator' | 'end' | 'committed' | 'pendingWrites'>
  digest (): Promise<ReplicaDigest>
  fill (spec: Fill): Promise<void>
  /** One put after the other. */
  put (count: number, valueBytes: number): Promise<void>
  /** Calls so many puts at once, and does not wait. */
  begin (count: number, valueBytes: number): void
  /** Resolves when all of these are acknowledged. */
  settle (): Promise<void>
  /** Resolves when the node is ready: how it got there. */
  caughtUp (): Promise<CatchUp>
  startScans (): void
  stopScans (): Promise<void>
  /** Fills an unwrapped store in this process, beside the wrapped one, with the same. */
  openBare (location: string, spec: Fill): Promise<void>
  /** Both stores get tables that depend on nothing but what is in them. */
  compact (): Promise<void>
  timeReads (which: 'bare' | 'wrapped', spec: ReadSpec): Promise<number>
  startBareLoad (spec: LoadSpec): void
  stopBareLoad (): Promise<number>
}

const config = JSON.parse(process.argv[2] as string) as NodeConfig
const footprint = footprintMethods()
const db = await openLevel(config.location)
if (config.watchMemory === true) footprint.watchMemory()

const begun = performance.now()
const replicator = Replicator(db, config.replicator)
const writer = levelWriter(db)
const load = new Load(writer)
const scans = new Scans(db)
const phases: CatchUp['phases'] = []
let syncBegun = Infinity
replicator.on('sync', ({ phase }) => {
  syncBegun = Math.min(syncBegun, performance.now())
  if (!phases.includes(phase)) phases.push(phase)
})

let pending: Array<Promise<void>> = []
let bare: { db: Level, load: Load } | null = null

function bareStore (): { db: Level, load: Load } {
  if (bare === null) throw new Error('there is no bare store')
  return bare
}

const methods: NodeMethods = {
  ...load.methods,
  ...footprint,
  ready: () => replicator.ready(),
  stats () {
    const { isCoordinator, end, committed, pendingWrites } = replicator.stats()
    return { isCoordinator, end, committed, pendingWrites }
  },
  digest: () => replicator.digest(),
  fill: (spec) => fill(writer, spec),
  async put (count, valueBytes) {
    for (let i = 0; i < count; i++) await db.put(freshKey(), valueOf(valueBytes))
  },
  begin (count, valueBytes) {
    pending = Array.from({ length: count }, () => db.put(freshKey(), valueOf(valueBytes)))
  },
  async settle () {
    await Promise.all(pending)
    pending = []
  },
  async caughtUp () {
    await replicator.ready()
    const now = performance.now()
    return { phases, totalMs: now - begun, syncMs: now - syncBegun }
  },
  startScans () { scans.start() },
  stopScans: () => scans.stop(),
  async openBare (location, spec) {
    const store = await openLevel(location)
    await fill(levelWriter(store), spec)
    const commits = new GroupCommit((group) => store.batch(group.map(putOf), { sync: true }))
    bare = { db: store, load: new Load(commits) }
  },
  async compact () {
    await Promise.all([db, bareStore().db].map((store) => store.compactRange(numberedKey(0), numberedKey(1e12))))
  },
  timeReads: (which, spec) => timeReads(which === 'bare' ? bareStore().db : db, spec),
  startBareLoad (spec) { bareStore().load.start(spec) },
  stopBareLoad: () => bareStore().load.stop()
}

await replicator.listen({ host: config.host, port: config.port })
serve({ ...methods })
