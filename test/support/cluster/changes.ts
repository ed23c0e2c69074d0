/** How tests change the members of a cluster of processes under load, step by step, as the README says. */
import type { Test } from 'tape'
import { ClassicLevel } from 'classic-level'
import type { ReplicatorOptions, ReplicatorStats } from '../../../index.ts'
import type { Cluster } from './cluster.ts'
import { RemoteError } from './cluster-node.ts'
import type { ClusterNode } from './cluster-node.ts'
import type { Load } from './load.ts'

/** Starts one more node, which knows nobody but the first of these, and gives it load when it is a member. */
export async function join (
  cluster: Cluster, load: Load | null, name: string, replicator: ReplicatorOptions, knows: readonly ClusterNode[] = cluster.nodes.slice(0, 1)
): Promise<ClusterNode> {
  const node = await cluster.add({ name, knows: knows.slice(0, 1), replicator })
  await node.start()
  await cluster.ready()
  load?.add(node)
  return node
}

/** Lets a node leave in order, without its clients noticing. */
export async function leave (t: Test, cluster: Cluster, load: Load, node: ClusterNode): Promise<void> {
  const coordinates = (await node.call('stats')).isCoordinator
  await load.retire(node)
  const { code } = await node.leave()
  await cluster.forget(node)
  t.equal(code, 0, `${node.name} leaves, ${coordinates ? 'the coordinator' : 'a participant'}`)
}

/** As for an upgrade: its clients stop, it is closed and started again, and has clients again when it is ready. */
export async function restart (cluster: Cluster, load: Load, node: ClusterNode): Promise<void> {
  await load.retire(node)
  await node.close()
  await node.start()
  await node.call('ready')
  load.add(node)
}

/** Resolves with the statistics when this node knows of so many members. */
export async function whenMembers (node: ClusterNode, count: number): Promise<ReplicatorStats> {
  return await node.whenStats(({ members }) => members.length === count)
}

/** The code with which this rejects; null if it does not. */
export async function codeOf (call: Promise<unknown>): Promise<string | null> {
  return await call.then(() => null, (error: unknown) => error instanceof RemoteError ? error.code ?? error.message : String(error))
}

/** Nothing failed but what was called on processes that were killed. */
export function assertNoneFailed (t: Test, load: Load): void {
  t.deepEqual(load.failures.filter((failure) => !failure.includes('NodeDiedError')).slice(0, 5), [], 'nothing has failed on nodes that were not killed')
}

/** Before there was a replicator. */
export async function writePlain (location: string, key: string, value: string): Promise<void> {
  const db = new ClassicLevel<string, string>(location)
  await db.put(key, value)
  await db.close()
}
