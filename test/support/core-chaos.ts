import type { CoreNode } from './core-cluster.ts'
import { CoreCluster } from './core-cluster.ts'
import type { View } from '../../lib/core/view.ts'
import { holders, isQuorum, since } from '../../lib/core/view.ts'
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
  /** Nodes join, leave, are removed and replaced. */
  readonly changes: number
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
  // Drawn apart, so that the other runs stay what they are.
  const fate = new Random(seed ^ 0x5eed)
  const changes = memory ? 0 : fate.pick([0, 0, 0.01, 0.03])
  const cluster = new CoreCluster(names, {
    witnesses: changes > 0 && names.length > 2 && fate.chance(0.3) ? fate.pick([...names]) : '',
    minConsensus: changes > 0 ? fate.pick([0, Math.min(1, names.length - 1), null]) : goesOn ? random.below(Math.floor(names.length / 2) + 1) : random.chance(0.2) ? names.length - 1 : random.below(names.length),
    minConsensusOf: changes === 0 && !goesOn && random.chance(0.3) ? Object.fromEntries([...names].map(name => [name, random.below(names.length)])) : {},
    memory,
    failureTimeoutMs: random.pick([100, 200, 1000]),
    logBytesMax: random.pick([500, 500, 5000, 1e9]),
    originsMax: random.pick([changes > 0 ? 12 : names.length + 1, 16]),
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
    haste: random.pick([1, 5, 20]),
    changes
  }
  const chaos = new Chaos(cluster, random, fate, new Random(seed ^ 0xd0b7), new Random(seed ^ 0x0b5e), new Random(seed ^ 0x3a11), weather, memory)
  chaos.run(steps)
  return { differences: goesOn ? chaos.goOn() : chaos.comeToRest(), cluster }
}

class Chaos {
  readonly #cluster: CoreCluster
  readonly #random: Random
  /** Of changes of the members. */
  readonly #fate: Random
  readonly #weather: Weather
  readonly #memory: boolean
  /** One side of a partition; empty if there is none. */
  #side = ''
  #pausedAt = new Map<CoreNode, number>()
  #writes = 0
  /** Of writes that are repeated, and of questions. */
  readonly #doubts: Random
  readonly #repeats: number
  /** Of observers. */
  readonly #watchers: Random
  readonly #watches: number
  /** Of members that an observer has no way to. */
  readonly #builders: Random
  readonly #walls: number

  constructor (cluster: CoreCluster, random: Random, fate: Random, doubts: Random, watchers: Random, builders: Random, weather: Weather, memory: boolean) {
    this.#cluster = cluster
    this.#builders = builders
    this.#walls = builders.pick([0, 0.01, 0.03])
    this.#watchers = watchers
    this.#watches = watchers.pick([0, 0, 0.005])
    this.#doubts = doubts
    this.#repeats = doubts.pick([0, 0.1, 0.5])
    this.#fate = fate
    this.#random = random
    this.#weather = weather
    this.#memory = memory
  }

  run (steps: number): void {
    for (let i = 0; i < steps; i++) this.#step(this.#random.pick(this.#cluster.nodes))
  }

  comeToRest (): string[] {
    this.#mend(this.#present)
    // Whoever has asked may have crashed since. Those in whose place somebody comes go with that.
    const replaced = this.#present.map(({ joins }) => joins?.replaces)
    for (const { name } of this.#present) for (const node of this.#cluster.nodes) if (node.gone && !replaced.includes(node.id)) this.#cluster.remove(name, node.name, true)
    return this.#settle(this.#cluster.nodes)
  }

  /** Those of whom anything is expected. */
  get #present (): CoreNode[] {
    return this.#cluster.nodes.filter(({ gone }) => !gone)
  }

