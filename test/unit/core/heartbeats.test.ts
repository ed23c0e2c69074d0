import tape from 'tape'
import { Heartbeats } from '../../../lib/core/heartbeats.ts'
import { LEASE_MS, longer } from '../../../lib/core/leases.ts'
import type { Message } from '../../../lib/core/messages.ts'
import type { View, Vow } from '../../../lib/core/view.ts'
import { noVow } from '../../../lib/core/view.ts'
import { liveOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

const view = viewOf({ epoch: 3, live: liveOf('ab') })

/** Node a, connected with b and c, at a time that the test sets. */
class FakeHost {
  readonly self = 'a'
  readonly start = 1
  now = 1000
  wall = 0
  vow: Vow = { ...noVow, epoch: 3 }
  view: View | null = view
  connected = ['b', 'c']
  syncedApplied = 7
  sent: Array<readonly [string, Message]> = []

  send (to: string, message: Message): void {
    this.sent.push([to, message])
  }

  persist (): void { throw new Error('nothing is persisted') }
  emit (): void { throw new Error('nothing is emitted') }

  take (): Array<readonly [string, Message]> {
    return this.sent.splice(0)
  }
}

tape('heartbeats go to everybody, a few times while a lease lasts', { timeout }, async (t) => {
  const host = new FakeHost()
  const beats = new Heartbeats(host, 1000)
  beats.onTick()
  t.deepEqual(host.take(), ['b', 'c'].map(to => [to, { type: 'heartbeat', epoch: 3, sent: 1000, applied: 7 }]))
  host.now += 120
  beats.onTick()
  t.deepEqual(host.take(), [])
  host.now += 20
  beats.onTick()
  t.equal(host.take().length, 2)

  const hasty = new Heartbeats(host, 200)
  hasty.onTick()
  host.take()
  host.now += 50
  hasty.onTick()
  t.equal(host.take().length, 2, 'more often where silence is noticed sooner')
})

tape('a lease is asked for in the view that is installed and promised, if it needs any', { timeout }, async (t) => {
  const epochOf = (change: Partial<FakeHost>): number => {
    const host = Object.assign(new FakeHost(), change)
    new Heartbeats(host, 1000).onTick()
    const message = host.take()[0]?.[1]
    return message?.type === 'heartbeat' ? message.epoch : -1
  }
  t.equal(epochOf({}), 3)
  t.equal(epochOf({ vow: { ...noVow, epoch: 4 } }), 0, 'a later epoch is promised')
  t.equal(epochOf({ view: null }), 0)
  t.equal(epochOf({ view: { ...view, leaseFree: true } }), 0)
  t.equal(epochOf({ view: { ...view, live: view.live.filter(({ id }) => id !== new FakeHost().self) } }), 0, 'nobody reads on a witness')
})

tape('a grant is remembered, and not given below the promise', { timeout }, async (t) => {
  const host = new FakeHost()
  host.now = 10_000
  const beats = new Heartbeats(host, 1000)
  host.now += 10_000
  const left = (): string[] => beats.leases.left(host.now).map(({ holder, ms }) => `${holder} ${ms}`)
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 0, sent: 5, applied: 0 })
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 2, sent: 5, applied: 0 })
  t.deepEqual(host.take(), [])
  t.deepEqual(left(), [])
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 3, sent: 5, applied: 0 })
  t.deepEqual(host.take(), [['b', { type: 'grant', epoch: 3, sent: 5 }]])
  t.deepEqual(left(), [`b ${longer(LEASE_MS)}`])
  beats.onHeartbeat('c', { type: 'heartbeat', epoch: 9, sent: 6, applied: 0 })
  t.deepEqual(host.take(), [['c', { type: 'grant', epoch: 9, sent: 6 }]], 'whoever is ahead gets one, too')
  t.deepEqual(left(), [`b ${longer(LEASE_MS)}`, `c ${longer(LEASE_MS)}`])
  host.vow = noVow
  beats.onHeartbeat('c', { type: 'heartbeat', epoch: 0, sent: 7, applied: 0 })
  t.deepEqual(host.take(), [], 'who asks for nothing gets nothing')
  t.deepEqual(left(), [`b ${longer(LEASE_MS)}`], 'and gives back what it had')
  beats.onStop()
  t.deepEqual(host.take(), ['b', 'c'].map(to => [to, { type: 'heartbeat', epoch: 0, sent: 20_000, applied: 7 }]), 'as this node does when it stops')
})

