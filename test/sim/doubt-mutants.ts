import type { Mutant } from './mutants.ts'
import type { Focus } from './settings.ts'
import { SMALL_LOG } from './settings.ts'

/** Clients that call their writes again and again, on nodes that go down. */
const repeating: Focus = { nodes: 3, durability: 'disk', repeats: 1, minConsensus: [1, 1, 1], keys: 2, thinkMs: 10, writeTimeoutMs: 300, failureTimeoutMs: 200, bandwidth: 100_000, delayMaxMs: 2, syncMs: 1, faults: { kill: 4, powerCut: 4, isolate: 1 } }
const asking: Focus = { ...repeating, repeats: 0, asks: 1 }

/** Bugs in what clients are told of writes that they have doubts about. */
export const doubtMutants: readonly Mutant[] = [
  {
    name: 'a write under the same key is made again',
    file: 'lib/core/coordinator.ts',
    find: 'const first = this.#keys.get(key)',
    replace: "const first = this.#keys.get(key + '?')",
    focus: repeating
  },
  {
    name: 'the table of keys is not in copies',
    slow: true,
    file: 'lib/core/core.ts',
    find: 'keys: [...this.#application.keys.entries()]',
    replace: 'keys: []',
    focus: { ...repeating, logBytesMax: SMALL_LOG, valueBytesMax: 20_000, operations: 400, keys: 5 }
  },
  {
    name: 'keys are forgotten at a restart',
    slow: true,
    file: 'lib/store/recovery.ts',
    find: 'keys: withAgain(keys, again)',
    replace: 'keys: withAgain(new Map(), again)',
    focus: repeating
  },
  {
    name: 'a skip is taken for committed',
    file: 'lib/core/origins.ts',
    find: "if (entry.kind === 'skip' && entry.reason !== 'repeated'",
    replace: "if (entry.kind === 'skip' && entry.reason === 'differs'",
    focus: asking,
    from: 60
  }
]
