import { afterRestarts, changingWith, flushing, leftBehind, withinALease } from './focuses.ts'
import { doubtMutants } from './doubt-mutants.ts'
import { logMutants } from './log-mutants.ts'
import { observerMutants } from './observer-mutants.ts'
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
  /** Where it is looked for. Default: everywhere, without changes of the members. */
  readonly focus?: Focus
  /** The first seed. Default 1. */
  readonly from?: number
  /** It takes more than a few seconds: never one of the sample that `npm test` runs. */
  readonly slow?: boolean
}

export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Any survivor will do: so one that has the shortest log will, too. */
const worstSurvivor: Edit = {
  file: 'lib/core/succession.ts',
  find: 'liveUnder(a).length - liveUnder(b).length ||\n      reach(a) - reach(b) ||\n      Number(a === preferred) - Number(b === preferred) ||\n      compareNames(promise(candidacy, a).end, promise(candidacy, b).end)',
  replace: 'compareNames(promise(candidacy, b).end, promise(candidacy, a).end)'
}

/** A coordinator tells its view to everybody by itself: that others pass it on only makes it sooner known. */
const untoldByOthers: Edit = {
  file: 'lib/core/agreement.ts',
  find: 'if (status.view !== null && status.view.epoch > (known?.epoch ?? 0)) this.#host.learn(status.view)',
  replace: ''
}

