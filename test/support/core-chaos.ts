import type { CoreNode } from './core-cluster.ts'
import { CoreCluster } from './core-cluster.ts'
import { since } from '../../lib/core/view.ts'
import { Random } from '../../lib/sim/random.ts'

/** How often what happens, of 1; drawn for each run, so that each kind of trouble also comes alone. */
interface Weather {
  readonly crashes: number
  readonly cuts: number
  readonly partitions: number
  readonly pauses: number
  readonly stalls: number
  readonly jumps: number
  readonly timeouts: number
  /** How many messages and writes to disks are dealt with between two such events, at most. */
  readonly haste: number
}

/**
 * A cluster of cores in which everything that can happen next happens in a random order, with writes from all nodes,
 * crashes that lose what was not synced, lost sessions, partitions, processes and disks that stand still, clocks that run
 * apart, and time-outs. Then everything is mended and must come to rest; or a majority is, of which one member holds everything,
 * while the others are gone for good, and must go on. Returns what is wrong then.
 */
export function coreChaos (seed: number, steps = 1000): { differences: string[], cluster: CoreCluster } {
  const random = new Random(seed)
  const goesOn = random.chance(0.3)
  const names = 'abcde'.slice(0, random.pick(goesOn ? [3, 3, 4, 5] : [1, 2, 3, 3, 3, 4, 5]))
  const memory = !goesOn && random.chance(0.25)
  const cluster = new CoreCluster(names, {
    minConsensus: goesOn ? random.below(Math.floor(names.length / 2) + 1) : random.chance(0.2) ? names.length - 1 : random.below(names.length),
    minConsensusOf: !goesOn && random.chance(0.3) ? Object.fromEntries([...names].map(name => [name, random.below(names.length)])) : {},
    memory,
    failureTimeoutMs: random.pick([100, 200, 1000]),
    logBytesMax: random.pick([500, 500, 5000, 1e9]),
    originsMax: random.pick([names.length + 1, 16]),
    windowWrites: random.pick([1, 3, 100]),
    groupBytesMax: random.pick([1, 100, 1000]),
    tailBytesMax: random.pick([1, 500, 100_000])
  })
  for (const node of cluster.nodes) {
    node.rate = 1 + (2 * random.next() - 1) * 0.05
    node.offset = random.below(1e6)
    node.wallOffset = random.below(1e6)
  }
  cluster.startAll()
  const weather: Weather = {
    crashes: random.pick([0, 0.005, 0.02]),
    cuts: random.pick([0, 0.01, 0.05]),
    partitions: random.pick([0, 0, 0.01]),
    pauses: random.pick([0, 0, 0.005]),
    stalls: random.pick([0, 0, 0.005]),
    jumps: random.pick([0, 0, 0.01]),
    timeouts: random.pick([0, 0.02, 0.1, 0.2, 0.2]),
    haste: random.pick([1, 5, 20])
  }
  const chaos = new Chaos(cluster, random, weather, memory)
  chaos.run(steps)
  return { differences: goesOn ? chaos.goOn() : chaos.comeToRest(), cluster }
}

class Chaos {
  readonly #cluster: CoreCluster
  readonly #random: Random
  readonly #weather: Weather
  readonly #memory: boolean
  /** One side of a partition; empty if there is none. */
  #side = ''
  #pausedAt = new Map<CoreNode, number>()
  #writes = 0

  constructor (cluster: CoreCluster, random: Random, weather: Weather, memory: boolean) {
    this.#cluster = cluster
    this.#random = random
    this.#weather = weather
    this.#memory = memory
  }

  run (steps: number): void {
    for (let i = 0; i < steps; i++) this.#step(this.#random.pick(this.#cluster.nodes))
  }

  comeToRest (): string[] {
    this.#mend(this.#cluster.nodes)
    return this.#settle(this.#cluster.nodes)
  }

