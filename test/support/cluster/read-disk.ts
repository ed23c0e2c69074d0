import { ClassicLevel } from 'classic-level'
import { FileLog } from '../../../lib/store/file-log.ts'
import { baseKey, decodeLogFile, encodeBase, logFileKey, logKey } from '../../../lib/store/layout.ts'
import { nodeFiles } from '../../../lib/node-files.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'

export interface Disk {
  /** What the user wrote, in key order. */
  data: Array<[key: Uint8Array, value: Uint8Array]>
  /** What lies in the reserved key space: all keys that begin with eight 0xff bytes. A log in files is shown as if it were there. */
  reserved: Array<[key: Uint8Array, value: Uint8Array]>
}

/** Reads the database of a node that has ended, without the replicator. */
export async function readDisk (location: string): Promise<Disk> {
  const db = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view', createIfMissing: false })
  await db.open()
  try {
    const disk: Disk = { data: [], reserved: [] }
    for await (const [key, value] of db.iterator()) {
      const reserved = key.length >= 8 && key.subarray(0, 8).every((byte) => byte === 0xff)
      disk[reserved ? 'reserved' : 'data'].push([Uint8Array.from(key), Uint8Array.from(value)])
    }
    const file = disk.reserved.find(([key]) => compareBytes(key, logFileKey) === 0)
    if (file !== undefined) disk.reserved.push(...await readFiles(location, decodeLogFile(file[1])))
    return disk
  } finally {
    await db.close()
  }
}

async function readFiles (location: string, id: string): Promise<Disk['reserved']> {
  const log = new FileLog(await nodeFiles(`${location}/quorum-level`), { segmentBytes: 65_536, randomBytes: length => new Uint8Array(length) })
  const records: Disk['reserved'] = []
  for await (const chunk of log.recover(id)) for (const [first, record] of chunk) records.push([logKey(first), record.slice()])
  return [[baseKey, encodeBase(log.base)], ...records]
}
