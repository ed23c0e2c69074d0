import type { Mutant } from './mutants.ts'
import type { Focus, ObserverSettings } from './settings.ts'
import { plainObservers } from './settings.ts'

const following: ObserverSettings = { ...plainObservers, count: 1, knows: 'all', own: false, wipes: 0 }

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
  observers: following
}

/** It hardly ever has a way to the coordinator, and sessions between the members come and go. */
const behindWalls: Focus = { ...observing, operations: 600, thinkMs: 30, faults: { reset: 30, cutLink: 3 }, observers: { ...following, count: 2, walls: 20 } }

/** The same, and what it sends takes so long that the member that passes it on loses its session, and gets another, meanwhile. */
const farAway: Focus = { ...behindWalls, operations: 1500, clientsPerNode: 4, writeTimeoutMs: 5000, failureTimeoutMs: 1000, delayMaxMs: 20, faults: { reset: 40, slow: 10 }, observers: { ...following, count: 1, walls: 3 } }

/** It holds a part. */
const partial: Focus = { ...observing, keys: 6, observers: { ...following, partial: 1, wipes: 1 } }

/** Its disk is put back again and again, while the members forget that they have seen it. */
const putBack: Focus = { ...observing, operations: 1000, thinkMs: 30, faults: { killAll: 10 }, observers: { ...following, images: 20 } }

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
    focus: { ...observing, observers: { ...following, count: 2, wipes: 10 } },
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
    focus: { ...observing, observers: { ...following, own: true } }
  },
  {
    name: 'an observer keeps the view before it has the data',
    slow: true,
    file: 'lib/core/observing.ts',
    find: 'if (known !== null && hasCopy && caughtUp && ',
    replace: 'if (known !== null && (hasCopy || !caughtUp) && ',
    focus: { ...observing, operations: 1000, thinkMs: 100, delayMaxMs: 20, syncMs: 10, failureTimeoutMs: 200, faults: { kill: 10 }, observers: { ...following, count: 2, own: true, wipes: 10 } }
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
    find: 'const { base, committed, tail } = this.#host',
    replace: 'const { base, tail } = this.#host\n    const committed = tail.end.position',
    focus: observing
  },
  {
    name: 'relayed numbers are taken out of order, and those that are passed over count as committed',
    slow: true,
    file: 'lib/core/coordinator.ts',
    find: "if (number > this.#highest(message.origin) + 1) return this.#refuse(node, via, 'leaves out a number')",
    replace: '',
    with: [{
      file: 'lib/core/submissions.ts',
      find: "if (number < entry.number) this.#settle(submission, { outcome: 'aborted', why: 'withdrawn', transaction: this.#name(submission) })",
      replace: "if (number < entry.number) this.#settle(submission, { outcome: 'committed' })"
    }, {
      file: 'lib/core/relaying.ts',
      find: "if (to === peer) this.#end(node, 'has to submit again what may be lost')",
      replace: "if (to === '') this.#end(node, '')"
    }],
    focus: farAway,
    from: 50
  },
  {
    name: 'a write is passed on in the name of the member that does it',
    slow: true,
    file: 'lib/core/relaying.ts',
    find: 'node: from, start, message',
    replace: 'node: self, start: this.#host.start, message',
    focus: behindWalls
  },
  {
    name: 'sync() waits for nothing while the coordinator is out of reach',
    slow: true,
    file: 'lib/core/observing.ts',
    find: 'if (this.#position !== null && applied >= this.#position) {',
    replace: 'if (this.#position !== null && (applied >= this.#position || (this.#to !== null && this.#to !== this.#host.known?.coordinator))) {',
    focus: behindWalls
  },
  {
    name: 'an observer of a part applies what is not in it',
    slow: true,
    file: 'lib/store/apply.ts',
    find: 'if (isInPart(part, op.key)) operations',
    replace: 'operations',
    focus: partial
  },
  {
    name: 'an observer of a part does not apply a deletion in it',
    slow: true,
    file: 'lib/store/apply.ts',
    find: 'if (isInPart(part, op.key)) operations',
    replace: "if (part === null || (isInPart(part, op.key) && op.type === 'put')) operations",
    focus: partial
  },
  {
    name: 'an observer of a part takes writes of all keys',
    slow: true,
    file: 'lib/node.ts',
    find: 'if (!write.operations.every(({ key }) => isInPart(this.#settings.part, key))) return',
    replace: 'if (!write.operations.some(({ key }) => isInPart(this.#settings.part, key))) return',
    focus: partial
  },
  {
    name: 'an observer on an old image takes what was written since for its own',
    slow: true,
    file: 'lib/core/observing.ts',
    find: 'this.#reached === 0 && this.#isFromThePast()',
    replace: 'this.#reached < 0 && this.#isFromThePast()',
    with: [{ file: 'lib/core/observing.ts', find: 'known === null || this.#reached === 0 ? null', replace: 'known === null ? null' }],
    focus: putBack,
    from: 40
  }
]
