import { Random } from '../../lib/sim/random.ts'

/** Everything about a run that is not chance: drawn from a seed, kept in a file when the run failed, and shrunk. */
export interface SimSettings {
  seed: number
  nodes: number
  /** Of each node: how many peers must hold what is written there. */
  minConsensus: number[]
  clientsPerNode: number
  /** How many operations the clients do altogether, before the faults end. */
  operations: number
  keys: number
  /** The most bytes of a value. */
  valueBytesMax: number
  /** The most milliseconds that a client waits between two operations. */
  thinkMs: number
  writeTimeoutMs: number
  failureTimeoutMs: number
  delayMaxMs: number
  bandwidth: number
  syncMs: number
  driftMax: number
  durability: 'disk' | 'memory'
  /** Where the log is. */
  log: 'store' | 'files'
  /** How likely it is, whenever a process has ended, that the log is to be at the other place from then on. */
  logMoves: number
  /** How many bytes of the log are kept for members that are away. */
  logBytesMax: number
  /** Node a begins with data of its own. */
  foundingData: boolean
  /** The limit on queued writes. */
  queueMax?: number
  /** After the faults, the others have to go on without so many nodes, before these come back. */
  leftOut: number
  /** What these are meanwhile. */
  leftOutHow: 'dead' | 'cut off'
  /** Faults last for about as long as it takes to go on without a member. */
  brief: boolean
  /** How much more often than now and then each kind of fault happens; 0: never. */
  faults: Record<FaultKind, number>
  /** How likely it is that the network is split when a disk has got a promise, or a view that is accepted. */
  ambush: number
  /** How likely it is that a write is called again under the same key, where it has failed, or at the same time. */
  repeats: number
  /** How likely it is that somebody asks, on any node, what became of a write that was rejected. */
  asks: number
  /** How the members change; null: not at all. */
  changes: ChangeSettings | null
  /** Nodes that only follow; null: there are none. */
  observers: ObserverSettings | null
}

export interface ObserverSettings {
  count: number
  /** How many addresses of founders each knows: that of one, or those of all. */
  knows: 'one' | 'all'
  /** They bring data along, which are to be overwritten. */
  own: boolean
  /** How much more often than now and then one loses its disk, and begins anew; 0: never. */
  wipes: number
  /** The same for losing the way to some members, often to the coordinator, for long. */
  walls: number
  /** The same for having the disk put back to an old image. */
  images: number
  /** How many of them hold one part of the data only. */
  partial: number
}

export interface ChangeSettings {
  /** How many peers must hold what is written on any node; null: all other members, whoever they are at that moment. */
  minConsensus: number | null
  /** So many machines there are at most. */
  machinesMax: number
  /** The last of the founders is a witness. */
  witness: boolean
  /**
   * What is wrong with the peers of one founder: it knows nobody, not everybody, somebody who never answers, or one more, who is no founder. Or
   * the founders are two groups, which have one of them in common, and do not know each other.
   */
  wrongPeers: 'nothing' | 'nobody' | 'lacks one' | 'never answers' | 'one more' | 'two groups'
  /** In the end, when all is well, a majority is lost for good, and the rest is declared to be the cluster. */
  recover: boolean
  /** As `faults`. */
  rates: Record<ChangeKind, number>
}

export const faultKinds = [
  'kill', 'killAll', 'killCoordinator', 'powerCut', 'powerCutAll', 'tornTail', 'pause', 'suspend', 'clockJump', 'isolate', 'oneWay', 'cutLink', 'reset',
  'slow', 'diskFull', 'hangDisk', 'failedWrite', 'failedRead', 'close', 'split'
] as const
export type FaultKind = typeof faultKinds[number]

export const changeKinds = [
  /** One machine joins, or several at once, each knowing one address. */
  'join', 'joinSeveral', 'joinWitness',
  'leave', 'leaveCoordinator',
  /** Another node has a member removed that lives, or one that is gone for good. */
  'remove', 'removeDead',
  /** A member loses its disk, and comes back as a new node that replaces it. */
  'wipe',
  /** A disk is put back to an old image; a machine runs on a copy of another's disk; one that has left is started again. */
  'oldImage', 'clone', 'comeBack',
  /** From now on, most is written on another node. */
  'move'
] as const
export type ChangeKind = typeof changeKinds[number]

