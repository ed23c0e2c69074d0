import { CoreCluster } from './core-cluster.ts'
import { Random } from '../../lib/sim/random.ts'

/**
 * A cluster of cores in which everything that can happen next happens in a random order, with writes from all nodes,
 * crashes, lost sessions and time-outs; then everything is mended and must come to rest. Returns what is wrong then.
 */
export function coreChaos (seed: number, steps = 600): { differences: string[], cluster: CoreCluster } {
  const random = new Random(seed)
  const names = 'abcde'.slice(0, random.pick([1, 2, 3, 3, 3, 5]))
  const cluster = new CoreCluster(names, {
    minConsensus: random.chance(0.3) ? names.length - 1 : random.below(names.length),
    failureTimeoutMs: random.pick([100, 1000]),
    logBytesMax: random.pick([500, 5000, 1e9]),
    originsMax: random.pick([names.length + 1, 16]),
    windowWrites: random.pick([1, 3, 100]),
    groupBytesMax: random.pick([1, 100, 1000])
  }).startAll()
  const crashes = random.pick([0, 0.005, 0.02])
  const cuts = random.pick([0, 0.01, 0.05])
  const timeouts = random.pick([0, 0.02, 0.2])
  let writes = 0

  for (let i = 0; i < steps; i++) {
    const node = random.pick(cluster.nodes)
    if (random.chance(0.1)) {
      if (node.core !== null) cluster.write(node.name, random.pick(['x', 'y', 'z']), `v${++writes}`, random.pick([5, 50, 1e6]))
    } else if (random.chance(crashes)) {
      if (node.core !== null) cluster.crash(node.name, random.below(4))
    } else if (random.chance(crashes * 3)) {
      if (node.core === null) cluster.start(node.name)
    } else if (random.chance(cuts)) {
      const other = random.pick(cluster.nodes)
      if (other !== node) cluster.disconnect(node.name, other.name)
    } else if (random.chance(cuts * 3)) {
      const other = random.pick(cluster.nodes)
      if (other !== node) cluster.connect(node.name, other.name)
    } else if (random.chance(timeouts)) {
      cluster.tick(random.pick([5, 20, 50, 50, 200]))
    } else {
      const possible = cluster.steps()
      if (possible.length > 0) random.pick(possible).run()
    }
  }

  cluster.startAll()
  for (const one of names) for (const two of names) if (one < two) cluster.connect(one, two)
  return { differences: cluster.settle(possible => random.pick(possible)), cluster }
}
