import type { SimMachine } from '../../lib/sim/index.ts'
import { toBytes, toText } from '../../lib/sim/disk.ts'
import { RESERVED } from '../../lib/store/keys.ts'
import {
  acceptedKey, addressesKey, appliedKey, baseKey, copyKey, decodeApplied, decodeRow, identityKey, intactKey, keyedEnd, keyedStart, logEnd, logFileKey, logStart, originsEnd, originsStart, partKey,
  sightingsEnd, sightingsStart, viewKey, vowKey
} from '../../lib/store/layout.ts'
import { decodeGroup } from '../../lib/wire/group.ts'
import { decodeOperations } from '../../lib/wire/operations.ts'
import { checkDurability } from '../support/check/durability.ts'
import type { History, LogEntry, Verdict } from '../support/check/history.ts'
import { checkLinearizability } from '../support/check/linearizability.ts'
import { checkReplicas } from '../support/check/replicas.ts'
import { checkSerializability } from '../support/check/serializability.ts'
import { filesOf, logOf } from './log-view.ts'
import type { Observed } from './observed.ts'
import { checkObserverReads } from './observer-reads.ts'
import { partOf } from './parts.ts'

/** The log as it was applied, from the beginning: the record of each group by its first position. */
type Log = ReadonlyMap<number, Uint8Array>

/** Holds what is on the disks at the end against all that the clients were told. */
export function judge (history: History, observed: readonly Observed[], machines: readonly SimMachine[], initial: ReadonlyMap<string, string>, log: Log): string[] {
  const [first] = machines as [SimMachine]
  const state = new Map(dataOf(first).map(([key, value]) => [key, toText(value)]))
  // What a founder brought along was written by nobody in the history.
  const known = entriesOf(log).filter(entry => !entry.changes.every(({ key, value }) => value !== null && initial.get(key) === value))

  return [
    ...['', ...new Set(machines.map(partOf).filter(part => part !== ''))].flatMap(part => differentData([first, ...machines.filter(machine => partOf(machine) === part)], part)),
    ...problemsOf('durability', checkDurability(history, { log: known, state, initial })),
    ...problemsOf('linearizability', checkLinearizability(history, { initial })),
    ...problemsOf('serializability', checkSerializability(history, { log: known, initial })),
    ...checkObserverReads(history, observed, known, initial),
    ...machines.flatMap(machine => strangeLog(machine, log)),
    ...machines.flatMap(strangeRecords),
    ...machines.flatMap(strangeFiles),
    ...differentTables(machines)
  ]
}

function problemsOf (what: string, verdict: Verdict): string[] {
  switch (verdict.verdict) {
    case 'ok': return []
    case 'undecided': return [`${what}: undecided: ${verdict.message}`]
    case 'violation': return verdict.problems.map(({ rule, message }) => `${what}: ${rule}: ${message}`)
  }
}

/** Of those that hold this part, or all. */
function differentData (machines: readonly SimMachine[], part: string): string[] {
  const replicas = machines.map(machine => ({
    name: machine.name,
    entries: dataOf(machine).filter(([key]) => key.startsWith(part) || partOf(machine) !== '').map(([key, value]) => [toBytes(key), value] as const)
  }))
  return problemsOf('replicas', checkReplicas(replicas))
}

function dataOf ({ disk }: SimMachine): Array<[string, Uint8Array]> {
  return disk.range(null, toText(RESERVED))
}

function entriesOf (log: Log): LogEntry[] {
  const entries: LogEntry[] = []
  for (const [first, record] of [...log].sort(([a], [b]) => a - b)) {
    decodeGroup(record).entries.forEach((entry, i) => {
      if (entry.kind !== 'write') return
      const changes = decodeOperations(entry.body).map(op => ({ key: toText(op.key), value: op.type === 'put' ? toText(op.value) : null }))
      entries.push({ position: first + i, changes })
    })
  }
  return entries
}