  /** All but a bare majority are gone, suddenly. Nothing is asked where none of these is sure to hold everything. */
  goOn (): string[] {
    const { nodes } = this.#cluster
    const random = this.#random
    const count = Math.floor(nodes.length / 2) + 1
    const choices = Array.from({ length: 20 }, () => [...nodes].sort(() => random.next() - 0.5).slice(0, count))
    const survivors = choices.find(some => some.some(node => this.#survives(node)))
    if (survivors === undefined || nodes.some(({ disk }) => disk.view === null)) return this.comeToRest()

    for (const node of nodes) if (!survivors.includes(node) && node.core !== null) this.#cluster.crash(node.name)
    this.#mend(survivors)
    const differences = this.#settle(survivors)
    if (differences.length > 0) return differences
    this.#cluster.counts.remnants++
    const writes = survivors.map(({ name }) => this.#cluster.write(name, 'y', `last of ${name}`))
    return this.#settle(survivors).concat(writes.filter(({ settlement }) => settlement?.outcome !== 'committed').map(({ value }) => `${value} is not committed`))
  }

  #settle (among: CoreNode[]): string[] {
    return this.#cluster.settle(possible => this.#random.pick(possible), among)
  }

  /** It was live without a break in each view that may be the newest. */
  #survives (node: CoreNode): boolean {
    const { nodes } = this.#cluster
    const installed = Math.max(...nodes.map(({ disk }) => disk.view?.epoch ?? 0))
    const views = nodes.flatMap(({ disk, core, persists }) => [disk.view, disk.accepted, core?.known ?? null, ...persists.map(({ persist }) => persist.accepted)])
    return node.disk.copy === null && views.every(view => {
      if (view === null || view.epoch < installed) return true
      const from = since(view, node.id)
      return from !== null && (node.disk.view?.epoch ?? 0) >= from
    })
  }

  #step (node: CoreNode): void {
    const { crashes, cuts, partitions, pauses, stalls, jumps, timeouts, haste } = this.#weather
    const cluster = this.#cluster
    const random = this.#random
    const other = random.pick(cluster.nodes)

    if (random.chance(0.1)) {
      if (node.core !== null) cluster.write(node.name, random.pick(['x', 'y', 'z']), `v${++this.#writes}`, random.pick([5, 50, 1000, 1e6]))
    } else if (random.chance(crashes)) this.#crash(node)
    else if (random.chance(crashes * 3)) {
      if (node.core === null) this.#start(node)
    } else if (random.chance(cuts)) {
      if (other !== node) cluster.disconnect(node.name, other.name)
    } else if (random.chance(cuts * 3)) this.#connect(node, other)
    else if (random.chance(partitions)) this.#partition()
    else if (random.chance(partitions / 2)) this.#heal()
    else if (random.chance(partitions)) {
      // In one direction, and nobody is told.
      if (cluster.frozen.size < 2) cluster.frozen.add(`${node.name}>${other.name}`)
    } else if (random.chance(partitions)) cluster.frozen.clear()
    else if (random.chance(pauses)) this.#pause(node)
    else if (random.chance(pauses * 3)) this.#resume(node)
    else if (random.chance(stalls)) node.stalled = node.core !== null
    else if (random.chance(stalls * 3)) node.stalled = false
    // Where the other clock may have stood still meanwhile, this one has to go on.
    else if (random.chance(jumps) && pauses === 0) node.wallOffset += random.pick([-10_000, -200, 200, 10_000])
    else if (random.chance(timeouts)) cluster.tick(random.pick([5, 20, 50, 50, 200]))
    else this.#go(1 + random.below(haste))
  }

  #go (steps: number): void {
    for (let i = 0; i < steps; i++) {
      const possible = this.#cluster.steps()
      if (possible.length > 0) this.#random.pick(possible).run()
    }
  }

  #crash (node: CoreNode): void {
    if (node.core === null) return
    this.#pausedAt.delete(node)
    const kind = this.#random.below(4)
    if (kind === 0) {
      this.#cluster.stop(node.name)
      this.#go(this.#random.below(20))
      this.#cluster.end(node.name)
    } else {
      const kept = kind < 3 && this.#mayLose(node) ? this.#random.below(6) : Infinity
      this.#cluster.crash(node.name, this.#random.below(4), kept)
    }
  }

  /**
   * What power failures take is covered as long as some live member has everything, in each view from the newest opened one on:
   * any of the later ones may be the next.
   */
  #mayLose (victim: CoreNode): boolean {
    if (!this.#memory) return true
    const { nodes } = this.#cluster
    const installed = Math.max(...nodes.map(({ disk }) => disk.view?.epoch ?? 0))
    const views = nodes.flatMap(({ disk, core, persists }) => [disk.view, disk.accepted, core?.known ?? null, ...persists.map(({ persist }) => persist.accepted)])
    return views.every(view => view === null || view.epoch < installed || nodes.some(node => {
      const from = since(view, node.id)
      const intact = node.core === null ? node.disk.intact : node.core.intact
      return node !== victim && intact && from !== null && (node.disk.view?.epoch ?? 0) >= from && node.disk.copy === null
    }))
  }

  #start (node: CoreNode): void {
    this.#cluster.start(node.name)
    this.#separate()
  }

  #connect (one: CoreNode, two: CoreNode): void {
    if (one !== two && this.#side.includes(one.name) === this.#side.includes(two.name)) this.#cluster.connect(one.name, two.name)
  }

  #partition (): void {
    this.#side = this.#cluster.nodes.map(({ name }) => name).filter(() => this.#random.chance(0.5)).join('')
    this.#separate()
  }

  #separate (): void {
    const { nodes } = this.#cluster
    if (this.#side === '') return
    for (const one of nodes) {
      for (const two of nodes) {
        if (this.#side.includes(one.name) && !this.#side.includes(two.name)) this.#cluster.disconnect(one.name, two.name)
      }
    }
  }

  #heal (): void {
    const { nodes } = this.#cluster
    this.#side = ''
    for (const one of nodes) for (const two of nodes) this.#connect(one, two)
  }

  #pause (node: CoreNode): void {
    if (node.core === null || node.paused) return
    node.paused = true
    this.#pausedAt.set(node, this.#cluster.now)
  }

  #resume (node: CoreNode): void {
    const at = this.#pausedAt.get(node)
    this.#pausedAt.delete(node)
    if (at === undefined || !node.paused) return
    // Some systems stop the monotonic clock while they sleep.
    if (this.#random.chance(0.5)) node.offset -= node.rate * (this.#cluster.now - at)
    this.#cluster.resume(node.name)
  }

  #mend (nodes: CoreNode[]): void {
    this.#cluster.frozen.clear()
    for (const node of nodes) {
      node.stalled = false
      this.#resume(node)
      if (node.core === null) this.#cluster.start(node.name)
    }
    this.#side = ''
    this.#heal()
  }
}
