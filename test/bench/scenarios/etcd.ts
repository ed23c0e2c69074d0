import { Child } from '../child.ts'
import { etcdVersion, withEtcd } from '../etcd-cluster.ts'
import { loadColumns, measureLoad } from '../measure-load.ts'
import { concurrencies } from '../parameters.ts'
import type { LoadMethods } from '../processes/load.ts'
import type { Row, Scenario } from '../scenario.ts'

export const etcd: Scenario = {
  name: 'etcd',
  title: 'etcd',
  about: 'Three members, the same writes through the leader, by one connection. The processor time is that of the client.',
  columns: [...loadColumns, { key: 'cpu0Micros', title: 'client µs', digits: 0 }],
  async measure ({ folder, settings, note }) {
    if (await etcdVersion() === null) return [{ name: 'not installed: no etcd on the PATH', values: {} }]
    return await withEtcd(folder, async (url) => {
      const client = await Child.start<LoadMethods>('etcd-client', { url })
      try {
        const rows: Row[] = []
        const measure = async (concurrency: number): Promise<Record<string, number>> =>
          (await measureLoad([client], [client], { concurrency, valueBytes: 100 }, settings)).figures
        // Code that has not run yet is slow.
        await measure(64)
        for (const concurrency of concurrencies) {
          note(`c=${concurrency}`)
          rows.push({ name: `c=${concurrency}`, values: await measure(concurrency) })
        }
        return rows
      } finally {
        await client.kill()
      }
    })
  }
}
