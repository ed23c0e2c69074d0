import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../cluster.ts'
import type { ClusterNode } from '../cluster.ts'
import { loadColumns, loadFigures } from '../measure-load.ts'
import type { Bench, Row, Scenario } from '../scenario.ts'
import { fillOf } from './catch-up.ts'

const load = { concurrency: 16, valueBytes: 100 }
const hugeBatch = { concurrency: 1, valueBytes: 1000, perWrite: 10_000, sameKeys: true }

/** How long the slow node stands still, and goes on. */
const slowMs = 50

interface Disturbance {
  name: string
  /** Resolves when it is over. */
  during (cluster: Cluster, ms: number): Promise<void>
}

const disturbances: Disturbance[] = [
  { name: 'quiet', during: async (_, ms) => { await delay(ms) } },
  {
    name: `a participant stands still for ${slowMs} of ${2 * slowMs} ms`,
    async during (cluster, ms) {
      for (const end = performance.now() + ms; performance.now() < end; await delay(slowMs)) {
        const release = await cluster.node(2).child.hold()
        await delay(slowMs)
        await release()
      }
    }
  },
  {
    name: 'batches of 10,000 x 1 KB on another node',
    async during (cluster, ms) {
      await cluster.startLoad([cluster.node(2)], hugeBatch)
      await delay(ms)
      await cluster.stopLoad([cluster.node(2)])
    }
  },
  {
    name: 'scans of everything on this node',
    async during ({ participant }, ms) {
      await participant.call('startScans')
      await delay(ms)
      await participant.call('stopScans')
    }
  },
  {
    // The last one: afterwards there are four.
    name: 'a new node copies everything',
    async during (cluster) {
      const node = await cluster.join()
      await node.call('ready')
    }
  }
]

async function measureOne (cluster: Cluster, writer: ClusterNode, { name, during }: Disturbance, { settings }: Bench): Promise<Row> {
  await cluster.startLoad([writer], load)
  await delay(settings.warmUpMs)
  await writer.call('markLoad')
  await during(cluster, settings.fairnessMs)
  const window = await writer.call('takeLoad')
  await cluster.stopLoad([writer])
  await cluster.verify()
  return { name, values: loadFigures([window]) }
}

export const fairness: Scenario = {
  name: 'fairness',
  title: 'Writes beside others',
  about: 'Three nodes, minConsensus 1, puts of 100 bytes at c=16 on a participant. The slow participant is never away for failureTimeoutMs, so it stays live, and every write waits for it.',
  columns: loadColumns,
  async measure (bench) {
    return await Cluster.use(bench, { replicator: { logBytesMax: 1024 * 1024 } }, async (cluster) => {
      const writer = cluster.participant
      bench.note('warming up')
      await cluster.warmUp()
      await cluster.fill(writer, fillOf(bench.settings.fairnessMegabytes))
      const rows: Row[] = []
      for (const disturbance of disturbances) {
        bench.note(disturbance.name)
        rows.push(await measureOne(cluster, writer, disturbance, bench))
      }
      return rows
    })
  }
}