/** The least that the option may be set to. */
export const SMALL_LOG = 65_536
const LARGE_LOG = 256 * 2 ** 20
/** As large as it can be with the smallest segments: so it has many. */
const SEGMENTED_LOG = 2 ** 19
/** About the largest frame: a chunk of the log or of a copy. What is sent behind one arrives so much later. */
const FRAME_BYTES = 300_000

/** Each seed draws which faults and sizes are on, and how hard: extremes find more than averages. `mayChange`: the members may. */
export function drawSettings (seed: number, mayChange = true): SimSettings {
  const random = new Random(seed ^ 0x5eed)
  const faults = Object.fromEntries(faultKinds.map(kind => [kind, kind !== 'split' && random.chance(0.35) ? random.pick([0.3, 1, 4]) : 0])) as Record<FaultKind, number>
  const nodes = random.pick([1, 2, 3, 3, 3, 3, 5, 5, 5])
  const minConsensus = drawMinConsensus(random, nodes)
  const durability = random.chance(0.9) ? 'disk' : 'memory'
  // What no copy in memory survives, nobody promises.
  if (durability === 'memory') faults.powerCutAll = 0

  const settings: SimSettings = {
    seed,
    nodes,
    minConsensus,
    clientsPerNode: random.pick([1, 2, 3, 8]),
    operations: random.pick([30, 100, 100, 200, 400]),
    keys: random.pick([1, 2, 5, 30]),
    valueBytesMax: random.pick([10, 10, 100, 5000]),
    thinkMs: random.pick([0.1, 1, 10, 100]),
    writeTimeoutMs: random.pick([30, 300, 2000, 10_000]),
    failureTimeoutMs: random.pick([50, 500, 5000]),
    delayMaxMs: random.pick([0.5, 2, 20, 200]),
    bandwidth: random.pick([10, 1000, 100_000]),
    syncMs: random.pick([0.1, 1, 10, 100]),
    // The protocol holds for clocks that differ by at most 5 %.
    driftMax: random.pick([0, 0, 0.01, 0.02]),
    durability,
    log: 'store',
    logMoves: 0,
    logBytesMax: LARGE_LOG,
    foundingData: random.chance(0.1),
    faults,
    queueMax: random.pick([2, 100_000, 100_000]),
    leftOut: 0,
    leftOutHow: random.pick(['dead', 'cut off']),
    brief: false,
    ambush: 0,
    repeats: 0,
    asks: 0,
    changes: null,
    observers: null
  }
  if (excludes(settings)) drawExclusion(random, settings)
  if (excludes(settings) && random.chance(0.4)) drawViews(random, settings)
  if (mayChange && random.chance(1 / 3)) drawChanges(random, settings)
  if (settings.durability === 'disk') drawLog(new Random(seed ^ 0xf11e), settings)
  drawDoubts(new Random(seed ^ 0xd0b7), settings)
  drawObservers(new Random(seed ^ 0x0b57), settings)
  return settings
}

/** By chance of its own, too. */
function drawObservers (random: Random, settings: SimSettings): void {
  if (!random.chance(0.25)) return
  const drawn = { count: random.pick([1, 1, 2]), knows: random.pick(['one', 'all'] as const), own: random.chance(0.2), wipes: random.pick([0, 0.3, 1]) }
  const walls = random.pick([0, 0, 0.3, 1, 3])
  const partial = random.chance(0.3) ? random.pick([1, 2]) : 0
  settings.observers = { ...drawn, walls, partial: Math.min(partial, drawn.count), images: random.pick([0, 0, 0.3, 1]) }
}

/** Without the faults of their own that came later. */
export const plainObservers = { walls: 0, images: 0, partial: 0 }

function drawDoubts (random: Random, settings: SimSettings): void {
  if (random.chance(0.4)) settings.repeats = random.pick([0.1, 0.5, 1])
  if (random.chance(0.4)) settings.asks = random.pick([0.1, 0.5, 1])
}

