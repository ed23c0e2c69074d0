import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ReplicatorOptions } from '../../../index.ts'
import { ClusterNode } from './cluster-node.ts'
import { freePorts } from './free-ports.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** A test, or whatever else says when it is over. */
export interface Lifetime {
  teardown (callback: () => Promise<void>): void
}

export interface ClusterOptions {
  names?: readonly string[]
  /** Options for every replicator, beside `name`, `host`, `port` and `peers`. */
  replicator?: ReplicatorOptions
  /** The same for single nodes. */
  each?: Record<string, ReplicatorOptions>
  /** Nodes reach each other through proxies that can be cut, one for each direction. */
  proxies?: boolean
}

/** The module under test. A build can be tested instead of the source. */
const ENTRY = process.env.TEST_ENTRY ?? new URL('../../../index.ts', import.meta.url).href

const HOST = '127.0.0.1'

/** What a node is told that is started beside those of the beginning. */
export interface NewNode {
  name: string
  /** Whose addresses it gets; all others get its own from them. */
  knows: readonly ClusterNode[]
  replicator?: ReplicatorOptions
}

/** Node processes, each with a directory and a port of its own; a full mesh at the beginning. */
export class Cluster {
  readonly directory: string
  /** By the names of the one who dials and the one who is dialled, as `a>b`. */
  readonly proxies: ReadonlyMap<string, TcpProxy>
  readonly #names = new Map<string, string>()
  #nodes: readonly ClusterNode[]

  constructor (nodes: readonly ClusterNode[], directory: string, proxies: ReadonlyMap<string, TcpProxy>) {
    this.#nodes = nodes
    this.directory = directory
    this.proxies = proxies
  }

  get nodes (): readonly ClusterNode[] {
    return this.#nodes
  }

  /** Those that hold the data. */
  get replicas (): ClusterNode[] {
    return this.#nodes.filter(({ config }) => config.replicator.role !== 'witness')
  }

  /** One more node. Its process is not started yet. */
  async add ({ name, knows, replicator }: NewNode): Promise<ClusterNode> {
    const [port] = await freePorts(1)
    const peers = knows.map(({ config: { host, port } }) => ({ host, port }))
    const node = new ClusterNode({
      name,
      host: HOST,
      port: port as number,
      // A name may come twice, one after the other; a directory does not.
      location: join(this.directory, `${name}-${port}`),
      entry: ENTRY,
      detours: [],
      replicator: { host: HOST, port, peers, ...replicator }
    })
    this.#nodes = [...this.#nodes, node]
    return node
  }

  /** It is no part of the cluster any more. What is left of its process is killed. */
  async forget (node: ClusterNode): Promise<void> {
    this.#nodes = this.#nodes.filter((other) => other !== node)
    for (const [id, name] of this.#names) if (name === node.name) this.#names.delete(id)
    await node.kill()
  }

  node (name: string): ClusterNode {
    const node = this.nodes.find((node) => node.name === name)
    if (node === undefined) throw new RangeError(`No node ${name}`)
    return node
  }

  /** Resolves when all nodes say that they are ready. */
  async ready (): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.call('ready')))
    const known = new Set(this.#names.values())
    for (const node of this.nodes) if (!known.has(node.name)) this.#names.set((await node.call('stats')).id, node.name)
  }

  /** The name of a node, by its id in the cluster; once all have been ready. */
  nameOf (id: string): string {
    return this.#names.get(id) ?? id
  }

  /** The node that orders the writes, by what this one knows. */
  async coordinatorOf (node: ClusterNode): Promise<ClusterNode> {
    const { coordinator } = await node.whenStats(({ coordinator }) => coordinator !== null)
    return this.node(this.nameOf(coordinator?.id ?? ''))
  }

  /** Resolves once these nodes are live by what the others know, all of them, and say so themselves. */
  async whenLive (names: readonly string[], witness: ClusterNode): Promise<void> {
    const { epoch } = await witness.whenStats(({ live, epoch }) => {
      return epoch > 0 && names.every((name) => live.some((id) => this.nameOf(id) === name))
    })
    for (const name of names) {
      const node = this.node(name)
      await node.whenStats((stats) => stats.epoch >= epoch)
      await node.call('ready')
    }
  }

  /** Cuts all connections between nodes of different groups. Names that are in no group are alone. */
  partition (...groups: ReadonlyArray<readonly string[]>): void {
    for (const [proxy, isOpen] of this.#between(groups)) isOpen ? proxy.heal() : proxy.cut()
  }

  /** The same, but nobody is told: what is sent is held up until the cluster is healed. */
  silence (...groups: ReadonlyArray<readonly string[]>): void {
    for (const [proxy, isOpen] of this.#between(groups)) isOpen ? proxy.heal() : proxy.freeze()
  }

  #between (groups: ReadonlyArray<readonly string[]>): Array<[proxy: TcpProxy, isOpen: boolean]> {
    return [...this.proxies].map(([path, proxy]) => {
      const [from, to] = path.split('>') as [string, string]
      return [proxy, groups.some((group) => group.includes(from) && group.includes(to))]
    })
  }

  heal (): void {
    for (const proxy of this.proxies.values()) proxy.heal()
  }

  /** Kills what is left, and removes all files. */
  async destroy (): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()))
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Makes a cluster that lives as long as the test. No process is started yet. */
export async function createCluster (t: Lifetime, options: ClusterOptions = {}): Promise<Cluster> {
  const names = options.names ?? ['a', 'b', 'c']
  const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
  const ports = await freePorts(names.length)
  const addresses = names.map((name, i) => ({ name, host: HOST, port: ports[i] as number }))
  const proxies = new Map<string, TcpProxy>()

  if (options.proxies === true) {
    for (const from of addresses) {
      for (const to of addresses) {
        if (from !== to) proxies.set(`${from.name}>${to.name}`, await TcpProxy.listen(to))
      }
    }
  }

  const nodes = addresses.map(({ name, host, port }) => new ClusterNode({
    name,
    host,
    port,
    location: join(directory, name),
    entry: ENTRY,
    // Nodes tell each other the addresses of third ones: each must go its own way there, wherever it has the address from.
    detours: addresses.flatMap((peer) => {
      const proxy = proxies.get(`${name}>${peer.name}`)
      return proxy === undefined ? [] : [{ port: peer.port, through: proxy.address.port }]
    }),
    replicator: {
      host,
      port,
      peers: addresses.filter((peer) => peer.name !== name).map(({ host, port }) => ({ host, port })),
      ...options.replicator,
      ...options.each?.[name]
    }
  }))

  const cluster = new Cluster(nodes, directory, proxies)
  t.teardown(() => cluster.destroy())
  return cluster
}

/** The same, with all processes started and listening. */
export async function startCluster (t: Lifetime, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await createCluster(t, options)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  return cluster
}
