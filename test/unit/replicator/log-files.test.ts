import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import tape from 'tape'
import { Replicator } from '../../../index.ts'
import type { ReplicatorOptions } from '../../../index.ts'
import { rejection } from './trio.ts'

const timeout = { timeout: 60_000 }

interface Place {
  readonly location: string
  readonly directory: string
  /** Starts a node on the database, has it write, and stops it. Tells what it has found, and how many records of a log are in the database then. */
  use (options: ReplicatorOptions, key: string): Promise<{ before: string[], records: number }>
}

function place (t: tape.Test): Place {
  const folder = mkdtempSync(join(tmpdir(), 'log-files-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const location = join(folder, 'db')
  return {
    location,
    directory: join(location, 'quorum-level'),
    use: async (options, key) => {
      const db = new ClassicLevel<string, string>(location)
      const replicator = Replicator(db, options)
      await replicator.ready()
      const before = await db.keys().all()
      await db.put(key, 'value')
      await replicator.release()
      const log = await db.keys<Uint8Array>({ keyEncoding: 'view', gte: Buffer.from('ffffffffffffffff10', 'hex'), lt: Buffer.from('ffffffffffffffff11', 'hex') }).all()
      await db.close()
      return { before, records: log.length }
    }
  }
}

tape('the log of a database in a directory is in files there, and moves with the options', timeout, async (t) => {
  const { use, directory } = place(t)
  t.deepEqual(await use({}, 'a'), { before: [], records: 0 })
  t.ok(readdirSync(directory).some(name => name.endsWith('.log')), 'in files')
  t.deepEqual(await use({}, 'b'), { before: ['a'], records: 0 })
  t.deepEqual(await use({ log: 'store' }, 'c'), { before: ['a', 'b'], records: 6 })
  t.notOk(existsSync(directory), 'in the database')
  t.deepEqual(await use({ log: 'store' }, 'd'), { before: ['a', 'b', 'c'], records: 8 })
  t.deepEqual(await use({}, 'e'), { before: ['a', 'b', 'c', 'd'], records: 0 })
  t.deepEqual(await use({ durability: 'memory' }, 'f'), { before: ['a', 'b', 'c', 'd', 'e'], records: 12 }, "and with durability 'memory'")
  t.deepEqual(await use({}, 'g'), { before: ['a', 'b', 'c', 'd', 'e', 'f'], records: 0 })
})

tape('a database that is closed and opened again goes on with its files', timeout, async (t) => {
  const { location } = place(t)
  const db = new ClassicLevel<string, string>(location)
  const replicator = Replicator(db)
  for (const key of ['a', 'b', 'c']) {
    await db.put(key, key)
    await db.close()
    await db.open()
  }
  t.deepEqual(await db.keys().all(), ['a', 'b', 'c'])
  await replicator.release({ purge: true })
  await db.close()
})

tape('release({ purge: true }) takes the files away, also if they are damaged', timeout, async (t) => {
  for (const damaged of [false, true]) {
    const { location, directory, use } = place(t)
    await use({}, 'a')
    if (damaged) for (const name of readdirSync(directory)) rmSync(join(directory, name))
    const db = new ClassicLevel<string, string>(location)
    const replicator = Replicator(db)
    if (damaged) t.equal((await rejection(replicator.ready()))?.code, 'LEVEL_LOG_CORRUPT')
    else await replicator.ready()
    await replicator.release({ purge: true })
    t.notOk(existsSync(directory))
    t.deepEqual(await db.keys().all(), ['a'], 'no record is left')
    await db.close()
  }
})

tape('each sublevel that is wrapped has files of its own', timeout, async (t) => {
  const { location } = place(t)
  const root = new ClassicLevel<string, string>(location)
  const replicators = ['one', 'two'].map(name => Replicator(root.sublevel<string, string>(name, {})))
  for (const { db } of replicators) await db.put('k', 'v')
  t.deepEqual(readdirSync(location).filter(name => name.startsWith('quorum-level')), ['quorum-level-216f6e6521', 'quorum-level-2174776f21'])
  for (const replicator of replicators) await replicator.release()
  await root.close()
})

tape('a database in memory, and a witness, have no files', timeout, async (t) => {
  const memory = new MemoryLevel<string, string>()
  const one = Replicator(memory, { log: 'files' })
  await memory.put('a', '1')
  await one.release()
  t.throws(() => Replicator(new MemoryLevel(), { log: 'disk' as 'files' }), /option 'log' must be one of: files, store/)

  const { location, directory } = place(t)
  const db = new ClassicLevel<string, string>(location)
  const witness = Replicator(db, { role: 'witness', minConsensus: 1, peers: [{ host: 'nowhere.invalid', port: 1 }] })
  witness.on('error', () => {})
  await db.open()
  t.notOk(existsSync(directory))
  await witness.close()
  await db.close()
})
