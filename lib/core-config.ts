import type { CoreConfig } from './core/config.ts'
import type { MemberId } from './core/entry.ts'
import type { Settings } from './options.ts'
import { WRITE_BYTES_LIMIT } from './options.ts'

/** What the core is told: the user's settings, and limits that are no options. `freshCluster`: the id of a cluster that this node founds. */
export function coreConfig (settings: Settings, { id, start, freshCluster }: { id: MemberId, start: number, freshCluster: string }): CoreConfig {
  return {
    self: id,
    start,
    freshCluster,
    minConsensus: settings.minConsensus,
    name: settings.name,
    witness: settings.role === 'witness',
    mayFound: settings.mayFound,
    founders: settings.founders,
    cluster: settings.cluster,
    overwrite: settings.overwrite,
    replaces: settings.replaces,
    handsOver: settings.coordinator === 'auto',
    failureTimeoutMs: settings.failureTimeoutMs,
    logBytesMax: settings.logBytesMax,
    originsMax: 256,
    groupBytesMax: 1024 * 1024,
    tailBytesMax: 32 * 1024 * 1024,
    applyBytesMax: 4 * 1024 * 1024,
    windowWrites: 4096,
    windowBytes: 8 * 1024 * 1024,
    submitBytesMax: 1024 * 1024,
    incomingMax: 64 * 4096,
    incomingBytesMax: 64 * 8 * 1024 * 1024,
    bodyBytesMax: WRITE_BYTES_LIMIT,
    withdrawMs: Math.min(2000, Math.ceil(settings.writeTimeoutMs / 4))
  }
}
