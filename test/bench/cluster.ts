import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ReplicaDigest, ReplicatorOptions } from '../../index.ts'
import { freePorts } from '../support/cluster/free-ports.ts'
import { Child } from './child.ts'
import { measureLoad, sum } from './measure-load.ts'
import type { Fill, LoadSpec } from './processes/load.ts'
import type { NodeConfig, NodeMethods } from './processes/node.ts'
import type { Bench } from './scenario.ts'

const host = '127.0.0.1'

/** Nodes made so far. */
let made = 0

/** Positions may differ for a moment, where a view changes. */
const verifyAttempts = 20

export interface ClusterOptions {
  /** How many nodes. Default: 3. */
  count?: number
  replicator?: ReplicatorOptions
  watchMemory?: boolean
}

/** A node: a database on disk, an address, and a process unless it was killed. */
export class ClusterNode {
  readonly config: NodeConfig
  #child: Child<NodeMethods> | null = null

  constructor (config: NodeConfig) {
    this.config = config
  }

  get child (): Child<NodeMethods> {
    if (this.#child === null) throw new Error('the node is down')
    return this.#child
  }

  get call (): Child<NodeMethods>['call'] {
    return this.child.call.bind(this.child)
  }

  async start (): Promise<void> {
    this.#child = await Child.start<NodeMethods>('node', this.config)
  }

  async kill (): Promise<void> {
    const child = this.#child
    this.#child = null
    await child?.kill()
  }
}

/** What was written can be checked, because each fresh entry is counted. */
export class Cluster {
  readonly #bench: Bench
  readonly #options: ClusterOptions
  /** The coordinator is the first of them. */
  #nodes: ClusterNode[] = []
  #entries = 0

  private constructor (bench: Bench, options: ClusterOptions) {
    this.#bench = bench
    this.#options = options
  }

  /** Starts one, lets it be used, and ends it. */
  static async use<T> (bench: Bench, options: ClusterOptions, use: (cluster: Cluster) => Promise<T>): Promise<T> {
    const cluster = new Cluster(bench, options)
    try {
      await cluster.#start()
      return await use(cluster)
    } finally {
      await Promise.all(cluster.#nodes.map((node) => node.kill()))
    }
  }

  async #start (): Promise<void> {
    const ports = await freePorts(this.#options.count ?? 3)
    this.#nodes = ports.map((port) => this.#makeNode(port, ports.filter((other) => other !== port)))
    await Promise.all(this.#nodes.map((node) => node.start()))
    await Promise.all(this.#nodes.map((node) => node.call('ready')))
    const stats = await Promise.all(this.#nodes.map((node) => node.call('stats')))
    const coordinates = (_node: ClusterNode, i: number): boolean => stats[i]!.isCoordinator
    this.#nodes = [...this.#nodes.filter(coordinates), ...this.#nodes.filter((node, i) => !coordinates(node, i))]
  }

  #makeNode (port: number, peers: readonly number[]): ClusterNode {
    const { replicator, watchMemory = false } = this.#options
    return new ClusterNode({
      // Not by its port, which another cluster before may have had.
      location: join(this.#bench.folder, `node-${++made}`),
      host,
      port,
      watchMemory,
      // As the README advises; `'fixed'`, so that a row of the tables is about one role of the writer.
      replicator: { host, port, peers: peers.map((port) => ({ host, port })), minConsensus: 1, coordinator: 'fixed', ...replicator }
    })
  }

  get nodes (): readonly ClusterNode[] {
    return this.#nodes
  }

  get coordinator (): ClusterNode {
    return this.node(0)
  }

  /** Not the coordinator. */
  get participant (): ClusterNode {
    return this.node(1)
  }

  node (index: number): ClusterNode {
    const node = this.#nodes[index]
    if (node === undefined) throw new RangeError(`there is no node ${index}`)
    return node
  }

  /** Starts one more, which knows one of the others. Resolves when its process listens. */
  async join (): Promise<ClusterNode> {
    const [port] = await freePorts(1)
    const node = this.#makeNode(port!, [this.coordinator.config.port])
    this.#nodes.push(node)
    await node.start()
    return node
  }

  async fill (node: ClusterNode, spec: Fill): Promise<void> {
    await node.call('fill', spec)
    this.#entries += spec.entries
  }

  /** Code that has not run yet is slow, and compiling it takes processor time: much of it and little of it at once, on all nodes. */
  async warmUp (): Promise<void> {
    for (const concurrency of [64, 1]) {
      await this.startLoad(this.#nodes, { concurrency, valueBytes: 100 })
      await delay(this.#bench.settings.compileMs)
      await this.stopLoad(this.#nodes)
    }
  }

  /** The same load on each of these nodes at once. The processor time is that of all nodes, in their order. */
  async measureLoad (writers: readonly ClusterNode[], spec: LoadSpec): Promise<Record<string, number>> {
    const children = (nodes: readonly ClusterNode[]): Array<Child<NodeMethods>> => nodes.map(({ child }) => child)
    const { figures, entries } = await measureLoad(children(writers), children(this.#nodes), spec, this.#bench.settings)
    this.wrote(entries)
    return figures
  }

  async startLoad (nodes: readonly ClusterNode[], spec: LoadSpec): Promise<void> {
    await Promise.all(nodes.map((node) => node.call('startLoad', spec)))
  }

  /** Resolves with the number of new entries. */
  async stopLoad (nodes: readonly ClusterNode[]): Promise<number> {
    const written = sum(await Promise.all(nodes.map((node) => node.call('stopLoad'))))
    this.wrote(written)
    return written
  }

  /** So many new entries were acknowledged. */
  wrote (entries: number): void {
    this.#entries += entries
  }

  /** All replicas are the same, and have what was acknowledged. Throws if they have not. */
  async verify (): Promise<void> {
    const digests = await this.#digests()
    for (const digest of digests) {
      if (JSON.stringify(digest) !== JSON.stringify(digests[0])) throw new VerificationError('the replicas differ', digests)
    }
    if (digests[0]!.entries !== this.#entries) throw new VerificationError(`${this.#entries} entries were acknowledged`, digests)
  }

  async #digests (): Promise<ReplicaDigest[]> {
    for (let attempt = 1; ; attempt++) {
      const digests = await Promise.all(this.#nodes.map((node) => node.call('digest')))
      if (new Set(digests.map(({ position }) => position)).size === 1 || attempt === verifyAttempts) return digests
    }
  }
}

/** The library is wrong: no figure counts. */
export class VerificationError extends Error {
  constructor (problem: string, digests: readonly ReplicaDigest[]) {
    super(`${problem}: ${JSON.stringify(digests, null, 2)}`)
  }
}
