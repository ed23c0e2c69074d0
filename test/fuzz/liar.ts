import type { Core } from '../../lib/core/core.ts'
import type { Effect, Input } from '../../lib/core/effects.ts'
import type { Message } from '../../lib/core/messages.ts'
import type { View } from '../../lib/core/view.ts'
import { AssertionError } from '../../lib/errors.ts'
import { readFrame } from '../../lib/inbox.ts'
import { Random } from '../../lib/sim/random.ts'
import { decodeRow, decodeView, decodeVow, encodeRow, encodeView, encodeVow } from '../../lib/store/layout.ts'
import { decodeGroup, encodeGroup } from '../../lib/wire/group.ts'
import { WireError } from '../../lib/wire/bytes.ts'
import type { CoreNode } from '../support/core-cluster.ts'
import { CoreCluster } from '../support/core-cluster.ts'
import type { Finding } from './decoders.ts'
import { describeError } from './decoders.ts'
import type { World } from './generate.ts'
import { emptyWorld, Generator } from './generate.ts'
import { encodeMessages } from './targets.ts'

type Step = Core['step']

/** The last values of which there may be many. */
const MEMORY = 12

/** Thrown through the harness: the core of an honest node has failed, or said or kept what nobody can read. */
class Broken extends Error {}

/**
 * A cluster of cores, one of which lies: it does what a core does, but what it sends is changed, repeated, left out, or made up, with
 * the values that are known in the cluster. It may break every guarantee. Whatever it says, the cores of the others must not fail.
 * Returns how one did.
 */
export function coreLiar (seed: number, steps = 300): Finding | null {
  const random = new Random(seed)
  const names = 'abcde'.slice(0, random.pick([2, 3, 3, 3, 4, 5]))
  const cluster = new CoreCluster(names, {
    minConsensus: random.pick([0, 1, null]),
    failureTimeoutMs: random.pick([100, 500]),
    logBytesMax: random.pick([500, 1e9]),
    groupBytesMax: random.pick([1, 1000]),
    tailBytesMax: random.pick([1, 500, 100_000]),
    windowWrites: random.pick([1, 100])
  })
  const run = new LiarRun(cluster, random, random.pick([...names]))
  try {
    run.go(steps)
    return null
  } catch (error) {
    if (!isBug(error)) return null
    return { target: 'core', problem: describeError(error instanceof Broken ? error.cause ?? error : error), how: `--liar ${seed}` }
  }
}

/** What else is thrown are violations of guarantees, which a liar may bring about. */
function isBug (error: unknown): boolean {
  return error instanceof Broken || error instanceof AssertionError || !(error instanceof Error) || error.name !== 'Error' || /^(cuts|truncates) /.test(error.message)
}

class LiarRun {
  readonly #cluster: CoreCluster
  readonly #random: Random
  readonly #liar: string
  readonly #world: World = emptyWorld()
  readonly #lies: Generator
  readonly #wrapped = new WeakSet<Core>()
  /** What was said, to be said again. */
  readonly #said: Message[] = []
  readonly #lying: number
  #writes = 0

  constructor (cluster: CoreCluster, random: Random, liar: string) {
    this.#cluster = cluster
    this.#random = random
    this.#liar = liar
    this.#lies = new Generator(random.fork(), this.#world)
    this.#lying = random.pick([0.02, 0.1, 0.5])
    this.#world.ids = cluster.nodes.map(({ id }) => id)
  }

  go (steps: number): void {
    this.#cluster.startAll()
    this.#wrap()
    // Sometimes there is a cluster before there is a lie.
    for (let i = 0; i < steps; i++) this.#step()
    for (const node of this.#honest()) this.#checkDisk(node)
  }

  #honest (): CoreNode[] { return this.#cluster.nodes.filter(({ name }) => name !== this.#liar) }

  #step (): void {
    const random = this.#random
    const node = random.pick(this.#cluster.nodes)
    const dice = random.next()
    if (node.core === null && !node.gone) this.#cluster.start(node.name)
    else if (dice < 0.02 && node.core !== null) this.#cluster.crash(node.name, random.below(3))
    else if (dice < 0.06) this.#cluster.disconnect(node.name, random.pick(this.#cluster.nodes).name)
    else if (dice < 0.4) this.#connect(node, random.pick(this.#cluster.nodes))
    else if (dice < 0.6 && node.core !== null) this.#cluster.write(node.name, random.pick(['k', 'l']), `v${this.#writes++}`)
    else this.#cluster.tick(random.pick([50, 50, 50, 150, 700]))
    this.#wrap()
    for (let left = 1 + random.below(20); left > 0; left--) {
      const possible = this.#cluster.steps()
      if (possible.length === 0) break
      random.pick(possible).run()
      this.#wrap()
    }
  }

  #connect (one: CoreNode, two: CoreNode): void {
    if (one !== two) this.#cluster.connect(one.name, two.name)
  }