  /** All but a bare majority are gone, suddenly. Nothing is asked where none of these is sure to hold everything. */
  goOn (): string[] {
    const random = this.#random
    const nodes = this.#present
    const views = this.#views()
    const newest = views[0]
    const choices = Array.from({ length: 20 }, () => [...nodes].sort(() => random.next() - 0.5))
      .map(order => order.slice(0, [...order.keys()].find(i => this.#isEnough(order.slice(0, i + 1))) ?? 0).length + 1)
    const [shortest] = choices.sort((a, b) => a - b)
    const survivors = Array.from({ length: 20 }, () => [...nodes].sort(() => random.next() - 0.5).slice(0, shortest)).find(some => this.#isEnough(some))
    // Of those that are down just now, too.
    const asked = Math.max(...nodes.map(({ name }) => this.#cluster.minConsensusOf(name) ?? (newest === undefined ? 0 : holders(newest).length - 1)))
    // A change that is under way may leave fewer than are asked for.
    const isLeaving = nodes.some(({ core }) => (core?.removing.length ?? 0) > 0) || new Set(views.map(({ members }) => members.join())).size > 1
    if (isLeaving || newest === undefined || survivors === undefined || nodes.some(({ disk, witness, joins }) => disk.view === null && !witness && joins === null) ||
      views.some(({ leaseFree }) => leaseFree) || survivors.filter(({ id }) => holders(newest).includes(id)).length <= asked) return this.comeToRest()

    for (const node of this.#cluster.nodes) if (!survivors.includes(node) && node.core !== null) this.#cluster.crash(node.name)
    this.#mend(survivors)
    const differences = this.#settle(survivors)
    if (differences.length > 0) return differences
    this.#cluster.counts.remnants++
    const left = survivors.filter(({ gone, witness }) => !gone && !witness)
    const writes = left.map(({ name }) => this.#cluster.write(name, 'y', `last of ${name}`))
    return this.#settle(left).concat(writes.filter(({ settlement }) => settlement?.outcome !== 'committed').map(({ value }) => `${value} is not committed`))
  }

  /** These can go on by themselves, whatever the newest view is. */
  #isEnough (some: CoreNode[]): boolean {
    return this.#views().every(view => isQuorum(some.map(({ id }) => id), view, false)) && some.some(node => this.#survives(node))
  }

  /** All that may be the newest, the newest first. */
  #views (): View[] {
    const { nodes } = this.#cluster
    const installed = Math.max(...nodes.map(({ disk }) => disk.view?.epoch ?? 0))
    const views = nodes.flatMap(({ disk, core, persists }) => [disk.view, disk.accepted, core?.known ?? null, ...persists.map(({ persist }) => persist.accepted)])
    return views.filter(view => view !== null).filter(({ epoch }) => epoch >= installed).sort((a, b) => b.epoch - a.epoch)
  }

  #settle (among: CoreNode[]): string[] {
    return this.#cluster.settle(possible => this.#random.pick(possible), among)
  }

  /** It was live without a break in each view that may be the newest. */
  #survives (node: CoreNode): boolean {
    return node.disk.copy === null && this.#views().every(view => {
      const from = since(view, node.id)
      return from !== null && (node.disk.view?.epoch ?? 0) >= from
    })
  }

  #step (node: CoreNode): void {
    const { crashes, cuts, partitions, pauses, stalls, jumps, timeouts, haste } = this.#weather
    const cluster = this.#cluster
    const random = this.#random
    const other = random.pick(cluster.nodes)
    if (node.gone && node.core === null) return
    if (this.#fate.chance(this.#weather.changes)) this.#change()
    if (this.#watchers.chance(this.#watches)) this.#watch()
    if (this.#builders.chance(this.#walls)) this.#build()
    if (this.#doubts.chance(this.#repeats / 10) && node.core !== null && !node.witness) this.#doubt(node)

    if (random.chance(0.1)) {
      if (node.core !== null && !node.witness) cluster.write(node.name, random.pick(['x', 'y', 'z']), `v${++this.#writes}`, random.pick([5, 50, 1000, 1e6]))
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

  /** Somebody repeats a write on another node, or asks what became of one. */
  #doubt ({ name }: CoreNode): void {
    const cluster = this.#cluster
    const doubts = this.#doubts
    if (doubts.chance(0.5)) {
      const earlier = cluster.writes.filter(({ under }) => under !== '').slice(-5)
      const isNew = earlier.length === 0 || doubts.chance(0.3)
      const { key, value, under } = isNew ? { key: 'x', value: `v${++this.#writes}`, under: `k${this.#writes}` } : doubts.pick(earlier)
      cluster.write(name, key, value, doubts.pick([50, 1000, 1e6]), under)
    } else {
      const rejected = cluster.writes.flatMap(({ settlement }) => settlement === null || settlement.outcome === 'committed' ? [] : settlement.transaction ?? []).slice(-5)
      if (rejected.length > 0) cluster.ask(name, doubts.pick(rejected))
    }
  }

  /** An observer comes, or waits for all that was acknowledged. */
  #watch (): void {
    const cluster = this.#cluster
    const observers = cluster.nodes.filter(({ observer }) => observer)
    const [observer] = observers.filter(({ core }) => core !== null)
    if (observer !== undefined && this.#watchers.chance(0.6)) return cluster.sync(observer.name)
    if (observers.length === 2 || cluster.nodes.length >= 9) return
    cluster.join(String.fromCharCode('a'.charCodeAt(0) + cluster.nodes.length), { observer: true })
    this.#separate()
  }

  /** From now on, an observer has a way to some only, often not to the coordinator; or to all again. */
  #build (): void {
    const cluster = this.#cluster
    const builders = this.#builders
    const observers = cluster.nodes.filter(({ observer, core }) => observer && core !== null)
    if (observers.length === 0) return
    const { name } = builders.pick(observers)
    for (const pair of [...cluster.apart]) if (pair.startsWith(`${name}>`)) cluster.apart.delete(pair)
    const others = cluster.nodes.filter(({ observer }) => !observer)
    if (builders.chance(0.7)) {
      const kept = builders.pick(others)
      for (const other of others) {
        const isBehind = other !== kept && builders.chance(other === cluster.coordinator ? 0.9 : 0.5)
        if (!isBehind) continue
        cluster.apart.add(`${name}>${other.name}`)
        cluster.disconnect(name, other.name)
      }
    }
    for (const other of others) this.#connect(cluster.node(name), other)
  }

  #change (): void {
    const cluster = this.#cluster
    const fate = this.#fate
    const { nodes } = cluster
    const up = nodes.filter(({ core, gone }) => core !== null && !gone)
    const member = up.length === 0 ? null : fate.pick(up)
    if (fate.chance(0.4)) {
      if (nodes.length >= 9) return
      // Some come for another, which is gone for good.
      const down = nodes.filter(node => node.core === null && !node.witness && !node.observer && this.#canSpare(node))
      const replaced = down.length > 0 && fate.chance(0.5) ? fate.pick(down) : null
      if (replaced !== null) replaced.gone = true
      cluster.join(String.fromCharCode('a'.charCodeAt(0) + nodes.length), { witness: replaced === null && fate.chance(0.15), replaces: replaced?.id ?? '' })
      this.#separate()
    } else if (member !== null && fate.chance(0.5)) {
      cluster.remove(member.name, member.name)
    } else if (member !== null) {
      const other = fate.pick(nodes)
      if (other.gone || other === member) return
      const force = other.core === null && this.#canSpare(other) && this.#leavesEnough(other) && fate.chance(0.3)
      if (force) other.gone = true
      cluster.remove(member.name, other.name, force)
    }
  }

  /** It can be gone for good, and nothing is lost. */
  #canSpare (node: CoreNode): boolean {
    return !node.gone && node.disk.view !== null && this.#isEnough(this.#present.filter(other => other !== node))
  }

  /** Without it, there are as many holders as are asked for; nobody but a person who insists removes more. */
  #leavesEnough (node: CoreNode): boolean {
    const asked = Math.max(...this.#present.map(({ name }) => this.#cluster.minConsensusOf(name) ?? 0))
    return this.#views().every(view => this.#present.filter(other => other !== node && holders(view).includes(other.id)).length > asked)
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
    return this.#views().every(view => nodes.some(node => {
      const from = since(view, node.id)
      const intact = node.core === null ? node.disk.intact : node.core.intact
      return node !== victim && intact && from !== null && (node.disk.view?.epoch ?? 0) >= from && node.disk.copy === null
    }))
  }

  #start (node: CoreNode): void {
    if (node.gone) return
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
    this.#cluster.apart.clear()
    for (const node of nodes) {
      node.stalled = false
      this.#resume(node)
      if (node.core === null && !node.gone) this.#cluster.start(node.name)
    }
    this.#side = ''
    this.#heal()
  }
}
