import tape from 'tape'
import type { OriginRow } from '../../../lib/core/origins.ts'
import { OriginTable, REJECTED_RUNS_MAX } from '../../../lib/core/origins.ts'
import { hashKey, PendingKeys } from '../../../lib/core/pending.ts'
import { CoreCluster, bytes } from '../../support/core-cluster.ts'

tape('the table keeps the highest number, and forgets the origin with the oldest last entry', { timeout: 30_000 }, async (t) => {
  const table = new OriginTable(2)
  const changed = new Map<number, OriginRow | null>()
  table.take(1, { kind: 'open', node: 'a', start: 1 }, changed)
  table.take(2, { kind: 'open', node: 'b', start: 1 }, changed)
  table.take(3, { kind: 'skip', origin: 1, number: 4, reason: 'withdrawn' }, changed)
  t.deepEqual(table.get(1), { node: 'a', start: 1, highest: 4, last: 3, rejected: { runs: [1, 4], forgotten: 0 } })
  t.equal(table.find('b', 1), 2)

  table.take(4, { kind: 'open', node: 'c', start: 1 }, changed)
  t.equal(table.get(2), undefined, 'b left')
  t.equal(changed.get(2), null, 'and its row is to be deleted')
  table.take(5, { kind: 'skip', origin: 2, number: 1, reason: 'withdrawn' })
  t.equal(table.get(2), undefined, 'an entry of a forgotten origin does not bring it back')
})

tape('observers that come and go do not make members forget', { timeout: 30_000 }, async (t) => {
  const table = new OriginTable(2)
  table.take(1, { kind: 'open', node: 'a', start: 1 })
  table.take(2, { kind: 'open', node: 'b', start: 1 })
  for (let i = 3; i < 9; i++) table.take(i, { kind: 'open', node: `tab ${i}`, start: 1, observer: true })
  t.deepEqual([...table.entries()].map(([id]) => id), [1, 2, 7, 8])
  table.take(9, { kind: 'write', origin: 7, number: 1, body: bytes(''), operations: [] })
  t.deepEqual(table.get(7), { node: 'tab 7', start: 1, observer: true, highest: 1, last: 9 }, 'what it is stays')
  table.take(10, { kind: 'open', node: 'c', start: 1 })
  t.deepEqual([...table.entries()].map(([id]) => id), [2, 7, 8, 10])
})

tape('the table tells what became of a write', { timeout: 30_000 }, async (t) => {
  const table = new OriginTable(2)
  let position = 0
  const body = bytes('')
  const write = (number: number): void => { table.take(++position, { kind: 'write', origin: 1, number, body, operations: [] }) }
  const fates = (): string => [1, 2, 3, 4, 5, 6, 7, 8].map(number => table.fate(1, number)[0]).join('')
  t.equal(table.fate(1, 1), 'forgotten', 'an origin that is not in it')
  table.take(++position, { kind: 'open', node: 'a', start: 1 })
  t.equal(fates(), 'pppppppp')
  write(1)
  write(2)
  t.deepEqual(table.get(1), { node: 'a', start: 1, highest: 2, last: 3 }, 'nothing is kept of what has taken effect')
  write(4)
  t.equal(fates(), 'ccacpppp', 'what was passed over never enters the log')
  table.take(++position, { kind: 'skip', origin: 1, number: 5, reason: 'withdrawn' })
  table.take(++position, { kind: 'skip', origin: 1, number: 6, reason: 'differs' })
  table.take(++position, { kind: 'skip', origin: 1, number: 7, reason: 'repeated' })
  t.equal(fates(), 'ccacaacp', 'a repetition has taken effect')
  t.deepEqual(table.get(1)?.rejected, { runs: [3, 3, 5, 6], forgotten: 0 }, 'in runs')
  const clone = table.clone()
  write(9)
  t.equal(clone.fate(1, 8), 'pending', 'a clone is one of its own')

  for (let i = 0; i < 190; i++) write(11 + 2 * i)
  const { runs = [], forgotten = 0 } = table.get(1)?.rejected ?? {}
  t.equal(runs.length, 2 * REJECTED_RUNS_MAX, 'so many runs')
  t.ok(forgotten > 6 && table.fate(1, forgotten) === 'forgotten' && table.fate(1, 1) === 'forgotten', 'and of those before, nothing')
  t.equal(table.fate(1, forgotten + 1), 'committed')
  t.equal(table.fate(1, runs[0] as number), 'aborted')
  table.take(++position, { kind: 'open', node: 'b', start: 1 })
  table.take(++position, { kind: 'open', node: 'c', start: 1 })
  t.equal(table.fate(1, runs[0] as number), 'forgotten', 'once its origin has left')
})

tape('an origin that the table has forgotten opens again, and its writes go on', { timeout: 30_000 }, async (t) => {
  const cluster = new CoreCluster('abc', { originsMax: 3 }).startAll()
  cluster.run()
  for (const round of [1, 2, 3]) {
    // Each restart opens an origin and pushes another out.
    cluster.crash('c')
    cluster.start('c')
    cluster.run()
    for (const name of 'abc') cluster.write(name, 'x', `${name}${round}`)
    cluster.run()
  }
  t.ok(cluster.writes.every(write => write.settlement?.outcome === 'committed'), 'all committed')
  t.deepEqual(cluster.differences(), [])
})

tape('pending keys are released by the last entry that touches them', { timeout: 30_000 }, async (t) => {
  const pending = new PendingKeys()
  const group = (first: number, key: string): Parameters<PendingKeys['mark']>[0] =>
    ({ epoch: 1, first, entries: [{ kind: 'write', origin: 1, number: first, body: bytes(''), operations: [{ type: 'del', key: bytes(key) }] }] })
  const [one, two] = [group(1, 'x'), group(2, 'x')]
  pending.mark(one)
  pending.mark(two)
  t.equal(pending.position(bytes('x')), 2)
  t.equal(pending.position(bytes('y')), 0)
  pending.release(one)
  t.equal(pending.position(bytes('x')), 2)
  pending.release(two)
  t.ok(pending.empty)
  t.notEqual(hashKey(bytes('ab')), hashKey(bytes('ba')))
})

// No coordinator makes such a log; one that lies would.
tape('a skip whose number is not above all before it rejects nothing: the runs rise', { timeout: 30_000 }, async (t) => {
  const table = new OriginTable(4, [[1, { node: 'a', start: 1, highest: 0, last: 1 }]])
  for (const [i, number] of [0, 5, 3, 5].entries()) table.take(2 + i, { kind: 'skip', origin: 1, number, reason: 'withdrawn' })
  t.deepEqual(table.get(1), { node: 'a', start: 1, highest: 5, last: 5, rejected: { runs: [1, 5], forgotten: 0 } })
})
