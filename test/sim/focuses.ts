import type { ChangeKind, ChangeSettings, Focus } from './settings.ts'
import { changeKinds, SMALL_LOG } from './settings.ts'

/** Three nodes that lose sight of one another, and restart, within a lease. */
export const withinALease: Focus = {
  nodes: 3,
  minConsensus: [1, 1, 1],
  durability: 'disk',
  brief: false,
  foundingData: false,
  queueMax: 100_000,
  leftOut: 0,
  driftMax: 0,
  clientsPerNode: 3,
  operations: 2000,
  keys: 1,
  valueBytesMax: 10,
  thinkMs: 10,
  writeTimeoutMs: 300,
  delayMaxMs: 0.5,
  bandwidth: 100_000,
  syncMs: 0.1,
  failureTimeoutMs: 300,
  faults: { kill: 4, cutLink: 1 }
}

/** Three nodes of which one is cut off while the others restart, all within a lease. */
export const afterRestarts: Focus = { ...withinALease, brief: true, failureTimeoutMs: 60, keys: 4, clientsPerNode: 8, thinkMs: 30, faults: { isolate: 1, kill: 6 } }

/** Two of three go on, or one alone, while the others come and go. */
export const leftBehind: Focus = { ...withinALease, minConsensus: [0, 0, 0], brief: true, clientsPerNode: 2, operations: 400, failureTimeoutMs: 170, delayMaxMs: 20, syncMs: 10, faults: { powerCut: 10, pause: 1, isolate: 1 } }

/** A store that is flushed again and again, and loses power. */
export const flushing: Focus = { ...withinALease, logBytesMax: SMALL_LOG, valueBytesMax: 5000, operations: 400, keys: 30, writeTimeoutMs: 2000, syncMs: 10, faults: { powerCut: 4, powerCutAll: 1 } }

const noRates = Object.fromEntries(changeKinds.map(kind => [kind, 0])) as Record<ChangeKind, number>

/** Members come and go all the time, while nodes die and lose sight of one another for a moment. */
const changing: Focus = {
  nodes: 3,
  durability: 'disk',
  brief: true,
  foundingData: false,
  queueMax: 100_000,
  leftOut: 0,
  driftMax: 0,
  clientsPerNode: 1,
  operations: 600,
  keys: 2,
  valueBytesMax: 10,
  thinkMs: 100,
  writeTimeoutMs: 2000,
  delayMaxMs: 10,
  bandwidth: 100_000,
  syncMs: 5,
  failureTimeoutMs: 100,
  logBytesMax: 2 ** 28,
  faults: { split: 10, kill: 0.3 },
  changes: { minConsensus: 0, machinesMax: 5, witness: false, wrongPeers: 'nothing', recover: false, rates: { ...noRates, join: 1, joinSeveral: 2, leave: 2, remove: 1 } }
}

export function changingWith (changes: Partial<ChangeSettings>, rates: Partial<Record<ChangeKind, number>>, only: Focus = {}): Focus {
  return { ...changing, ...only, changes: { ...changing.changes as ChangeSettings, ...changes, rates: { ...noRates, ...rates } } }
}
