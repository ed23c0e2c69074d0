import tape from 'tape'
import { SimCluster } from '../../lib/sim/index.ts'
import type { SimMachine } from '../../lib/sim/index.ts'
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

tape('a disk that breaks its promise keeps a part of one batch', { timeout: 30_000 }, async (t) => {
  const contents = (disk: SimDisk): string[] => disk.range(null, null).map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`)
  const disk = new SimDisk()
  disk.sync(disk.write([{ key: 'a', value: bytes('1') }]))
  disk.write([{ key: 'b', value: bytes('2') }])
  disk.write([{ key: 'a', value: null }, { key: 'c', value: bytes('333') }])
  disk.write([{ key: 'd', value: bytes('4') }])
  t.equal(new TextDecoder().decode(disk.durable('a')), '1')
  t.equal(disk.durable('b'), undefined)

  disk.cutPower(1, length => length - 1)
  t.ok(disk.torn)
  t.deepEqual(contents(disk), ['b=2', 'c=33'])
  t.equal(new TextDecoder().decode(disk.durable('a')), '1', 'not counting the torn batch')
  t.equal(new TextDecoder().decode(disk.durable('b')), '2')
  disk.cutPower(0)
  t.ok(disk.torn, 'a second cut takes nothing more')

  disk.mend()
  t.notOk(disk.torn)
  t.deepEqual(contents(disk), ['a=1', 'b=2'])

  disk.write([{ key: 'e', value: bytes('5') }, { key: 'a', value: null }])
  disk.cutPower(0, () => 0)
  t.notOk(disk.torn, 'a batch that ends with a deletion is lost as a whole')
  t.deepEqual(contents(disk), ['a=1', 'b=2'])
})

tape('what is written to a simulated store after a write that failed is lost when it is opened again, synced or not', { timeout: 30_000 }, async (t) => {
  const contents = (disk: SimDisk): string[] => disk.range(null, null).map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`)
  const disk = new SimDisk()
  disk.write([{ key: 'a', value: bytes('1') }])
  disk.spoil()
  disk.sync(disk.write([{ key: 'b', value: bytes('2') }, { key: 'a', value: null }]))
  t.deepEqual(contents(disk), ['b=2'])
  t.equal(disk.durable('b'), undefined)
  disk.forgetSpoiled()
  t.deepEqual(contents(disk), ['a=1'])
  disk.sync(disk.write([{ key: 'c', value: bytes('3') }]))
  disk.cutPower(0)
  t.deepEqual(contents(disk), ['a=1', 'c=3'], 'from then on, all is well')
})

tape('a node on a torn disk does not start, and starts when the disk is mended', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(11)
  const a = cluster.machine('a')
  for (let i = 0; !a.disk.torn && i < 50; i++) {
    a.start()
    void a.db.put('x', String(i)).catch(() => {})
    await cluster.run(() => a.disk.unsynced > 0, 1000)
    a.cutPower(true)
  }
  t.ok(a.disk.torn)
  const { written } = a.disk
  a.start()
  t.ok(await cluster.run(() => a.replicator.status === 'failed', 10_000))
  t.match((a.replicator.stats().lastError as { code?: string } | null)?.code ?? '', /^LEVEL_LOG_/)
  t.equal(a.disk.written, written, 'nothing was written')

  a.kill()
  a.disk.mend()
  a.start()
  t.ok(await cluster.run(() => cluster.ready, 60_000))
})

tape('what the clocks of a machine show', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(12)
  const a = cluster.machine('a')
  const both = (): [number, number] => [a.process.now(), a.process.wall()]
  const passes = async (ms: number): Promise<[number, number]> => {
    const [now, wall] = both()
    await cluster.run(() => false, ms)
    return [Math.round(a.process.now() - now), Math.round(a.process.wall() - wall)]
  }
  t.deepEqual(await passes(100), [100, 100])
  a.pause()
  t.deepEqual(await passes(100), [100, 100], 'both run on while it is paused')
  a.resume()
  a.suspend()
  let fired = false
  a.process.setTimer(() => { fired = true }, 50)
  t.deepEqual(await passes(100), [0, 100], 'one stands still while it is suspended')
  a.resume()
  await passes(45)
  t.notOk(fired, 'a timer goes by the clock that stands still')
  await passes(10)
  t.ok(fired)

  const [now, wall] = both()
  a.jumpClock(-3_600_000)
  t.deepEqual([a.process.now() - now, a.process.wall() - wall], [0, -3_600_000])
  a.kill()
  a.start()
  t.equal(a.process.wall() - wall, -3_600_000, 'the clock is that of the machine')
})

