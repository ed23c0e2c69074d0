/** Which nodes there are and where: chosen at the first start and kept in `cluster.json`, next to the databases. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { NodeOptions } from './messages.ts'
import { CallError } from './node-process.ts'
import { UsageError, type Options } from './options.ts'

const host = '127.0.0.1'
const nodesDefault = 3
// Below the ports that systems give to outgoing connections, which could occupy one of ours between two starts.
const portMin = 20_000
const portMax = 32_000

interface PlannedNode {
  name: string
  port: number
  /** It only votes. */
  witness?: boolean
}

export class Plan {
  /** In the order of the file. */
  readonly nodes: readonly NodeOptions[]
  readonly #file: string
  readonly #options: Options

  private constructor (file: string, options: Options, nodes: readonly PlannedNode[]) {
    this.#file = file
    this.#options = options
    const minConsensus = options.minConsensus ?? survivable(nodes)
    if (minConsensus >= dataNodes(nodes)) {
      throw new UsageError(`--min-consensus ${minConsensus} needs more nodes: there are ${dataNodes(nodes)}`)
    }
    this.nodes = nodes.map((node) => this.#toOptions(node, nodes.filter((peer) => peer !== node).map(({ port }) => port), minConsensus))
  }

  /** The plan of an earlier start, or a new one. */
  static async open (options: Options): Promise<Plan> {
    const file = join(options.data, 'cluster.json')
    const planned = await readPlan(file)
    const count = planned?.length ?? options.nodes ?? nodesDefault

    if (options.nodes !== null && options.nodes !== count) {
      throw new UsageError(`${options.data} has ${count} nodes, not ${options.nodes}: choose another folder with --data`)
    }
    if (planned !== null) return new Plan(file, options, planned)

    const nodes = (await freePorts(count)).map((port, index) => ({ name: 'abcdefghi'.charAt(index), port }))
    const plan = new Plan(file, options, nodes)
    await plan.keep(plan.nodes)
    return plan
  }

  /** One more, which knows nobody but this one. */
  async add (name: string, witness: boolean, known: NodeOptions): Promise<NodeOptions> {
    const [port] = await freePorts(1)
    const node = this.#toOptions({ name, port: port!, witness }, [known.port], known.minConsensus)
    if (existsSync(node.location)) {
      throw new CallError({ message: `${node.location} has the data of a node that has left: take another letter` })
    }
    return node
  }

  /** Remembers that there are these and no others. */
  async keep (nodes: readonly NodeOptions[]): Promise<void> {
    const planned = nodes.map(({ name, port, role }): PlannedNode => role === 'witness' ? { name, port, witness: true } : { name, port })
    await mkdir(join(this.#file, '..'), { recursive: true })
    await writeFile(this.#file, `${JSON.stringify({ nodes: planned }, null, 2)}\n`)
  }

  #toOptions ({ name, port, witness = false }: PlannedNode, peers: readonly number[], minConsensus: number): NodeOptions {
    const { data, failureTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.#options
    return {
      name,
      host,
      port,
      location: join(data, name),
      peers: peers.map((port) => ({ host, port })),
      role: witness ? 'witness' : 'member',
      minConsensus,
      failureTimeoutMs,
      readTimeoutMs,
      writeTimeoutMs
    }
  }
}

/** The largest `minConsensus` with which as many nodes may die as a majority can spare. */
function survivable (nodes: readonly PlannedNode[]): number {
  return Math.max(0, dataNodes(nodes) - 1 - Math.floor((nodes.length - 1) / 2))
}

function dataNodes (nodes: readonly PlannedNode[]): number {
  return nodes.filter(({ witness }) => witness !== true).length
}

async function readPlan (file: string): Promise<PlannedNode[] | null> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw err
  }

  try {
    const { nodes } = JSON.parse(text) as { nodes: PlannedNode[] }
    if (nodes.every(({ name, port }) => typeof name === 'string' && Number.isInteger(port)) && dataNodes(nodes) > 0) return nodes
  } catch {
    // Said below.
  }
  throw new UsageError(`${file} is damaged: it should list the name and the port of each node`)
}

async function freePorts (count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function isFree (port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => { resolve(false) })
    server.listen(port, host, () => { server.close(() => { resolve(true) }) })
  })
}
