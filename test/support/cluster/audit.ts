import type { Test } from 'tape'
import type { ReplicaDigest } from '../../../index.ts'
import { checkDurability } from '../check/durability.ts'
import type { LogEntry } from '../check/history.ts'
import { checkLinearizability } from '../check/linearizability.ts'
import { checkReplicas } from '../check/replicas.ts'
import { checkSerializability } from '../check/serializability.ts'
import { assertVerdict } from './assert-verdict.ts'
import { BULK, missingOf } from './bulk.ts'
import type { Bulk } from './bulk.ts'
import type { Cluster } from './cluster.ts'
import { RemoteError } from './cluster-node.ts'
import { EVERYTHING } from './load.ts'
import type { Load } from './load.ts'
import { readDisk } from './read-disk.ts'
import { readLogBase, readLogEntries, readLogRecords, readState } from './read-log.ts'

export interface AuditOptions {
  /** What was acknowledged beside the history. */
  bulks?: readonly Bulk[]
}

/**
 * The end of every test under load: all nodes are up and ready, and the load has stopped. Brings the nodes to rest, closes
 * them, and holds what is on their disks against all that the clients were told.
 */
export async function audit (t: Test, cluster: Cluster, load: Load, { bulks = [] }: AuditOptions = {}): Promise<void> {
  await settle(cluster, load)

  const digests = await digestsAtRest(cluster)
  for (const digest of digests) t.deepEqual(digest, digests[0], `digests are equal at position ${digest.position}`)

  for (const node of cluster.nodes) {
    const { code, signal } = await node.close()
    t.equal(code, 0, `${node.name} ends by itself (${signal ?? code})`)
  }

  const disks = await Promise.all(cluster.replicas.map((node) => readDisk(node.config.location)))
  assertVerdict(t, checkReplicas(cluster.replicas.map((node, i) => ({
    name: node.name,
    entries: disks[i]!.data,
    log: readLogRecords(disks[i]!)
  }))), 'all replicas are byte-identical')

  const everything = readState(disks[0]!)
  if (bulks.length > 0) t.deepEqual(missingOf(bulks, everything).slice(0, 5), [], `every entry in bulk is there, of ${everything.size}`)
  const state = new Map([...everything].filter(([key]) => !key.startsWith(BULK)))

  // A node that got a copy has only the end of the log. Where all have, the data must tell.
  const complete = disks.find((disk) => readLogBase(disk) === 0)
  const log = complete === undefined ? {} : { log: withoutBulk(readLogEntries(complete)) }
  t.comment(summary(load, log.log?.length))
  assertVerdict(t, checkDurability(load.history, { ...log, state }), 'every acknowledged write is there once, no rejected one is')
  assertVerdict(t, checkLinearizability(load.history), 'the history of each key is linearizable')
  assertVerdict(t, checkSerializability(load.history, log), 'reads of several keys are strictly serializable')
}

/**
 * A write through every node, the last one of its node: when it resolves, everything that the node was ever asked is decided.
 * A read of everything on every node waits until all of that is applied there.
 */
async function settle (cluster: Cluster, load: Load): Promise<void> {
  for (const node of cluster.replicas) {
    const key = `last-${node.name}`
    await inTime((attempt) => load.perform(node, key, { kind: 'put', key, value: `done ${attempt}` }))
  }
  for (const node of cluster.replicas) {
    await inTime(() => load.perform(node, `last-${node.name}`, { kind: 'range', range: EVERYTHING }))
  }
}

/** Again and again: tests choose time-outs that are short for a busy machine. */
async function inTime (operation: (attempt: number) => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await operation(attempt)
      return
    } catch (error) {
      if (!(error instanceof RemoteError && error.code === 'LEVEL_TIMEOUT')) throw error
    }
  }
}

/** Nobody writes any more, but a view may still change: that has a position of its own. */
async function digestsAtRest (cluster: Cluster): Promise<ReplicaDigest[]> {
  for (;;) {
    const digests = await Promise.all(cluster.replicas.map((node) => node.call('digest')))
    if (digests.every(({ position }) => position === digests[0]?.position)) return digests
  }
}

function withoutBulk (log: readonly LogEntry[]): LogEntry[] {
  return log.filter(({ changes }) => changes.every(({ key }) => !key.startsWith(BULK)))
}

function summary (load: Load, entries: number | undefined): string {
  const count = (outcome: string): number => load.history.filter((operation) => operation.outcome === outcome).length
  const log = entries === undefined ? 'all logs are truncated' : `${entries} writes in the log`
  return `${load.history.length} operations: ${count('ok')} ok, ${count('aborted')} aborted, ${count('unknown')} unknown; ${log}`
}
