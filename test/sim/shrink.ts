import { runSeed } from './run-seed.ts'
import type { SimSettings } from './settings.ts'
import { changeKinds, faultKinds, minConsensusOf } from './settings.ts'

/**
 * Makes a failing run smaller: drops faults, nodes, clients and operations for as long as it still fails. A change of the
 * settings changes everything that happens after it, so each attempt tries a few seeds.
 */
export async function shrink (failing: SimSettings, onProgress: (settings: SimSettings) => void, fails = failsInSimulation): Promise<SimSettings> {
  let smallest = failing
  for (let changed = true; changed;) {
    changed = false
    for (const candidate of candidates(smallest)) {
      const found = await firstFailing(candidate, fails)
      if (found === null) continue
      smallest = found
      changed = true
      onProgress(smallest)
      break
    }
  }
  return smallest
}

function candidates (settings: SimSettings): SimSettings[] {
  const smaller: SimSettings[] = []
  for (const kind of faultKinds) {
    if (settings.faults[kind] > 0) smaller.push({ ...settings, faults: { ...settings.faults, [kind]: 0 } })
  }
  if (settings.ambush > 0) smaller.push({ ...settings, ambush: 0 })
  if (settings.repeats > 0) smaller.push({ ...settings, repeats: 0 })
  if (settings.asks > 0) smaller.push({ ...settings, asks: 0 })
  smaller.push(...withFewerChanges(settings), ...withFewerObservers(settings))
  if (settings.leftOut > 0) smaller.push({ ...settings, leftOut: settings.leftOut - 1 })
  const first = minConsensusOf(settings, 0)
  for (const common of new Set([settings.nodes - 1, first])) {
    const minConsensus = settings.minConsensus.map(() => common)
    if (minConsensus.some((m, i) => m !== minConsensusOf(settings, i))) smaller.push({ ...settings, minConsensus })
  }
  if (settings.logMoves > 0) smaller.push({ ...settings, logMoves: 0 })
  if (settings.log === 'files') smaller.push({ ...settings, log: 'store' })
  if (settings.foundingData) smaller.push({ ...settings, foundingData: false })
  if (settings.driftMax > 0) smaller.push({ ...settings, driftMax: 0 })
  for (const key of ['operations', 'clientsPerNode', 'keys', 'nodes', 'valueBytesMax'] as const) {
    for (const value of [Math.ceil(settings[key] / 2), settings[key] - 1]) {
      if (value >= 1 && value < settings[key]) smaller.push({ ...settings, [key]: value })
    }
  }
  return smaller
}

function withFewerChanges (settings: SimSettings): SimSettings[] {
  const { changes } = settings
  if (changes === null) return []
  const smaller: SimSettings[] = [{ ...settings, changes: null }]
  for (const kind of changeKinds) {
    if (changes.rates[kind] > 0) smaller.push({ ...settings, changes: { ...changes, rates: { ...changes.rates, [kind]: 0 } } })
  }
  if (changes.recover) smaller.push({ ...settings, changes: { ...changes, recover: false } })
  if (changes.witness) smaller.push({ ...settings, changes: { ...changes, witness: false } })
  if (changes.wrongPeers !== 'nothing') smaller.push({ ...settings, changes: { ...changes, wrongPeers: 'nothing' } })
  if (changes.machinesMax > settings.nodes) smaller.push({ ...settings, changes: { ...changes, machinesMax: changes.machinesMax - 1 } })
  return smaller
}

function withFewerObservers (settings: SimSettings): SimSettings[] {
  const { observers } = settings
  if (observers === null) return []
  const smaller: SimSettings[] = [{ ...settings, observers: null }]
  if (observers.count > 1) smaller.push({ ...settings, observers: { ...observers, count: observers.count - 1 } })
  if (observers.own) smaller.push({ ...settings, observers: { ...observers, own: false } })
  for (const kind of ['wipes', 'walls', 'images', 'partial'] as const) {
    if (observers[kind] > 0) smaller.push({ ...settings, observers: { ...observers, [kind]: 0 } })
  }
  return smaller
}

async function failsInSimulation (settings: SimSettings): Promise<boolean> {
  return (await runSeed(settings)).problems.length > 0
}

async function firstFailing (settings: SimSettings, fails: typeof failsInSimulation): Promise<SimSettings | null> {
  for (let i = 0; i < 5; i++) {
    const candidate = { ...settings, seed: settings.seed + i * 1_000_003 }
    if (await fails(candidate)) return candidate
  }
  return null
}
