import tape from 'tape'
import { Peers } from '../../lib/core/peers.ts'
import { Random } from '../../lib/sim/random.ts'
import type { CoreCluster } from '../support/core-cluster.ts'
import { founded } from '../transcript/members.ts'

// Networks in which links are broken for good, and one member, the hub, still reaches all: it can write before long.

const fixed = Array.from({ length: 300 }, (_, i) => i)
/** Of the hub, when everybody runs and nothing more breaks, in milliseconds: a few turns, and a lease. */
const LATE_MS = 8000

tape('where one member reaches all, it writes, whichever of the other links are broken', { timeout: 240_000 }, async (t) => {
  const fresh = Array.from({ length: 30 }, () => Math.floor(Math.random() * 2 ** 32))
  let broken = 0
  for (const seed of [...fixed, ...fresh]) {
    const { problem, cluster } = attempt(seed)
    broken += cluster.apart.size
    if (problem !== '') {
      t.fail(`${cluster.transcript.slice(-100).join('\n')}\nseed ${seed}: ${problem}`)
      return
    }
  }
  t.ok(broken > fixed.length / 2, `${broken} links were broken in the end`)
})

tape('who does not look at the links of others is caught', { timeout: 120_000 }, async (t) => {
  const { areConnected } = Peers.prototype
  Peers.prototype.areConnected = () => true
  try {
    t.ok(fixed.slice(12).some(seed => attempt(seed).problem !== ''))
  } finally {
    Peers.prototype.areConnected = areConnected
  }
})

function attempt (seed: number): { problem: string, cluster: CoreCluster } {
  const random = new Random(seed)
  const names = random.pick(['abc', 'abcde'])
  const cluster = founded(names, random.pick([null, 0, 1]))
  try {
    return { cluster, problem: breakLinks(cluster, names, random) }
  } catch (error) {
    return { cluster, problem: error instanceof Error ? error.stack ?? error.message : String(error) }
  }
}

function breakLinks (cluster: CoreCluster, names: string, random: Random): string {
  const pick = (): string => random.pick([...names])
  const hub = pick()
  for (let i = 0; i < 6; i++) {
    const [x, y] = [pick(), pick()]
    const what = random.next()
    if (what < 0.45) {
      if (x !== y && x !== hub && y !== hub) {
        cluster.apart.add(`${x}>${y}`)
        cluster.disconnect(x, y)
      }
    } else if (what < 0.6) {
      if (cluster.node(x).core !== null) cluster.crash(x, random.below(3))
    } else if (what < 0.8) {
      if (cluster.node(x).core === null) cluster.start(x)
    } else if (what < 0.9) {
      for (const link of [`${x}>${y}`, `${y}>${x}`]) cluster.apart.delete(link)
      if (x !== y) cluster.connect(x, y)
    }
    for (const name of names) if (random.chance(0.4) && cluster.node(name).core !== null) cluster.write(name, 'x', `${i} of ${name}`)
    cluster.pass(random.pick([50, 300, 1500, 4000]))
  }
  for (const name of names) if (cluster.node(name).core === null) cluster.start(name)
  const at = cluster.now
  const write = cluster.write(hub, 'y', 'last')
  while (write.settlement === null && cluster.now - at < 60_000) cluster.pass(100)
  const ms = cluster.now - at
  if (write.settlement?.outcome === 'committed' && ms <= LATE_MS) return ''
  return `hub ${hub} of ${names}, without ${[...cluster.apart].join(' ')}: ${write.settlement?.outcome ?? 'waits'} after ${ms} ms, led by ${cluster.coordinator?.name ?? 'nobody'}`
}
