import type { Cluster } from './cluster.ts'
import type { ClusterNode } from './cluster-node.ts'

/**
 * What can happen to a node. `'kill'`: its process ends. `'stop'`: it stands still. `'cut'`: its connections break, and no new ones
 * can be made. `'silence'`: nothing gets through, and nobody is told; later it does.
 */
export type Fault = 'kill' | 'stop' | 'cut' | 'silence'

/** Lets it happen to all of these at once. Those that are cut off are so together. Resolves with what ends it. */
export async function inflict (cluster: Cluster, fault: Fault, victims: readonly ClusterNode[]): Promise<() => Promise<void>> {
  const names = victims.map(({ name }) => name)
  const others = cluster.nodes.filter((node) => !victims.includes(node)).map(({ name }) => name)
  const heal = async (): Promise<void> => { cluster.heal() }

  switch (fault) {
    case 'kill':
      await Promise.all(victims.map((node) => node.kill()))
      return async () => { await Promise.all(victims.map((node) => node.start())) }
    case 'stop':
      for (const node of victims) node.stop()
      return async () => { for (const node of victims) node.cont() }
    case 'cut':
      cluster.partition(others, names)
      return heal
    case 'silence':
      cluster.silence(others, names)
      return heal
  }
}
