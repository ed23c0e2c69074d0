import tape from 'tape'
import type { OriginRow } from '../../../lib/core/origins.ts'
import { OriginTable } from '../../../lib/core/origins.ts'
import { hashKey, PendingKeys } from '../../../lib/core/pending.ts'
import { CoreCluster, bytes } from '../../support/core-cluster.ts'

tape('the table keeps the highest number, and forgets the origin with the oldest last entry', { timeout: 30_000 }, async (t) => {
  const table = new OriginTable(2)
  const changed = new Map<number, OriginRow | null>()
  table.take(1, { kind: 'open', node: 'a', start: 1 }, changed)
  table.take(2, { kind: 'open', node: 'b', start: 1 }, changed)
  table.take(3, { kind: 'skip', origin: 1, number: 4, reason: 'withdrawn' }, changed)
  t.deepEqual(table.get(1), { node: 'a', start: 1, highest: 4, last: 3 })
  t.equal(table.find('b', 1), 2)

  table.take(4, { kind: 'open', node: 'c', start: 1 }, changed)
  t.equal(table.get(2), undefined, 'b left')
  t.equal(changed.get(2), null, 'and its row is to be deleted')
  table.take(5, { kind: 'skip', origin: 2, number: 1, reason: 'withdrawn' })
  t.equal(table.get(2), undefined, 'an entry of a forgotten origin does not bring it back')
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
