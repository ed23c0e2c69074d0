import tape from 'tape'
import type { Entry } from '../../../lib/core/entry.ts'
import { digestOf, keyRowOf, KeyTable } from '../../../lib/core/idempotency.ts'
import { bytes } from '../../support/core-disk.ts'

const timeout = 30_000

function write (key: string, body = key): Entry {
  return { kind: 'write', origin: 1, number: 1, body: bytes(body), operations: [], key }
}

tape('the table of keys has what was written under a key', { timeout }, async (t) => {
  const table = new KeyTable(10)
  table.take(5, write('one'))
  table.take(6, write(''))
  table.take(7, { kind: 'write', origin: 1, number: 2, body: bytes('x'), operations: [] })
  table.take(8, { kind: 'skip', origin: 1, number: 3, reason: 'repeated' })
  table.take(9, write('two', 'other'))
  t.deepEqual([...table.entries()], [[5, { key: 'one', digest: digestOf(bytes('one')) }], [9, { key: 'two', digest: digestOf(bytes('other')) }]])
  t.deepEqual(table.get('one'), { position: 5, digest: digestOf(bytes('one')) })
  t.equal(table.get(''), undefined, 'none is no key')
  t.equal(table.get('three'), undefined)
  t.equal(keyRowOf(write('')), null)
  t.notEqual(digestOf(bytes('one')), digestOf(bytes('two')))
})

tape('it keeps the last of them', { timeout }, async (t) => {
  const table = new KeyTable(2)
  const gone: number[] = []
  for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) table.take(10 * (i + 1), write(key), gone)
  t.deepEqual(gone, [10, 20])
  t.deepEqual([...table.entries()].map(([position]) => position), [30, 40])
  t.equal(table.get('a'), undefined)

  const clone = table.clone()
  clone.take(50, write('e'), gone)
  t.deepEqual(gone, [10, 20, 30])
  t.equal(table.get('e'), undefined, 'a clone is one of its own')
  t.ok(table.get('c'))

  // Of rows that are left over, the newest count.
  const recovered = new KeyTable(2, [[10, { key: 'a', digest: 1 }], [20, { key: 'b', digest: 2 }], [30, { key: 'c', digest: 3 }]])
  t.deepEqual(recovered.excess, [10])
  t.deepEqual([...recovered.entries()].map(([position]) => position), [20, 30])
})
