/**
 * What quorum-level is meant to reach, with three nodes on one small machine. Machines differ, so ratios to what was measured in the same run
 * count most.
 */
import { failureTimeoutMs } from '../parameters.ts'
import type { Compute, Find } from './figures.ts'

export interface Target {
  name: string
  unit: string
  digits: number
  /** From the figures of one run. */
  compute: Compute
  atLeast?: number
  atMost?: number
}

export type Verdict = 'met' | 'missed' | 'not measured'

export function judge ({ atLeast = -Infinity, atMost = Infinity }: Pick<Target, 'atLeast' | 'atMost'>, median: number | null): Verdict {
  if (median === null) return 'not measured'
  return median >= atLeast && median <= atMost ? 'met' : 'missed'
}

/** The longest that a node that is silent may go on answering reads. */
const leaseMs = 600
const kilobyte = 1024

/** Writes/s of level-2pc, which syncs nothing, on the machine of the design (two cores). It was not measured in this run. */
const level2pc: Record<number, number> = { 1: 3063, 16: 10_810, 64: 14_660, 256: 17_462 }

const put = (find: Find, row: string, key: string): number => find('puts', row, key)
const perSecond = (find: Find, row: string): number => put(find, row, 'perSecond')
const roundTripMs = (find: Find): number => find('machine', 'round trip', 'p50Ms')
const groupCommit = (find: Find, c: number): number => find('limits', `store, group commit, three, c=${c}`, 'perSecond')

function ratio (name: string, compute: Compute, bound: Pick<Target, 'atLeast' | 'atMost'>): Target {
  return { name, unit: 'x', digits: 2, compute, ...bound }
}

const absolute: Target[] = [
  { name: 'put, c=1, on the coordinator', unit: 'ms', digits: 2, atMost: 0.45, compute: (find) => put(find, 'disk, coordinator, c=1', 'p50Ms') },
  { name: 'put, c=1, on another node', unit: 'ms', digits: 2, atMost: 0.55, compute: (find) => put(find, 'disk, participant, c=1', 'p50Ms') },
  ...[[16, 14_000], [64, 30_000], [256, 45_000]].map(([c, atLeast]): Target => ({
    name: `put, c=${c}, one writer`, unit: '/s', digits: 0, atLeast: atLeast!, compute: (find) => perSecond(find, `disk, coordinator, c=${c}`)
  })),
  ...[[64, 40_000], [256, 50_000]].map(([c, atLeast]): Target => ({
    name: `put, c=${c} on each of three`, unit: '/s', digits: 0, atLeast: atLeast!, compute: (find) => perSecond(find, `disk, all three, c=${c}`)
  })),
  { name: 'batch of 100, c=16', unit: '/s', digits: 0, atLeast: 1000, compute: (find) => perSecond(find, 'disk, coordinator, batches of 100, c=16') }
]

const replication: Target[] = [
  ratio('put, c=1, on the coordinator / (round trip + fdatasync of three)', (find) =>
    put(find, 'disk, coordinator, c=1', 'p50Ms') / (roundTripMs(find) + find('machine', 'fdatasync, three processes', 'p50Ms')), { atMost: 1.5 }),
  ratio('put, c=1, what another node takes more / round trip', (find) =>
    (put(find, 'disk, participant, c=1', 'p50Ms') - put(find, 'disk, coordinator, c=1', 'p50Ms')) / roundTripMs(find), { atMost: 1 }),
  ...[16, 64, 256].map((c) => ratio(`put, c=${c}, one writer / group commit of three`, (find) => perSecond(find, `disk, coordinator, c=${c}`) / groupCommit(find, c), { atLeast: 0.5 })),
  ...[64, 256].map((c) => ratio(`put, c=${c}, three writers / one`, (find) => perSecond(find, `disk, all three, c=${c}`) / perSecond(find, `disk, coordinator, c=${c}`), { atLeast: 1.1 })),
  ratio('put, c=64, p99 / p50', (find) => put(find, 'disk, coordinator, c=64', 'p99Ms') / put(find, 'disk, coordinator, c=64', 'p50Ms'), { atMost: 4 }),
  ...[1, 16, 64, 256].map((c) => ratio(`put, c=${c}, durability 'memory' / level-2pc on another day`, (find) =>
    perSecond(find, `memory, coordinator, c=${c}`) / level2pc[c]!, { atLeast: c === 1 ? 1 : 2 })),
  ...[[1, 2], [64, 4], [256, 4]].map(([c, atLeast]) => ratio(`put, c=${c}, one writer / etcd`, (find) =>
    perSecond(find, `disk, coordinator, c=${c}`) / find('etcd', `c=${c}`, 'perSecond'), { atLeast: atLeast! })),
  ratio('put, c=64, five nodes / three', (find) => perSecond(find, 'disk, coordinator of five, c=64') / perSecond(find, 'disk, coordinator, c=64'), { atLeast: 0.55 })
]

const reading: Target[] = [
  ...([['get, c=1, quiet', 1.1], ['getMany of 10, c=1, quiet', 1.1], ['getSync, quiet', 1.15], ['get, c=1, under load', 1.3]] as const).map(([row, atMost]) =>
    ratio(`${row}: wrapped / bare`, (find) => find('reads', row, 'ratio'), { atMost }))
]

const idleMore = (key: string): Compute => (find) => Math.max(
  ...['coordinator', 'participant'].map((role) => find('memory', `idle: ${role}`, key))
) - find('memory', 'idle: bare store', key)

const footprint: Target[] = [
  ...['coordinator', 'participant'].map((role): Target => ({
    name: `memory per pending write, ${role}`, unit: 'bytes', digits: 0, atMost: 2 * kilobyte, compute: (find) => find('memory', `writes of the ${role}, there`, 'bytesPerWrite')
  })),
  { name: 'idle replicator, RSS over the bare store', unit: 'MB', digits: 1, atMost: 8, compute: idleMore('rssMegabytes') },
  { name: 'idle replicator, processor over the bare store', unit: '%', digits: 2, atMost: 0.5, compute: idleMore('cpuPercent') }
]

const changing: Target[] = [
  ...['by log', 'by copy'].flatMap((way): Target[] => [
    ratio(`catch-up ${way} / copied locally`, (find) =>
      find('catch-up', way, 'megabytesPerSecond') / find('catch-up', 'limit: copied locally', 'megabytesPerSecond'), { atLeast: 0.6 }),
    {
      name: `catch-up ${way}, extra memory`,
      unit: 'MB',
      digits: 0,
      atMost: 64,
      compute: (find) => Math.max(find('catch-up', way, 'receiverMegabytes'), find('catch-up', way, 'sourceMegabytes'))
    }
  ]),
  ...['return of a participant', 'return of the coordinator', 'a fourth joins'].map((row): Target => ({
    name: `writes pause: ${row}`, unit: 'ms', digits: 0, atMost: 100, compute: (find) => find('views', row, 'pauseMs')
  })),
  ...['death of a participant', 'death of the coordinator'].map((row): Target => ({
    name: `writes pause: ${row}`, unit: 'ms', digits: 0, atMost: failureTimeoutMs + leaseMs + 200, compute: (find) => find('views', row, 'pauseMs')
  }))
]

export const targets: readonly Target[] = [...absolute, ...replication, ...reading, ...footprint, ...changing]
