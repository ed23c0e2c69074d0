import test from 'tape'
import { changesOf, describe, isWrite, observationsOf } from '../../support/check/history.ts'
import type { History, LogEntry, Operation } from '../../support/check/history.ts'
import { checkLinearizability } from '../../support/check/linearizability.ts'
import { Random } from '../../support/check/random.ts'
import { checkSerializability } from '../../support/check/serializability.ts'

const timeout = 120_000
const KEYS = ['x', 'y']

/** A history of a few operations with results drawn by lot: some have an order, most have none. */
function draw (random: Random, keys: readonly string[]): Operation[] {
  const written: Record<string, string[]> = { x: [], y: [] }
  const count = random.integer(2, 7)
  return Array.from({ length: count }, (_, id) => drawOne(id))

  function drawOne (id: number): Operation {
    const invoked = random.integer(0, 12)
    const common = { id, client: `c${id}`, node: 'n', invoked, completed: invoked + random.integer(0, 6) }
    const dice = random.next()
    const outcome = dice < 0.2 ? 'unknown' : 'ok'
    const key = random.pick(keys)
    const value = (of: string): string | null => {
      const values = written[of] as string[]
      return values.length === 0 || random.next() < 0.3 ? null : random.pick(values)
    }

    const kind = random.pick(['put', 'put', 'get', 'get', 'del', 'batch', 'getMany'] as const)
    switch (kind) {
      case 'put': case 'batch': {
        const some = kind === 'put' ? [key] : keys
        for (const each of some) written[each]?.push(`v${id}`)
        return kind === 'put'
          ? { ...common, kind, key, value: `v${id}`, outcome }
          : { ...common, kind, changes: some.map((each) => ({ key: each, value: `v${id}` })), outcome }
      }
      case 'del': return { ...common, kind, key, outcome }
      case 'get': return { ...common, kind, key, result: value(key), outcome: 'ok' }
      case 'getMany': return { ...common, kind, keys, result: keys.map(value), outcome: 'ok' }
    }
  }
}

/** The definition, tried out: every order of every subset that real time allows. */
function hasOrder (history: History): boolean {
  return extend(history.slice(), new Map())

  function extend (left: Operation[], state: ReadonlyMap<string, string | null>): boolean {
    if (left.every(({ outcome }) => outcome === 'unknown')) return true
    return left.some((operation) => {
      if (left.some((other) => other.outcome === 'ok' && other.completed < operation.invoked)) return false
      if (isWrite(operation)) {
        if (operation.kind === 'clear') return false
        const next = new Map(state)
        for (const { key, value } of changesOf(operation)) next.set(key, value)
        return extend(left.filter((other) => other !== operation), next)
      }
      const agrees = observationsOf(operation, KEYS).every(({ key, value }) => (state.get(key) ?? null) === value)
      return agrees && extend(left.filter((other) => other !== operation), state)
    })
  }
}

/** The same for a given log: every way to tell which entry is which operation, and every place of every read. */
function fitsLog (history: History, log: readonly LogEntry[]): boolean {
  return extend(history.slice(), 0, new Map())

  function extend (left: Operation[], position: number, state: ReadonlyMap<string, string | null>): boolean {
    if (position === log.length && left.every(({ outcome }) => outcome === 'unknown')) return true
    return left.some((operation) => {
      if (left.some((other) => other.outcome === 'ok' && other.completed < operation.invoked)) return false
      const rest = left.filter((other) => other !== operation)
      if (isWrite(operation)) {
        if (operation.kind === 'clear' || position === log.length) return false
        const changes = changesOf(operation)
        if (JSON.stringify(changes) !== JSON.stringify(log[position]?.changes)) return false
        const next = new Map(state)
        for (const { key, value } of changes) next.set(key, value)
        return extend(rest, position + 1, next)
      }
      const agrees = observationsOf(operation, KEYS).every(({ key, value }) => (state.get(key) ?? null) === value)
      return agrees && extend(rest, position, state)
    })
  }
}

test('exhaustive: the search agrees with the definition, on one key and on two', { timeout }, async function (t) {
  const random = new Random(1)
  let orderly = 0
  for (let i = 0; i < 4000; i++) {
    const keys = i % 2 === 0 ? ['x'] : KEYS
    const history = draw(random, keys)
    const expected = hasOrder(history)
    const verdicts = [checkSerializability(history)]
    if (keys.length === 1) verdicts.push(checkLinearizability(history))
    if (expected) orderly++
    for (const { verdict } of verdicts) {
      if (verdict !== (expected ? 'ok' : 'violation')) t.fail(`${verdict}, expected ${expected}:\n${history.map(describe).join('\n')}`)
    }
  }
  t.ok(orderly > 400 && orderly < 3600, `${orderly} of 4000 have an order`)
})

test('exhaustive: the check against a log never refuses what has an order, and catches what has none', { timeout }, async function (t) {
  const random = new Random(2)
  let orderly = 0
  let missed = 0
  for (let i = 0; i < 4000; i++) {
    const history = draw(random, KEYS)
    const writes = history.filter((operation) => isWrite(operation) && (operation.outcome === 'ok' || random.next() < 0.5))
    const log = random.sample(writes.sort((a, b) => a.invoked - b.invoked), random.next() < 0.7 ? 0 : writes.length)
    if (log.length === 0) log.push(...writes)
    const entries = log.map((operation, index): LogEntry => ({
      position: index + 1,
      changes: isWrite(operation) && operation.kind !== 'clear' ? changesOf(operation) : []
    }))
    const expected = fitsLog(history, entries)
    const { verdict } = checkSerializability(history, { log: entries })
    if (expected) orderly++
    if (expected && verdict !== 'ok') t.fail(`${verdict}, but there is an order:\n${history.map(describe).join('\n')}\n${JSON.stringify(entries)}`)
    if (!expected && verdict === 'ok') missed++
    const named = entries.map((entry, index): LogEntry => ({ ...entry, write: log[index]?.id ?? -1 }))
    if (!expected && checkSerializability(history, { log: named }).verdict === 'ok') {
      t.fail(`With the ids it is exact, but passes:\n${history.map(describe).join('\n')}\n${JSON.stringify(named)}`)
    }
  }
  t.ok(orderly > 200 && orderly < 3800, `${orderly} of 4000 have an order`)
  // Deletions that look alike are not told apart beyond what real time says of each by itself.
  t.ok(missed < 20, `${missed} missed`)
})
