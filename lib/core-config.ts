import type { CoreConfig } from './core/config.ts'
import type { MemberId } from './core/entry.ts'
import { fixedLimits, WRITE_BYTES_LIMIT } from './limits.ts'
import type { Settings } from './options.ts'

/** What the core is told: the user's settings, and limits that are no options. `freshCluster`: the id of a cluster that this node founds. */
export function coreConfig (settings: Settings, { id, start, freshCluster }: { id: MemberId, start: number, freshCluster: string }): CoreConfig {
  const isObserver = settings.role === 'observer'
  return {
    self: id,
    start,
    freshCluster,
    minConsensus: settings.minConsensus,
    name: settings.name,
    witness: settings.role === 'witness',
    observer: isObserver,
    part: settings.part,
    mayFound: settings.mayFound,
    founders: settings.founders,
    cluster: settings.cluster,
    overwrite: settings.overwrite,
    replaces: settings.replaces,
    handsOver: settings.coordinator === 'auto',
    failureTimeoutMs: settings.failureTimeoutMs,
    logBytesMax: settings.logBytesMax,
    originsMax: fixedLimits.origins.value,
    keysMax: fixedLimits.keys.value,
    groupBytesMax: fixedLimits.groupBytes.value,
    tailBytesMax: fixedLimits.tailBytes.value,
    applyBytesMax: fixedLimits.applyBytes.value,
    windowWrites: isObserver ? fixedLimits.observerWindowWrites.value : fixedLimits.windowWrites.value,
    windowBytes: isObserver ? fixedLimits.observerWindowBytes.value : fixedLimits.windowBytes.value,
    opensLate: isObserver,
    submitBytesMax: fixedLimits.submitBytes.value,
    incomingMax: fixedLimits.incoming.value,
    incomingBytesMax: fixedLimits.incomingBytes.value,
    bodyBytesMax: WRITE_BYTES_LIMIT,
    withdrawMs: Math.min(fixedLimits.withdrawMs.value, Math.ceil(settings.writeTimeoutMs / 4))
  }
}
