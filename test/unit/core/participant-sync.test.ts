import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import type { Group, LogName } from '../../../lib/core/entry.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import type { Message } from '../../../lib/core/messages.ts'
import type { ParticipantHost } from '../../../lib/core/participant.ts'
import { Participant } from '../../../lib/core/participant.ts'
import { group, tailOf } from './groups.ts'

const timeout = 30_000

const view = {
  epoch: 3,
  cluster: 'c1',
  members: ['a', 'b'],
  before: [],
  witnesses: [],
  names: ['', ''],
  live: [{ id: 'a', since: 1 }, { id: 'b', since: 1 }],
  coordinator: 'b',
  coordinatorStart: 1,
  seeder: null,
  leaseFree: true
}

/** A live member; what it does is a list of short lines. */
class FakeHost implements ParticipantHost {
  readonly self = 'a'
  readonly start = 1
  /** Groups 1..2 and 3 of epoch 1, 4 of epoch 2. */
  tail = tailOf(group(1, 1, 2), group(1, 3), group(2, 4))
  base: LogName = emptyLog
  committed = 3
  backlogged = false
  intact = true
  log: string[] = []

  send (to: string, message: Message): void { this.log.push(`${to}: ${message.type}`) }
  emit (effect: Effect): void { this.log.push(effect.type) }
  persist (): void { this.log.push('persist') }
  append (group: Group): void { this.log.push(`append ${group.first}`) }
  cut (position: number): void { this.log.push(`cut ${position}`) }
  commit (position: number): void { this.log.push(`commit ${position}`) }
  onInstalled (): void { this.log.push('installed') }
  onDiverged (position: number, peer: string): void { this.log.push(`differs from ${peer} at ${position}`) }
}

function synced (common: number, commonEpoch: number, change: Partial<FakeHost> = {}): string[] {
  const host = Object.assign(new FakeHost(), change)
  const participant = new Participant(host, view, false)
  host.log.length = 0
  participant.onSync({ type: 'sync', epoch: 3, common, commonEpoch, openEnd: common, end: common })
  return host.log
}

tape('a follower whose log goes on from the common end cuts the rest and installs the view', { timeout }, async (t) => {
  t.deepEqual(synced(4, 2), ['persist'])
  t.deepEqual(synced(3, 1), ['cut 3', 'persist'])
  t.deepEqual(synced(0, 0, { committed: 0 }), ['cut 0', 'persist'], 'nothing has no epoch')
})

tape('a follower that has committed something else than is in the log of its coordinator notices', { timeout }, async (t) => {
  t.deepEqual(synced(3, 2), ['differs from b at 3'], 'where the log goes on')
  t.deepEqual(synced(2, 2), ['differs from b at 2'], 'before that log ends')
})

tape('a coordinator that asks for what it cannot is left alone', { timeout }, async (t) => {
  t.deepEqual(synced(2, 1), ['disconnect'], 'to cut what is committed')
  t.deepEqual(synced(2, 2, { base: { position: 3, epoch: 1 } }), ['disconnect'], 'the same, before the beginning of the log')
  t.deepEqual(synced(4, 3), ['disconnect'], 'to keep what it does not have')
  t.deepEqual(synced(5, 3), ['disconnect'], 'to follow on what is not there')
})

tape('a COMMIT that overtakes what it speaks of counts when that is there', { timeout }, async (t) => {
  const host = new FakeHost()
  const participant = new Participant(host, view, false)
  participant.onSync({ type: 'sync', epoch: 3, common: 4, commonEpoch: 2, openEnd: 4, end: 5 })
  host.log.length = 0
  participant.onCommit(5)
  host.tail.append(group(3, 5))
  participant.onPrepare({ type: 'prepare', epoch: 3, group: group(3, 6), committed: 4 })
  t.deepEqual(host.log, ['commit 4', 'append 6', 'commit 5'])
})