/** Each was a hole in a draft of the protocol, or is known from comparable systems. */
export const mutants: readonly Mutant[] = [
  ...doubtMutants,
  ...logMutants,
  ...observerMutants,
  {
    name: 'vote before the sync',
    file: 'lib/store/log-writer.ts',
    find: 'await this.#log.write(',
    replace: 'this.#onPersisted((steps[steps.length - 1] as Step).id, this.#applier.durable)\n    await this.#log.write('
  },
  {
    name: 'the log is not synced',
    file: 'lib/store/store-medium.ts',
    find: 'if (all.length > 0) await this.#store.batch(all, { sync })',
    replace: 'if (all.length > 0) await this.#store.batch(all, { sync: false })'
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
    replace: 'end: this.#host.tail.end.position, installed: true',
    from: 4
  },
  {
    name: 'skip the cut',
    file: 'lib/core/participant.ts',
    find: 'if (message.common < end) this.#host.cut(message.common)',
    replace: '',
    from: 456
  },
  {
    name: 'commit by a majority of the live',
    file: 'lib/core/view.ts',
    find: 'return some ? lowest : 0',
    replace: 'const ends = [...acknowledged].sort((a, b) => b - a)\n  return some ? ends[Math.floor(ends.length / 2)] as number : 0',
    from: 5
  },
  {
    name: 'commit without waiting for any vote',
    file: 'lib/core/coordinator.ts',
    find: 'const votes = [this.#ownEnd]',
    replace: 'const votes = [this.#ownEnd]\n    if (this.#ownEnd > 0) return this.#host.commit(this.#ownEnd, this.view)'
  },
  {
    name: 'lead again in the same epoch after a restart',
    slow: true,
    file: 'lib/core/agreement.ts',
    find: 'if (known.coordinatorStart !== start) return true',
    replace: 'if (known.coordinatorStart !== start) {\n        if (promised === known.epoch && !leads) this.#host.open({ ...known, coordinatorStart: start }, 0)\n        return promised > known.epoch\n      }'
  },
  {
    name: 'ignore the epoch: go on in the old view after a promise',
    slow: true,
    file: 'lib/core/core.ts',
    find: '    this.#belonging.vow = vow\n    this.#leaveView()\n',
    replace: '    this.#belonging.vow = vow\n',
    from: 87
  },
  {
    name: 'two promises in one epoch',
    file: 'lib/core/acceptor.ts',
    find: 'message.epoch > vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX',
    replace: 'message.epoch >= vow.epoch && message.epoch <= vow.epoch + EPOCHS_AHEAD_MAX',
    from: 50
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
    slow: true,
    file: 'lib/core/succession.ts',
    find: 'return from !== null && intact && complete && installed >= from',
    replace: 'return from !== null && intact && complete && installed >= 0',
    with: [worstSurvivor],
    focus: leftBehind,
    from: 38
  },
  {
    name: 'no since: a member that is admitted again believes that it survived',
    slow: true,
    file: 'lib/core/succession.ts',
    find: 'since: survivors.includes(id) && previous !== null ? since(previous, id) as number : epoch',
    replace: 'since: Math.min(epoch, 1)',
    with: [worstSurvivor],
    focus: leftBehind,
    from: 38
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
    slow: true,
    file: 'lib/core/leases.ts',
    find: "add('', this.#unknownUntil)",
    replace: '',
    with: [untoldByOthers],
    focus: afterRestarts,
    from: 369
  },
  {
    name: 'a lease by the monotonic clock alone',
    file: 'lib/core/leases.ts',
    find: 'return now < this.#asked.now + length && wall >= this.#asked.latest && wall < this.#asked.earliest + length',
    replace: 'return now < this.#asked.now + length && wall > -1',
    from: 623
  },
  {
    name: 'consistent reads without a lease',
    slow: true,
    file: 'lib/core/readiness.ts',
    find: "(lease === 'free' || lease === 'valid')",
    replace: "lease !== 'none'",
    from: 214
  },
  {
    name: 'a lease that is granted after a promise of a later view',
    slow: true,
    file: 'lib/core/heartbeats.ts',
    find: 'if (epoch === 0 || epoch < this.#host.vow.epoch) return',
    replace: 'if (epoch === 0) return',
    with: [untoldByOthers],
    focus: withinALease,
    from: 78
  },
  {
    name: 'resolve although too few members have it',
    file: 'lib/core/core.ts',
    find: 'this.submissions.onAssured(Math.min(this.#assured, this.applied))',
    replace: 'this.submissions.onAssured(this.applied)',
    focus: { ...withinALease, minConsensus: [2, 0, 0], thinkMs: 1, writeTimeoutMs: 10_000, keys: 5, operations: 1000 },
    from: 264
  },
  {
    name: 'the table of origins is not in copies',
    file: 'lib/core/core.ts',
    find: 'rows: [...this.#application.table.entries()]',
    replace: 'rows: []',
    from: 196
  },
  {
    name: 'forget the number of a submission',
    file: 'lib/core/coordinator.ts',
    find: 'if (number <= this.#highest(message.origin)) continue',
    replace: '',
    from: 65
  },
  {
    name: 'forget the table of origins at a restart',
    file: 'lib/store/apply.ts',
    find: 'of this.#rows) operations.push(rowOperation(id, row))',
    replace: 'of this.#rows) if (id === 0) operations.push(rowOperation(id, row))',
    from: 40
  },
  {
    name: 'read without waiting',
    file: 'lib/reads.ts',
    find: 'this.#isReadable(core) && positionOf(core) <= core.applied) return null',
    replace: 'this.#isReadable(core)) return null'
  },
  {
    name: 'read while not readable',
    file: 'lib/core/readiness.ts',
    find: 'if (view === null || node.vow.epoch !== view.epoch || !isLive(view, node.self)) return false',
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
    find: 'return keys.reduce(',
    replace: 'return keys.slice(0, 1).reduce(',
    from: 25
  },
  {
    name: 'apply before the commit',
    file: 'lib/core/core.ts',
    find: 'const through = Math.min(this.#log.committed, this.#log.durableEnd,',
    replace: 'const through = Math.min(this.#log.durableEnd,',
    from: 5
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
    replace: "this.#tell(submission, { outcome: 'aborted', why, transaction: this.#name(submission) })\n      // Nobody",
    from: 48
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
    from: 309
  },
  {
    name: 'data without their position',
    file: 'lib/store/apply.ts',
    find: 'await this.#store.batch(operations, { sync })',
    replace: 'await this.#store.batch(operations.slice(0, -1), { sync })\n  await this.#store.batch(operations.slice(-1), { sync })'
  },
  {
    name: 'what was applied without a sync is not applied again',
    file: 'lib/node.ts',
    find: 'if (applied.durable < applied.position) await',
    replace: 'if (applied.durable < 0) await',
    from: 46
  },
  {
    name: 'rows of origins are written once',
    file: 'lib/store/apply.ts',
    find: 'for (const [id, row] of rows) this.#rows.set',
    replace: 'this.#rows.clear()\n    for (const [id, row] of rows) this.#rows.set',
    from: 95
  },
  {
    name: 'what was applied during a flush is taken for durable',
    file: 'lib/store/apply.ts',
    find: 'this.#state = { ...this.#state, durable: position }',
    replace: 'this.#state = { ...this.#state, durable: this.#state.position }',
    focus: flushing
  },
  {
    name: 'a founder without data that does not wait for those of the others',
    file: 'lib/core/readiness.ts',
    find: '(view.seeder === null || node.seeded) && ',
    replace: ''
  },
  {
    name: 'one majority instead of two',
    slow: true,
    file: 'lib/core/agreement.ts',
    find: 'if (!isQuorum([...proposal.accepted], view, false)) return',
    replace: 'if (!isQuorum([...proposal.accepted], view, true)) return',
    focus: changingWith({}, { join: 1, joinSeveral: 4, leave: 2, remove: 2 }, { ambush: 0.3, faults: { kill: 0.3 } }),
    from: 885
  },
  {
    name: 'two bootstraps: a founder that forgets to whom it is bound',
    slow: true,
    file: 'lib/core/belonging.ts',
    find: 'const vowed = this.vow.members',
    replace: 'const vowed: readonly string[] = []',
    focus: changingWith({ wrongPeers: 'two groups', minConsensus: 1 }, {}, { nodes: 5, operations: 10, thinkMs: 10, ambush: 1, faults: { split: 5 } }),
    from: 1060
  },
  {
    name: 'admission of a joiner that has not caught up',
    slow: true,
    file: 'lib/core/membership.ts',
    find: 'if (!joining.witness && !(caughtUp && ',
    replace: 'if (!joining.witness && !(',
    with: [
      { file: 'lib/core/succession.ts', find: 'previous === null || promise(candidacy, id).caughtUp || ', replace: 'id !== "" || ' },
      { file: 'lib/core/core.ts', find: 'complete: this.complete && !this.mustCopy && !this.#config.witness', replace: 'complete: !this.#config.witness' }
    ],
    focus: changingWith({}, { joinSeveral: 2, leave: 2 }),
    from: 34
  },
  {
    name: 'a joiner that keeps its own data',
    file: 'lib/core/belonging.ts',
    find: 'this.mustCopy = true',
    replace: 'this.mustCopy = false',
    focus: changingWith({}, { joinSeveral: 2, leave: 2 })
  },
  {
    name: 'a witness that counts as a member with the data',
    slow: true,
    file: 'lib/core/succession.ts',
    find: 'const data = holders(next)',
    replace: 'const data = next.members',
    with: [{ file: 'lib/core/core.ts', find: ' && !this.#config.witness,\n      caughtUp', replace: ',\n      caughtUp' }],
    focus: changingWith({ witness: true }, { joinWitness: 1 })
  },
  {
    name: 'an old disk is not noticed',
    slow: true,
    file: 'lib/sightings.ts',
    find: 'if (seen === undefined) return false',
    replace: 'if (seen !== null) return false',
    focus: changingWith({}, { oldImage: 4, clone: 4 }, { faults: { kill: 4 } })
  },
  {
    name: 'a removed node that goes on reading',
    file: 'lib/core/readiness.ts',
    find: 'node.vow.epoch !== view.epoch || ',
    replace: '(node.vow.epoch !== view.epoch && node.known?.members.includes(node.self) === true) || ',
    with: [
      { file: 'lib/core/belonging.ts', find: "this.#host.emit({ type: 'removed' })", replace: '' },
      { file: 'lib/core/heartbeats.ts', find: 'view === null || vow.epoch !== view.epoch || !isLive(view, self)) return', replace: 'view === null || (vow.epoch !== view.epoch && !view.leaseFree) || !isLive(view, self)) return' }
    ],
    focus: changingWith({ minConsensus: null }, { remove: 2, joinSeveral: 4 }, { clientsPerNode: 2, thinkMs: 20, faults: {} }),
    from: 3
  }
]
