import tape from 'tape'
import type { CoordinatorHost, CoordinatorLimits } from '../../../lib/core/coordinator.ts'
import { Coordinator } from '../../../lib/core/coordinator.ts'
import type { Effect } from '../../../lib/core/effects.ts'
import type { Group } from '../../../lib/core/entry.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import { KeyTable } from '../../../lib/core/idempotency.ts'
import { LogTail } from '../../../lib/core/log-tail.ts'
import type { Message, RelayedMessage } from '../../../lib/core/messages.ts'
import { OriginTable } from '../../../lib/core/origins.ts'
import { bytes } from '../../support/core-disk.ts'
import { viewOf } from '../../support/core-parts.ts'

const timeout = 30_000
const limits: CoordinatorLimits = { groupBytesMax: 1000, tailBytesMax: 1000, incomingMax: 10, incomingBytesMax: 1000, bodyBytesMax: 1000 }
const view = viewOf({ epoch: 2 })

class FakeHost implements CoordinatorHost {
  readonly self = 'a'
  readonly start = 1
  base = emptyLog
  readonly tail = new LogTail(0, [])
  now = 0
  committed = 0
  applied = 0
  /** Appends that are on their way to the disk. */
  readonly disk: Array<() => void> = []
  readonly sent: Array<readonly [string, Message]> = []
  readonly effects: Effect[] = []

  send (to: string, message: Message): void { this.sent.push([to, message]) }
  emit (effect: Effect): void { this.effects.push(effect) }
  persist (): void { throw new Error('a coordinator appends') }
  commit (position: number): void { this.committed = position }
  /** The starts of those that are connected. */
  readonly starts = new Map([['b', 1], ['c', 1]])
  isUp (node: string, start?: number): boolean { return this.starts.has(node) && (start === undefined || this.starts.get(node) === start) }
  isObserver (): boolean { return false }
  append (group: Group, then: () => void): void {
    this.tail.append(group)
    this.disk.push(then)
  }

  /** A coordinator that b and c follow. */
  lead (waitUntil = 0): Coordinator {
    const coordinator = new Coordinator(this, view, new OriginTable(10, []), new KeyTable(10), true, waitUntil, limits)
    for (const id of ['b', 'c']) {
      coordinator.onUp(id)
      coordinator.onFollow(id, { base: 0, runs: [] }, true, 0)
      coordinator.onAck(id, 0, true)
    }
    return coordinator
  }
}

/** Makes the next group. */
function make (coordinator: Coordinator, node: string): void {
  coordinator.onOpen(node, 1, false)
  coordinator.flush(false)
}

tape('what all live members have acknowledged is committed', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  make(coordinator, 'a')
  coordinator.onAck('b', 1, true)
  coordinator.onAck('c', 1, false)
  host.disk.shift()?.()
  t.equal(host.committed, 0, 'a receipt is no vote')
  coordinator.onAck('c', 1, true)
  t.equal(host.committed, 1)
  make(coordinator, 'b')
  coordinator.onAck('b', 2, true)
  coordinator.onAck('c', 2, true)
  t.equal(host.committed, 1, 'the coordinator itself is one of them')
  host.disk.shift()?.()
  t.equal(host.committed, 2)
  coordinator.onAck('c', 3, true)
  t.same(host.effects.map(({ type }) => type), ['disconnect'], 'nobody acknowledges what was never sent')

  make(coordinator, 'c')
  coordinator.depose()
  host.disk.shift()?.()
  coordinator.onAck('b', 3, true)
  coordinator.onAck('c', 3, true)
  t.equal(host.committed, 2, 'once a later epoch is promised, votes of this one count no more')
})

tape('nothing commits before the wait for leases is over', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead(600)
  make(coordinator, 'a')
  host.disk.shift()?.()
  for (const id of ['b', 'c']) coordinator.onAck(id, 1, true)
  host.now = 599
  coordinator.onTick()
  t.equal(host.committed, 0)
  host.now = 600
  coordinator.onTick()
  t.equal(host.committed, 1)
})

tape('who needs what this log does not have any more is lost', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  make(coordinator, 'a')
  host.disk.shift()?.()
  for (const id of ['b', 'c']) coordinator.onAck(id, 1, true)
  host.base = { position: 1, epoch: 2 }
  host.sent.length = 0

  const comeBack = (committed: number): void => {
    coordinator.onDown('c')
    coordinator.onUp('c')
    coordinator.onFollow('c', { base: committed, runs: [] }, false, 0)
  }
  comeBack(0)
  t.same(coordinator.lost, ['c'])
  t.same(host.sent.map(([, { type }]) => type), ['view'], 'it is told nothing that it would cut by')
  comeBack(1)
  t.same(coordinator.lost, [])
  t.same(host.sent.map(([, { type }]) => type), ['view', 'view', 'sync'])
})

