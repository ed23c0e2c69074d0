import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Child } from '../child.ts'
import { latencies, latencyColumns } from '../measure-load.ts'
import type { MachineMethods } from '../processes/machine.ts'
import type { Row, Scenario } from '../scenario.ts'

export const machine: Scenario = {
  name: 'machine',
  title: 'The machine',
  about: 'Synced appends of 4 KiB by one process and by three at once, and 100 bytes there and back by TCP on the loopback between two processes.',
  columns: latencyColumns,
  async measure ({ folder, settings: { machineMs } }) {
    const children = await Promise.all([0, 1, 2].map(async (number) => {
      const location = join(folder, `disk-${number}`)
      await mkdir(location)
      return await Child.start<MachineMethods>('machine', { location })
    }))
    const first = children.slice(0, 1)
    try {
      const rows: Row[] = []
      for (const how of ['fsync', 'fdatasync'] as const) {
        for (const [name, chosen] of [['one process', first], ['three processes', children]] as const) {
          const measured = await Promise.all(chosen.map((child) => child.call('sync', how, machineMs)))
          rows.push({ name: `${how}, ${name}`, values: latencies(measured) })
        }
      }
      const port = await children[0]!.call('echo')
      rows.push({ name: 'round trip', values: latencies([await children[1]!.call('roundTrips', port, machineMs)]) })
      return rows
    } finally {
      await Promise.all(children.map((child) => child.kill()))
    }
  }
}
