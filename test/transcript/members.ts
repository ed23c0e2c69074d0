import { CoreCluster } from '../support/core-cluster.ts'
import type { CoreNode } from '../support/core-cluster.ts'

// What transcripts of clusters that change have in common.

/** The members of the newest view that a node has learned, in the order of their names. */
export function membersOf (cluster: CoreCluster, name: string): string {
  const known = cluster.node(name).core?.known
  return cluster.nodes.filter(({ id }) => known?.members.includes(id) === true).map(({ name }) => name).sort().join('')
}

/** Those of whom anything is expected. */
export function present (cluster: CoreCluster): CoreNode[] {
  return cluster.nodes.filter(({ gone }) => !gone)
}

export function founded (names: string, minConsensus: number | null, witnesses = ''): CoreCluster {
  const cluster = new CoreCluster(names, { minConsensus, witnesses }).startAll()
  if (cluster.settle().length > 0) throw new Error('it is not founded')
  cluster.write('a', 'x', 'before')
  if (cluster.settle().length > 0) throw new Error('it is not ready')
  return cluster
}

let rounds = 0

/** Everybody who is there can write, and has what the others have written. */
export function writesOfAll (cluster: CoreCluster): string[] {
  rounds++
  const writes = present(cluster).filter(({ witness }) => !witness).map(({ name }) => cluster.write(name, 'x', `round ${rounds} of ${name}`))
  return cluster.settle(undefined, present(cluster)).concat(writes.filter(({ settlement }) => settlement?.outcome !== 'committed').map(({ value }) => `${value} is not committed`))
}
