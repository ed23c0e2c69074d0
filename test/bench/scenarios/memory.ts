import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../child.ts'
import { Cluster } from '../cluster.ts'
import type { ClusterNode } from '../cluster.ts'
import type { BareMethods } from '../processes/bare.ts'
import type { FootprintMethods } from '../processes/footprint.ts'
import type { Bench, Row, Scenario } from '../scenario.ts'

/** Nobody is to be excluded while it stands still. */
const patient = { minConsensus: 2, failureTimeoutMs: 60_000, writeTimeoutMs: 60_000 }

const pollMs = 50

type Role = 'coordinator' | 'participant'

/** All nodes are live, and one of them stands still: so nothing commits, and whoever has to hold the writes holds them. */
async function pendingRows (bench: Bench, role: Role): Promise<Row[]> {
  const { pendingWrites } = bench.settings
  const otherRole: Role = role === 'coordinator' ? 'participant' : 'coordinator'
  return await Cluster.use(bench, { replicator: patient }, async (cluster) => {
    bench.note(`pending writes of the ${role}`)
    const writer = cluster[role]
    const nodes = [writer, cluster[otherRole]]
    // What is allocated once is there before.
    await cluster.fill(writer, { entries: pendingWrites, valueBytes: 100 })

    const heaps = async (): Promise<number[]> => (await Promise.all(nodes.map((node) => node.call('footprint')))).map(({ heapBytes }) => heapBytes)
    const before = await heaps()
    const release = await cluster.node(2).child.hold()
    await writer.call('begin', pendingWrites, 100)
    const held = await heldBy(nodes)
    const after = await heaps()
    await release()
    await writer.call('settle')
    cluster.wrote(pendingWrites)
    await cluster.verify()

    return [
      { name: `writes of the ${role}, there`, writes: pendingWrites },
      { name: `writes of the ${role}, on a ${otherRole}`, writes: held }
    ].map(({ name, writes }, i) => ({ name, values: { writes, bytesPerWrite: (after[i]! - before[i]!) / writes } }))
  })
}

/** How many writes the last of them has in its log and not committed, once nothing moves any more. */
async function heldBy (nodes: readonly ClusterNode[]): Promise<number> {
  for (let last = ''; ; await delay(pollMs)) {
    const stats = await Promise.all(nodes.map((node) => node.call('stats')))
    const now = JSON.stringify(stats)
    const { end, committed } = stats.at(-1)!
    if (now === last && end > committed) return end - committed
    last = now
  }
}

async function idle (child: Pick<Child<FootprintMethods>, 'call'>, ms: number): Promise<Record<string, number>> {
  const { rssBytes, heapBytes } = await child.call('footprint')
  return { rssMegabytes: rssBytes / 1e6, heapMegabytes: heapBytes / 1e6, cpuPercent: await child.call('cpuWhileIdle', ms) / 1e4 }
}

async function idleRows (bench: Bench): Promise<Row[]> {
  const { idleMs } = bench.settings
  const location = join(bench.folder, 'idle')
  await mkdir(location)
  const bare = await Child.start<BareMethods>('bare', { kind: 'unsynced', location })
  try {
    bench.note('idle')
    return await Cluster.use(bench, {}, async ({ coordinator, participant }) => {
      const values = await Promise.all([bare, coordinator.child, participant.child].map((child) => idle(child, idleMs)))
      return ['idle: bare store', 'idle: coordinator', 'idle: participant'].map((name, i) => ({ name, values: values[i]! }))
    })
  } finally {
    await bare.kill()
  }
}

export const memory: Scenario = {
  name: 'memory',
  title: 'Memory, and processor time while idle',
  about: 'Pending: one of three live nodes stands still while puts of 100 bytes are called; heap and external memory per put, what the caller holds included. ' +
    'The other node holds those that were sent. Idle: fresh processes, after a garbage collection.',
  columns: [
    { key: 'writes', title: 'writes', digits: 0 },
    { key: 'bytesPerWrite', title: 'bytes/write', digits: 0, range: true },
    { key: 'rssMegabytes', title: 'RSS MB', digits: 1, range: true },
    { key: 'heapMegabytes', title: 'heap MB', digits: 1 },
    { key: 'cpuPercent', title: 'CPU %', digits: 2, range: true }
  ],
  measure: async (bench) => [...await pendingRows(bench, 'coordinator'), ...await pendingRows(bench, 'participant'), ...await idleRows(bench)]
}
