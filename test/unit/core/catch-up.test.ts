import tape from 'tape'
import type { CatchUpHost } from '../../../lib/core/catch-up.ts'
import { CatchUp } from '../../../lib/core/catch-up.ts'
import type { CopyState, Effect } from '../../../lib/core/effects.ts'
import type { Group, LogName } from '../../../lib/core/entry.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import type { Message } from '../../../lib/core/messages.ts'
import { bytes, text } from '../../support/core-cluster.ts'
import { group, tailOf } from './groups.ts'

const timeout = 30_000
const patience = 1000

/** A member that is not live; what it does is a list of short lines. */
class FakeHost implements CatchUpHost {
  readonly self = 'a'
  readonly start = 1
  now = 0
  /** Groups 1..2 and 3 of epoch 1, 4 of epoch 2. */
  tail = tailOf(group(1, 1, 2), group(1, 3), group(2, 4))
  base: LogName = emptyLog
  committed = 2
  applied = 2
  atRest = true
  isPromised = false
  mustCopy = false
  copy: CopyState | null = null
  sources: readonly string[] = ['b', 'c']
  log: string[] = []
  appended: Array<() => void> = []

  send (to: string, message: Message): void {
    if (message.type === 'fetch') this.log.push(`${to}: fetch ${message.outline.base}, ${message.outline.runs.map(({ epoch, position }) => `${position}@${epoch}`).join(' ')}`)
    else if (message.type === 'copy') this.log.push(`${to}: copy ${message.after === null ? 'all' : `after '${text(message.after)}'`} at ${message.applied}`)
    else if (message.type === 'verify') this.log.push(`${to}: verify at ${message.applied}`)
    else this.log.push(`${to}: ${message.type}`)
  }

  emit (effect: Effect): void {
    this.log.push(effect.type === 'disconnect' ? `disconnect ${effect.peer}` : effect.type === 'digest' ? `digest ${effect.position}` : effect.type)
  }

  persist (): void { throw new Error('nothing is persisted') }

  cut (position: number): void {
    this.log.push(`cut ${position}`)
    this.tail.cut(position)
  }

  append (group: Group, then: () => void): void {
    this.log.push(`append ${group.first}`)
    this.tail.append(group)
    this.appended.push(then)
  }

  commit (position: number): void {
    this.committed = Math.max(this.committed, position)
    this.log.push(`commit ${position}`)
  }

  reset (base: LogName): void {
    this.log.push(`reset ${base.position}`)
    this.tail.reset(base)
    this.base = base
    this.committed = this.applied = base.position
    this.copy = { after: bytes(''), high: base.position }
  }

  restore ({ after, copy }: { after: Uint8Array, copy: CopyState }): void {
    this.log.push(`restore after '${text(after)}', high ${copy.high}`)
    this.copy = copy
  }

  copied (): void {
    this.log.push('copied')
    this.copy = null
  }

  onCaughtUp (): void { this.log.push('caught up or not') }
  onDiverged (position: number, peer: string): void { this.log.push(`differs from ${peer} at ${position}`) }

  /** What was done since. */
  take (): string[] {
    return this.log.splice(0)
  }

  /** All appends are durable. */
  sync (): void {
    for (const then of this.appended.splice(0)) then()
  }
}

function setUp (change: Partial<FakeHost> = {}): { host: FakeHost, catchUp: CatchUp } {
  const host = Object.assign(new FakeHost(), change)
  const catchUp = new CatchUp(host, patience, 1000)
  catchUp.go()
  return { host, catchUp }
}

/** From a log that is that of `host` up to `common`. */
function fetched (host: FakeHost, common: number, committed: number, ...groups: Group[]): Message & { type: 'fetched' } {
  return { type: 'fetched', common, commonEpoch: host.tail.nameAt(common).epoch, committed, truncated: false, groups }
}

const truncated: Message & { type: 'fetched' } = { ...fetched(new FakeHost(), 0, 9), truncated: true }

function chunk (after: string, through: string | null, high: number, applied = 2): Message & { type: 'chunk' } {
  return { type: 'chunk', after: bytes(after), through: through === null ? null : bytes(through), applied, high, left: 0, entries: [[bytes('k'), bytes('v')]] }
}

/** A copy is under way, up to `after`; everything so far is applied. */
function copying (after: string | null, high: number): { host: FakeHost, catchUp: CatchUp } {
  const set = setUp({ copy: { after: after === null ? null : bytes(after), high }, tail: tailOf(group(1, 1, 2)), committed: 2, applied: 2 })
  set.host.take()
  return set
}

