import { ClassicLevel } from 'classic-level'

export interface Disk {
  /** What the user wrote, in key order. */
  data: Array<[key: Uint8Array, value: Uint8Array]>
  /** What lies in the reserved key space: all keys that begin with eight 0xff bytes. */
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
    return disk
  } finally {
    await db.close()
  }
}
