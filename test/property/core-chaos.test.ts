import tape from 'tape'
import { Core } from '../../lib/core/core.ts'
import { Leases } from '../../lib/core/leases.ts'
import { KeyTable } from '../../lib/core/idempotency.ts'
import { OriginTable } from '../../lib/core/origins.ts'
import { coreChaos } from '../support/core-chaos.ts'
import type { CoreCluster } from '../support/core-cluster.ts'

// The last ones cut logs, which is rare.
const fixed = [...Array.from({ length: 300 }, (_, i) => i), 396, 445, 524, 804, 813]
/** Most bugs show much sooner. */
const planted = Array.from({ length: 800 }, (_, i) => i)

tape('random schedules, crashes, partitions and clocks leave equal replicas and true outcomes', { timeout: 240_000 }, async (t) => {
  const fresh = Array.from({ length: 50 }, () => Math.floor(Math.random() * 2 ** 32))
  const total = { views: 0, admissions: 0, exclusions: 0, copies: 0, truncations: 0, cuts: 0, losses: 0, leases: 0, remnants: 0, joins: 0, leaves: 0, moves: 0, syncs: 0, relays: 0, committed: 0 }
  for (const seed of [...fixed, ...fresh]) {
    const { differences, cluster } = attempt(seed)
    if (differences.length > 0) {
      // What is wrong comes last: the transcript is long, and its seed gives it again.
      t.fail(`${cluster?.transcript.slice(-100).join('\n') ?? ''}\nseed ${seed}: ${differences.join('; ')}`)
      return
    }
    const committed = cluster?.writes.filter(write => write.settlement?.outcome === 'committed').length ?? 0
    for (const [what, count] of Object.entries({ ...cluster?.counts, committed })) total[what as keyof typeof total] += count
  }
  // What is not exercised is not tested.
  for (const [what, count] of Object.entries(total)) t.ok(count > 0, `${count} ${what} over ${fixed.length + fresh.length} seeds`)
  t.ok(total.committed > 5_000, 'most writes get through')
})

/** Where the core or the harness finds fault on the way, that is what is wrong. */
function attempt (seed: number): { differences: string[], cluster?: CoreCluster } {
  try {
    return coreChaos(seed)
  } catch (error) {
    return { differences: [error instanceof Error ? error.stack ?? error.message : String(error)] }
  }
}

tape('the same seed gives the same run', { timeout: 60_000 }, async (t) => {
  for (const seed of [1, 2, 3]) t.deepEqual(coreChaos(seed).cluster.transcript, coreChaos(seed).cluster.transcript)
})

/** Runs seeds, from a hint on, with a bug in the core until one of them shows it. */
function caught (plant: () => () => void, from = 0): number {
  const remove = plant()
  try {
    return planted.findIndex(seed => seed >= from && attempt(seed).differences.length > 0)
  } finally {
    remove()
  }
}

tape('planted bugs are caught', { timeout: 240_000 }, async (t) => {
  const voteBeforeSync = caught(() => {
    const { persist } = Core.prototype
    Core.prototype.persist = function (step, then) {
      persist.call(this, step)
      then?.()
    }
    return () => { Core.prototype.persist = persist }
  })
  t.ok(voteBeforeSync >= 0, `a vote before the sync: seed ${voteBeforeSync}`)

  const forgetNumbers = caught(() => {
    const { get } = OriginTable.prototype
    OriginTable.prototype.get = function (id) {
      const row = get.call(this, id)
      return row === undefined ? undefined : { ...row, highest: 0 }
    }
    return () => { OriginTable.prototype.get = get }
  }, 58)
  t.ok(forgetNumbers >= 0, `forgotten numbers of submissions: seed ${forgetNumbers}`)

  const leadAgain = caught(() => {
    const start = Object.getOwnPropertyDescriptor(Core.prototype, 'vow') as PropertyDescriptor
    Object.defineProperty(Core.prototype, 'vow', {
      configurable: true,
      get (this: Core) {
        // A promise that is forgotten as soon as it is given.
        const vow = (start.get as () => { epoch: number, to: string }).call(this)
        return { ...vow, epoch: Math.max(0, vow.epoch - 1) }
      }
    })
    return () => { Object.defineProperty(Core.prototype, 'vow', start) }
  })
  t.ok(leadAgain >= 0, `forgotten promises: seed ${leadAgain}`)

  const eternalLease = caught(() => {
    const { valid } = Leases.prototype
    Leases.prototype.valid = () => true
    return () => { Leases.prototype.valid = valid }
  }, 64)
  t.ok(eternalLease >= 0, `a lease that does not end: seed ${eternalLease}`)

  const noWait = caught(() => {
    const { left } = Leases.prototype
    Leases.prototype.left = () => []
    return () => { Leases.prototype.left = left }
  }, 300)
  t.ok(noWait >= 0, `leases that are not waited for: seed ${noWait}`)

  const hasty = caught(() => {
    const start = Object.getOwnPropertyDescriptor(Core.prototype, 'minConsensus') as PropertyDescriptor
    Object.defineProperty(Core.prototype, 'minConsensus', { configurable: true, get: () => 0 })
    return () => { Object.defineProperty(Core.prototype, 'minConsensus', start) }
  }, 327)
  t.ok(hasty >= 0, `writes that settle with too few copies: seed ${hasty}`)

  const forgetKeys = caught(() => {
    const { get } = KeyTable.prototype
    KeyTable.prototype.get = () => undefined
    return () => { KeyTable.prototype.get = get }
  })
  t.ok(forgetKeys >= 0, `forgotten keys of writes: seed ${forgetKeys}`)

  const falseFate = caught(() => {
    const { fate } = OriginTable.prototype
    OriginTable.prototype.fate = function (id, number) { return this.get(id) === undefined ? 'forgotten' : 'committed' }
    return () => { OriginTable.prototype.fate = fate }
  })
  t.ok(falseFate >= 0, `rejected writes that are told as committed: seed ${falseFate}`)
})