/** By chance of its own: what else a seed draws stays as it is. */
function drawLog (random: Random, settings: SimSettings): void {
  settings.log = random.pick(['store', 'files'])
  if (settings.log === 'files' && settings.logBytesMax === LARGE_LOG && random.chance(0.5)) settings.logBytesMax = SEGMENTED_LOG
  if (random.chance(0.15)) settings.logMoves = random.pick([0.1, 0.5])
}

/** Some settings, and some faults: all others do not happen. */
export type Focus = Partial<Omit<SimSettings, 'faults'>> & { readonly faults?: Partial<Record<FaultKind, number>> }

/** The settings with some that are not left to chance. */
export function focus (drawn: SimSettings, { faults, ...only }: Focus): SimSettings {
  const none = Object.fromEntries(faultKinds.map(kind => [kind, 0])) as Record<FaultKind, number>
  return { ...drawn, ...only, faults: faults === undefined ? drawn.faults : { ...none, ...faults } }
}

/** As they were kept by an earlier version, they lack what came later. */
export function readSettings (text: string): SimSettings {
  const kept = JSON.parse(text) as Partial<SimSettings> & Pick<SimSettings, 'nodes' | 'faults'>
  const none = Object.fromEntries(faultKinds.map(kind => [kind, 0])) as Record<FaultKind, number>
  return {
    minConsensus: everybody(kept.nodes),
    log: 'store',
    logMoves: 0,
    logBytesMax: LARGE_LOG,
    leftOut: 0,
    leftOutHow: 'dead',
    brief: false,
    ambush: 0,
    repeats: 0,
    asks: 0,
    changes: null,
    ...kept,
    observers: kept.observers == null ? null : { ...plainObservers, ...kept.observers },
    faults: { ...none, ...kept.faults }
  } as SimSettings
}

/** What the node with this index is set to; also where a shrinker has dropped nodes. */
export function minConsensusOf ({ minConsensus, nodes }: SimSettings, index: number): number {
  return Math.min(minConsensus[index] ?? nodes - 1, nodes - 1)
}

/** Some node goes on without some others. */
export function excludes (settings: SimSettings): boolean {
  if (settings.changes !== null) return true
  return everybody(settings.nodes).some((all, i) => minConsensusOf(settings, i) < all)
}

/** Without more than so many nodes, the others could not all be ready. */
export function leftOutMax (settings: SimSettings): number {
  const { nodes } = settings
  const wanted = everybody(nodes).map((_, i) => minConsensusOf(settings, i) + 1)
  return nodes - Math.max(Math.floor(nodes / 2) + 1, ...wanted)
}

function drawMinConsensus (random: Random, nodes: number): number[] {
  if (nodes === 1 || random.chance(0.3)) return everybody(nodes)
  const different = random.chance(0.2)
  const common = random.below(nodes - 1)
  return everybody(nodes).map(() => different ? random.below(nodes) : common)
}

/** All others, of each node. */
function everybody (nodes: number): number[] {
  return Array.from({ length: nodes }, () => nodes - 1)
}

/**
 * Where nodes are excluded, they shall be often; but not by a network and disks that work as they should. The others need time
 * to go on without them.
 */
function drawExclusion (random: Random, settings: SimSettings): void {
  settings.clientsPerNode = random.pick([1, 2, 3])
  settings.thinkMs = random.pick([10, 100, 1000, 1000])
  settings.bandwidth = random.pick([1000, 100_000, 100_000])
  if (random.chance(0.5)) {
    settings.delayMaxMs = random.pick([0.5, 2])
    settings.syncMs = random.pick([0.1, 1])
  }
  if (random.chance(0.4)) {
    settings.logBytesMax = SMALL_LOG
    settings.operations = random.pick([200, 400])
    settings.valueBytesMax = random.pick([5000, 20_000, 50_000])
  }
  const least = Math.max(50, 4 * (settings.delayMaxMs + settings.syncMs + FRAME_BYTES / settings.bandwidth))
  settings.failureTimeoutMs = Math.round(least * random.pick([1, 1, 2, 5]))
  const most = leftOutMax(settings)
  if (most > 0 && random.chance(0.25)) settings.leftOut = 1 + random.below(most)
}

