/** Are all replicas identical? Compares digests, and where these differ the entries themselves. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import type { Digest, Entry } from './messages.ts'
import type { NodeProcess } from './node-process.ts'
import { quote } from './parse-command.ts'
import { formatTable } from './table.ts'

const attempts = 50
const pauseMs = 100
const pageSize = 1000
const differencesShown = 10

export interface Verdict {
  identical: boolean
  /** The digests. */
  table: string
  text: string
}

export async function checkReplicas (cluster: Cluster): Promise<Verdict> {
  // A witness has nothing to be compared.
  const replicas = cluster.nodes.filter((node) => !node.isWitness)
  const up = replicas.filter((node) => node.isReachable)
  const digests = await digestsAtOnePosition(up)
  const differ = (part: keyof Digest) => new Set(digests.map((digest) => digest[part])).size > 1

  const table = formatTable(
    ['node', 'position', 'entries', 'data', 'origins'],
    up.map(({ name }, i) => [name, digests[i]!.position, digests[i]!.entries, shorten(digests[i]!.data), shorten(digests[i]!.table)])
  )

  const problems: string[] = []
  if (differ('position')) {
    problems.push('not comparable: the nodes are at different positions')
  } else {
    if (differ('table')) problems.push('the tables of origins differ')
    if (differ('data')) problems.push('the data differ:', ...await findDifferences(up))
  }
  if (up.length < replicas.length) problems.push(`not every replica could be compared: ${cluster.hint}`)

  const identical = problems.length === 0
  const findings = identical ? [`all ${up.length} replicas are identical`] : problems
  return { identical, table, text: findings.join('\n') }
}

/** The others learn of the last writes a moment later than the node that wrote them. */
async function digestsAtOnePosition (nodes: readonly NodeProcess[]): Promise<Digest[]> {
  for (let attempt = 1; ; attempt++) {
    const digests = await Promise.all(nodes.map(async (node) => await node.call('digest', [])))
    if (new Set(digests.map(({ position }) => position)).size <= 1 || attempt === attempts) return digests
    await delay(pauseMs)
  }
}

/** Walks through all nodes at once, in key order. */
async function findDifferences (nodes: readonly NodeProcess[]): Promise<string[]> {
  const walks = nodes.map((node) => entries(node))
  const heads = await Promise.all(walks.map(async (walk) => (await walk.next()).value ?? null))
  const lines: string[] = []

  while (heads.some((entry) => entry !== null) && lines.length < differencesShown) {
    const key = heads.flatMap((entry) => entry === null ? [] : [entry[0]]).sort(compareKeys)[0]!
    const values = heads.map((entry) => entry?.[0] === key ? entry[1] : null)
    if (new Set(values).size > 1) {
      lines.push(`  ${quote(key)}: ${values.map((value, i) => `${nodes[i]!.name} ${value === null ? 'has none' : quote(value)}`).join(', ')}`)
    }
    for (const [i, walk] of walks.entries()) {
      if (heads[i]?.[0] === key) heads[i] = (await walk.next()).value ?? null
    }
  }

  if (lines.length === differencesShown) lines.push('  and perhaps more')
  return lines
}

async function * entries (node: NodeProcess): AsyncGenerator<Entry, undefined> {
  let from = ''
  while (true) {
    const page = await node.call('scan', [from, '', pageSize])
    yield * page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    // The smallest key after this one.
    from = `${last[0]}\0`
  }
}

// The databases sort by bytes, which differs from the order of JavaScript beyond the basic plane.
function compareKeys (a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function shorten (hex: string): string {
  return hex.slice(0, 16)
}