tape('who has forgotten what it has acknowledged is lost, and told why', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  make(coordinator, 'a')
  make(coordinator, 'b')
  for (const id of ['b', 'c']) coordinator.onAck(id, 2, true)
  const comeBack = (end: number, intact: boolean, applied: number): string[] => {
    coordinator.onDown('c')
    coordinator.onUp('c')
    host.sent.length = 0
    coordinator.onFollow('c', { base: 0, runs: end === 0 ? [] : [{ position: end, epoch: 2 }] }, intact, applied)
    return host.sent.map(([to, message]) => `${to} ${message.type}${message.type === 'deny' ? ` ${message.id} ${message.why}` : ''}`)
  }
  t.same(comeBack(1, true, 0), ['c deny c stale'], 'it has voted for 2')
  t.same(coordinator.lost, ['c'])
  t.same(comeBack(2, true, 0), ['c sync'], 'and now it has it')
  t.same(coordinator.lost, [])
  t.same(comeBack(2, true, 3), ['c deny c stale'], 'it had applied 3')
  t.same(comeBack(2, true, 2), ['c sync'])
  t.same(comeBack(1, false, 2).includes('c deny c stale'), false, 'who says that a crash may have taken it has not lied')
})

tape('who owes an acknowledgement for too long is stalled', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  host.now = 5000
  t.same(coordinator.stalled(1000), [], 'nobody owes anything')

  make(coordinator, 'a')
  host.now = 6001
  t.same(coordinator.stalled(1000), [], 'nobody is blamed while this node\'s own disk is behind')
  host.disk.shift()?.()
  t.same(coordinator.stalled(1000), ['b', 'c'])
  coordinator.onAck('b', 1, true)
  t.same(coordinator.stalled(1000), ['c'])

  coordinator.onDown('c')
  coordinator.onUp('c')
  coordinator.onFollow('c', { base: 0, runs: [] }, true, 0)
  t.same(coordinator.stalled(1000), ['c'], 'coming and going is no way to keep up')
  coordinator.forgive()
  t.same(coordinator.stalled(1000), [], 'what came while this process did not run may be unread')
  host.now = 7002
  t.same(coordinator.stalled(1000), ['c'])

  make(coordinator, 'b')
  host.disk.shift()?.()
  coordinator.onAck('c', 1, true)
  t.same(coordinator.stalled(1000), [], 'a step forward counts')
  host.now = 8003
  t.same(coordinator.stalled(1000), ['b', 'c'], 'and so does what is still owed')
})

/** What is in the log after the first `from` entries. */
function logged (host: FakeHost, from: number): string[] {
  const entries: string[] = []
  host.tail.visit(from, (group) => {
    for (const entry of group.entries) entries.push(entry.kind === 'skip' ? `${entry.origin}:${entry.number} ${entry.reason}` : entry.kind === 'open' ? 'open' : `${entry.origin}:${entry.number}`)
    return true
  })
  return entries
}

function submit (coordinator: Coordinator, node: string, origin: number, first: number, ...writes: Array<[body: string, key?: string]>): void {
  coordinator.onSubmit(node, { type: 'submit', epoch: 2, origin, first, writes: writes.map(([body, key = '']) => ({ body: bytes(body), operations: [], kind: 'write', key })) })
}

tape('a write under a key that is in the log is not made again', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  make(coordinator, 'b')
  make(coordinator, 'c')
  submit(coordinator, 'b', 1, 1, ['one', 'k'], ['one', 'k'], ['one'])
  coordinator.flush(false)
  submit(coordinator, 'c', 2, 1, ['one', 'k'], ['two', 'k'], ['one', 'other'])
  coordinator.flush(false)
  t.deepEqual(logged(host, 2), ['1:1', '1:2 repeated', '1:3', '2:1 repeated', '2:2 differs', '2:3'])
})

