import 'fake-indexeddb/auto'
import tape from 'tape'
import { BrowserLevel } from 'browser-level'
import { Replicator } from '../../index.ts'

// browser-level on IndexedDB as a library. (The whole suite cannot run on it: it refuses empty binary keys, with or
// without us.)

tape('browser-level: reads, writes, ranges, sublevels and the reserved key space', { timeout: 30_000 }, async (t) => {
  const db = new BrowserLevel<string, string>('one')
  const replicator = Replicator(db)
  await db.put('a', '1')
  await db.batch([{ type: 'put', key: 'b', value: '2' }, { type: 'put', key: 'c', value: '3' }, { type: 'del', key: 'a' }])
  await db.batch().put('d', '4').del('c').write()
  const sub = db.sublevel<string, object>('sub', { valueEncoding: 'json' })
  await sub.put('x', { y: 1 })

  t.deepEqual(await db.getMany(['a', 'b', 'c', 'd']), [undefined, '2', undefined, '4'])
  t.deepEqual(await db.keys().all(), ['!sub!x', 'b', 'd'], 'nothing of the replicator is visible')
  t.deepEqual(await db.keys({ reverse: true, limit: 1 }).all(), ['d'])
  t.deepEqual(await sub.get('x'), { y: 1 })
  await db.clear({ gte: 'b' })
  t.deepEqual(await db.keys().all(), ['!sub!x'])
  await replicator.release({ purge: true })
  t.deepEqual(await db.keys().all(), ['!sub!x'])
  await db.close()
})

tape('browser-level: what was written is there after it was closed and opened again', { timeout: 30_000 }, async (t) => {
  const first = new BrowserLevel<string, string>('two')
  const one = Replicator(first)
  await first.put('a', '1')
  const { id } = one.stats()
  await first.close()

  const second = new BrowserLevel<string, string>('two')
  const two = Replicator(second)
  t.equal(await second.get('a'), '1')
  await two.ready()
  t.equal(two.stats().id, id, 'the same node')
  t.equal(two.stats().epoch, 2, 'in a new epoch')
  await second.close()
})
