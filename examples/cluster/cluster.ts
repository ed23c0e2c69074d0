import type { NodeOptions } from './messages.ts'
import { CallError, NodeProcess } from './node-process.ts'

const readyTimeoutMs = 15_000

/** All nodes, up or down. */
export class Cluster {
  readonly nodes: readonly NodeProcess[]
  #isClosing = false

  constructor (plan: readonly NodeOptions[], tell: (text: string) => void) {
    this.nodes = plan.map((options) => new NodeProcess(options, tell))
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
    const count = this.nodes.filter((node) => node.isReachable).length
    return count > this.nodes.length / 2 && this.nodes.every((node) => count > node.options.minConsensus)
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

  async #ready (node: NodeProcess): Promise<void> {
    let timer
    const expired = new Promise<never>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new CallError({ message: `${node.name} is up but not ready after ${readyTimeoutMs / 1000} s; see "status"` }))
      }, readyTimeoutMs)
    })
    try {
      node.id = await Promise.race([node.call('ready', []), expired])
    } finally {
      clearTimeout(timer)
    }
  }
}
