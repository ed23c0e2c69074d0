import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SyncProgress } from '../../../index.ts'
import { Child } from '../child.ts'
import { Cluster } from '../cluster.ts'
import type { ClusterNode } from '../cluster.ts'
import { failureTimeoutMs } from '../parameters.ts'
import type { BareMethods } from '../processes/bare.ts'
import { bytesOf } from '../processes/entries.ts'
import type { Memory } from '../processes/footprint.ts'
import type { Bench, Row, Scenario } from '../scenario.ts'

const valueBytes = 1000

/** So that a new node cannot get everything from the log. */
const shortLog = { logBytesMax: 1024 * 1024 }

export function fillOf (megabytes: number): { entries: number, valueBytes: number } {
  return { entries: Math.round(megabytes * 1e6 / bytesOf(1, valueBytes)), valueBytes }
}

async function byLog (bench: Bench): Promise<Row> {
  return await Cluster.use(bench, { watchMemory: true, replicator: { failureTimeoutMs } }, async (cluster) => {
    const late = cluster.node(2)
    await late.kill()
    return await measureSync(bench, cluster, 'by log', 'log', async () => {
      await late.start()
      return late
    })
  })
}

async function byCopy (bench: Bench): Promise<Row> {
  return await Cluster.use(bench, { watchMemory: true, replicator: shortLog }, async (cluster) => {
    return await measureSync(bench, cluster, 'by copy', 'copy', () => cluster.join())
  })
}

/** Fills those that are there, and then starts the one that lacks it. */
async function measureSync (
  bench: Bench, cluster: Cluster, name: string, phase: SyncProgress['phase'], start: () => Promise<ClusterNode>
): Promise<Row> {
  bench.note(name)
  const contents = fillOf(bench.settings.catchUpMegabytes)
  await cluster.fill(cluster.coordinator, contents)
  const sources = [cluster.coordinator, cluster.participant]
  await Promise.all(sources.map((node) => node.call('watchMemory')))

  const late = await start()
  const { phases, syncMs, totalMs } = await late.call('caughtUp')
  if (!phases.includes(phase)) throw new Error(`the node has caught up by ${phases.join(' and ')}, not ${name}`)
  const [own, ...others] = await Promise.all([late, ...sources].map((node) => node.call('memoryGrowth')))
  await cluster.verify()
  return { name, values: { ...speed(contents.entries, syncMs), totalMs, ...grown('receiver', [own!]), ...grown('source', others) } }
}

/** One process that reads everything and writes it to another store. */
async function locally (bench: Bench): Promise<Row> {
  bench.note('locally')
  const location = join(bench.folder, 'local')
  await mkdir(location)
  const child = await Child.start<BareMethods>('bare', { kind: 'unsynced', location })
  try {
    const contents = fillOf(bench.settings.catchUpMegabytes)
    await child.call('fill', contents)
    await child.call('watchMemory')
    const ms = await child.call('copy', join(location, 'copy'))
    const growth = await child.call('memoryGrowth')
    return { name: 'limit: copied locally', values: { ...speed(contents.entries, ms), totalMs: ms, ...grown('receiver', [growth]) } }
  } finally {
    await child.kill()
  }
}

function speed (entries: number, ms: number): Record<string, number> {
  return { megabytesPerSecond: bytesOf(entries, valueBytes) / 1000 / ms }
}

function grown (who: 'receiver' | 'source', growth: readonly Memory[]): Record<string, number> {
  return {
    [`${who}Megabytes`]: Math.max(...growth.map(({ anonymousBytes }) => anonymousBytes)) / 1e6,
    [`${who}RssMegabytes`]: Math.max(...growth.map(({ rssBytes }) => rssBytes)) / 1e6
  }
}

export const catchUp: Scenario = {
  name: 'catch-up',
  title: 'Catching up',
  about: 'A node that was away while the others were filled (by log), or a new one (by copy), 1 KB values, no other writes: megabytes of keys and values per second, from the first ' +
    'that it gets until it is ready. In all: from the start of its replicator. Memory: the growth of its process and of the others, without mapped files and with them. ' +
    'The limit: one process reads everything with an iterator and writes it to another store in batches of 1 MiB.',
  columns: [
    { key: 'megabytesPerSecond', title: 'MB/s', digits: 1, range: true },
    { key: 'totalMs', title: 'in all ms', digits: 0 },
    { key: 'receiverMegabytes', title: 'memory MB', digits: 0, range: true },
    { key: 'receiverRssMegabytes', title: 'RSS MB', digits: 0 },
    { key: 'sourceMegabytes', title: "others' MB", digits: 0, range: true },
    { key: 'sourceRssMegabytes', title: 'RSS MB', digits: 0 }
  ],
  measure: async (bench) => [await byLog(bench), await byCopy(bench), await locally(bench)]
}
