import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import type { LogName } from '../../../lib/core/entry.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import type { LogTail } from '../../../lib/core/log-tail.ts'
import type { Message } from '../../../lib/core/messages.ts'
import { Source } from '../../../lib/core/source.ts'
import { bytes } from '../../support/core-cluster.ts'
import { group, tailOf } from './groups.ts'

const timeout = 30_000

/** A member with a log of which the test says how far it is. */
class FakeHost {
  readonly self = 'a'
  readonly start = 1
  tail: LogTail
  base: LogName = emptyLog
  committed = 0
  applied = 0
  applying = 0
  atRest = true
  seeded = true
  complete = true
  settledData = true
  now = 0
  sent: Array<readonly [string, Message]> = []
  effects: Effect[] = []

  constructor (tail: LogTail) {
    this.tail = tail
  }

  get snapshot (): { base: LogName, rows: [], keys: [] } {
    return { base: this.tail.nameAt(this.applied), rows: [], keys: [] }
  }

  send (to: string, message: Message): void { this.sent.push([to, message]) }
  emit (effect: Effect): void { this.effects.push(effect) }
  persist (): void { throw new Error('nothing is persisted') }

  /** What was sent since, in short. */
  take (): string[] {
    return this.sent.splice(0).map(([to, message]) => `${to}: ${short(message)}`)
  }
}

function short (message: Message): string {
  switch (message.type) {
    case 'fetched': return message.truncated ? `truncated after ${message.common}` : `${message.groups.map(({ first }) => first).join(',')} after ${message.common}@${message.commonEpoch}, committed ${message.committed}`
    case 'snapshot': return `snapshot at ${message.base.position}@${message.base.epoch}`
    case 'chunk': return `chunk up to ${message.high}`
    case 'verifying': return `verifying at ${message.position}`
    case 'digest': return `digest ${message.digest} of ${message.position}`
    default: return message.type
  }
}

/** Groups 1..2 and 3 of epoch 1, 4..5 and 6 of epoch 2. */
function setUp (change: Partial<FakeHost> = {}): { host: FakeHost, source: Source } {
  const host = Object.assign(new FakeHost(tailOf(group(1, 1, 2), group(1, 3), group(2, 4, 5), group(2, 6))), change)
  return { host, source: new Source(host) }
}

function fetch (base: number, ...runs: Array<[number, number]>): Message & { type: 'fetch' } {
  return { type: 'fetch', outline: { base, runs: runs.map(([epoch, position]) => ({ epoch, position })) } }
}

tape('only groups that are committed as a whole are given, after the common prefix', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 5 })
  source.onFetch('b', fetch(0))
  t.deepEqual(host.take(), ['b: 1,3,4 after 0@0, committed 5'])
  source.onFetch('b', fetch(0, [1, 3], [3, 9]))
  t.deepEqual(host.take(), ['b: 4 after 3@1, committed 5'])
  host.committed = 4
  source.onFetch('b', fetch(3))
  t.deepEqual(host.take(), ['b:  after 3@1, committed 4'], 'half of a group is not given')
  host.committed = 6
  source.onFetch('b', fetch(6))
  t.deepEqual(host.take(), ['b:  after 6@2, committed 6'], 'nothing is missing')
  source.onFetch('b', fetch(20))
  t.deepEqual(host.take(), ['b:  after 6@2, committed 6'], 'the other one is ahead')
})

tape('it gives about as much at a time as fits into a message', { timeout }, async (t) => {
  const size = 400_000
  const { host, source } = setUp({ committed: 5, tail: tailOf(...[1, 2, 3, 4, 5].map(first => group(1, first, first, size))) })
  source.onFetch('b', fetch(0))
  t.deepEqual(host.take(), ['b: 1,2,3 after 0@0, committed 5'])
})

tape('what is not in memory is read, by one load for each peer', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6 })
  host.tail.drop(3)
  source.onFetch('b', fetch(2))
  source.onFetch('b', fetch(2))
  source.onFetch('c', fetch(0))
  t.deepEqual(host.effects, [{ type: 'load', to: 'b', from: 3 }, { type: 'load', to: 'c', from: 1 }])
  source.onLoaded('b', 1, [group(1, 1, 2)])
  t.deepEqual(host.take(), [], 'what somebody else asked for, as a coordinator does')
  source.onLoaded('b', 3, [group(1, 3), group(2, 4, 5)])
  t.deepEqual(host.take(), ['b: 3,4 after 2@1, committed 6'])
  source.onDown('c')
  source.onLoaded('c', 1, [group(1, 1, 2)])
  t.deepEqual(host.take(), [], 'c is gone')
  source.onFetch('b', fetch(3))
  t.deepEqual(host.take(), ['b: 4,6 after 3@1, committed 6'], 'the rest is in memory')
})

tape('what was truncated cannot be given', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6, base: { position: 3, epoch: 1 } })
  host.tail.drop(5)
  source.onFetch('b', fetch(2))
  t.deepEqual(host.take(), ['b: truncated after 2'])
  source.onFetch('b', fetch(3))
  t.deepEqual(host.effects.splice(0), [{ type: 'load', to: 'b', from: 4 }])
  host.base = { position: 5, epoch: 2 }
  source.onLoaded('b', 4, [group(2, 6)])
  t.deepEqual(host.take(), ['b: truncated after 3'], 'while it was read')
  source.onFetch('b', fetch(3))
  source.onFetch('c', fetch(5))
  t.deepEqual(host.take(), ['b: truncated after 3', 'c: 6 after 5@2, committed 6'])
})

