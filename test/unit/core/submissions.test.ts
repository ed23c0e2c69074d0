import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import type { Message } from '../../../lib/core/messages.ts'
import { Submissions } from '../../../lib/core/submissions.ts'
import { CoreCluster, bytes } from '../../support/core-cluster.ts'

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
  cluster.node(other).core?.step({ type: 'unreachable' }, 0, 0).forEach(effect => {
    if (effect.type === 'settle') (cluster.writes[effect.ticket - 1] as typeof queued).settlement = effect.settlement
  })
  t.equal(submitted.settlement?.outcome, 'unknown')
  t.equal(queued.settlement?.outcome, 'aborted')
  cluster.start(leader)
  cluster.run()
  t.deepEqual(cluster.differences(), [])
})

/** The origin of b, with three writes that are submitted under the id 7 as numbers 1 to 3. The first two are in its log. */
function submitted (): { origin: Submissions, sent: () => string[], settled: () => string[] } {
  const messages: Message[] = []
  const effects: Effect[] = []
  const origin = new Submissions({
    self: 'b',
    start: 1,
    send: (_, message) => { messages.push(message) },
    emit: effect => { effects.push(effect) },
    persist: () => { throw new Error('an origin persists nothing') }
  }, { windowWrites: 10, windowBytes: 1000, submitBytesMax: 1000, withdrawMs: 10, opensLate: false })
  origin.onReady(true)
  origin.connect('a', 1)
  for (const ticket of [1, 2, 3]) origin.add(ticket, { body: bytes(`${ticket}`), operations: [], kind: 'write' }, false, 1000)
  origin.onApplied(7, { kind: 'open', node: 'b', start: 1 })
  for (const number of [1, 2]) origin.onLogged({ kind: 'write', origin: 7, number, body: bytes(`${number}`), operations: [] })

  const sent = (): string[] => messages.splice(0).map(message => message.type === 'submit' ? `submit ${message.origin}:${message.first}+${message.writes.length}` : message.type)
  const settled = (): string[] => effects.splice(0).map(effect => effect.type === 'settle' ? `${effect.ticket} ${effect.settlement.outcome}` : effect.type)
  if (sent().join() !== 'open,submit 7:1+3' || settled().length > 0) throw new Error('not submitted')
  return { origin, sent, settled }
}

tape('a repetition is settled like the first write, and another write under its key is not', { timeout: 30_000 }, async (t) => {
  const { origin, settled } = submitted()
  origin.onApplied(8, { kind: 'skip', origin: 7, number: 1, reason: 'repeated' })
  t.same(settled(), [], 'not before enough members have it')
  origin.onAssured(8)
  t.same(settled(), ['1 committed'])
  origin.onApplied(9, { kind: 'skip', origin: 7, number: 2, reason: 'differs' })
  t.same(settled(), ['2 aborted'])
})

tape('a copy of another log takes the place of this one', { timeout: 30_000 }, async (t) => {
  let { origin, sent, settled } = submitted()
  origin.disconnect()
  origin.onCopied(7, 1)
  t.same(settled(), ['1 unknown'], 'nobody can tell what became of a number whose entry is not seen')
  origin.connect('a', 2)
  t.same(sent(), ['submit 7:2+1', 'submit 7:3+1'], 'those beyond are submitted again: what held them is gone')
  origin.onApplied(12, { kind: 'write', origin: 7, number: 3, body: bytes('3'), operations: [] })
  t.same(settled(), ['2 aborted'], 'a number that was passed over is never taken')
  origin.onAssured(12)
  t.same(settled(), ['3 committed'])

  ;({ origin, sent, settled } = submitted())
  origin.disconnect()
  origin.onCopied(7, null)
  t.same(settled(), ['1 unknown', '2 unknown', '3 unknown'], 'nor what became of any, if the id has left the table')
  origin.connect('a', 2)
  t.same(sent(), ['open'], 'a new id is asked for')

  // The entry that gave this start its id is among those that are not seen.
  const messages: string[] = []
  const fresh = new Submissions({ self: 'b', start: 1, send: (_, { type }) => { messages.push(type) }, emit: () => {}, persist: () => {} },
    { windowWrites: 10, windowBytes: 1000, submitBytesMax: 1000, withdrawMs: 10, opensLate: false })
  fresh.onReady(true)
  fresh.add(1, { body: bytes('1'), operations: [], kind: 'write' }, false, 1000)
  fresh.onCopied(9, 0)
  fresh.connect('a', 1)
  t.same([fresh.id, messages], [9, ['submit']], 'the id is taken from the table')
})

tape('an id that takes the place of one that has left the table begins anew', { timeout: 30_000 }, async (t) => {
  let { origin, sent, settled } = submitted()
  origin.onApplied(20, { kind: 'open', node: 'b', start: 1 })
  t.same([sent(), settled()], [['open', 'submit 20:1+3'], []], 'nothing under the old one enters the log any more')

  ;({ origin, sent, settled } = submitted())
  origin.onCopied(20, 0)
  t.same(settled(), ['1 unknown', '2 unknown', '3 unknown'], 'what entered it under the old one is not seen')
  origin.add(4, { body: bytes('4'), operations: [], kind: 'write' }, false, 1000)
  t.same([origin.id, sent()], [20, ['submit 20:1+1']])
})

tape('a number that was asked for before it was given is passed over', { timeout: 30_000 }, async (t) => {
  const { origin, sent, settled } = submitted()
  origin.onApplied(8, { kind: 'skip', origin: 7, number: 6, reason: 'withdrawn' })
  t.same(settled(), ['1 aborted', '2 aborted', '3 aborted'])
  origin.add(4, { body: bytes('4'), operations: [], kind: 'write' }, false, 1000)
  t.same(sent(), ['submit 7:7+1'])
})