tape('a disk that hangs answers later, in order', { timeout: 30_000 }, async (t) => {
  const cluster = await readyCluster(13)
  const a = cluster.machine('a')
  a.behaviour.hangs = true
  let settled = 0
  const puts = [1, 2, 3].map(i => a.db.put(`x${i}`, 'y').then(() => { settled++ }))
  await cluster.run(() => false, 1000)
  t.equal(settled, 0)
  a.behaviour.hangs = false
  await cluster.until(Promise.all(puts))
  t.equal(settled, 3)
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

tape('what is copied is synced by itself; what is applied is not, but the log is that has it', { timeout: 60_000 }, async (t) => {
  const isDurable = ({ disk }: SimMachine): boolean => disk.range(null, null).every(([key, value]) => disk.durable(key) === value)
  for (const log of ['store', 'files'] as const) {
    const cluster = new SimCluster({ seed: 1, replicator: { log, minConsensus: 1, failureTimeoutMs: 500, logBytesMax: 65536 } }).start()
    if (!await cluster.run(() => cluster.ready, 10_000)) throw new Error('not ready')
    const [a, , c] = cluster.machines as [SimMachine, SimMachine, SimMachine]

    await cluster.until(a.db.put('k', 'v'))
    // A later sync does not cover it on a store that has changed its log file in between.
    for (const { disk } of cluster.machines) disk.changeFile()
    await cluster.until(a.db.put('l', 'v'))
    await cluster.run(() => false, 1000)
    t.ok(cluster.machines.every(({ disk }) => disk.get('k') !== undefined && disk.durable('k') === undefined), 'it is applied, and not durable')
    for (const machine of [a, c]) machine.cutPower()
    for (const machine of [a, c]) machine.start()
    if (!await cluster.run(() => cluster.ready, 30_000)) throw new Error('not ready after a power cut')
    await cluster.run(() => false, 1000)
    t.ok([a, c].every(({ disk }) => disk.get('k') !== undefined && disk.get('l') !== undefined), 'it is there again')
    c.kill()
    for (let i = 0; i < 20; i++) await cluster.until(a.db.put(`k${i}`, 'x'.repeat(10_000)))
    await cluster.run(() => false, 1000)

    const copies: boolean[] = []
    c.start()
    // All of it is here, and nothing has been written since.
    c.replicator.on('sync', ({ phase }) => { if (phase === 'verify') copies.push(isDurable(c)) })
    if (!await cluster.run(() => cluster.ready, 30_000)) throw new Error('not ready again')
    t.ok(copies.length > 0, `there was a copy with the log in ${log}`)
    t.notOk(copies.includes(false), 'copies')
  }
})

tape('a founder whose data are in the log, and who has to get a copy before it knows that, goes on', { timeout: 60_000 }, async (t) => {
  let copies = 0
  const failures: string[] = []
  for (let at = 10; at < 24; at++) {
    const cluster = new SimCluster({ seed: 1, replicator: { minConsensus: 1, failureTimeoutMs: 500, logBytesMax: 65536, writeTimeoutMs: 5000 } })
    const [a, b, c] = cluster.machines as [SimMachine, SimMachine, SimMachine]
    b.disk.sync(b.disk.write(Array.from({ length: 3 }, (_, i) => ({ key: `seed${i}`, value: new Uint8Array(150_000).fill(i) }))))
    cluster.start()
    let isCopying = false
    b.replicator.on('sync', ({ phase }) => { isCopying ||= phase === 'copy' })
    if (!await cluster.run(() => b.replicator.stats().epoch > 0, 10_000)) throw new Error('no view')

    // Cut off at some moment of that, while the others go on without it.
    await cluster.run(() => false, at)
    for (const { name } of [a, c]) {
      cluster.cut(name, 'b')
      cluster.cut('b', name)
    }
    await cluster.run(() => a.replicator.status === 'ready' && c.replicator.status === 'ready' && a.replicator.stats().live.length === 2, 3000)
    for (let i = 0; i < 30; i++) {
      const write = a.db.put(`k${i}`, 'x'.repeat(10_000)).catch(() => {})
      let isSettled = false
      void write.then(() => { isSettled = true })
      await cluster.run(() => isSettled, 300)
    }
    await cluster.run(() => false, 2000)
    cluster.heal()
    if (!await cluster.run(() => cluster.ready, 30_000)) failures.push(`${at}: b is ${b.replicator.status}`)
    else if ((await cluster.until(b.db.getMany(['seed0', 'seed1', 'seed2']))).some(value => value === undefined)) failures.push(`${at}: data are lost`)
    copies += Number(isCopying)
    for (const machine of cluster.machines) machine.kill()
  }
  t.ok(copies > 0, `${copies} times it got a copy`)
  t.deepEqual(failures, [])
})

tape('a machine whose disk is put back to an old image takes no part any more', { timeout: 60_000 }, async (t) => {
  const cluster = new SimCluster({ seed: 11, replicator: { minConsensus: 1, failureTimeoutMs: 1000 } }).start()
  t.ok(await cluster.run(() => cluster.ready, 10_000))
  const c = cluster.machine('c')
  c.kill()
  const image = c.disk.range(null, null)
  c.start()
  t.ok(await cluster.run(() => cluster.ready, 20_000), 'a restart is welcome')
  c.kill()

  const removed = c.disk.range(null, null).map(([key]) => ({ key, value: null }))
  c.disk.sync(c.disk.write([...removed, ...image.map(([key, value]) => ({ key, value }))]))
  const codes: unknown[] = []
  c.onError = error => { codes.push((error as { code?: unknown }).code) }
  c.start()
  t.ok(await cluster.run(() => c.replicator.status === 'failed', 20_000))
  t.equal(codes.pop(), 'LEVEL_STALE_IDENTITY')
  await cluster.until(cluster.machine('a').db.put('x', '1'))
  t.equal(await cluster.until(cluster.machine('b').db.get('x')), '1', 'the others go on')

  c.kill()
  c.start()
  t.ok(await cluster.run(() => c.replicator.status === 'failed', 20_000), 'nor after another start')
})

tape('nobody who lives is excluded, also where silence counts very soon', { timeout: 60_000 }, async (t) => {
  for (const failureTimeoutMs of [20, 50, 120]) {
    const cluster = new SimCluster({ seed: 2, replicator: { minConsensus: 1, failureTimeoutMs } }).start()
    t.ok(await cluster.run(() => cluster.ready, 10_000))
    const epochs = (): number[] => cluster.machines.map(({ replicator }) => replicator.stats().epoch)
    const before = epochs()
    await cluster.run(() => false, 20_000)
    t.ok(cluster.ready)
    t.deepEqual(epochs(), before, `${failureTimeoutMs} ms`)
  }
})

tape('a machine is added while the world runs, and joins by one address', { timeout: 60_000 }, async (t) => {
  const cluster = new SimCluster({ seed: 12, replicator: { minConsensus: 1, failureTimeoutMs: 1000 } }).start()
  t.ok(await cluster.run(() => cluster.ready, 10_000))
  await cluster.until(cluster.machine('a').db.put('x', '1'))
  const d = cluster.addMachine('d', ['b'])
  t.throws(() => cluster.addMachine('d', []), RangeError)
  t.notOk(cluster.ready, 'it is not up yet')
  d.start()
  t.ok(await cluster.run(() => cluster.ready, 20_000))
  t.equal(d.replicator.stats().members.length, 4)
  t.equal(await cluster.until(d.db.get('x')), '1')

  await cluster.until(cluster.machine('b').leave())
  t.equal(cluster.machine('b').replicator.status, 'closed')
  cluster.machine('c').kill()
  await cluster.until(d.removePeer('c'))
  t.equal(d.replicator.stats().members.length, 2)
  await cluster.until(d.db.put('x', '2'))
  t.equal(await cluster.until(cluster.machine('a').db.get('x')), '2')
})

tape('a machine with a new disk takes its own old place; one that runs on a copy of the disk is refused', { timeout: 60_000 }, async (t) => {
  const cluster = new SimCluster({ seed: 13, replicator: { minConsensus: 1, failureTimeoutMs: 1000 } }).start()
  t.ok(await cluster.run(() => cluster.ready, 10_000))
  await cluster.until(cluster.machine('a').db.put('x', '1'))
  const c = cluster.machine('c')
  t.throws(() => { c.wipe() }, /is up/)
  c.kill()
  const image = c.image()
  c.start()
  t.ok(await cluster.run(() => cluster.ready, 20_000))
  const copy = cluster.addMachine('copy', ['a', 'b'])
  copy.restore(image)
  const codes: unknown[] = []
  copy.onError = error => { codes.push((error as { code?: unknown }).code) }
  copy.start()
  t.ok(await cluster.run(() => copy.replicator.status === 'failed', 20_000))
  t.equal(codes.pop(), 'LEVEL_STALE_IDENTITY')
  t.equal(c.replicator.status, 'ready', 'and the other goes on')
  copy.kill()

  c.kill()
  c.wipe()
  c.options = { ...c.options, replaces: 'c' }
  c.start()
  t.ok(await cluster.run(() => ['a', 'b', 'c'].every(name => cluster.machine(name).replicator.status === 'ready'), 30_000))
  t.equal(c.replicator.stats().members.length, 3)
  t.equal(await cluster.until(c.db.get('x')), '1')
})

tape('the last one is declared to be the cluster', { timeout: 60_000 }, async (t) => {
  const cluster = new SimCluster({ seed: 14, peers: { c: ['a'] }, replicators: { c: { minConsensus: 0, consistency: 'strong' } } }).start()
  t.ok(await cluster.run(() => cluster.ready, 10_000))
  const [a, b, c] = cluster.machines as [SimMachine, SimMachine, SimMachine]
  await cluster.until(a.db.put('x', '1'))
  a.kill()
  b.kill()
  t.ok(await cluster.run(() => c.replicator.status !== 'ready' && !c.replicator.stats().peers.some(({ connected }) => connected), 20_000))
  const before = c.replicator.stats().cluster
  const { cluster: after } = await cluster.until(c.recover(['c']))
  t.notEqual(after, before)
  t.ok(await cluster.run(() => c.replicator.status === 'ready', 20_000))
  t.equal(await cluster.until(c.db.get('x')), '1')
})

tape('over slow links, a member and an observer catch up, and an observer syncs', { timeout: 60_000 }, async (t) => {
  const network = { delayMinMs: 1, delayMaxMs: 5, bandwidth: 10 }
  const replicator = { failureTimeoutMs: 500, writeTimeoutMs: 60_000, readTimeoutMs: 60_000 }
  const replicators = { a: { minConsensus: 1 }, b: { minConsensus: 1 }, c: { minConsensus: 1 } }
  const cluster = new SimCluster({ seed: 15, network, replicator, replicators })
  cluster.addMachine('o', ['a', 'b', 'c'], { role: 'observer' })
  cluster.start()
  t.ok(await cluster.run(() => cluster.ready, 20_000))
  const [a, , c, o] = cluster.machines as [SimMachine, SimMachine, SimMachine, SimMachine]
  c.kill()
  o.kill()
  // An answer with these takes three seconds, and another member is asked after two.
  for (let i = 0; i < 6; i++) await cluster.until(a.db.put(`k${i}`, 'v'.repeat(5000)))
  c.start()
  o.start()
  t.ok(await cluster.run(() => cluster.ready, 200_000))
  t.equal((await cluster.until(c.db.get('k5')))?.length, 5000)
  await cluster.until(o.replicator.sync())
  t.equal((await cluster.until(o.db.get('k5')))?.length, 5000)
})

tape('an observer far away syncs', { timeout: 60_000 }, async (t) => {
  const cluster = new SimCluster({ seed: 16, network: { delayMinMs: 1, delayMaxMs: 1.1, bandwidth: 100_000 } })
  const o = cluster.addMachine('o', ['a', 'b', 'c'], { role: 'observer' })
  cluster.start()
  t.ok(await cluster.run(() => cluster.ready, 20_000))
  // Another member is asked after one second.
  for (const { name } of cluster.machines) if (name !== 'o') cluster.slow(name, 'o', 1400)
  await cluster.until(cluster.machine('a').db.put('x', '1'))
  await cluster.until(o.replicator.sync())
  t.equal(await cluster.until(o.db.get('x')), '1')

  let isSynced = false
  const syncs = [o.replicator.sync().then(() => { isSynced = true })]
  for (let i = 0; i < 20; i++) {
    syncs.push(o.replicator.sync())
    await cluster.run(() => false, 300)
  }
  t.ok(isSynced, 'also while others are called')
  await cluster.until(Promise.all(syncs))
})
