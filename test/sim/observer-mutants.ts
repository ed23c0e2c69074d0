import type { Mutant } from './mutants.ts'
import type { Focus } from './settings.ts'

/** Three members, any two of which go on, and an observer that asks and writes all the time. */
const observing: Focus = {
  nodes: 3,
  minConsensus: [1, 1, 1],
  durability: 'disk',
  brief: true,
  foundingData: false,
  leftOut: 0,
  clientsPerNode: 2,
  operations: 400,
  keys: 2,
  valueBytesMax: 10,
  thinkMs: 10,
  writeTimeoutMs: 2000,
  delayMaxMs: 2,
  bandwidth: 100_000,
  syncMs: 1,
  failureTimeoutMs: 100,
  faults: {},
  observers: { count: 1, knows: 'all', own: false, wipes: 0 }
}

/** Bugs in what observers are told, and in what they tell. */
export const observerMutants: readonly Mutant[] = [
  {
    name: 'an observer acknowledges what is in its log',
    file: 'lib/core/submissions.ts',
    find: 'if (submission !== undefined) submission.logged = true',
    replace: "if (submission !== undefined) {\n      submission.logged = true\n      if (this.#limits.opensLate) this.#tell(submission, { outcome: 'committed' })\n    }",
    focus: observing,
    from: 7
  },
  {
    name: 'an observer reads while half of a copy is in place',
    file: 'lib/core/core.ts',
    find: 'return this.known !== null && this.complete && !this.mustCopy',
    replace: 'return this.known !== null && !this.mustCopy',
    focus: { ...observing, observers: { count: 2, knows: 'all', own: false, wipes: 10 } },
    from: 27
  },
  {
    name: 'a member that is not current answers a read index',
    file: 'lib/core/read-index.ts',
    find: 'if (isCurrent && (question.position',
    replace: 'if ((isCurrent || end > 0) && (question.position',
    focus: { ...observing, brief: false, operations: 1500, keys: 1, thinkMs: 300, writeTimeoutMs: 300, faults: { split: 1 } }
  },
  {
    name: 'a read index is what is committed, and not the end of the log',
    slow: true,
    file: 'lib/core/read-index.ts',
    find: '{ position: end, cuts }',
    replace: '{ position: Math.min(end, committed), cuts }',
    focus: observing,
    from: 3
  },
  {
    name: 'sync() does not wait until that is applied',
    slow: true,
    file: 'lib/core/observing.ts',
    find: 'if (this.#position !== null && applied >= this.#position) {',
    replace: 'if (this.#position !== null && applied >= 0) {',
    focus: observing
  },
  {
    name: 'an observer keeps its own data',
    slow: true,
    file: 'lib/core/belonging.ts',
    find: 'this.mustCopy = true',
    replace: 'this.mustCopy = !this.#config.observer',
    focus: { ...observing, observers: { count: 1, knows: 'all', own: true, wipes: 0 } }
  },
  {
    name: 'an observer keeps the view before it has the data',
    slow: true,
    file: 'lib/core/observing.ts',
    find: 'if (known !== null && hasCopy && caughtUp && ',
    replace: 'if (known !== null && (hasCopy || !caughtUp) && ',
    focus: { ...observing, operations: 1000, thinkMs: 100, delayMaxMs: 20, syncMs: 10, failureTimeoutMs: 200, faults: { kill: 10 }, observers: { count: 2, knows: 'all', own: true, wipes: 10 } }
  },
  {
    name: 'an observer never asks for an id',
    slow: true,
    file: 'lib/core/submissions.ts',
    find: 'if (this.#id === 0 && this.#limits.opensLate && this.queued === 1) this.#open()',
    replace: '',
    with: [{ file: 'lib/core/submissions.ts', find: 'if (!this.#limits.opensLate || this.queued > 0) this.#open()', replace: 'if (!this.#limits.opensLate) this.#open()' }],
    focus: { ...observing, operations: 30 }
  },
  {
    name: 'an observer is given what is not committed',
    file: 'lib/core/source.ts',
    find: 'const { committed } = this.#host\n    const groups',
    replace: 'const committed = this.#host.tail.end.position\n    const groups',
    focus: observing
  }
]