tape('it fetches, cuts what is not common, appends in order, and asks for more when that is durable', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  t.deepEqual(host.take(), ['b: fetch 2, 3@1 4@2'])
  catchUp.go()
  t.deepEqual(host.take(), [], 'one request at a time')
  catchUp.onFetched('b', fetched(host, 3, 9, group(3, 4, 5), group(3, 6)))
  t.deepEqual(host.take(), ['cut 3', 'append 4', 'append 6', 'commit 6'])
  catchUp.go()
  host.appended.shift()?.()
  t.deepEqual(host.take(), [], 'not before all of it is durable')
  t.notOk(catchUp.caughtUp)
  t.deepEqual(catchUp.progress, { phase: 'log', done: 6, total: 9, source: 'b' })
  host.sync()
  t.deepEqual(host.take(), ['b: fetch 6, '])
  catchUp.onFetched('b', fetched(host, 6, 7, group(3, 7)))
  t.deepEqual(host.take(), ['append 7', 'commit 7', 'caught up or not'])
  t.ok(catchUp.caughtUp)
  host.sync()
  t.deepEqual(host.take(), ['b: fetch 7, '], 'and goes on')
  catchUp.onFetched('b', fetched(host, 7, 7))
  t.deepEqual(host.take(), ['commit 7'])
  t.ok(catchUp.caughtUp)
  catchUp.go()
  t.deepEqual(host.take(), ['b: fetch 7, '], 'with the next tick')
  catchUp.onFetched('b', fetched(host, 7, 9))
  t.notOk(catchUp.caughtUp, 'fell behind again')
})

tape('nothing is cut until something comes in its place', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  catchUp.onFetched('b', fetched(host, 3, 3))
  t.deepEqual(host.take(), ['commit 3', 'caught up or not'])
  t.equal(host.tail.end.position, 4)
})

tape('a source that is behind is no reason to cut', { timeout }, async (t) => {
  const { host, catchUp } = setUp({ committed: 3 })
  host.take()
  catchUp.onFetched('b', fetched(host, 2, 3, group(1, 3)))
  t.deepEqual(host.take(), [], 'what is committed stays')
  catchUp.go()
  t.deepEqual(host.take(), ['b: fetch 3, 4@2'], 'it is asked again')
})

tape('a source that has committed something else than this node is noticed', { timeout }, async (t) => {
  for (const [what, common, epoch, committed] of [['where its log goes on', 3, 2, 5], ['before its log ends', 2, 2, 2]] as const) {
    const { host, catchUp } = setUp({ committed: 3, applied: 3 })
    host.take()
    catchUp.onFetched('b', { ...fetched(host, common, committed), commonEpoch: epoch, groups: committed > common ? [group(3, common + 1)] : [] })
    t.deepEqual(host.take(), [`differs from b at ${common}`], what)
    catchUp.go()
    t.deepEqual(host.take(), [], 'and nothing more is asked')
  }
})

tape('what is not committed on both sides, or has lost its epoch, may differ', { timeout }, async (t) => {
  for (const [what, common, committed, change] of [
    ['not committed there', 3, 2, { committed: 3 }],
    ['not committed here', 3, 9, {}],
    ['before the own log begins', 2, 9, { committed: 3, base: { position: 3, epoch: 1 } }]
  ] as const) {
    const { host, catchUp } = setUp(change)
    host.take()
    catchUp.onFetched('b', { ...fetched(host, common, committed, ...committed > common ? [group(7, common + 1)] : []), commonEpoch: 7 })
    t.deepEqual(host.take(), [], `${what}: nothing is cut, appended or committed`)
    catchUp.go()
    t.equal(host.take().length, 1, 'it is asked again')
  }
})

tape('a copy of other data begins anew', { timeout }, async (t) => {
  const { host, catchUp } = copying('k', 2)
  catchUp.onFetched('b', { ...fetched(host, 2, 9, group(7, 3)), commonEpoch: 7 })
  t.deepEqual(host.take(), ['b: copy all at 2'])
})

tape('a log out of order ends the session', { timeout }, async (t) => {
  for (const [what, message] of Object.entries({
    'common beyond the end': fetched(new FakeHost(), 5, 9),
    'common within a group': fetched(new FakeHost(), 1, 9, group(1, 2)),
    'an epoch before that of the log': fetched(new FakeHost(), 4, 9, group(1, 5)),
    'a gap': fetched(new FakeHost(), 3, 9, group(3, 5)),
    'more than is committed': fetched(new FakeHost(), 3, 4, group(3, 4, 5))
  })) {
    const { host, catchUp } = setUp({ committed: 0, applied: 0 })
    host.take()
    catchUp.onFetched('b', message)
    t.deepEqual(host.take(), ['disconnect b'], what)
    t.equal(host.tail.end.position, 4)
  }
})

