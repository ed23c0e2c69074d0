/** What becomes of the batches before, beside and after one that fails: LevelDB may not find them when it is opened again. */
import { MemoryLevel } from 'memory-level'
import tape from 'tape'
import type { Test } from 'tape'
import { intercept } from '../../../lib/store/intercept.ts'
import type { Store } from '../../../lib/store/store.ts'
import { DelayingGate } from './delaying-gate.ts'
import { bytes } from './store-setup.ts'

const timeout = { timeout: 30_000 }
const full = new Error('No space left on device')
const other = new Error('Input/output error')

type Level = MemoryLevel<string, string>

/** A batch that the storage has been given, and not answered. */
interface Call {
  readonly key: string
  succeed (): void
  fail (error: Error): void
}

/** A database whose batches settle in the order that the test wants. Nothing is stored. */
function createLevel (): { db: Level, calls: Call[] } {
  const db = new MemoryLevel<string, string>()
  const calls: Call[] = []
  const level = db as unknown as { _batch: (operations: Array<{ key: Uint8Array }>) => Promise<void> }
  level._batch = ([first]) => new Promise((resolve, reject) => {
    calls.push({ key: Buffer.from(first?.key ?? []).toString(), succeed: resolve, fail: reject })
  })
  return { db, calls }
}

async function wrap (db: Pick<Level, 'open'>): Promise<{ store: Store, release: () => void }> {
  const gate = new DelayingGate()
  const { store, uninstall } = intercept(db as Level, gate)
  gate.store = store
  await db.open()
  return { store, release: uninstall }
}

/** What the batches have come to, in the order in which they did. */
class Reports {
  readonly all: string[] = []

  /** Resolves when the batch has settled. */
  async write (store: Store, key: string): Promise<void> {
    await store.batch([{ type: 'put', key: bytes(key), value: bytes('v') }], { sync: true }).then(
      () => { this.all.push(`${key}: done`) },
      (error: unknown) => { this.all.push(`${key}: ${(error as Error).message}`) })
  }
}

/** All that follows from what was settled, without anything more being settled. */
async function turn (): Promise<void> {
  await new Promise<void>(resolve => { setImmediate(resolve) })
}

function keysOf (calls: readonly Call[]): string[] {
  return calls.map(({ key }) => key)
}

async function isSound (t: Test, store: Store, calls: Call[], message: string): Promise<void> {
  const reports = new Reports()
  const { length } = calls
  const written = reports.write(store, 'sound')
  calls[length]?.succeed()
  await written
  t.deepEqual(reports.all, ['sound: done'], message)
}

tape('after a batch that failed, none is tried, until the database is closed and opened again', timeout, async (t) => {
  const { db, calls } = createLevel()
  const { store } = await wrap(db)
  const reports = new Reports()
  await isSound(t, store, calls, 'before')
  const failed = reports.write(store, 'a')
  calls[1]?.fail(full)
  await failed
  await reports.write(store, 'b')
  await reports.write(store, 'c')
  t.deepEqual(reports.all, [`a: ${full.message}`, `b: ${full.message}`, `c: ${full.message}`])
  t.deepEqual(keysOf(calls), ['sound', 'a'])
  t.equal(db.listenerCount('closed'), 1)

  await db.close()
  await db.open()
  await isSound(t, store, calls, 'after')
  t.equal(db.listenerCount('closed'), 0)
})

tape('a batch is believed when all that were under way beside it have settled, and none has failed', timeout, async (t) => {
  for (const [first, second] of [['a', 'b'], ['b', 'a']] as const) {
    const { db, calls } = createLevel()
    const { store } = await wrap(db)
    const reports = new Reports()
    const written = Promise.all([reports.write(store, 'a'), reports.write(store, 'b')])
    const call = (name: string): Call => calls.find(({ key }) => key === name) as Call
    call(first).succeed()
    await turn()
    t.deepEqual(reports.all, [], `${first} has succeeded`)
    call(second).fail(full)
    await written
    t.deepEqual(reports.all.sort(), [`a: ${full.message}`, `b: ${full.message}`], `${second} has failed`)
  }
})

tape('batches beside one another that succeed', timeout, async (t) => {
  const { db, calls } = createLevel()
  const { store } = await wrap(db)
  const reports = new Reports()
  const written = [reports.write(store, 'a'), reports.write(store, 'b')]
  calls[1]?.succeed()
  await turn()
  written.push(reports.write(store, 'c'))
  calls[0]?.succeed()
  await written[1]
  await turn()
  t.deepEqual(reports.all, ['b: done'], 'what began after its success is nothing to it')
  calls[2]?.succeed()
  await Promise.all(written)
  t.deepEqual(reports.all.slice().sort(), ['a: done', 'b: done', 'c: done'])
})

tape('one that fails is told at once, with the first error', timeout, async (t) => {
  const { db, calls } = createLevel()
  const { store } = await wrap(db)
  const reports = new Reports()
  const written = ['a', 'b', 'c'].map(key => reports.write(store, key))
  calls[1]?.fail(full)
  await written[1]
  t.deepEqual(reports.all, [`b: ${full.message}`])
  calls[0]?.fail(other)
  await written[0]
  calls[2]?.succeed()
  await written[2]
  t.deepEqual(reports.all, [`b: ${full.message}`, `a: ${full.message}`, `c: ${full.message}`])
  t.equal(db.listenerCount('closed'), 1)
})

tape('a batch that was refused because the database is not open has not failed', timeout, async (t) => {
  const { db, calls } = createLevel()
  const { store } = await wrap(db)
  await db.close()
  const reports = new Reports()
  await reports.write(store, 'a')
  t.deepEqual(reports.all, ['a: The database is not open'])
  await db.open()
  await isSound(t, store, calls, 'it is open again')
})

tape('a failed batch is one of all that write to the root: until that is closed', timeout, async (t) => {
  const { db, calls } = createLevel()
  const sublevels = [db.sublevel('one'), db.sublevel('two')] as const
  const [one, two] = await Promise.all(sublevels.map(async sublevel => await wrap(sublevel as unknown as Level))) as [{ store: Store, release: () => void }, { store: Store }]
  const reports = new Reports()
  const failed = reports.write(one.store, 'a')
  calls[0]?.fail(full)
  await failed
  await reports.write(two.store, 'b')
  await sublevels[0].close()
  await sublevels[0].open()
  await reports.write(one.store, 'c')
  one.release()
  const again = await wrap(sublevels[0] as unknown as Level)
  await turn()
  await reports.write(again.store, 'd')
  t.deepEqual(reports.all, ['a', 'b', 'c', 'd'].map(key => `${key}: ${full.message}`))
  t.equal(calls.length, 1)

  await db.close()
  await db.open()
  await Promise.all(sublevels.map(async sublevel => { await sublevel.open() }))
  await isSound(t, again.store, calls, 'one')
  await isSound(t, two.store, calls, 'two')
})

tape('a database that could not be closed has not been opened again', timeout, async (t) => {
  const { db, calls } = createLevel()
  const level = db as unknown as { _close: () => Promise<void> }
  level._close = async () => { throw other }
  const { store } = await wrap(db)
  const reports = new Reports()
  const failed = reports.write(store, 'a')
  calls[0]?.fail(full)
  await failed
  await db.close().then(() => { t.fail('closed') }, (error: unknown) => { t.equal((error as Error).cause, other) })
  t.equal(db.status, 'open')
  await reports.write(store, 'b')
  t.deepEqual(reports.all, [`a: ${full.message}`, `b: ${full.message}`])
})
