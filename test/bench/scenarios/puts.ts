import { Cluster } from '../cluster.ts'
import type { ClusterNode, ClusterOptions } from '../cluster.ts'
import { loadColumns } from '../measure-load.ts'
import { concurrencies } from '../parameters.ts'
import type { LoadSpec } from '../processes/load.ts'
import type { Bench, Row, Scenario } from '../scenario.ts'

/** What one cluster is measured with. */
interface Series {
  name: string
  options: ClusterOptions
  writers: (cluster: Cluster) => readonly ClusterNode[]
  loads: Array<LoadSpec & { name: string }>
}

const small = concurrencies.map((concurrency) => ({ name: `c=${concurrency}`, concurrency, valueBytes: 100 }))
const onCoordinator: Series['writers'] = ({ coordinator }) => [coordinator]

const series: Series[] = [
  ...(['disk', 'memory'] as const).flatMap((durability): Series[] => [
    { name: `${durability}, coordinator`, options: { replicator: { durability } }, writers: onCoordinator, loads: small },
    { name: `${durability}, participant`, options: { replicator: { durability } }, writers: ({ participant }) => [participant], loads: small },
    { name: `${durability}, all three`, options: { replicator: { durability } }, writers: ({ nodes }) => nodes, loads: small }
  ]),
  {
    name: 'disk, coordinator',
    options: {},
    writers: onCoordinator,
    loads: [
      { name: '10 KB, c=16', concurrency: 16, valueBytes: 10_000 },
      { name: 'batches of 100, c=16', concurrency: 16, valueBytes: 100, perWrite: 100 }
    ]
  },
  {
    name: 'disk, coordinator of five',
    options: { count: 5, replicator: { minConsensus: 2 } },
    writers: onCoordinator,
    loads: small.filter(({ concurrency }) => concurrency === 64)
  }
]

async function measureSeries (bench: Bench, { name, options, writers, loads }: Series): Promise<Row[]> {
  return await Cluster.use(bench, options, async (cluster) => {
    bench.note(`${name}, warming up`)
    await cluster.warmUp()
    const rows: Row[] = []
    for (const { name: load, ...spec } of loads) {
      bench.note(`${name}, ${load}`)
      rows.push({ name: `${name}, ${load}`, values: await cluster.measureLoad(writers(cluster), spec) })
      await cluster.verify()
    }
    return rows
  })
}

export const puts: Scenario = {
  name: 'puts',
  title: 'Writes',
  about: 'Three nodes, minConsensus 1, 100-byte values, fresh random keys. Each of c loops on a node writes, waits, and writes again. ' +
    'Processor time per write: of the coordinator, of two others, and of all nodes.',
  columns: [
    ...loadColumns,
    { key: 'cpu0Micros', title: 'coord. µs', digits: 0 },
    { key: 'cpu1Micros', title: 'second µs', digits: 0 },
    { key: 'cpu2Micros', title: 'third µs', digits: 0 },
    { key: 'cpuSumMicros', title: 'sum µs', digits: 0 }
  ],
  async measure (bench) {
    const rows: Row[] = []
    for (const each of series) rows.push(...await measureSeries(bench, each))
    return rows
  }
}
