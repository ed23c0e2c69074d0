import type { Cluster } from './cluster.ts'
import type { Progress } from './messages.ts'
import type { NodeProcess } from './node-process.ts'
import { formatTable, type Cell } from './table.ts'

const head = [
  'node', 'process', 'network', 'state', 'epoch', 'coordinator', 'members', 'witnesses', 'live', 'reads', 'lease', 'applied', 'committed', 'end', 'log from',
  'catch-up', 'peers', 'pending', 'queued', 'waiting for', 'last error'
]

/** One row for each node, as it sees itself. */
export async function describeStatus (cluster: Cluster): Promise<string> {
  const rows = await Promise.all(cluster.nodes.map(async (node) => await describeNode(node)))
  // The errors at the end may be long: a terminal gets what fits, a pipe everything.
  return formatTable(head, rows, process.stdout.columns || Infinity)
}

async function describeNode (node: NodeProcess): Promise<Cell[]> {
  const network = node.isCut ? 'cut off' : null
  if (!node.isUp || node.isPaused) return [node.name, node.isUp ? 'paused' : 'down', network, ...head.slice(3).map(() => null)]

  const stats = await node.call('stats', [])
  return [
    node.name,
    `pid ${node.pid ?? '?'}`,
    network ?? 'connected',
    stats.status,
    stats.epoch,
    stats.coordinator,
    stats.members.join(' ') || null,
    stats.witnesses.join(' ') || null,
    stats.live.join(' ') || null,
    stats.readable ? 'yes' : 'no',
    stats.lease,
    stats.applied,
    stats.committed,
    stats.end,
    stats.logStart,
    stats.sync === null ? null : describeProgress(stats.sync),
    `${stats.connected} of ${stats.peers}`,
    stats.pendingWrites,
    stats.queuedWrites,
    stats.waitingFor,
    stats.lastError
  ]
}

function describeProgress ({ phase, done, total }: Progress): string {
  return `${phase} ${done}${total === 0 ? '' : ` of ${total}`}`
}
