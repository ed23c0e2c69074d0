import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concurrencies } from '../parameters.ts'
import type { Run } from '../results.ts'
import { drawChart } from './chart.ts'
import type { Series } from './chart.ts'
import { computeAll } from './figures.ts'

interface Source {
  name: string
  scenario: string
  /** What the names of its rows begin with. */
  rows: string
  isReference?: boolean
}

const sources: Source[] = [
  { name: 'quorum-level, one writer', scenario: 'puts', rows: 'disk, coordinator, ' },
  { name: 'three writers', scenario: 'puts', rows: 'disk, all three, ' },
  { name: 'limit: not replicated', scenario: 'limits', rows: 'store, group commit, three, ', isReference: true },
  { name: 'etcd', scenario: 'etcd', rows: '' }
]

const charts = [
  { file: 'puts-p50.svg', key: 'p50Ms', title: 'Latency of writes (median) against throughput' },
  { file: 'puts-p99.svg', key: 'p99Ms', title: 'Latency of writes (99th percentile) against throughput' }
]

/** Resolves with the paths of those for which there are figures. */
export async function drawCharts (runs: readonly Run[], folder: string): Promise<string[]> {
  const drawn: string[] = []
  for (const { file, key, title } of charts) {
    const series = sources.map((source) => seriesOf(runs, source, key)).filter(({ points }) => points.length > 0)
    if (series.length === 0) continue
    const path = join(folder, file)
    await writeFile(path, drawChart({
      title,
      subtitle: 'Synced on all of three nodes, 100-byte values. The numbers at the points: writes at once, on each writing node.',
      xTitle: 'writes per second',
      yTitle: 'milliseconds',
      series
    }))
    drawn.push(path)
  }
  return drawn
}

function seriesOf (runs: readonly Run[], { name, scenario, rows, isReference = false }: Source, key: string): Series {
  const points = concurrencies.flatMap((c) => {
    const x = computeAll(runs, (find) => find(scenario, `${rows}c=${c}`, 'perSecond'))
    const y = computeAll(runs, (find) => find(scenario, `${rows}c=${c}`, key))
    return x === null || y === null ? [] : [{ x: x.median, y: y.median, label: String(c) }]
  })
  return { name, isReference, points }
}