tape('only what was asked for, of whom it was asked, is taken', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  catchUp.onFetched('c', fetched(host, 3, 4, group(3, 4)))
  catchUp.onSnapshot('b', { type: 'snapshot', base: { position: 9, epoch: 3 }, seeded: true, rows: [], keys: [] })
  catchUp.onChunk('b', chunk('', null, 9))
  catchUp.onVerifying('b', 2)
  catchUp.onDigest('b', { type: 'digest', position: 2, digest: '11' })
  t.deepEqual(host.take(), [])
  catchUp.onFetched('b', fetched(host, 3, 4, group(3, 4)))
  catchUp.onFetched('b', fetched(host, 4, 5, group(3, 5)))
  t.deepEqual(host.take(), ['cut 3', 'append 4', 'commit 4', 'caught up or not'], 'once')
})

tape('a source that is lost, silent or not live any more is replaced by another', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  host.sources = ['c']
  catchUp.onDown('b')
  catchUp.go()
  t.deepEqual(host.take(), ['c: fetch 2, 3@1 4@2'])
  catchUp.onFetched('b', fetched(host, 3, 4, group(3, 4)))
  t.deepEqual(host.take(), [], 'a late answer of the first')

  host.sources = ['b', 'c']
  host.now = patience
  catchUp.go()
  t.deepEqual(host.take(), [], 'it has its time')
  host.now++
  catchUp.go()
  t.deepEqual(host.take(), ['b: fetch 2, 3@1 4@2'])

  host.now += 2 * patience + 1
  catchUp.go()
  t.deepEqual(host.take(), ['c: fetch 2, 3@1 4@2'], 'nor the same one again')
  host.now += 4 * patience + 1
  catchUp.go()
  host.take()

  catchUp.onFetched('b', fetched(host, 3, 4))
  host.take()
  host.sources = ['c']
  catchUp.go()
  t.deepEqual(host.take(), ['c: fetch 3, 4@2'])
  host.sources = []
  catchUp.onDown('c')
  catchUp.go()
  t.deepEqual(host.take(), ['caught up or not'], 'nobody is there')
  t.notOk(catchUp.caughtUp)
  t.ok(catchUp.idle)
  host.sources = ['b']
  catchUp.go()
  t.deepEqual(host.take(), ['b: fetch 3, 4@2'])
})

tape('who is slow to answer gets more time than who was asked before, and the next one gets as much', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  const isAskedAfter = (ms: number): boolean => {
    host.take()
    host.now += ms
    catchUp.go()
    return host.take().some(line => line.includes('fetch'))
  }
  t.ok(isAskedAfter(patience + 1))
  t.notOk(isAskedAfter(1.5 * patience))
  catchUp.onFetched('c', fetched(host, 4, 4))
  catchUp.go()
  t.notOk(isAskedAfter(3 * patience), 'twice as long as that took')
  t.ok(isAskedAfter(1))
  t.notOk(isAskedAfter(6 * patience))
  catchUp.onFetched('b', fetched(host, 4, 4))
  catchUp.go()
  catchUp.onFetched('b', fetched(host, 4, 4))
  catchUp.go()
  t.ok(isAskedAfter(patience + 1), 'all is quick again')
  for (let i = 1; i < 7; i++) t.ok(isAskedAfter(patience * 2 ** i + 1))
  t.ok(isAskedAfter(64 * patience + 1), 'and no longer than that')
})

tape('a node that is live again stops', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  catchUp.onFetched('b', fetched(host, 3, 4, group(3, 4)))
  t.ok(catchUp.caughtUp)
  catchUp.stop()
  t.ok(catchUp.idle)
  t.notOk(catchUp.caughtUp)
  t.equal(catchUp.progress, null)
})

