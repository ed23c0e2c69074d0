import { baseKey, decodeBase, logEnd, logStart, numberOf } from '../../../lib/store/layout.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'
import { decodeOperations } from '../../../lib/wire/operations.ts'
import { decodeGroup } from '../../../lib/wire/group.ts'
import type { LogEntry } from '../check/history.ts'
import type { Disk } from './read-disk.ts'

/** The position up to which the log is truncated; 0 if it is complete. */
export function readLogBase (disk: Disk): number {
  const base = disk.reserved.find(([key]) => compareBytes(key, baseKey) === 0)
  return base === undefined ? 0 : decodeBase(base[1]).position
}

/** The log records on a disk, as they are, by the position of their first entry. */
export function readLogRecords (disk: Disk): Array<[position: number, record: Uint8Array]> {
  const base = readLogBase(disk)
  return disk.reserved
    .filter(([key]) => compareBytes(key, logStart) >= 0 && compareBytes(key, logEnd) < 0)
    .map(([key, record]): [number, Uint8Array] => [numberOf(key), record])
    // Before that, something may be left over from a truncation.
    .filter(([position]) => position > base)
}

/** The writes in the log, from where it begins, in order. Entries of other kinds are left out. */
export function readLogEntries (disk: Disk): LogEntry[] {
  const entries: LogEntry[] = []
  for (const [, record] of readLogRecords(disk)) {
    const group = decodeGroup(record)
    group.entries.forEach((entry, i) => {
      if (entry.kind !== 'write') return
      const changes = decodeOperations(entry.body).map((operation) => ({
        key: text(operation.key),
        value: operation.type === 'put' ? text(operation.value) : null
      }))
      entries.push({ position: group.first + i, changes })
    })
  }
  return entries
}

/** The user's data on a disk as text. */
export function readState (disk: Disk): Map<string, string> {
  return new Map(disk.data.map(([key, value]) => [text(key), text(value)]))
}

function text (bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
