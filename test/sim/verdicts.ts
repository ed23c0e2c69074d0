import type { SimMachine } from '../../lib/sim/index.ts'
import { toBytes, toText } from '../../lib/sim/disk.ts'
import { RESERVED } from '../../lib/store/keys.ts'
import { appliedKey, decodeApplied, identityKey, logEnd, logStart, originsEnd, originsStart, viewKey, vowKey } from '../../lib/store/layout.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'
import { checkDurability } from '../support/check/durability.ts'
import type { History, LogEntry, Verdict } from '../support/check/history.ts'
import { checkLinearizability } from '../support/check/linearizability.ts'
import { checkReplicas } from '../support/check/replicas.ts'
import { checkSerializability } from '../support/check/serializability.ts'

/** Holds what is on the disks at the end against all that the clients were told. */
export function judge (history: History, machines: readonly SimMachine[], initial: ReadonlyMap<string, string>): string[] {
  const [first] = machines as [SimMachine]
  const log = logOf(first)
  const state = new Map(dataOf(first).map(([key, value]) => [key, toText(value)]))
  // What a founder brought along was written by nobody in the history.
  const known = log.filter(entry => !entry.changes.every(({ key, value }) => value !== null && initial.get(key) === value))

  return [
    ...problemsOf('replicas', checkReplicas(machines.map(machine => ({
      name: machine.name,
      entries: dataOf(machine).map(([key, value]) => [toBytes(key), value] as const),
      log: recordsOf(machine)
    })))),
    ...problemsOf('durability', checkDurability(history, { log: known, state, initial })),
    ...problemsOf('linearizability', checkLinearizability(history, { initial })),
    ...problemsOf('serializability', checkSerializability(history, { log: known, initial })),
    ...machines.flatMap(strangeRecords)
  ]
}

function problemsOf (what: string, verdict: Verdict): string[] {
  switch (verdict.verdict) {
    case 'ok': return []
    case 'undecided': return [`${what}: undecided: ${verdict.message}`]
    case 'violation': return verdict.problems.map(({ rule, message }) => `${what}: ${rule}: ${message}`)
  }
}

function dataOf ({ disk }: SimMachine): Array<[string, Uint8Array]> {
  return disk.range(null, toText(RESERVED))
}

function recordsOf ({ disk }: SimMachine): Array<[number, Uint8Array]> {
  return disk.range(toText(logStart), toText(logEnd)).map(([, record]) => [decodeGroup(record).first, record])
}

function logOf (machine: SimMachine): LogEntry[] {
  const entries: LogEntry[] = []
  for (const [first, record] of recordsOf(machine)) {
    decodeGroup(record).entries.forEach((entry, i) => {
      if (entry.kind !== 'write') return
      const changes = decodeOperations(entry.body).map(op => ({ key: toText(op.key), value: op.type === 'put' ? toText(op.value) : null }))
      entries.push({ position: first + i, changes })
    })
  }
  return entries
}

/** Nothing is forgotten in the reserved key space: each record is one of those that the specification names. */
function strangeRecords ({ name, disk }: SimMachine): string[] {
  const problems: string[] = []
  const single = [identityKey, vowKey, viewKey, appliedKey].map(toText)
  let origins = 0
  for (const [key] of disk.range(toText(RESERVED), null)) {
    if (key >= toText(originsStart) && key < toText(originsEnd)) origins++
    else if (!single.includes(key) && !(key >= toText(logStart) && key < toText(logEnd))) problems.push(`${name} has a strange record ${JSON.stringify(key)}`)
  }
  if (origins > 256) problems.push(`${name} keeps ${origins} origins`)
  const applied = disk.get(toText(appliedKey))
  const records = recordsOf({ name, disk } as SimMachine)
  const last = records[records.length - 1]
  const end = last === undefined ? 0 : last[0] + decodeGroup(last[1]).entries.length - 1
  if (applied !== undefined && decodeApplied(applied).position !== end) problems.push(`${name} has applied ${decodeApplied(applied).position} of ${end} in the end`)
  return problems
}
