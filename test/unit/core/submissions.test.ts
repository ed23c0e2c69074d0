import tape from 'tape'
import { CoreCluster } from '../../support/core-cluster.ts'

/** A ready trio, its coordinator, and one of the others. */
function trio (): { cluster: CoreCluster, leader: string, other: string } {
  const cluster = new CoreCluster('abc').startAll()
  cluster.run()
  const leader = cluster.coordinator?.name ?? ''
  return { cluster, leader, other: [...'abc'].find(name => name !== leader) as string }
}

tape('a write that was never submitted is aborted at its time-out', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  cluster.crash(leader)
  cluster.run()
  const write = cluster.write(other, 'x', '1', 100)
  cluster.tick(100)
  t.deepEqual(write.settlement, { outcome: 'aborted', why: 'timeout', transaction: null })
  cluster.start(leader)
  cluster.run()
  t.deepEqual(cluster.differences(), [], 'and never appears')
})

tape('a submitted write whose coordinator dies is unknown at its time-out, and settled in the log later', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const write = cluster.write(other, 'x', '1', 100)
  cluster.run(step => step.label.startsWith(`${other}>${leader} submit`))
  cluster.crash(leader)
  cluster.tick(100)
  t.equal(write.settlement?.outcome, 'unknown')
  cluster.start(leader)
  cluster.run()
  t.equal(cluster.node('a').disk.data.get('x'), undefined, 'it was withdrawn, because nobody waits for it')
  t.ok(cluster.node('a').disk.entriesAfter(0).some(entry => (entry as { kind: string }).kind === 'skip'), 'by a skip in the log')
  t.deepEqual(cluster.differences(), [])
})

tape('a write is withdrawn before its time-out, and the rejection is definite', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const third = [...'abc'].find(name => name !== leader && name !== other) as string
  // Without the third member no entry is made, so the number has no position yet.
  cluster.disconnect(leader, third)
  const write = cluster.write(other, 'x', '1', 100)
  cluster.run()
  cluster.tick(95)
  cluster.run()
  t.equal(write.settlement, null, 'no verdict without the log')
  cluster.connect(leader, third)
  cluster.run()
  t.deepEqual(write.settlement, { outcome: 'aborted', why: 'timeout', transaction: (write.settlement as { transaction?: string } | null)?.transaction })
  t.deepEqual(cluster.differences(), [])
})

tape('a write that has a position is not withdrawn', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const third = [...'abc'].find(name => name !== leader && name !== other) as string
  const write = cluster.write(other, 'x', '1', 100)
  cluster.run(step => step.label.startsWith(`${third}>${leader} ack`))
  cluster.disconnect(leader, third)
  cluster.run()
  cluster.tick(95)
  cluster.tick(5)
  t.equal(write.settlement?.outcome, 'unknown')
  cluster.connect(leader, third)
  cluster.run()
  t.equal(cluster.node('a').disk.data.get('x'), '1', 'it commits')
  t.deepEqual(cluster.differences(), [])
})

tape('a repeated submission enters the log once', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const write = cluster.write(other, 'x', '1')
  // The entry is logged and sent, and then the session with its origin is lost, again and again.
  for (let i = 0; i < 3; i++) {
    cluster.run(step => step.label.startsWith(`${other}>${leader} ack`))
    cluster.disconnect(leader, other)
    cluster.connect(leader, other)
  }
  cluster.run()
  t.equal(write.settlement?.outcome, 'committed')
  t.deepEqual(cluster.differences(), [])
})

tape('a last frame that is lost with its session is made up for', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const write = cluster.write(leader, 'x', '1')
  cluster.run(step => step.label.startsWith(`${leader}>${other} commit`))
  t.equal(cluster.node(other).disk.data.get('x'), undefined)
  cluster.disconnect(leader, other)
  cluster.connect(leader, other)
  cluster.run()
  t.equal(write.settlement?.outcome, 'committed')
  t.deepEqual(cluster.differences(), [], 'the participant learns of the commit')
})

tape('a window of one keeps the order of the origin', { timeout: 30_000 }, async (t) => {
  const cluster = new CoreCluster('abc', { windowWrites: 1 }).startAll()
  cluster.run()
  for (let i = 0; i < 10; i++) cluster.write('a', 'x', `${i}`)
  cluster.run()
  t.equal(cluster.node('b').disk.data.get('x'), '9')
  t.deepEqual(cluster.differences(), [])
})

tape('when peers have failed for good, queued writes are aborted and submitted ones are unknown', { timeout: 30_000 }, async (t) => {
  const { cluster, leader, other } = trio()
  const submitted = cluster.write(other, 'x', '1')
  cluster.run(step => step.label.startsWith(`${other}>${leader} submit`))
  cluster.crash(leader)
  const queued = cluster.write(other, 'x', '2')
  cluster.node(other).core?.step({ type: 'unreachable' }, 0).forEach(effect => {
    if (effect.type === 'settle') (cluster.writes[effect.ticket - 1] as typeof queued).settlement = effect.settlement
  })
  t.equal(submitted.settlement?.outcome, 'unknown')
  t.equal(queued.settlement?.outcome, 'aborted')
  cluster.start(leader)
  cluster.run()
  t.deepEqual(cluster.differences(), [])
})
