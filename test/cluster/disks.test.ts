/** Disks that are full, read-only or damaged: the node says so and stops, the others go on, and it comes back with its data. */
import { existsSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import test from 'tape'
import type { Test } from 'tape'
import { nodeFiles } from '../../lib/node-files.ts'
import { logStart, viewKey } from '../../lib/store/layout.ts'
import { FIRST_BLOCK } from '../../lib/store/segment.ts'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import type { Bulk } from '../support/cluster/bulk.ts'
import { codeOf, join as joinCluster } from '../support/cluster/changes.ts'
import { createCluster } from '../support/cluster/cluster.ts'
import type { Cluster } from '../support/cluster/cluster.ts'
import { RemoteError } from '../support/cluster/cluster-node.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { Load } from '../support/cluster/load.ts'
import { SmallDisk } from '../support/cluster/small-disk.ts'

const timeout = 150_000
const random = new Random(Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6)))
const replicator = { minConsensus: 1, failureTimeoutMs: 1000, writeTimeoutMs: 20_000, readTimeoutMs: 5000, logBytesMax: 8 * 2 ** 20 }
const keys = ['k0', 'k1', 'k2', 'k3']
const MEGABYTE = 2 ** 20

/** Starts all nodes. The databases of these are on the disk. */
async function startOn (cluster: Cluster, disk: SmallDisk | null, nodes: readonly ClusterNode[]): Promise<Load> {
  for (const node of nodes) if (disk !== null) node.config.location = join(disk.path, node.name)
  await Promise.all(cluster.nodes.map((node) => node.start()))
  await cluster.ready()
  const load = new Load(cluster.nodes, { random, clientsPerNode: 2, keys })
  load.start()
  await load.operations(100)
  return load
}

/** Why a call rejects. */
async function failureOf (call: Promise<unknown>): Promise<RemoteError> {
  return await call.then(() => { throw new Error('it did not reject') }, (error: unknown) => {
    if (error instanceof RemoteError) return error
    throw error
  })
}

/** What could not be written while the disk was full may come to light when it is not any more. */
async function comeBack (node: ClusterNode): Promise<void> {
  for (;;) {
    const code = await codeOf(node.call('ready'))
    if (code === null) return
    if (code !== 'LEVEL_STORE_FAILED') throw new Error(`${node.name} has failed with ${code}`)
    await node.call('reopen')
  }
}

/** A node that has stopped says why, to whoever asks. */
async function assertTells (t: Test, node: ClusterNode, reason: RegExp, where: string): Promise<void> {
  const { code, message } = await failureOf(node.call('ready'))
  t.comment(message)
  t.equal(code, 'LEVEL_STORE_FAILED', 'ready() rejects')
  t.match(message, reason, 'it says why')
  t.ok(message.includes(where), 'it says where')
  t.match(message, /close the database and open it again, or restart the process/, 'it says what to do')
  const { status, failure } = await node.call('stats')
  t.equal(status, 'failed')
  t.ok(message.endsWith(failure?.message ?? '?'), 'so do the statistics')
}

