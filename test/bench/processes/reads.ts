import { setImmediate } from 'node:timers/promises'
import { numberedKey } from './entries.ts'
import type { Level } from './level.ts'

export type ReadKind = 'get' | 'getMany' | 'getSync' | 'range'

export interface ReadSpec {
  kind: ReadKind
  concurrency: number
  /** The database holds so many numbered keys. */
  entries: number
  ms: number
}

const manyKeys = 10
const rangeEntries = 100
/** As few looks at the clock as make no difference. */
const callsPerLook = 100

/** Reads as quickly as it goes. Resolves with the microseconds that one read took, all loops taken together. */
export async function timeReads (db: Level, { kind, concurrency, entries, ms }: ReadSpec): Promise<number> {
  const number = (below: number): number => Math.floor(Math.random() * below)
  if (kind === 'getSync') return await timeCalls(() => { db.getSync(numberedKey(number(entries))) }, ms)

  const read: Record<Exclude<ReadKind, 'getSync'>, () => Promise<unknown>> = {
    get: () => db.get(numberedKey(number(entries))),
    getMany: () => db.getMany(Array.from({ length: manyKeys }, () => numberedKey(number(entries)))),
    range: () => db.iterator({ gte: numberedKey(number(entries - rangeEntries)), limit: rangeEntries }).all()
  }
  const begun = performance.now()
  let calls = 0
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (performance.now() < begun + ms) {
      await read[kind]()
      calls++
    }
  }))
  return (performance.now() - begun) * 1000 / calls
}

/** Only the calls themselves: what this process has to do beside is done in between. */
async function timeCalls (call: () => void, ms: number): Promise<number> {
  const end = performance.now() + ms
  let calls = 0
  let spentMs = 0
  while (performance.now() < end) {
    const begun = performance.now()
    for (let i = 0; i < callsPerLook; i++) call()
    spentMs += performance.now() - begun
    calls += callsPerLook
    await setImmediate()
  }
  return spentMs * 1000 / calls
}