  #wrap (): void {
    for (const node of this.#cluster.nodes) {
      const { core } = node
      if (core === null || this.#wrapped.has(core)) continue
      const step = node.name === this.#liar ? this.#lie(core) : this.#watch(core)
      const wrapped = new Proxy(core, {
        get (target, name): unknown {
          if (name === 'step') return step
          const value: unknown = Reflect.get(target, name, target)
          // Private fields are those of the core.
          return typeof value === 'function' ? value.bind(target) : value
        }
      })
      this.#wrapped.add(wrapped)
      node.core = wrapped
    }
  }

  /** An honest core: what it says can be read. */
  #watch (core: Core): Step {
    return (input, now, wall) => {
      try {
        const effects = core.step(input, now, wall)
        // The digests of the harness are of any length.
        for (const effect of effects) if (effect.type === 'send' && effect.message.type !== 'digest') readFrame(encodeMessages([effect.message]))
        return effects
      } catch (cause) {
        throw new Broken('an honest core', { cause })
      }
    }
  }

  #lie (core: Core): Step {
    return (input, now, wall) => {
      this.#learn(input)
      let effects: Effect[] = []
      try {
        effects = core.step(input, now, wall)
      } catch {
        // Its lies may come back to it.
      }
      return effects.flatMap(effect => effect.type === 'send' ? this.#say(effect.to, effect.message) : [effect])
    }
  }

  #say (to: string, message: Message): Effect[] {
    const random = this.#random
    this.#said.push(message)
    if (this.#said.length > 200) this.#said.shift()
    if (!random.chance(this.#lying)) return [{ type: 'send', to, message }]
    const said: Message[] = []
    for (let left = random.pick([0, 1, 1, 2]); left > 0; left--) said.push(random.chance(0.2) ? random.pick(this.#said) : this.#changed(message))
    if (random.chance(0.3)) said.push(message)
    return said.flatMap(lie => this.#asDecoded(lie)).map(lie => ({ type: 'send', to, message: lie }))
  }

  /** Some of its fields are those of another of its type; or all of it is something else. */
  #changed (message: Message): Message {
    const random = this.#random
    if (random.chance(0.3)) {
      const other = this.#lies.message()
      return other.type === 'addresses' ? message : other
    }
    const other = this.#lies.messages[message.type]() as unknown as Record<string, unknown>
    const entries = Object.entries(message).map(([name, value]): [string, unknown] => [name, name !== 'type' && random.chance(0.4) ? other[name] : value])
    return Object.fromEntries(entries) as unknown as Message
  }

  /** What comes out at the other side; nothing if it is not valid. */
  #asDecoded (message: Message): Message[] {
    try {
      return readFrame(encodeMessages([message])) as Message[]
    } catch (error) {
      if (error instanceof WireError) return []
      throw error
    }
  }

  #learn (input: Input): void {
    if (input.type !== 'message') return
    const { message } = input
    const { epochs, positions, views, clusters, starts, origins } = this.#world
    const note = <T>(list: T[], value: T): void => {
      if (list.includes(value)) return
      list.push(value)
      if (list.length > MEMORY) list.shift()
    }
    const noteView = (view: View | null): void => {
      if (view === null) return
      note(views, view)
      note(epochs, view.epoch)
      note(clusters, view.cluster)
      note(starts, view.coordinatorStart)
    }
    if ('epoch' in message) note(epochs, message.epoch)
    if ('committed' in message) note(positions, message.committed)
    if ('view' in message) noteView(message.view)
    if ('accepted' in message && typeof message.accepted === 'object') noteView(message.accepted)
    if (message.type === 'ack' || message.type === 'sync') note(positions, message.end)
    if (message.type === 'prepare') note(positions, message.group.first)
    if (message.type === 'submit') note(origins, message.origin)
  }

  /** A node that is started again can read what it wrote. */
  #checkDisk ({ disk }: CoreNode): void {
    try {
      for (const { epoch, first, entries } of disk.log) decodeGroup(encodeGroup({ epoch, first, entries }))
      for (const view of [disk.view, disk.accepted]) if (view !== null) decodeView(encodeView(view))
      for (const row of disk.rows.values()) decodeRow(encodeRow(row))
      decodeVow(encodeVow(disk.vow))
    } catch (cause) {
      throw new Broken('a disk', { cause })
    }
  }
}