for (const log of ['files', 'store'] as const) {
  test(`disks: one is full, with the log in ${log === 'files' ? 'files' : 'the database'}`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await createCluster(t, { replicator: { ...replicator, log } })
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode]
    const disk = await SmallDisk.create(t, 48)
    const load = await startOn(cluster, disk, [a])
    await load.retire(a)

    // Something else takes most of it, and the writes of the others the rest.
    await disk.fill(3 * MEGABYTE)
    const bulks: Bulk[] = []
    for (let first = 0; (await a.call('stats')).status !== 'failed'; first += 500) {
      bulks.push({ first, count: 500, bytes: 1000 })
      await b.call('fill', bulks.at(-1)!)
    }
    t.pass(`the others write on: ${bulks.length * 500} entries in bulk`)
    await assertTells(t, a, /no space left on device.*The disk is full: free some space/i, a.config.location)
    const refused = await failureOf(a.call('put', 'x', '1'))
    t.deepEqual([refused.code, refused.outcome], ['LEVEL_STORE_FAILED', 'aborted'], 'a write on it is refused')
    const { id } = await a.call('stats')
    await b.whenStats(({ live }) => live.length === 2 && !live.includes(id))
    await load.operations(50)

    // As long as the disk is full, nothing helps, and nothing is harmed.
    await disk.fill(0)
    for (let i = 0; i < 3; i++) {
      await a.call('reopen').catch(() => {})
      await assertTells(t, a, /no space left on device/i, a.config.location)
    }
    await load.perform(c, 'cx', { kind: 'put', key: 'x', value: '2' })

    await disk.relieve()
    await a.call('reopen')
    await cluster.whenLive(['a'], b)
    t.equal(await load.perform(a, 'ax', { kind: 'get', key: 'x' }), '2', 'it is back, in the same process, with what it has missed')
    load.add(a)
    await load.operations(100)
    await load.stop()
    await audit(t, cluster, load, { bulks })
  })

  test(`disks: all are full at once, with the log in ${log === 'files' ? 'files' : 'the database'}`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await createCluster(t, { replicator: { ...replicator, writeTimeoutMs: 5000, log } })
    const disk = await SmallDisk.create(t, 96)
    const load = await startOn(cluster, disk, cluster.nodes)
    const filling = codeOf(cluster.nodes[0]!.call('fill', { first: 0, count: 1e6, bytes: 1000 }))
    await load.operations(50)
    await disk.fill(0)
    const isNotReady = Promise.all(cluster.nodes.map((node) => node.whenNotReady()))
    // Where it is refused at once, clients would not stop trying.
    await Promise.race(cluster.nodes.map((node) => node.whenStats(({ status }) => status === 'failed').catch(() => {})))
    await load.stop()
    await isNotReady
    t.match(String(await filling), /^LEVEL_(STORE_FAILED|TIMEOUT)$/, 'writes that cannot be stored reject')
    t.ok(load.failures.length > 0, `so do ${load.failures.length} operations`)
    t.deepEqual(load.failures.filter((failure) => !/LEVEL_(STORE_FAILED|TIMEOUT|IN_DOUBT)/.test(failure)).slice(0, 3), [], 'for a reason')

    await disk.relieve()
    await Promise.all(cluster.nodes.map(comeBack))
    await cluster.ready()
    for (const node of cluster.nodes) load.add(node)
    await load.operations(100)
    await load.stop()
    await audit(t, cluster, load)
  })
}

for (const log of ['files', 'store'] as const) {
  test(`disks: one becomes read-only, with the log in ${log === 'files' ? 'files' : 'the database'}`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await createCluster(t, { replicator: { ...replicator, log } })
    const [a, b] = cluster.nodes as [ClusterNode, ClusterNode]
    const disk = await SmallDisk.create(t, 128)
    const load = await startOn(cluster, disk, [a])
    await load.retire(a)

    await disk.freeze()
    const bulks: Bulk[] = []
    for (let first = 0; (await a.call('stats')).status !== 'failed'; first += 500) {
      bulks.push({ first, count: 500, bytes: 1000 })
      await b.call('fill', bulks.at(-1)!)
    }
    t.pass(`the others write on: ${bulks.length * 500} entries in bulk`)
    await assertTells(t, a, /read-only file system.*The file system is read-only: the system makes it so when the drive fails/i, a.config.location)
    const refused = await failureOf(a.call('put', 'x', '1'))
    t.deepEqual([refused.code, refused.outcome], ['LEVEL_STORE_FAILED', 'aborted'], 'a write on it is refused')
    const { id } = await a.call('stats')
    await b.whenStats(({ live }) => live.length === 2 && !live.includes(id))
    await load.operations(50)
    await a.call('reopen').catch(() => {})
    await assertTells(t, a, /could not be opened: .*read-only file system/i, a.config.location)

    await disk.thaw()
    await a.call('reopen')
    await cluster.whenLive(['a'], b)
    load.add(a)
    await load.operations(100)
    await load.stop()
    await audit(t, cluster, load, { bulks })
  })
}