tape('a grant goes with the next heartbeat, if that is soon enough', { timeout }, async (t) => {
  const host = new FakeHost()
  const beats = new Heartbeats(host, 1000)
  const ask = (epoch: number): string[] => {
    beats.onHeartbeat('b', { type: 'heartbeat', epoch, sent: host.now, applied: 0 })
    return tell()
  }
  const tell = (): string[] => host.take().map(([to, message]) => `${to} ${message.type}${message.type === 'grant' ? ` ${message.epoch} ${message.sent}` : ''}`)
  beats.onTick()
  t.deepEqual(tell(), ['b heartbeat', 'c heartbeat'])
  t.deepEqual(ask(3), ['b grant 3 1000'], 'who has none gets it at once')
  host.now += 100
  t.deepEqual(ask(3), [])
  host.now += 10
  t.deepEqual(ask(3), [])
  host.now += 40
  beats.onTick()
  t.deepEqual(tell(), ['b heartbeat', 'b grant 3 1110', 'c heartbeat'], 'the newest')
  t.deepEqual(ask(4), ['b grant 4 1150'], 'in another view, at once')
  host.now += LEASE_MS / 2 + 40
  t.deepEqual(ask(4), [`b grant 4 ${host.now}`], 'and if half of it is gone')

  t.deepEqual(ask(4), [])
  t.deepEqual(ask(0), [])
  host.now += 200
  beats.onTick()
  t.deepEqual(tell(), ['b heartbeat', 'c heartbeat'], 'nothing to who has given it back')
  t.deepEqual(ask(4), [`b grant 4 ${host.now}`])
  t.deepEqual(ask(4), [])
  host.vow = { ...noVow, epoch: 5 }
  host.now += 200
  beats.onTick()
  t.deepEqual(tell(), ['b heartbeat', 'c heartbeat'], 'nor below a promise')
})

tape('leases are valid in the view for which they were granted, by members', { timeout }, async (t) => {
  const host = new FakeHost()
  const beats = new Heartbeats(host, 1000)
  beats.onTick()
  const state = (): string => beats.lease(host.now, 50)
  beats.onGrant('b', { type: 'grant', epoch: 2, sent: 1000 })
  t.equal(state(), 'expired', 'granted in another epoch')
  beats.onGrant('d', { type: 'grant', epoch: 3, sent: 1000 })
  t.equal(state(), 'expired', 'by no member')
  beats.onGrant('c', { type: 'grant', epoch: 3, sent: 1000 })
  t.equal(state(), 'valid', 'by a member, live or not')
  host.vow = { ...noVow, epoch: 4 }
  t.equal(state(), 'none', 'a later epoch is promised')
  host.view = { ...view, epoch: 4 }
  beats.onEntered()
  t.equal(state(), 'expired', 'another view is installed')
  t.equal(host.take().length, 4, 'and a lease in it asked for at once')
  host.view = { ...view, epoch: 4, leaseFree: true }
  t.equal(state(), 'free')
  host.view = null
  t.equal(state(), 'none')
})

tape('what members have applied durably is as last heard, and never less than before', { timeout }, async (t) => {
  const host = new FakeHost()
  const beats = new Heartbeats(host, 1000)
  t.equal(beats.appliedBy(['a', 'b']), 0, 'nothing was heard of b')
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 0, sent: 1, applied: 5 })
  t.equal(beats.appliedBy(['a', 'b']), 5)
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 0, sent: 2, applied: 4 })
  t.equal(beats.appliedBy(['a', 'b']), 5)
  beats.onHeartbeat('b', { type: 'heartbeat', epoch: 0, sent: 3, applied: 50 })
  t.equal(beats.appliedBy(['a', 'b']), 7, 'this node itself counts')
  t.equal(beats.appliedBy(['a', 'b', 'c']), 0)
})
