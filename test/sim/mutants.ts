import type { Focus } from './settings.ts'

/** A bug to plant: a change of the sources that the simulator must catch. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** Changes that would be right by themselves, and make the bug likelier to show. */
  readonly with?: readonly Edit[]
  /** Where it is looked for. Default: everywhere. */
  readonly focus?: Focus
  /** The first seed. Default 1. */
  readonly from?: number
}

export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Any survivor will do: so one that has the shortest log will, too. */
const worstSurvivor: Edit = {
  file: 'lib/core/succession.ts',
  find: 'liveUnder(a).length - liveUnder(b).length ||\n      compareNames(promise(candidacy, a).end, promise(candidacy, b).end)',
  replace: 'compareNames(promise(candidacy, b).end, promise(candidacy, a).end)'
}

/** A coordinator tells its view to everybody by itself: that others pass it on only makes it sooner known. */
const untoldByOthers: Edit = {
  file: 'lib/core/agreement.ts',
  find: 'if (status.view !== null && status.view.epoch > (known?.epoch ?? 0)) this.#host.learn(status.view)',
  replace: ''
}

/** Three nodes that lose sight of one another, and restart, within a lease. */
const withinALease: Focus = {
  nodes: 3,
  minConsensus: [1, 1, 1],
  durability: 'disk',
  brief: false,
  foundingData: false,
  queueMax: 100_000,
  leftOut: 0,
  driftMax: 0,
  clientsPerNode: 3,
  operations: 2000,
  keys: 1,
  valueBytesMax: 10,
  thinkMs: 10,
  writeTimeoutMs: 300,
  delayMaxMs: 0.5,
  bandwidth: 100_000,
  syncMs: 0.1,
  failureTimeoutMs: 300,
  faults: { kill: 4, cutLink: 1 }
}

/** Three nodes of which one is cut off while the others restart, all within a lease. */
const afterRestarts: Focus = { ...withinALease, brief: true, failureTimeoutMs: 60, keys: 4, clientsPerNode: 8, thinkMs: 30, faults: { isolate: 1, kill: 6 } }

