import tape from 'tape'
import { Core } from '../../lib/core/core.ts'
import { OriginTable } from '../../lib/core/origins.ts'
import { coreChaos } from '../support/core-chaos.ts'

const fixed = Array.from({ length: 1500 }, (_, i) => i)

tape('random schedules, crashes and lost sessions leave equal replicas and true outcomes', { timeout: 120_000 }, async (t) => {
  const fresh = Array.from({ length: 500 }, () => Math.floor(Math.random() * 2 ** 32))
  let committed = 0
  for (const seed of [...fixed, ...fresh]) {
    const { differences, cluster } = coreChaos(seed)
    committed += cluster.writes.filter(write => write.settlement?.outcome === 'committed').length
    if (differences.length > 0) {
      t.fail(`seed ${seed}: ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
      return
    }
  }
  t.ok(committed > 10_000, `${committed} writes committed over ${fixed.length + fresh.length} seeds`)
})

tape('the same seed gives the same run', { timeout: 60_000 }, async (t) => {
  for (const seed of [1, 2, 3]) t.deepEqual(coreChaos(seed).cluster.transcript, coreChaos(seed).cluster.transcript)
})

/** Runs seeds with a bug in the core until one of them shows it. */
function caught (plant: () => () => void): number {
  const remove = plant()
  try {
    return fixed.findIndex(seed => {
      try {
        return coreChaos(seed).differences.length > 0
      } catch {
        return true
      }
    })
  } finally {
    remove()
  }
}

tape('planted bugs are caught', { timeout: 120_000 }, async (t) => {
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
  })
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
})