tape('where the log is truncated it copies: a beginning, chunks, and the log in between', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  catchUp.onFetched('b', truncated)
  t.deepEqual(host.take(), ['b: copy all at 2'])
  catchUp.onSnapshot('b', { type: 'snapshot', base: { position: 20, epoch: 5 }, seeded: true, rows: [], keys: [] })
  t.deepEqual(host.take(), ['reset 20'])
  catchUp.go()
  t.deepEqual(host.take(), [], 'not before it is durable')
  catchUp.onRestored()
  t.deepEqual(host.take(), ['b: fetch 20, '])
  catchUp.onFetched('b', fetched(host, 20, 20))
  t.deepEqual(host.take(), ['commit 20', 'b: copy after \'\' at 20'])
  catchUp.onChunk('b', chunk('', 'k', 22, 20))
  t.deepEqual(host.take(), ['restore after \'\', high 22'])
  catchUp.onRestored()
  t.deepEqual(host.take(), ['b: fetch 20, '])

  catchUp.onFetched('b', fetched(host, 20, 21, group(5, 21)))
  t.deepEqual(host.take(), ['append 21', 'commit 21'])
  t.notOk(catchUp.caughtUp, 'not in the middle of a copy')
  host.sync()
  host.applied = 21
  catchUp.onApplied()
  t.deepEqual(host.take(), ['b: fetch 21, '], 'the chunk is of a later state')
  catchUp.onFetched('b', fetched(host, 21, 22, group(5, 22)))
  host.sync()
  t.deepEqual(host.take(), ['append 22', 'commit 22'], 'no copy request while something is to be applied')
  catchUp.go()
  t.deepEqual(host.take(), [])
  host.applied = 22
  host.atRest = false
  catchUp.go()
  t.deepEqual(host.take(), [], 'nor while it is being applied')
  host.atRest = true
  catchUp.onApplied()
  t.deepEqual(host.take(), ['b: copy after \'k\' at 22'])
})

tape('a beginning of a copy that is older than what is applied here is not taken', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  catchUp.onFetched('b', truncated)
  host.take()
  catchUp.onSnapshot('b', { type: 'snapshot', base: { position: 1, epoch: 1 }, seeded: true, rows: [], keys: [] })
  t.deepEqual(host.take(), [])
})

tape('a member that has promised a view keeps the log with which it did', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  host.isPromised = true
  catchUp.onFetched('b', truncated)
  t.deepEqual(host.take(), [])
  host.isPromised = false
  catchUp.go()
  catchUp.onFetched('b', truncated)
  host.isPromised = true
  host.take()
  catchUp.onSnapshot('b', { type: 'snapshot', base: { position: 20, epoch: 5 }, seeded: true, rows: [], keys: [] })
  t.deepEqual(host.take(), [])
  t.equal(host.tail.end.position, 4)
})

tape('no more is fetched while much waits to be applied', { timeout }, async (t) => {
  const { host, catchUp } = setUp()
  host.take()
  catchUp.onFetched('b', fetched(host, 3, 5, group(3, 4, 4, 2000)))
  host.sync()
  t.deepEqual(host.take(), ['cut 3', 'append 4', 'commit 4'])
  host.applied = 4
  host.tail.drop(4)
  catchUp.onApplied()
  t.deepEqual(host.take(), ['b: fetch 4, '])
})

tape('a copy that was interrupted goes on where it was, with whatever source', { timeout }, async (t) => {
  const { host, catchUp } = copying('k', 2)
  catchUp.onFetched('b', fetched(host, 2, 2))
  t.deepEqual(host.take(), ['commit 2', 'b: copy after \'k\' at 2'])
  catchUp.onChunk('b', chunk('', 'k', 2))
  t.deepEqual(host.take(), [], 'a chunk out of place')
  catchUp.go()
  t.deepEqual(host.take(), ['b: copy after \'k\' at 2'], 'is asked for again')
  catchUp.onChunk('b', chunk('k', null, 2, 1))
  t.deepEqual(host.take(), [], 'so is one that was asked for when less was applied')
  catchUp.go()
  t.deepEqual(host.take(), ['b: copy after \'k\' at 2'])
  host.sources = ['c']
  catchUp.onDown('b')
  catchUp.go()
  t.deepEqual(host.take(), ['c: copy after \'k\' at 2'])
  catchUp.onChunk('c', chunk('k', null, 2))
  t.deepEqual(host.take(), ['restore after \'k\', high 2'])
})

tape('what a copy has is never of an earlier state than a chunk of it', { timeout }, async (t) => {
  const { host, catchUp } = copying('k', 9)
  catchUp.onFetched('b', fetched(host, 2, 2))
  t.deepEqual(host.take(), ['commit 2'], 'a source that has nothing new is not asked again at once')
  catchUp.go()
  t.deepEqual(host.take(), ['b: fetch 2, '], 'what is lacking is fetched first')
  const { host: other, catchUp: second } = copying('k', 2)
  second.onFetched('b', fetched(other, 2, 2))
  second.onChunk('b', chunk('k', null, 1))
  t.deepEqual(other.take().slice(-1), ['restore after \'k\', high 2'], 'high never falls')
})

