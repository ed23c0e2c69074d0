import { SimCluster } from '../../lib/sim/index.ts'
import type { MachineOptions } from '../../lib/sim/index.ts'
import { SUBLEVEL } from './parts.ts'
import type { ChangeSettings, SimSettings } from './settings.ts'
import { minConsensusOf } from './settings.ts'

/** The machines of a run, as they are at the beginning. */
export function clusterOf (settings: SimSettings): SimCluster {
  const { nodes, writeTimeoutMs, failureTimeoutMs, delayMaxMs, bandwidth, syncMs, driftMax, durability, log, logBytesMax, changes } = settings
  const names = [...'abcdefg'].slice(0, nodes)
  const cluster = new SimCluster({
    seed: settings.seed,
    names,
    replicator: {
      consistency: 'strong',
      writeTimeoutMs,
      readTimeoutMs: writeTimeoutMs,
      failureTimeoutMs,
      durability,
      log,
      logBytesMax,
      failAfter: 1000,
      queueMax: settings.queueMax
    },
    replicators: Object.fromEntries(names.map((name, i) => [name, changes === null ? { minConsensus: minConsensusOf(settings, i) } : founderOptions(changes, i === nodes - 1)])),
    peers: changes === null ? {} : founderPeers(settings, names, changes),
    network: { delayMinMs: 0.02, delayMaxMs, bandwidth },
    // Without syncs, it is assumed that a power cut leaves no hole.
    disk: { syncMs, fileChanges: durability === 'disk' ? 0.05 : 0 },
    driftMax
  })
  addObservers(cluster, settings)
  return cluster
}

/** The members do not know them. */
function addObservers (cluster: SimCluster, { seed, observers }: SimSettings): void {
  const founders = cluster.names
  for (let i = 0; i < (observers?.count ?? 0); i++) {
    const sublevel = i < (observers?.partial ?? 0) ? { sublevel: SUBLEVEL } : {}
    const peers = observers?.knows === 'all' ? founders : [founders[(seed + i) % founders.length] as string]
    cluster.addMachine('opqr'[i] as string, peers, { role: 'observer', ...observers?.own === true ? { overwrite: true } : {}, ...sublevel })
  }
}

function founderOptions ({ minConsensus, witness }: ChangeSettings, isLast: boolean): MachineOptions {
  if (witness && isLast) return { role: 'witness' }
  return minConsensus === null ? {} : { minConsensus }
}

/** One of them may be wrong. */
function founderPeers ({ seed }: SimSettings, names: readonly string[], { wrongPeers }: ChangeSettings): Record<string, readonly string[]> {
  const odd = names[seed % names.length] as string
  const others = names.filter(name => name !== odd)
  switch (wrongPeers) {
    case 'nothing': return {}
    case 'nobody': return { [odd]: [] }
    case 'lacks one': return { [odd]: others.slice(1) }
    case 'never answers': return { [odd]: [...others, 'zz'] }
    case 'two groups': {
      const middle = Math.floor(names.length / 2)
      const groups = [names.slice(0, middle + 1), names.slice(middle)]
      return Object.fromEntries(names.map((name, i) => [name, i === middle ? [] : groups.find(group => group.includes(name))?.filter(other => other !== name) ?? []]))
    }
    case 'one more': return { [odd]: [...others, 'abcdefgh'[names.length] as string] }
  }
}
