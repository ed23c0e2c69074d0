import { setTimeout as delay } from 'node:timers/promises'
import { CallError, NodeProcess } from './node-process.ts'
import type { Plan } from './plan.ts'

const readyTimeoutMs = 15_000
const pauseMs = 100

/** All nodes, up or down. */
export class Cluster {
  readonly #plan: Plan
  readonly #tell: (text: string) => void
  #nodes: readonly NodeProcess[]
  #isClosing = false

  constructor (plan: Plan, tell: (text: string) => void) {
    this.#plan = plan
    this.#tell = tell
    this.#nodes = plan.nodes.map((options) => new NodeProcess(options, tell))
  }

  get nodes (): readonly NodeProcess[] {
    return this.#nodes
  }

  get names (): string[] {
    return this.nodes.map((node) => node.name)
  }

  node (name: string): NodeProcess {
    const node = this.nodes.find((node) => node.name === name)
    if (node === undefined) throw new TypeError(`no node is called ${name}`)
    return node
  }

  async startAll (): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => { await this.#open(node) }))
    await Promise.all(this.nodes.map(async (node) => { await this.#ready(node) }))
  }

  /** Resolves with whether the node is ready; as long as others cannot be reached it may have to wait for them. */
  async start (name: string): Promise<boolean> {
    const node = this.node(name)
    if (node.isUp) throw new CallError({ message: `${name} is up already` })
    await this.#open(node)
    if (!node.isReachable || !this.#isEnough) return false
    await this.#ready(node)
    return true
  }

  /** Starts one more. Resolves as `start` does. */
  async join (name: string, witness: boolean): Promise<boolean> {
    const known = this.#nodes.find((node) => node.isReachable && !node.isWitness)
    if (known === undefined) throw new CallError({ message: 'it needs one of the others, and none can be reached' })
    const node = new NodeProcess(await this.#plan.add(name, witness, known.options), this.#tell)
    this.#nodes = [...this.#nodes, node]
    try {
      await this.#open(node)
    } catch (err) {
      await this.#keep(this.#nodes.filter((other) => other !== node))
      throw err
    }
    await this.#keep(this.#nodes)
    if (!this.#isEnough) return false
    await this.#ready(node)
    return true
  }

  async leave (name: string): Promise<void> {
    const node = this.node(name)
    await node.call('leave', [])
    await node.close()
    await this.#keep(this.#nodes.filter((other) => other !== node))
  }

  async remove (name: string, force: boolean): Promise<void> {
    const node = this.node(name)
    const other = this.#nodes.find((other) => other !== node && other.isReachable)
    if (other === undefined) throw new CallError({ message: 'it takes one of the others, and none can be reached' })
    await other.call('remove', [name, force])
    // It may have been up: then it has failed by now, and is of no use.
    await node.close()
    await this.#keep(this.#nodes.filter((other) => other !== node))
  }

  /** Resolves with the names of those that go on. */
  async recover (): Promise<string[]> {
    const survivors = this.#nodes.filter((node) => node.isReachable)
    const names = survivors.map((node) => node.name)
    if (survivors.length === 0) throw new CallError({ message: 'no node can be reached' })
    if (survivors.length <= this.#nodes.length / 2) await Promise.all(survivors.map(async (node) => { await this.#notReady(node) }))
    await Promise.all(survivors.map(async (node) => { await node.call('recover', [names]) }))
    await Promise.all(this.#nodes.filter((node) => !survivors.includes(node)).map(async (node) => { await node.close() }))
    await this.#keep(survivors)
    return names
  }

  /** Nobody shall wait for a process that stands still. */
  resumeAll (): void {
    for (const node of this.nodes) if (node.isPaused) node.resume()
  }

  async closeAll (): Promise<void> {
    this.#isClosing = true
    await Promise.all(this.nodes.map(async (node) => { await node.close() }))
  }

  /** What to do about writes that do not go on; empty if every node can be reached. */
  get hint (): string {
    if (this.#isClosing) return ''
    const causes: Array<[state: string, remedy: string, nodes: NodeProcess[]]> = [
      ['down', 'start', this.nodes.filter((node) => !node.isUp)],
      ['paused', 'resume', this.nodes.filter((node) => node.isPaused)],
      ['cut off', 'mend', this.nodes.filter((node) => node.isCut)]
    ]
    return causes.filter(([,, nodes]) => nodes.length > 0).map(([state, remedy, nodes]) => {
      const names = nodes.map((node) => node.name)
      return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} ${state}: ${names.map((name) => `"${remedy} ${name}"`).join(', ')}`
    }).join('; ')
  }

  /** Those that can be reached can write. */
  get #isEnough (): boolean {
    const reachable = this.nodes.filter((node) => node.isReachable)
    const replicas = reachable.filter((node) => !node.isWitness).length
    return reachable.length > this.nodes.length / 2 && this.nodes.every((node) => node.isWitness || replicas > node.options.minConsensus)
  }

  /** From now on there are only these. */
  async #keep (nodes: readonly NodeProcess[]): Promise<void> {
    this.#nodes = nodes
    await this.#plan.keep(nodes.map(({ options }) => options))
    await this.#lower()
  }

  /** A node that waits for more others than there are would do so for ever: it starts anew, and waits for fewer. */
  async #lower (): Promise<void> {
    const replicas = this.#nodes.filter((node) => !node.isWitness)
    for (const node of replicas) {
      if (node.options.minConsensus < replicas.length) continue
      node.options.minConsensus = replicas.length - 1
      if (!node.isReachable) continue
      await node.close()
      await this.#open(node)
    }
  }

  async #open (node: NodeProcess): Promise<void> {
    const { name, options: { port, location } } = node
    try {
      await node.start()
    } catch (err) {
      if (!(err instanceof CallError)) throw err
      const { code, message } = err.failure
      if (code === 'EADDRINUSE') {
        throw new CallError({ message: `${name} cannot listen: another program uses its port, ${port} (from cluster.json)` })
      }
      if (code === 'LEVEL_LOCKED') {
        throw new CallError({ message: `${location} is in use: is this cluster running already?` })
      }
      throw new CallError({ ...err.failure, message: `${name} does not start: ${message}` })
    }
  }

  /** It takes a moment to know that the others are gone; until then there is nothing to recover. */
  async #notReady (node: NodeProcess): Promise<void> {
    while ((await node.call('stats', [])).status === 'ready') await delay(pauseMs)
  }

  async #ready (node: NodeProcess): Promise<void> {
    let timer
    const expired = new Promise<never>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new CallError({ message: `${node.name} is up but not ready after ${readyTimeoutMs / 1000} s; see "status"` }))
      }, readyTimeoutMs)
    })
    try {
      await Promise.race([node.call('ready', []), expired])
    } finally {
      clearTimeout(timer)
    }
  }
}
