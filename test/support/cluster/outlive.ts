import type { Test } from 'tape'
import type { Cluster } from './cluster.ts'
import type { ClusterNode } from './cluster-node.ts'
import { inflict } from './faults.ts'
import type { Fault } from './faults.ts'
import type { Load } from './load.ts'

let last = 0

/**
 * One fault that the others must outlive: writes on each of them that are called after it commit, which shows that they have
 * gone on without the victims; and then these come back.
 */
export async function outlive (t: Test, cluster: Cluster, load: Load, fault: Fault, victims: readonly ClusterNode[]): Promise<void> {
  const names = victims.map(({ name }) => name)
  const survivors = cluster.replicas.filter((node) => !victims.includes(node))
  const repair = await inflict(cluster, fault, victims)
  await Promise.all(survivors.map(async (node) => {
    const value = `survivor-${++last}`
    await load.perform(node, value, { kind: 'put', key: `${node.name}-after`, value })
  }))
  await load.operations(20)

  await repair()
  await cluster.whenLive(names.filter((name) => cluster.replicas.includes(cluster.node(name))), survivors[0] as ClusterNode)
  await Promise.all(victims.map((node) => node.call('ready')))
  t.pass(`${fault}: ${names.join(' and ')}, and back`)
}