/** What is left of the log is what everybody has applied, without a gap from where it was truncated to what is applied here. */
function strangeLog ({ name, disk }: SimMachine, log: Log): string[] {
  const problems: string[] = []
  const view = logOf(disk)
  const applied = disk.get(toText(appliedKey))
  let { position: end, epoch } = view.base
  const truncated = end
  if (end > 0 && epochAt(log, end) !== epoch) problems.push(`${name} has truncated its log at ${end} in epoch ${epoch}; there it was ${epochAt(log, end)}`)

  for (const [, record] of view.range(0, Infinity)) {
    const group = decodeGroup(record)
    const same = log.get(group.first)
    if (same === undefined || toText(same) !== toText(record)) problems.push(`${name} has another group at ${group.first} than was applied there`)
    // Deletions are done a piece at a time after a truncation.
    if (group.first <= truncated) continue
    if (group.first !== end + 1) problems.push(`${name} lacks ${end + 1} to ${group.first - 1} in its log`)
    end = group.first + group.entries.length - 1
    epoch = group.epoch
  }
  const inData = applied === undefined ? 0 : decodeApplied(applied).position
  if (inData !== end) problems.push(`${name} has applied ${inData} of ${end} in the end`)
  return problems
}

/** The epoch of the group that ends there; 0 if there is none. */
function epochAt (log: Log, position: number): number {
  for (const record of log.values()) {
    const group = decodeGroup(record)
    if (group.first + group.entries.length - 1 === position) return group.epoch
  }
  return 0
}

/** Whoever only votes keeps no data, and no log. */
export function strangeWitness ({ name, disk }: SimMachine): string[] {
  const [data] = disk.range(null, toText(RESERVED))
  const [group] = logOf(disk).range(0, Infinity)
  return data === undefined && group === undefined ? [] : [`${name} is a witness, and holds data`]
}

/** Nothing is forgotten in the reserved key space: each record is one of those that the specification names. */
function strangeRecords (machine: SimMachine): string[] {
  const { name, disk } = machine
  const problems: string[] = []
  const { inFiles } = logOf(disk)
  const single = [identityKey, vowKey, viewKey, appliedKey, acceptedKey, inFiles ? logFileKey : baseKey, intactKey, addressesKey, ...partOf(machine) === '' ? [] : [partKey]].map(toText)
  const origins = { members: 0, observers: 0 }
  let keys = 0
  let sightings = 0
  for (const [key, value] of disk.range(toText(RESERVED), null)) {
    if (isOrigin(key)) origins[decodeRow(value).observer === true ? 'observers' : 'members']++
    else if (key > toText(keyedStart) && key < toText(keyedEnd)) keys++
    else if (key === toText(copyKey)) problems.push(`${name} has a copy that is not complete`)
    else if (key > toText(sightingsStart) && key < toText(sightingsEnd)) sightings++
    else if (!single.includes(key) && !(!inFiles && key >= toText(logStart) && key < toText(logEnd))) problems.push(`${name} has a strange record ${JSON.stringify(key)}`)
  }
  for (const [kind, count] of Object.entries(origins)) if (count > 256) problems.push(`${name} keeps ${count} origins of ${kind}`)
  if (keys > 16_384) problems.push(`${name} keeps ${keys} keys`)
  if (sightings > 256) problems.push(`${name} keeps ${sightings} sightings`)
  return problems
}

/** Nothing is forgotten in files: each is a part of the log, or is kept to be one. */
export function strangeFiles ({ name, disk }: SimMachine): string[] {
  const log = filesOf(disk)
  const others = [...disk.files.names.keys()].filter(file => !log.includes(file))
  const isSpare = (file: string): boolean => log.length > 0 && file.endsWith('.spare')
  const problems = others.filter(file => !isSpare(file)).map(file => `${name} has forgotten ${file}, and its log is in ${log.join(', ') || 'the store'}`)
  return others.filter(isSpare).length > 4 ? [...problems, `${name} keeps ${others.length} spare files`] : problems
}

/** The tables of origins and keys are functions of the log, like the data. */
function differentTables (machines: readonly SimMachine[]): string[] {
  const differences = (what: string, start: Uint8Array, end: Uint8Array): string[] => {
    const tables = machines.map(({ disk }) => JSON.stringify(disk.range(toText(start), toText(end)).map(([key, row]) => [key, toText(row)])))
    return tables.flatMap((table, i) => table === tables[0] ? [] : [`${machines[i]?.name} has another table of ${what} than ${machines[0]?.name}`])
  }
  return [...differences('origins', originsStart, originsEnd), ...differences('keys', keyedStart, keyedEnd)]
}

function isOrigin (key: string): boolean {
  return key >= toText(originsStart) && key < toText(originsEnd)
}