/** Each was a hole in a draft of the protocol, or is known from comparable systems. */
export const mutants: readonly Mutant[] = [
  {
    name: 'vote before the sync',
    file: 'lib/store/log-writer.ts',
    find: 'if (operations.length > 0) {\n      const applied',
    replace: 'this.#onPersisted((steps[steps.length - 1] as Step).id, this.#appliedDurably)\n    if (operations.length > 0) {\n      const applied'
  },
  {
    name: 'the log is not synced',
    file: 'lib/store/log-writer.ts',
    find: 'await this.#store.batch(operations, { sync })',
    replace: 'await this.#store.batch(operations, { sync: false })'
  },
  {
    name: 'a forgotten promise',
    file: 'lib/store/log-writer.ts',
    find: 'if (vow !== null) operations.push(',
    replace: 'if (vow !== null && vow.epoch === 1) operations.push('
  },
  {
    name: 'vote before the view is installed',
    file: 'lib/core/participant.ts',
    find: 'end: this.#end, installed: this.installed',
    replace: 'end: this.#host.tail.end.position, installed: true'
  },
  {
    name: 'skip the cut',
    file: 'lib/core/participant.ts',
    find: 'if (message.common < end) this.#host.cut(message.common)',
    replace: '',
    from: 423
  },
  {
    name: 'commit by a majority of the live',
    file: 'lib/core/view.ts',
    find: 'return some ? lowest : 0',
    replace: 'const ends = [...acknowledged].sort((a, b) => b - a)\n  return some ? ends[Math.floor(ends.length / 2)] as number : 0'
  },
  {
    name: 'commit without waiting for any vote',
    file: 'lib/core/coordinator.ts',
    find: 'const votes = [this.#ownEnd]',
    replace: 'const votes = [this.#ownEnd]\n    if (this.#ownEnd > 0) return this.#host.commit(this.#ownEnd, this.view)'
  },
  {
    name: 'lead again in the same epoch after a restart',
    file: 'lib/core/agreement.ts',
    find: 'if (known.coordinatorStart !== start) return true',
    replace: 'if (known.coordinatorStart !== start) {\n        if (promised === known.epoch && !leads) this.#host.open({ ...known, coordinatorStart: start }, 0)\n        return promised > known.epoch\n      }'
  },
  {
    name: 'ignore the epoch: go on in the old view after a promise',
    file: 'lib/core/core.ts',
    find: '    this.#vow = vow\n    this.#leaveView()\n',
    replace: '    this.#vow = vow\n',
    from: 87
  },
  {
    name: 'two promises in one epoch',
    file: 'lib/core/agreement.ts',
    find: 'message.epoch > vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX',
    replace: 'message.epoch >= vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX',
    from: 34
  },
  {
    name: "a view without a survivor's promise",
    file: 'lib/core/succession.ts',
    find: 'return from !== null && intact && complete && installed >= from',
    replace: 'return intact && complete && installed >= 0',
    with: [worstSurvivor]
  },
  {
    name: 'live in the last view taken for a survivor',
    file: 'lib/core/succession.ts',
    find: 'return from !== null && intact && complete && installed >= from',
    replace: 'return from !== null && intact && complete && installed >= 0',
    with: [worstSurvivor],
    from: 362
  },
  {
    name: 'no since: a member that is admitted again believes that it survived',
    file: 'lib/core/succession.ts',
    find: 'since: survivors.includes(id) && previous !== null ? since(previous, id) as number : epoch',
    replace: 'since: Math.min(epoch, 1)',
    with: [worstSurvivor],
    from: 362
  },
  {
    name: 'a stale lease: commit before the leases of the excluded have passed',
    file: 'lib/core/coordinator.ts',
    find: 'if (this.#deposed || this.#host.now < this.#waitUntil) return',
    replace: 'if (this.#deposed) return',
    from: 87
  },
  {
    name: 'no full lease wait after a restart',
    file: 'lib/core/leases.ts',
    find: 'Math.max(this.#granted.get(holder) ?? 0, this.#unknownUntil) - now',
    replace: '(this.#granted.get(holder) ?? 0) - now',
    with: [untoldByOthers],
    focus: afterRestarts,
    from: 369
  },
  {
    name: 'a lease by the monotonic clock alone',
    file: 'lib/core/leases.ts',
    find: 'return now < this.#asked.now + length && wall >= this.#asked.latest && wall < this.#asked.earliest + length',
    replace: 'return now < this.#asked.now + length && wall > -1',
    from: 386
  },
  {
    name: 'consistent reads without a lease',
    file: 'lib/core/core.ts',
    find: "return lease === 'free' || lease === 'valid'",
    replace: "return lease !== 'none'",
    from: 75
  },
  {
    name: 'a lease that is granted after a promise of a later view',
    file: 'lib/core/heartbeats.ts',
    find: 'if (epoch === 0 || epoch < this.#host.vow.epoch) return',
    replace: 'if (epoch === 0) return',
    with: [untoldByOthers],
    focus: withinALease,
    from: 73
  },
  {
    name: 'resolve although too few members have it',
    file: 'lib/core/core.ts',
    find: 'this.submissions.onAssured(Math.min(this.#assured, this.applied))',
    replace: 'this.submissions.onAssured(this.applied)',
    focus: { ...withinALease, minConsensus: [2, 0, 0], thinkMs: 1, writeTimeoutMs: 10_000, keys: 5, operations: 1000 },
    from: 138
  },
  {
    name: 'the table of origins is not in copies',
    file: 'lib/core/core.ts',
    find: 'rows: [...this.#application.table.entries()]',
    replace: 'rows: []'
  },
  {
    name: 'forget the number of a submission',
    file: 'lib/core/coordinator.ts',
    find: 'if (number <= this.#highest(message.origin)) continue',
    replace: ''
  },
  {
    name: 'forget the table of origins at a restart',
    file: 'lib/store/apply.ts',
    find: 'for (const [id, row] of effect.rows) {',
    replace: 'for (const [id, row] of effect.rows) {\n    if (id > 0) continue'
  },
  {
    name: 'read without waiting',
    file: 'lib/reads.ts',
    find: 'this.#isReadable(core) && positionOf(core) <= core.applied) return null',
    replace: 'this.#isReadable(core)) return null'
  },
  {
    name: 'read while not readable',
    file: 'lib/core/core.ts',
    find: 'if (view === null || this.#vow.epoch !== view.epoch || !isLive(view, this.self)) return false',
    replace: 'if (view === null) return true'
  },
  {
    name: 'a range read that does not wait',
    file: 'lib/core/log.ts',
    find: 'return this.pending.empty ? 0 : lastTouching(this.tail.after(this.tail.base), inRange)',
    replace: 'return Math.min(0, lastTouching(this.tail.after(this.tail.base), inRange))'
  },
  {
    name: 'a read of several keys that waits for the first only',
    file: 'lib/core/core.ts',
    find: 'for (const key of keys) position = Math.max(position, this.pending.position(key))',
    replace: 'for (const key of keys.slice(0, 1)) position = Math.max(position, this.pending.position(key))'
  },
  {
    name: 'apply before the commit',
    file: 'lib/core/core.ts',
    find: 'const through = Math.min(this.#log.committed, this.#log.durableEnd,',
    replace: 'const through = Math.min(this.#log.durableEnd,'
  },
  {
    name: 'a definite rejection that is told too early',
    file: 'lib/core/submissions.ts',
    find: "this.#tell(submission, { outcome: 'unknown', why: 'timeout', transaction: this.#name(submission) })\n      }\n      if (now",
    replace: "this.#tell(submission, { outcome: 'aborted', why: 'timeout', transaction: this.#name(submission) })\n      }\n      if (now"
  },
  {
    name: 'abort what was submitted when the node stops',
    file: 'lib/core/submissions.ts',
    find: "this.#tell(submission, { outcome: 'unknown', why, transaction: this.#name(submission) })\n      // Nobody",
    replace: "this.#tell(submission, { outcome: 'aborted', why, transaction: this.#name(submission) })\n      // Nobody"
  },
  {
    name: 'resolve when the coordinator has the write',
    file: 'lib/core/submissions.ts',
    find: 'if (submission !== undefined) submission.logged = true',
    replace: "if (submission !== undefined) {\n      submission.logged = true\n      this.#tell(submission, { outcome: 'committed' })\n    }"
  },
  {
    name: 'the last committed point is lost with its session',
    file: 'lib/core/coordinator.ts',
    find: "follower.state = 'asked'\n    follower.told = 0",
    replace: "follower.state = 'asked'",
    from: 103
  },
  {
    name: 'data without their position',
    file: 'lib/store/apply.ts',
    find: 'await store.batch(operations, { sync })',
    replace: 'await store.batch(operations.slice(0, -1), { sync })\n  await store.batch(operations.slice(-1), { sync })'
  },
  {
    name: 'a founder without data that does not wait for those of the others',
    file: 'lib/core/core.ts',
    find: ' || (view.seeder !== null && !this.seeded)) return false',
    replace: ') return false'
  }
]
