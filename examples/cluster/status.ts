import type { Cluster } from './cluster.ts'
import type { NodeProcess } from './node-process.ts'
import { formatTable, type Cell } from './table.ts'

const head = [
  'node', 'process', 'state', 'coordinator', 'epoch', 'end', 'committed', 'applied', 'peers', 'pending', 'queued', 'waiting for', 'last error'
]

/** One row for each node, as it sees itself. */
export async function describeStatus (cluster: Cluster): Promise<string> {
  // The errors at the end may be long: a terminal gets what fits, a pipe everything.
  return formatTable(head, await Promise.all(cluster.nodes.map(describeNode)), process.stdout.columns || Infinity)
}

async function describeNode (node: NodeProcess): Promise<Cell[]> {
  if (!node.isUp) return [node.name, 'down', ...head.slice(2).map(() => null)]

  const stats = await node.call('stats', [])
  return [
    node.name,
    `pid ${node.pid ?? '?'}`,
    stats.status,
    stats.coordinator,
    stats.epoch,
    stats.end,
    stats.committed,
    stats.applied,
    `${stats.connected} of ${stats.peers}`,
    stats.pendingWrites,
    stats.queuedWrites,
    stats.waitingFor,
    stats.lastError
  ]
}
