/** A store or a file without replication, and the same load: the limits of what replication can reach. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { footprintMethods } from './footprint.ts'
import type { FootprintMethods } from './footprint.ts'
import { GroupCommit } from './group-commit.ts'
import { levelWriter, openLevel, putOf } from './level.ts'
import { fill, Load } from './load.ts'
import type { Fill, LoadMethods, Writer } from './load.ts'
import { serve } from './serve.ts'

/**
 * `'unsynced'` and `'synced'`: a store, with each put by itself. `'group'`: a store, with group commit. `'file'`: a file to which
 * groups are appended, with group commit.
 */
export type BareKind = 'unsynced' | 'synced' | 'group' | 'file'

export interface BareConfig {
  kind: BareKind
  /** An empty directory. */
  location: string
}

export interface BareMethods extends LoadMethods, FootprintMethods {
  fill (spec: Fill): Promise<void>
  /** Reads everything in the store, and writes it to a new one. Resolves with the milliseconds that this takes. */
  copy (location: string): Promise<number>
}

const copyBytes = 1024 * 1024

const { kind, location } = JSON.parse(process.argv[2] as string) as BareConfig
const db = await openLevel(join(location, 'store'))
const writer = await makeWriter()

async function makeWriter (): Promise<Writer> {
  switch (kind) {
    case 'unsynced': return levelWriter(db)
    case 'synced': return levelWriter(db, true)
    case 'group': return new GroupCommit((group) => db.batch(group.map(putOf), { sync: true }))
    case 'file': {
      const file = await open(join(location, 'log'), 'a')
      return new GroupCommit(async (group) => {
        await file.write(group.map(({ key, value }) => key + value).join(''), null, 'latin1')
        await file.datasync()
      })
    }
  }
}

async function copy (location: string): Promise<number> {
  const target = await openLevel(location)
  const begun = performance.now()
  const iterator = db.iterator({ highWaterMarkBytes: copyBytes })
  for (;;) {
    // As many as fit into `highWaterMarkBytes`.
    const entries = await iterator.nextv(1e6)
    // The sync of the last batch is one of all before it, too.
    const isLast = entries.length === 0
    await target.batch(entries.map(([key, value]) => putOf({ key, value })), { sync: isLast })
    if (isLast) break
  }
  const took = performance.now() - begun
  await iterator.close()
  await target.close()
  return took
}

const methods: BareMethods = {
  ...new Load(writer).methods,
  ...footprintMethods(),
  fill: (spec) => fill(writer, spec),
  copy
}

serve({ ...methods })
