import { Random } from '../../lib/sim/random.ts'

/** Everything about a run that is not chance: drawn from a seed, kept in a file when the run failed, and shrunk. */
export interface SimSettings {
  seed: number
  nodes: number
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
  /** Node a begins with data of its own. */
  foundingData: boolean
  /** The limit on queued writes. */
  queueMax?: number
  /** How much more often than now and then each kind of fault happens; 0: never. */
  faults: Record<FaultKind, number>
}

export const faultKinds = [
  'kill', 'killAll', 'powerCut', 'powerCutAll', 'pause', 'isolate', 'oneWay', 'reset', 'slow', 'diskFull', 'failedWrite', 'failedRead', 'close'
] as const
export type FaultKind = typeof faultKinds[number]

/** Each seed draws which faults and sizes are on, and how hard: extremes find more than averages. */
export function drawSettings (seed: number): SimSettings {
  const random = new Random(seed ^ 0x5eed)
  const faults = Object.fromEntries(faultKinds.map(kind => [kind, random.chance(0.35) ? random.pick([0.3, 1, 4]) : 0])) as Record<FaultKind, number>
  const durability = random.chance(0.9) ? 'disk' : 'memory'
  // What no copy in memory survives, nobody promises.
  if (durability === 'memory') faults.powerCutAll = 0

  return {
    seed,
    nodes: random.pick([1, 2, 2, 3, 3, 3, 3, 5]),
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
    driftMax: random.pick([0, 0, 0.01, 0.2]),
    durability,
    foundingData: random.chance(0.1),
    faults,
    queueMax: random.pick([2, 100_000, 100_000])
  }
}