tape('a write is withdrawn for others only if its origin is gone', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  make(coordinator, 'b')
  make(coordinator, 'a')
  submit(coordinator, 'b', 1, 1, ['one'])
  const withdraw = (node: string, origin: number, number: number): string[] => {
    coordinator.onWithdraw(node, origin, number)
    coordinator.flush(false)
    return logged(host, 2)
  }
  t.deepEqual(withdraw('c', 1, 1), ['1:1'], 'b is there')
  t.deepEqual(withdraw('c', 2, 1), ['1:1'], 'and so is this very node')
  t.deepEqual(withdraw('c', 7, 1), ['1:1'], 'of an origin that nobody knows, nothing is withdrawn')
  host.starts.delete('b')
  t.deepEqual(withdraw('c', 1, 2), ['1:1'], 'b may come back')
  host.starts.set('b', 2)
  t.deepEqual(withdraw('c', 1, 1), ['1:1'], 'what is in the log stays')
  t.deepEqual(withdraw('c', 1, 3), ['1:1', '1:3 withdrawn'], 'b was restarted')
  t.deepEqual(withdraw('c', 1, 1e6), ['1:1', '1:3 withdrawn'], 'that was never a number of b')
  t.deepEqual(host.effects, [], 'and is nobody\'s fault')
  t.deepEqual(withdraw('b', 1, 4), ['1:1', '1:3 withdrawn', '1:4 withdrawn'], 'its own it may withdraw')
})

tape('what is passed on for an observer is taken in order, and of the start that it has', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  const relay = (start: number, message: RelayedMessage): void => { coordinator.onRelay('b', { type: 'relay', node: 'o', start, message }) }
  const submit = (first: number): RelayedMessage => ({ type: 'submit', epoch: 2, origin: 1, first, writes: [{ body: bytes('w'), operations: [], kind: 'write' }] })
  const refused = (): unknown[] => host.sent.splice(0).filter(([, { type }]) => type === 'unrelayed').map(([to, message]) => [to, (message as { node: string }).node])
  const logged = (): unknown[] => {
    coordinator.flush(false)
    const groups: Group[] = []
    host.tail.visit(0, (group) => groups.push(group) > 0)
    return groups.flatMap(({ entries }) => entries.map(entry => entry.kind === 'open' ? `open ${entry.node} ${entry.start} ${entry.observer}` : `${entry.kind} ${entry.number}`))
  }

  relay(2, { type: 'open', epoch: 2, start: 2 })
  relay(1, { type: 'open', epoch: 2, start: 1 })
  t.same(logged(), ['open o 2 true'], 'an open of an earlier start came late')
  relay(1, submit(1))
  t.same(refused(), [], 'a start that is over: nobody waits for it')
  relay(2, submit(2))
  relay(2, { type: 'withdraw', epoch: 2, origin: 1, number: 3 })
  t.same(refused(), [['b', 'o'], ['b', 'o']], 'a number is missing')
  t.same(logged().slice(1), [])
  relay(2, submit(1))
  relay(2, submit(2))
  relay(2, { type: 'withdraw', epoch: 2, origin: 1, number: 3 })
  relay(2, submit(1))
  t.same(logged().slice(1), ['write 1', 'write 2', 'skip 3'])
  relay(3, { type: 'withdraw', epoch: 2, origin: 1, number: 6 })
  t.same(logged().slice(4), ['skip 6'], 'a later start asks what became of it')
  for (let number = 7; number < 15; number++) relay(2, submit(number))
  t.equal(refused().length, 2, 'members go before')
  coordinator.onRelay('b', { type: 'relay', node: 'c', start: 1, message: { type: 'open', epoch: 2, start: 1 } })
  t.equal(logged().filter(entry => String(entry).startsWith('open')).length, 1, 'nothing is relayed for a member')
  t.same(host.effects, [])
})

tape('a participant is told at once of its own writes, of others when all is applied, or with the next group', { timeout }, async (t) => {
  const host = new FakeHost()
  const coordinator = host.lead()
  let committed = 0
  /** A group is appended everywhere; who is told that it is committed, at the end of the turn. */
  const commit = (applied: number): string[] => {
    host.disk.shift()?.()
    committed++
    for (const id of ['b', 'c']) coordinator.onAck(id, committed, true)
    return told(applied)
  }
  const told = (applied: number): string[] => {
    host.applied = applied
    host.sent.length = 0
    coordinator.flush(false)
    return host.sent.map(([to, message]) => `${message.type} ${to}`)
  }

  make(coordinator, 'b')
  t.same(commit(0), ['commit b'])
  t.same(told(1), ['commit c'])
  make(coordinator, 'a')
  t.same(commit(1), [])
  coordinator.onTick()
  t.same(told(1), ['commit b', 'commit c'], 'it takes long to apply')
  make(coordinator, 'c')
  commit(2)
  coordinator.onOpen('a', 2, false)
  t.same(told(3), ['prepare b', 'prepare c'], 'a group tells it')
})
