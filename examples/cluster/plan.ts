/** Which nodes there are and where: chosen at the first start and kept in `cluster.json`, next to the databases. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { NodeOptions } from './messages.ts'
import { UsageError, type Options } from './options.ts'

const host = '127.0.0.1'
const nodesDefault = 3
// Below the ports that systems give to outgoing connections, which could occupy one of ours between two starts.
const portMin = 20_000
const portMax = 32_000

interface Plan {
  nodes: Array<{ name: string, port: number }>
}

export async function planNodes (options: Options): Promise<NodeOptions[]> {
  const file = join(options.data, 'cluster.json')
  const plan = await readPlan(file)
  const count = plan?.nodes.length ?? options.nodes ?? nodesDefault

  if (options.nodes !== null && options.nodes !== count) {
    throw new UsageError(`${options.data} has ${count} nodes, not ${options.nodes}: choose another folder with --data`)
  }

  const minConsensus = options.minConsensus ?? Math.floor(count / 2)
  if (minConsensus >= count) {
    throw new UsageError(`--min-consensus ${minConsensus} needs more nodes: there are ${count}`)
  }

  const { nodes } = plan ?? await makePlan(file, count)
  return nodes.map(({ name, port }) => ({
    name,
    host,
    port,
    location: join(options.data, name),
    peers: nodes.filter((peer) => peer.name !== name).map((peer) => ({ host, port: peer.port })),
    minConsensus,
    failureTimeoutMs: options.failureTimeoutMs,
    readTimeoutMs: options.readTimeoutMs,
    writeTimeoutMs: options.writeTimeoutMs
  }))
}

async function readPlan (file: string): Promise<Plan | null> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw err
  }

  try {
    const plan = JSON.parse(text) as Plan
    if (plan.nodes.every(({ name, port }) => typeof name === 'string' && Number.isInteger(port))) return plan
  } catch {
    // Said below.
  }
  throw new UsageError(`${file} is damaged: it should list the name and the port of each node`)
}

async function makePlan (file: string, count: number): Promise<Plan> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    if (await isFree(port)) ports.add(port)
  }

  const plan: Plan = { nodes: [...ports].map((port, index) => ({ name: 'abcdefghi'.charAt(index), port })) }
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, `${JSON.stringify(plan, null, 2)}\n`)
  return plan
}

async function isFree (port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => { resolve(false) })
    server.listen(port, host, () => { server.close(() => { resolve(true) }) })
  })
}