tape('who has joined begins with a copy, whatever its log is', { timeout }, async (t) => {
  const { host, catchUp } = setUp({ mustCopy: true })
  t.deepEqual(host.take(), ['b: copy all at 2'])
  for (const change of [{ atRest: false }, { isPromised: true }]) {
    const other = setUp({ mustCopy: true, ...change })
    t.deepEqual(other.host.take(), [], `not while ${Object.keys(change)[0]} is ${String(Object.values(change)[0])}`)
  }
  host.mustCopy = false
  catchUp.onSnapshot('b', { type: 'snapshot', base: { position: 9, epoch: 2 }, seeded: true, rows: [], keys: [] })
  t.deepEqual(host.take().slice(0, 1), ['reset 9'])
})

tape('a copy that falls behind the log of its source begins anew', { timeout }, async (t) => {
  const { host, catchUp } = copying('k', 2)
  catchUp.onFetched('b', truncated)
  t.deepEqual(host.take(), ['b: copy all at 2'])
})

/** The data are copied, and the other side digests its own at 4. */
function verifying (): { host: FakeHost, catchUp: CatchUp } {
  const set = copying(null, 2)
  const { host, catchUp } = set
  catchUp.onFetched('b', fetched(host, 2, 2))
  if (host.take().pop() !== 'b: verify at 2') throw new Error('it does not ask to verify')
  catchUp.onVerifying('b', 4)
  return set
}

tape('a copy is verified at one position', { timeout }, async (t) => {
  const { host, catchUp } = verifying()
  t.deepEqual(host.take(), ['b: fetch 2, '])
  t.equal(catchUp.applyLimit, 4, 'nothing beyond it is applied before the digest')
  catchUp.onFetched('b', fetched(host, 2, 5, group(1, 3), group(1, 4), group(1, 5)))
  host.sync()
  host.take()
  host.applied = 3
  catchUp.onApplied()
  t.equal(catchUp.applyLimit, 4)
  host.applied = 4
  catchUp.onApplied()
  t.ok(host.take().includes('digest 4'))
  t.equal(catchUp.applyLimit, null)
  catchUp.onDigested(4, '11')
  catchUp.onDigest('b', { type: 'digest', position: 3, digest: '22' })
  catchUp.onDigest('c', { type: 'digest', position: 4, digest: '22' })
  t.notOk(host.log.some(line => /copied|differs/.test(line)), 'another position, another member')
  const digest = { type: 'digest', position: 4, digest: '11' } as const
  catchUp.onDigest('b', digest)
  t.deepEqual(host.take(), ['copied'])
  t.equal(catchUp.progress?.phase, 'verify')
  catchUp.onDigest('b', digest)
  catchUp.go()
  t.deepEqual(host.take(), [], 'nothing more, and nothing again, before that is durable')
  catchUp.onCopied()
  t.deepEqual(host.take(), ['b: fetch 5, '])
})

tape('a digest of what was before cannot be compared', { timeout }, async (t) => {
  const { host, catchUp } = copying(null, 2)
  catchUp.onFetched('b', fetched(host, 2, 2))
  host.take()
  catchUp.onVerifying('b', 1)
  t.equal(catchUp.applyLimit, null)
  catchUp.go()
  t.deepEqual(host.take(), ['b: verify at 2'], 'it is asked for again')
})

tape('copies that differ are noticed, and those that cannot be compared are believed', { timeout }, async (t) => {
  const outcome = (ours: string, theirs: string): string => {
    const { host, catchUp } = verifying()
    host.applied = host.committed = 4
    catchUp.onApplied()
    host.take()
    catchUp.onDigested(4, ours)
    catchUp.onDigest('b', { type: 'digest', position: 4, digest: theirs })
    return host.take()[0] ?? ''
  }
  t.equal(outcome('11', '11'), 'copied')
  t.equal(outcome('11', '22'), 'differs from b at 4')
  t.equal(outcome('', '22'), 'copied')
  t.equal(outcome('11', ''), 'copied')
})

tape('a source that is busy with another digest, or is lost, is asked again', { timeout }, async (t) => {
  const { host, catchUp } = copying(null, 2)
  catchUp.onFetched('b', fetched(host, 2, 2))
  host.take()
  catchUp.onDigest('b', { type: 'digest', position: 0, digest: '' })
  t.notOk(host.log.includes('copied'))
  catchUp.go()
  t.deepEqual(host.take(), ['b: verify at 2'])
  catchUp.onVerifying('b', 4)
  host.take()
  host.sources = ['c']
  catchUp.onDown('b')
  t.equal(catchUp.applyLimit, null, 'it waits for nobody')
  catchUp.onDigested(4, '11')
  catchUp.onDigest('b', { type: 'digest', position: 4, digest: '22' })
  t.deepEqual(host.take(), [], 'what comes later does not matter')
  catchUp.go()
  t.deepEqual(host.take(), ['c: verify at 2'], 'verified anew')
})
