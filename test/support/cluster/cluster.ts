import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tape'
import { ClusterNode } from './cluster-node.ts'
import { freePorts } from './free-ports.ts'
import { TcpProxy } from './tcp-proxy.ts'

export interface ClusterOptions {
  names?: readonly string[]
  /** Options for every replicator, beside `name`, `host`, `port` and `peers`. */
  replicator?: Record<string, unknown>
  /** Nodes reach each other through proxies that can be cut. They then do not know their own addresses. */
  proxies?: boolean
}

/** The module under test. A build can be tested instead of the source. */
const ENTRY = process.env.TEST_ENTRY ?? new URL('../../../index.ts', import.meta.url).href

const HOST = '127.0.0.1'

/** A full mesh of node processes, each with a directory and a port of its own. */
export class Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly directory: string
  /** By the names of the one who dials and the one who is dialled, as `a>b`. */
  readonly proxies: ReadonlyMap<string, TcpProxy>

  constructor (nodes: readonly ClusterNode[], directory: string, proxies: ReadonlyMap<string, TcpProxy>) {
    this.nodes = nodes
    this.directory = directory
    this.proxies = proxies
  }

  node (name: string): ClusterNode {
    const node = this.nodes.find((node) => node.name === name)
    if (node === undefined) throw new RangeError(`No node ${name}`)
    return node
  }

  /** Resolves when all nodes say that they are ready. */
  async ready (): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.call('ready')))
  }

  /** Cuts all connections between nodes of different groups. Names that are in no group are alone. */
  partition (...groups: ReadonlyArray<readonly string[]>): void {
    for (const [path, proxy] of this.proxies) {
      const [from, to] = path.split('>') as [string, string]
      if (groups.some((group) => group.includes(from) && group.includes(to))) proxy.heal()
      else proxy.cut()
    }
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
export async function createCluster (t: Test, options: ClusterOptions = {}): Promise<Cluster> {
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
    replicator: {
      // An address that others could hear of would lead around the proxies.
      ...(options.proxies === true ? {} : { host, port }),
      peers: addresses.filter((peer) => peer.name !== name).map((peer) => {
        return proxies.get(`${name}>${peer.name}`)?.address ?? { host: peer.host, port: peer.port }
      }),
      ...options.replicator
    }
  }))

  const cluster = new Cluster(nodes, directory, proxies)
  t.teardown(() => cluster.destroy())
  return cluster
}

/** The same, with all processes started and listening. */
export async function startCluster (t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await createCluster(t, options)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  return cluster
}
