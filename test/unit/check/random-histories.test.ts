import test from 'tape'
import { alter, simulateAtomicStore, withoutIds } from '../../support/check/atomic-store.ts'
import type { Simulation } from '../../support/check/atomic-store.ts'
import { checkDurability } from '../../support/check/durability.ts'
import type { History, LogEntry, Operation, Verdict } from '../../support/check/history.ts'
import { changesOf } from '../../support/check/history.ts'
import { checkLinearizability } from '../../support/check/linearizability.ts'
import { Random } from '../../support/check/random.ts'
import { checkSerializability } from '../../support/check/serializability.ts'
import { messageOf } from './history-builder.ts'

const timeout = 120_000
const seeds = Array.from({ length: 60 }, (_, i) => i + 1)

function simulate (seed: number, operations = 300): Simulation {
  return simulateAtomicStore(new Random(seed), {
    operations, clients: 6, keys: 4, abortedPercent: 5, unknownPercent: 8, multiPercent: 30
  })
}

test('random histories: what an atomic store did passes all checks', { timeout }, async function (t) {
  for (const seed of seeds) {
    const { history, log, state } = simulate(seed)
    const verdicts: Verdict[] = [
      checkLinearizability(history),
      checkSerializability(history),
      checkSerializability(history, { log }),
      checkSerializability(history, { log: withoutIds(log) }),
      checkDurability(history, { state }),
      checkDurability(history, { state, log }),
      checkDurability(history, { state, log: withoutIds(log) })
    ]
    const bad = verdicts.find(({ verdict }) => verdict !== 'ok')
    if (bad !== undefined) t.fail(`seed ${seed}: ${messageOf(bad)}`)
  }
  t.pass(`${seeds.length} histories`)
})

test('random histories: thousands of operations on one key by forty clients', { timeout }, async function (t) {
  const { history, log } = simulateAtomicStore(new Random(7), { operations: 5000, clients: 40, keys: 1, abortedPercent: 5, unknownPercent: 5 })
  const verdict = checkLinearizability(history)
  t.equal(verdict.verdict, 'ok', messageOf(verdict))
  const withLog = checkSerializability(history, { log: withoutIds(log) })
  t.equal(withLog.verdict, 'ok', messageOf(withLog))
})

/** One thing done wrong. Returns null where the history offers no occasion. */
type Mutation = (simulation: Simulation) => { history?: History, log?: LogEntry[], state?: Map<string, string> } | null

const isGet = (operation: Operation): operation is Operation & { kind: 'get' } => operation.kind === 'get'
const overwrittenPut = ({ history }: Simulation): Operation & { kind: 'put' } | null => {
  for (const operation of history) {
    if (operation.kind !== 'put' || operation.outcome !== 'ok') continue
    const gone = history.some((later) => later.kind === 'put' && later.outcome === 'ok' && later.key === operation.key && later.invoked > operation.completed)
    if (gone) return operation
  }
  return null
}

const inHistory: Record<string, Mutation> = {
  'a stale read' (simulation) {
    const put = overwrittenPut(simulation)
    const last = simulation.history.filter(isGet).filter((get) => get.key === put?.key && get.result !== put.value).pop()
    if (put === null || last === undefined) return null
    return { history: alter(simulation.history, ({ id }) => id === last.id, () => ({ ...last, result: put.value })) }
  },
  'an absent key where there is one' ({ history, state }) {
    const key = [...state.keys()][0]
    const end = Math.max(...history.map(({ completed }) => completed))
    if (key === undefined || history.some(({ kind, outcome }) => kind === 'clear' || outcome === 'unknown')) return null
    return { history: [...history, { id: history.length, client: 'late', node: 'n0', kind: 'get', key, result: null, invoked: end + 1, completed: end + 2, outcome: 'ok' }] }
  },
  'a read of an aborted write' ({ history }) {
    const aborted = history.find((operation) => operation.kind === 'put' && operation.outcome === 'aborted')
    if (aborted?.kind !== 'put') return null
    return { history: alter(history, (operation) => isGet(operation) && operation.key === aborted.key && operation.invoked > aborted.completed, (operation) => ({ ...operation as Operation & { kind: 'get' }, result: aborted.value })) }
  },
  'an aborted write that was not aborted' ({ history }) {
    const seen = new Set(history.filter(isGet).map(({ result }) => result))
    return { history: alter(history, (operation) => operation.kind === 'put' && operation.outcome === 'ok' && seen.has(operation.value), (operation) => ({ ...operation, outcome: 'aborted' })) }
  },
  'a read from the future' ({ history }) {
    const put = history.filter(({ kind }) => kind === 'put').pop()
    if (put?.kind !== 'put') return null
    return { history: alter(history, (operation) => isGet(operation) && operation.key === put.key && operation.completed < put.invoked, (operation) => ({ ...operation as Operation & { kind: 'get' }, result: put.value })) }
  }
}

