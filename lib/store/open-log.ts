import type { Group, LogName } from '../core/entry.ts'
import { lastPosition } from '../core/entry.ts'
import type { Environment } from '../env.ts'
import { decodeGroup } from '../wire/group.ts'
import { toHex } from '../wire/hex.ts'
import { FileLog } from './file-log.ts'
import { FileMedium } from './file-medium.ts'
import type { Files } from './files.ts'
import { baseKey, encodeBase, encodeLogFile, logFileKey, logKey } from './layout.ts'
import type { LogMedium } from './log-medium.ts'
import { StoreMedium, storedRecords } from './store-medium.ts'
import type { Store } from './store.ts'

type Chance = Pick<Environment, 'randomBytes'>

/** How much of a log is moved at once. */
const MOVED_BYTES = 1024 * 1024
const SEGMENT_BYTES = { min: 32 * 1024, max: 4 * 1024 * 1024 }

/** In segments of which a log that is full has enough. */
export function fileLog (files: Files, logBytesMax: number, env: Chance): FileLog {
  const segmentBytes = Math.max(SEGMENT_BYTES.min, Math.min(SEGMENT_BYTES.max, Math.floor(logBytesMax / 16)))
  return new FileLog(files, { segmentBytes, randomBytes: length => env.randomBytes(length) })
}

export interface LogPlace {
  /** Null where there are no files. */
  readonly log: FileLog | null
  /** Whether the log is in files by now. */
  readonly isThere: boolean
  /** Whether it is to be. */
  readonly isWanted: boolean
  /** Where it begins. */
  readonly base: LogName
}

/** The medium of a log that was recovered, and is moved there if it is elsewhere. Interrupted, it is where it was. */
export async function openLog (store: Store, { log, isThere, isWanted, base }: LogPlace, env: Chance): Promise<LogMedium> {
  const stored = new StoreMedium(store)
  if (log === null) return stored
  if (!isWanted) {
    if (isThere) await moveIntoStore(store, stored, log)
    // Nobody needs the files, which may be left over.
    await log.destroy()
    return stored
  }
  if (!isThere) await moveIntoFiles(store, log, base, toHex(env.randomBytes(8)))
  await log.start()
  // What was moved, now or by an earlier start.
  await stored.clear()
  return new FileMedium(store, log, env)
}

async function moveIntoFiles (store: Store, log: FileLog, base: LogName, id: string): Promise<void> {
  await log.begin(id, base)
  let groups: Group[] = []
  let bytes = 0
  for await (const records of storedRecords(store, base)) {
    for (const [, record] of records) {
      groups.push(decodeGroup(record))
      bytes += record.length
      if (bytes < MOVED_BYTES) continue
      await log.append(groups)
      groups = []
      bytes = 0
    }
  }
  await log.append(groups)
  await store.batch([{ type: 'put', key: logFileKey, value: encodeLogFile(id) }, { type: 'del', key: baseKey }], { sync: true })
}

async function moveIntoStore (store: Store, stored: StoreMedium, log: FileLog): Promise<void> {
  await stored.clear()
  for (let next = log.base.position + 1; next <= log.end.position;) {
    const groups = await log.read(next, MOVED_BYTES)
    await store.batch(groups.map(group => ({ type: 'put', key: logKey(group.first), value: group.record as Uint8Array })), { sync: true })
    next = lastPosition(groups[groups.length - 1] as Group) + 1
  }
  await store.batch([{ type: 'del', key: logFileKey }, { type: 'put', key: baseKey, value: encodeBase(log.base) }], { sync: true })
}