tape('half of a copy is of no use to anybody', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6, applied: 6, complete: false })
  source.onFetch('b', fetch(0))
  source.onRequest('b', { type: 'copy', after: null, applied: 0 })
  host.complete = true
  source.serve()
  t.deepEqual(host.take(), [])
})

tape('a copy is given at rest, and of a state that is not older than the asker\'s', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6, applied: 3, atRest: false })
  source.onRequest('b', { type: 'copy', after: null, applied: 5 })
  source.onRequest('c', { type: 'copy', after: null, applied: 0 })
  t.deepEqual(host.take(), [])
  host.atRest = true
  source.serve()
  t.deepEqual(host.take(), ['c: snapshot at 3@1'], 'b has more')
  source.serve()
  t.deepEqual(host.take(), [], 'once')
  host.applied = 5
  source.serve()
  t.deepEqual(host.take(), ['b: snapshot at 5@2'])

  source.onRequest('b', { type: 'copy', after: bytes('k'), applied: 6 })
  t.deepEqual(host.effects, [])
  host.applied = 6
  source.serve()
  t.deepEqual(host.effects, [{ type: 'chunk', to: 'b', after: bytes('k') }])
  host.applying = 8
  source.onChunk('b', { after: bytes('k'), through: null, left: 0, entries: [] })
  t.deepEqual(host.take(), ['b: chunk up to 8'], 'an apply was under way while it was read')

  source.onChunk('b', { after: bytes('k'), through: null, left: 0, entries: [] })
  t.deepEqual(host.take(), [], 'nobody has asked for it')

  source.onRequest('c', { type: 'copy', after: bytes('k'), applied: 7 })
  source.onDown('c')
  host.applied = 8
  source.serve()
  t.equal(host.effects.length, 1, 'c is gone')
})

tape('a chunk that was read for a session that is lost is given to nobody', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6, applied: 6 })
  source.onRequest('b', { type: 'copy', after: bytes('k'), applied: 6 })
  source.onDown('b')
  source.onRequest('b', { type: 'copy', after: bytes('l'), applied: 6 })
  t.deepEqual(host.effects, [{ type: 'chunk', to: 'b', after: bytes('k') }], 'one read at a time')
  source.onChunk('b', { after: bytes('k'), through: null, left: 0, entries: [] })
  t.deepEqual(host.take(), [])
  source.serve()
  source.onChunk('b', { after: bytes('l'), through: null, left: 0, entries: [] })
  t.deepEqual(host.take(), ['b: chunk up to 0'])
})

tape('what was cut while it was read is not given', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6 })
  host.tail.drop(3)
  source.onFetch('b', fetch(0))
  source.onLoaded('b', 1, [group(1, 1, 2), group(1, 3), group(1, 4, 5)])
  t.deepEqual(host.take(), ['b: 1,3 after 0@0, committed 6'])
})

tape('the name at the common end is that of when the answer is sent, or none', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 3 })
  host.tail.drop(2)
  source.onFetch('b', fetch(2))
  host.tail.drop(3)
  source.onFetch('c', fetch(2))
  t.equal(host.effects.length, 1, 'c needs what b needed')
  source.onLoaded('b', 3, [group(1, 3)])
  t.deepEqual(host.take(), ['b: 3 after 2@1, committed 3'])
  // The log begins anew while it is read.
  host.base = { position: 9, epoch: 4 }
  host.tail.reset(host.base)
  host.committed = 9
  source.onLoaded('c', 3, [group(1, 3)])
  t.deepEqual(host.take(), ['c: truncated after 2'])
})

tape('one digest is made at a time, for all who ask at one position', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 6, applied: 5 })
  source.onRequest('b', { type: 'verify', applied: 5 })
  source.onRequest('c', { type: 'verify', applied: 4 })
  t.deepEqual(host.effects.splice(0), [{ type: 'digest', position: 5 }])
  t.deepEqual(host.take(), ['b: verifying at 5', 'c: verifying at 5'])

  host.applied = 6
  source.onRequest('d', { type: 'verify', applied: 6 })
  t.deepEqual(host.take(), ['d: digest  of 0'], 'it is to ask again')
  t.deepEqual(host.effects, [])
  source.onDown('b')
  source.onDigested(4, '44')
  t.deepEqual(host.take(), [])
  source.onDigested(5, '55')
  t.deepEqual(host.take(), ['c: digest 55 of 5'])
  source.onRequest('d', { type: 'verify', applied: 6 })
  t.deepEqual(host.effects, [{ type: 'digest', position: 6 }])
})

tape('a fetch waits for more to be committed only if its observer has nothing else to do', { timeout }, async (t) => {
  const { host, source } = setUp({ committed: 3, applied: 3 })
  source.onFetch('o', fetch(0, [1, 3]))
  t.same(host.take(), ['o:  after 3@1, committed 3'], 'it copies, or compares')
  source.onStatus('o', true)
  source.onFetch('o', fetch(0, [1, 3]))
  t.same(host.take(), [])
  host.now = 1000
  source.serve()
  t.same(host.take(), ['o:  after 3@1, committed 3'], 'not for ever')
  source.onFetch('o', fetch(0, [1, 3]))
  host.committed = 5
  source.serve()
  t.same(host.take(), ['o: 4 after 3@1, committed 5'])
  source.onStatus('o', false)
  source.onFetch('o', fetch(0, [1, 3], [2, 5]))
  t.same(host.take(), ['o:  after 5@2, committed 5'])
})
