import type { ClusterOptions } from '../support/core-cluster.ts'
import { CoreCluster } from '../support/core-cluster.ts'

/** A ready cluster, led by a, that soon goes on without a dead member. */
export function ready (names: string, options: ClusterOptions): CoreCluster {
  const cluster = new CoreCluster(names, { failureTimeoutMs: 200, ...options }).startAll()
  const differences = cluster.settle()
  if (differences.length > 0 || cluster.coordinator?.name !== 'a') throw new Error(`no cluster: ${differences.join('; ')}`)
  return cluster
}

/** Labels of the steps that a run takes by itself. */
export function stepsOf (cluster: CoreCluster): string[] {
  const labels: string[] = []
  cluster.run(step => {
    labels.push(step.label)
    return false
  })
  return labels
}

export function runSteps (cluster: CoreCluster, count: number): void {
  let left = count
  cluster.run(() => left-- === 0)
}

export function without (names: string, victims: string): string {
  return [...names].filter(name => !victims.includes(name)).join('')
}

/** The survivors get on alone, and decide a further write on each. Returns what is wrong. */
export function goOn (cluster: CoreCluster, survivors: string, value: string): string[] {
  const differences = cluster.settleAmong(survivors)
  if (differences.length > 0) return differences
  const writes = [...survivors].map(name => cluster.write(name, 'y', `${value} ${name}`))
  return cluster.settleAmong(survivors)
    .concat(writes.filter(({ settlement }) => settlement?.outcome !== 'committed').map(write => `${write.value} is not committed without the dead`))
}

/** One dies, with so many of its persists landed; the others go on; it comes back. Returns what is wrong. */
export function survive (cluster: CoreCluster, victim: string, landed: number): string[] {
  cluster.crash(victim, landed)
  const names = cluster.nodes.map(({ name }) => name).join('')
  const differences = goOn(cluster, without(names, victim), 'later')
  if (differences.length > 0) return differences
  cluster.start(victim)
  return cluster.settle()
}
