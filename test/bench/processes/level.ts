import { ClassicLevel } from 'classic-level'
import type { Entry } from './entries.ts'
import type { Writer } from './load.ts'

export type Level = ClassicLevel<string, string>

export async function openLevel (location: string): Promise<Level> {
  const db = new ClassicLevel<string, string>(location)
  await db.open()
  return db
}

/** A database as it comes, or as it is after wrapping. Whoever wraps it decides about `sync`. */
export function levelWriter (db: Level, sync = false): Writer {
  return {
    put: (key, value) => db.put(key, value, { sync }),
    batch: (entries) => db.batch(entries.map(putOf), { sync })
  }
}

export function putOf ({ key, value }: Entry): { type: 'put', key: string, value: string } {
  return { type: 'put', key, value }
}
