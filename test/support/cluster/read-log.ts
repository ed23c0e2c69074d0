import { numberOf } from '../../../lib/store/layout.ts'
import { decodeOperations } from '../../../lib/wire/operations.ts'
import { decodeGroup } from '../../../lib/wire/group.ts'
import type { LogEntry } from '../check/history.ts'
import type { Disk } from './read-disk.ts'

/** The kind of reserved key under which the log lies, in the byte after the reserved prefix. */
const LOG_KIND = 16
const PREFIX_LENGTH = 8

/** The log records on a disk, as they are, by the position of their first entry. */
export function readLogRecords (disk: Disk): Array<[position: number, record: Uint8Array]> {
  return disk.reserved
    .filter(([key]) => key[PREFIX_LENGTH] === LOG_KIND)
    .map(([key, record]) => [numberOf(key), record])
}

/** The writes in the log, in order. Entries of other kinds are left out. */
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
