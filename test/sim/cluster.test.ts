import tape from 'tape'
import { SimCluster } from '../../lib/sim/index.ts'
import { SimDisk } from '../../lib/sim/disk.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function readyCluster (seed: number): Promise<SimCluster> {
  const cluster = new SimCluster({ seed }).start()
  if (!await cluster.run(() => cluster.ready, 10_000)) throw new Error('not ready')
  return cluster
}

tape('a simulated disk loses a suffix of what was not synced, and nothing else', { timeout: 30_000 }, async (t) => {
  const disk = new SimDisk()
  const first = disk.write([{ key: 'a', value: bytes('1') }, { key: 'b', value: bytes('1') }])
  disk.sync(first)
  disk.write([{ key: 'a', value: bytes('2') }])
  disk.write([{ key: 'b', value: null }, { key: 'c', value: bytes('3') }])
  t.equal(disk.unsynced, 2)
  disk.cutPower(1)
  t.deepEqual(disk.range(null, null).map(([key, value]) => key + new TextDecoder().decode(value)), ['a2', 'b1'])
  t.equal(disk.unsynced, 0)
})

tape('an application on a simulated cluster: a power cut loses nothing that was acknowledged', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(7)
  await cluster.until(cluster.machine('a').db.put('x', '1'))
  cluster.machine('b').cutPower()

  const put = cluster.machine('a').db.put('x', '2')
  t.equal(await cluster.run(() => false, 1000), false, 'time passes')
  cluster.machine('b').start()
  await cluster.until(put)
  for (const machine of cluster.machines) t.equal(await cluster.until(machine.db.get('x')), '2', machine.name)
})

tape('a cut network keeps writes waiting, a healed one lets them go on', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(8)
  for (const other of ['a', 'b']) {
    cluster.cut('c', other)
    cluster.cut(other, 'c')
  }
  let settled = false
  const put = cluster.machine('a').db.put('x', '1').finally(() => { settled = true })
  await cluster.run(() => settled, 3000)
  t.notOk(settled, 'not while c is cut off')
  cluster.heal()
  await cluster.until(put)
  t.equal(await cluster.until(cluster.machine('c').db.get('x')), '1')
})

tape('a paused process does nothing until it goes on', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(9)
  const [a, b] = [cluster.machine('a'), cluster.machine('b')]
  b.pause()
  const put = a.db.put('x', '1').then(() => 'done')
  await cluster.run(() => false, 500)
  b.resume()
  t.equal(await cluster.until(put), 'done')
})

tape('until() tells when nothing comes', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(10)
  let message = ''
  try {
    await cluster.until(new Promise(() => {}), 100)
  } catch (error) {
    message = (error as Error).message
  }
  t.match(message, /not settled within 100 ms/)
})
