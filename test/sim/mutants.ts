/** A bug to plant: a change of the sources that the simulator must catch. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Each was a hole in a draft of the protocol, or is known from comparable systems. */
export const mutants: readonly Mutant[] = [
  {
    name: 'vote before the sync',
    file: 'lib/store/log-writer.ts',
    find: 'if (operations.length > 0) await',
    replace: 'this.#onPersisted((steps[steps.length - 1] as Step).id)\n        if (operations.length > 0) await'
  },
  {
    name: 'the log is not synced',
    file: 'lib/store/log-writer.ts',
    find: 'await this.#store.batch(operations, { sync })',
    replace: 'await this.#store.batch(operations, { sync: false })'
  },
  {
    name: 'vote before the view is installed',
    file: 'lib/core/participant.ts',
    find: 'end: this.#end, installed: this.installed',
    replace: 'end: this.#host.tail.end.position, installed: true'
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
    replace: 'const votes = [this.#ownEnd]\n    if (this.#ownEnd > 0) return this.#host.commit(this.#ownEnd)'
  },
  {
    name: 'lead again in the same epoch after a restart',
    file: 'lib/core/agreement.ts',
    find: 'if (members[0] !== self) return\n',
    replace: 'if (view !== null && view.coordinator === self && view.coordinatorStart !== start && view.epoch === promised) return this.#host.open({ ...view, coordinatorStart: start })\n    if (members[0] !== self) return\n'
  },
  {
    name: 'a promise that is told before it is durable',
    file: 'lib/core/core.ts',
    find: 'this.persist({ vow }, then)',
    replace: 'this.persist({ vow })\n    then()'
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
    find: 'return position <= core.applied ? null : this.#pending.add(position, deadline)',
    replace: 'return position < 0 ? this.#pending.add(position, deadline) : null'
  },
  {
    name: 'read while not readable',
    file: 'lib/core/core.ts',
    find: 'return this.#view !== null && this.#complete && (this.#view.seeder === null || this.#seededApplied) && !this.#stopped',
    replace: 'return !this.#stopped'
  },
  {
    name: 'a range read that does not wait',
    file: 'lib/core/core.ts',
    find: 'return this.pending.empty ? 0 : lastTouching(this.tail.after(this.#applied), inRange)',
    replace: 'return Math.min(0, lastTouching(this.tail.after(this.#applied), inRange))'
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
    find: 'const through = Math.min(this.#committed, this.#durableEnd)',
    replace: 'const through = this.#durableEnd'
  },
  {
    name: 'a definite rejection that is told too early',
    file: 'lib/core/submissions.ts',
    find: "{ outcome: 'unknown', why: 'timeout', transaction",
    replace: "{ outcome: 'aborted', why: 'timeout', transaction"
  },
  {
    name: 'abort what was submitted when the node stops',
    file: 'lib/core/submissions.ts',
    find: "{ outcome: 'unknown', why, transaction",
    replace: "{ outcome: 'aborted', why, transaction"
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
    replace: "follower.state = 'asked'"
  },
  {
    name: 'data without their position',
    file: 'lib/store/apply.ts',
    find: 'await store.batch(operations, { sync: false })',
    replace: 'await store.batch(operations.slice(0, -1), { sync: false })\n  await store.batch(operations.slice(-1), { sync: false })'
  },
  {
    name: 'a founder without data that does not wait for those of the others',
    file: 'lib/core/core.ts',
    find: '(this.#view.seeder === null || this.#seededApplied) && !this.#stopped',
    replace: '!this.#stopped'
  }
]
