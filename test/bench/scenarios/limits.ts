import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../child.ts'
import { loadColumns, measureLoad } from '../measure-load.ts'
import { concurrencies } from '../parameters.ts'
import type { BareKind, BareMethods } from '../processes/bare.ts'
import type { Bench, Row, Scenario } from '../scenario.ts'

interface Series {
  name: string
  kind: BareKind
  processes: number
}

const series: Series[] = [
  { name: 'store, unsynced', kind: 'unsynced', processes: 1 },
  { name: 'store, each put synced', kind: 'synced', processes: 1 },
  { name: 'store, group commit', kind: 'group', processes: 1 },
  { name: 'store, group commit, three', kind: 'group', processes: 3 },
  { name: 'file, group commit', kind: 'file', processes: 1 },
  { name: 'file, group commit, three', kind: 'file', processes: 3 }
]

async function measureSeries ({ folder, settings, note }: Bench, { name, kind, processes }: Series): Promise<Row[]> {
  const children = await Promise.all(Array.from({ length: processes }, async (_, number) => {
    const location = join(folder, `${kind}-${processes}-${number}`)
    await mkdir(location)
    return await Child.start<BareMethods>('bare', { kind, location })
  }))
  try {
    const rows: Row[] = []
    for (const concurrency of concurrencies) {
      note(`${name}, c=${concurrency}`)
      const { figures } = await measureLoad(children, children, { concurrency, valueBytes: 100 }, settings)
      // Of each process: replication writes everything in all three.
      rows.push({ name: `${name}, c=${concurrency}`, values: { ...figures, perSecond: figures.perSecond! / processes } })
    }
    return rows
  } finally {
    await Promise.all(children.map((child) => child.kill()))
  }
}

export const limits: Scenario = {
  name: 'limits',
  title: 'Limits: the same writes without replication',
  about: 'classic-level unwrapped, in one process and in three at once (writes/s of each). Group commit: what comes in while one synced batch runs is the next one. ' +
    'The file: group commit by an append and fdatasync, without a store.',
  columns: [...loadColumns, { key: 'cpuSumMicros', title: 'CPU µs', digits: 0 }],
  async measure (bench) {
    const rows: Row[] = []
    for (const each of series) rows.push(...await measureSeries(bench, each))
    return rows
  }
}