const inLog: Record<string, Mutation> = {
  'an acknowledged write missing' ({ history, log }) {
    const put = history.find(({ kind, outcome }) => kind === 'put' && outcome === 'ok')
    return { log: log.filter(({ write }) => write !== put?.id) }
  },
  'a write twice' ({ log }) {
    const entry = log.find(({ changes }) => changes.some(({ value }) => value !== null))
    return entry === undefined ? null : { log: [...log, { ...entry, position: log.length + 1 }] }
  },
  'half a batch' ({ log }) {
    const entry = log.find(({ changes }) => changes.length > 1 && changes.filter(({ value }) => value !== null).length > 1)
    return entry === undefined ? null : { log: log.map((other) => other === entry ? { ...entry, changes: entry.changes.slice(1) } : other) }
  },
  'two writes of one key exchanged' ({ history, log }) {
    const key = 'k0'
    const puts = history.filter((operation) => operation.kind === 'put' && operation.outcome === 'ok' && operation.key === key)
    const first = log.findIndex(({ write }) => write === puts[0]?.id)
    const second = log.findIndex(({ write }) => write === puts[puts.length - 1]?.id)
    if (puts.length < 2 || first < 0 || second < 0) return null
    return {
      log: log.map((entry, i) => i === first ? { ...log[second]!, position: entry.position } : i === second ? { ...log[first]!, position: entry.position } : entry)
    }
  },
  'an aborted write' ({ history, log }) {
    const put = history.find(({ kind, outcome }) => kind === 'put' && outcome === 'aborted')
    return put?.kind !== 'put' ? null : { log: [...log, { position: log.length + 1, changes: changesOf(put) }] }
  }
}

for (const [name, mutate] of Object.entries(inHistory)) {
  test(`random histories: caught is ${name}`, { timeout }, async function (t) {
    let planted = 0
    for (const seed of seeds) {
      const simulation = withoutOpenEnds(simulate(seed), name)
      const altered = mutate(simulation)?.history
      if (altered === undefined) continue
      planted++
      for (const verdict of [checkLinearizability(altered), checkSerializability(altered, { log: withoutIds(simulation.log) })]) {
        if (verdict.verdict !== 'violation') t.fail(`seed ${seed}: ${verdict.verdict}`)
      }
    }
    t.ok(planted >= 10, `planted ${planted} times`)
  })
}

for (const [name, mutate] of Object.entries(inLog)) {
  test(`random histories: caught in the log is ${name}`, { timeout }, async function (t) {
    let planted = 0
    for (const seed of seeds) {
      const { history, state, log: original } = simulate(seed)
      const altered = mutate({ history, state, log: original })?.log
      if (altered === undefined) continue
      planted++
      const log = withoutIds(altered)
      const verdicts = [checkSerializability(history, { log }), checkDurability(history, { log, state })]
      if (!verdicts.some(({ verdict }) => verdict === 'violation')) t.fail(`seed ${seed} passes`)
    }
    t.ok(planted >= 10, `planted ${planted} times`)
  })
}

test('random histories: caught is half a batch in a read of several keys', { timeout }, async function (t) {
  let planted = 0
  for (const seed of seeds) {
    const { history, log } = simulate(seed)
    // A read that saw two values of one batch, and now saw only one of them.
    const read = history.find((operation) => seesBatch(history, log, operation) !== null)
    if (read?.kind !== 'getMany' || read.result === undefined) continue
    const key = seesBatch(history, log, read)
    const result = read.keys.map((other, i) => other === key ? null : read.result?.[i] ?? null)
    const altered = alter(history, ({ id }) => id === read.id, () => ({ ...read, result }))
    planted++
    const verdict = checkSerializability(altered, { log: withoutIds(log) })
    if (verdict.verdict !== 'violation') t.fail(`seed ${seed}, with the log: ${verdict.verdict}`)
  }
  t.ok(planted >= 10, `planted ${planted} times`)
})

/** A key of which the read saw the value of a batch that it saw elsewhere, too, and that was never absent after the batch. */
function seesBatch (history: History, log: readonly LogEntry[], read: Operation): string | null {
  if (read.kind !== 'getMany' || read.result === undefined) return null
  for (const batch of history) {
    if (batch.kind !== 'batch') continue
    const values = new Map(changesOf(batch).map(({ key, value }) => [key, value]))
    const seen = read.keys.filter((key, i) => read.result?.[i] !== null && values.get(key) === read.result?.[i])
    const later = log.slice(log.findIndex(({ write }) => write === batch.id) + 1)
    const key = seen.find((key) => !later.some(({ changes }) => changes.some((change) => change.key === key && change.value === null)))
    if (seen.length > 1 && key !== undefined) return key
  }
  return null
}

/** For the one mutation that an unknown deletion would excuse: a simulation with certain outcomes and no clears. */
function withoutOpenEnds (simulation: Simulation, name: string): Simulation {
  if (name !== 'an absent key where there is one') return simulation
  return simulateAtomicStore(new Random(simulation.history.length + simulation.log.length), { operations: 200, clients: 6, keys: 4, abortedPercent: 5 })
}