/** Views that change all the time, under clients that never rest: so that changes meet one another. */
function drawViews (random: Random, settings: SimSettings): void {
  const kinds = ['kill', 'killCoordinator', 'powerCut', 'pause', 'isolate', 'oneWay', 'cutLink', 'reset'] as const
  const faults = Object.fromEntries(faultKinds.map(kind => [kind, 0])) as Record<FaultKind, number>
  for (const kind of kinds) if (random.chance(0.5)) faults[kind] = random.pick([1, 4, 10])
  Object.assign(settings, {
    brief: true,
    faults,
    operations: 400,
    clientsPerNode: random.pick([1, 2, 3]),
    keys: random.pick([1, 2]),
    valueBytesMax: 10,
    thinkMs: random.pick([1, 10, 100]),
    writeTimeoutMs: random.pick([300, 2000]),
    delayMaxMs: random.pick([0.5, 2, 20]),
    bandwidth: 100_000,
    syncMs: random.pick([0.1, 1, 10]),
    logBytesMax: LARGE_LOG,
    foundingData: false,
    queueMax: 100_000,
    leftOut: 0
  })
  settings.failureTimeoutMs = Math.round(4 * (settings.delayMaxMs + settings.syncMs) + random.pick([50, 200, 500]))
}

/** Members that come and go, under faults of which each alone is rare, or under none. */
function drawChanges (random: Random, settings: SimSettings): void {
  const changes = Object.fromEntries(changeKinds.map(kind => [kind, random.chance(0.3) ? random.pick([0.3, 0.3, 1]) : 0])) as Record<ChangeKind, number>
  const calm = random.chance(0.3)
  const faults = Object.fromEntries(faultKinds.map(kind => [kind, !calm && random.chance(0.25) ? random.pick([0.3, 1]) : 0])) as Record<FaultKind, number>
  // A disk that is put back is not torn; what of it is lost, nobody can tell.
  faults.tornTail = 0
  const witness = settings.nodes > 2 && random.chance(0.3)
  const data = settings.nodes - Number(witness)
  const minConsensus = random.chance(0.3) ? null : random.below(Math.max(1, data - 1))
  Object.assign(settings, {
    brief: random.chance(0.5),
    faults,
    durability: 'disk',
    operations: changes.move > 0 ? 1500 : 400,
    clientsPerNode: random.pick([1, 2]),
    keys: random.pick([2, 5, 30]),
    valueBytesMax: 10,
    thinkMs: changes.move > 0 ? 100 : random.pick([100, 1000, 3000]),
    writeTimeoutMs: random.pick([300, 2000, 5000]),
    delayMaxMs: random.pick([0.5, 2, 20]),
    bandwidth: 100_000,
    syncMs: random.pick([0.1, 1, 10]),
    driftMax: random.pick([0, 0.02]),
    logBytesMax: LARGE_LOG,
    foundingData: random.chance(0.1),
    queueMax: 100_000,
    leftOut: random.below(2),
    changes: {
      minConsensus,
      machinesMax: random.pick([4, 5, 7]),
      witness,
      wrongPeers: settings.nodes > 1 && random.chance(0.3) ? random.pick(['nobody', 'lacks one', 'never answers', 'one more']) : 'nothing',
      recover: random.chance(0.2),
      rates: changes
    }
  })
  // Whoever is left out by its peers' mistake has to give its data up.
  if (settings.changes?.wrongPeers !== 'nothing') settings.foundingData = false
  if (random.chance(0.3)) Object.assign(settings, { logBytesMax: SMALL_LOG, valueBytesMax: 10_000 })
  if (!calm && random.chance(0.3)) settings.faults.split = random.pick([0.3, 1, 4])
  if (!calm && random.chance(0.5)) settings.ambush = random.pick([0.02, 0.1, 0.3])
  if (settings.nodes === 5 && !witness && random.chance(0.2)) {
    Object.assign(settings.changes as ChangeSettings, { wrongPeers: 'two groups', minConsensus: 1 })
    settings.foundingData = false
  }
  const least = Math.max(50, 4 * (settings.delayMaxMs + settings.syncMs + FRAME_BYTES / settings.bandwidth))
  settings.failureTimeoutMs = Math.round(least * random.pick([1, 2, 5]))
}
