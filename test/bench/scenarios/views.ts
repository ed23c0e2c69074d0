import { Cluster } from '../cluster.ts'
import type { ClusterNode } from '../cluster.ts'
import { latencies } from '../measure-load.ts'
import { failureTimeoutMs } from '../parameters.ts'
import type { Row, Scenario } from '../scenario.ts'

const pulse = { concurrency: 1, valueBytes: 100 }
/** Acknowledged on each of the others before an event and after it. */
const beats = 50

/** Resolves with how long it has taken; null if that says nothing. */
type Change = () => Promise<number | null>

/** One write after the other on each of these nodes. The pause is the longest that any of them took. */
async function pauseDuring (cluster: Cluster, name: string, writers: readonly ClusterNode[], change: Change): Promise<Row> {
  const beat = async (): Promise<void> => {
    await Promise.all(writers.map((node) => node.call('put', beats, pulse.valueBytes)))
    cluster.wrote(beats * writers.length)
  }
  await cluster.startLoad(writers, pulse)
  await beat()
  await Promise.all(writers.map((node) => node.call('markLoad')))
  const tookMs = await change()
  await beat()
  const windows = await Promise.all(writers.map((node) => node.call('takeLoad')))
  await cluster.stopLoad(writers)
  const { p50Ms, maxMs } = latencies(windows.map(({ latenciesMs }) => latenciesMs))
  return { name, values: { pauseMs: maxMs!, p50Ms: p50Ms!, ...(tookMs === null ? {} : { tookMs }) } }
}

async function die (node: ClusterNode): Promise<null> {
  await node.kill()
  return null
}

async function takePart (start: () => Promise<ClusterNode>): Promise<number> {
  const begun = performance.now()
  const node = await start()
  await node.call('ready')
  return performance.now() - begun
}

async function revive (node: ClusterNode): Promise<ClusterNode> {
  await node.start()
  return node
}

export const views: Scenario = {
  name: 'views',
  title: 'Changes of the view',
  about: `Three nodes, minConsensus 1, failureTimeoutMs ${failureTimeoutMs}, one write after the other on each node that is up all the time: the longest that one took. ` +
    'A death is a SIGKILL; a return takes from the start of the process until it is ready.',
  columns: [
    { key: 'pauseMs', title: 'writes pause ms', digits: 0, range: true },
    { key: 'tookMs', title: 'takes ms', digits: 0 },
    { key: 'p50Ms', title: 'p50 ms', digits: 2 }
  ],
  async measure (bench) {
    return await Cluster.use(bench, { replicator: { failureTimeoutMs } }, async (cluster) => {
      const { coordinator } = cluster
      const [, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]
      const rows: Row[] = []
      const measure = async (name: string, writers: readonly ClusterNode[], change: Change): Promise<void> => {
        bench.note(name)
        rows.push(await pauseDuring(cluster, name, writers, change))
      }

      await measure('death of a participant', [coordinator, b], () => die(c))
      await measure('return of a participant', [coordinator, b], () => takePart(() => revive(c)))
      await measure('death of the coordinator', [b, c], () => die(coordinator))
      await measure('return of the coordinator', [b, c], () => takePart(() => revive(coordinator)))
      await measure('a fourth joins', [coordinator, b, c], () => takePart(() => cluster.join()))
      await cluster.verify()
      return rows
    })
  }
}