test('disks: one that is mounted read-only', { timeout }, async function (t) {
  t.comment(`TEST_SEED=${random.seed}`)
  const cluster = await createCluster(t, { replicator })
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode]
  const disk = await SmallDisk.create(t, 64)
  const load = await startOn(cluster, disk, [a])
  await load.retire(a)
  await a.close()
  await disk.remount('ro')
  await a.start()
  await assertTells(t, a, /could not be opened: .*read-only file system/i, a.config.location)
  await load.operations(50)
  await a.call('reopen').catch(() => {})
  await assertTells(t, a, /could not be opened: .*read-only file system/i, a.config.location)

  await disk.remount('rw')
  await a.call('reopen')
  await cluster.whenLive(['a'], b)
  load.add(a)
  await load.operations(50)
  await load.stop()
  await audit(t, cluster, load)
})

/** Damages what a node has on its disk while it is down. What it says then has to match. */
const damages: Array<{ what: string, log: 'files' | 'store', damage: (location: string) => Promise<void>, message: RegExp }> = [
  { what: 'a file of the log', log: 'files', damage: damageFile, message: /The log is damaged at position \d+: [0-9a-f]{16}\.log is damaged/ },
  { what: 'a record of the log', log: 'store', damage: async (location) => { await damageRecord(location, 'log') }, message: /The log is damaged at position \d+: / },
  { what: 'a record of the state', log: 'files', damage: async (location) => { await damageRecord(location, 'view') }, message: /The state of the replicator is damaged, in its record 'view': / }
]

for (const { what, log, damage, message } of damages) {
  test(`disks: ${what} is damaged`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const cluster = await createCluster(t, { replicator: { ...replicator, log } })
    const load = await startOn(cluster, null, [])
    const [a] = cluster.nodes as [ClusterNode]
    await load.retire(a)
    await a.kill()
    await damage(a.config.location)
    await a.start()
    const failure = await failureOf(a.call('ready'))
    t.comment(failure.message)
    t.equal(failure.code, 'LEVEL_LOG_CORRUPT', 'it does not start')
    t.match(failure.message, message, 'it says what is damaged')
    t.match(failure.message, /Nothing was changed. Delete the database of this node, and start it with `replaces`/, 'and what to do')
    t.equal((await a.call('stats')).status, 'failed')
    await load.operations(50)

    await cluster.forget(a)
    await rm(a.config.location, { recursive: true })
    await joinCluster(cluster, load, 'a', { ...replicator, log, replaces: 'a' })
    await load.operations(50)
    await load.stop()
    await audit(t, cluster, load)
  })
}

/** Turns a bit in the first block of the newest segment. */
async function damageFile (location: string): Promise<void> {
  const directory = join(location, 'quorum-level')
  const name = (await readdir(directory)).filter((name) => name.endsWith('.log')).sort().at(-1) as string
  const file = await open(join(directory, name), 'r+')
  const byte = new Uint8Array(1)
  await file.read(byte, 0, 1, FIRST_BLOCK + 80)
  await file.write(Uint8Array.of((byte[0] as number) ^ 1), 0, 1, FIRST_BLOCK + 80)
  await file.close()
}

/** Turns a bit at the end of the first record of the log, or of that of the view. */
async function damageRecord (location: string, which: 'log' | 'view'): Promise<void> {
  const db = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view' })
  const [[key, value] = []] = await db.iterator({ gte: which === 'log' ? logStart : viewKey, limit: 1 }).all()
  const damaged = value!.slice()
  damaged[damaged.length - 1]! ^= 1
  await db.put(key!, damaged)
  await db.close()
}

test('disks: a file for which there is no room is not left there', { timeout }, async function (t) {
  const disk = await SmallDisk.create(t, 1)
  const directory = join(disk.path, 'log')
  const files = await nodeFiles(directory)
  await files.create('small', 1000)
  const error = await files.create('large', 2 * MEGABYTE).then(() => null, (error: NodeJS.ErrnoException) => error)
  t.equal(error?.code, 'ENOSPC')
  t.equal(error?.path, join(directory, 'large'))
  t.equal(error?.message, `ENOSPC: no space left on device, write '${join(directory, 'large')}'`)
  t.notOk(existsSync(join(directory, 'large')))
  t.deepEqual(await files.list(), ['small'])
})
