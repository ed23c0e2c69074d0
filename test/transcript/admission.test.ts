import tape from 'tape'
import type { CoreCluster } from '../support/core-cluster.ts'
import { ready, survive } from './survive.ts'

// A member was away, and catches up by log or by a copy until it is admitted: each step of that × who dies there × what of
// its persists reached the disk. The others go on, and in the end everything is alike.

const timeout = 120_000

/** c was away for some writes, and is back. */
function returning (logBytesMax: number): CoreCluster {
  const cluster = ready('abc', { minConsensus: 1, logBytesMax, groupBytesMax: 100 })
  cluster.crash('c')
  cluster.settleAmong('ab')
  for (let i = 0; i < 6; i++) {
    cluster.write(i % 2 === 0 ? 'a' : 'b', `key ${i % 3}`, `away ${i}`)
    cluster.settleAmong('ab')
  }
  // Heartbeats tell what is applied durably, and may go.
  cluster.pass(400)
  cluster.write('b', 'x', 'undecided')
  cluster.start('c')
  cluster.write('c', 'x', 'of c')
  return cluster
}

/** Takes a step, or lets time pass; returns what it was. */
function advance (cluster: CoreCluster): string {
  const [step] = cluster.steps()
  if (step === undefined) {
    cluster.tick(50)
    return 'time passes'
  }
  const { label } = step
  step.run()
  return label
}

/** Every step up to the end of the admission. */
function stepsOf (cluster: CoreCluster): string[] {
  const labels: string[] = []
  while (cluster.differences().length > 0 || cluster.steps().length > 0) labels.push(advance(cluster))
  return labels
}

for (const [how, logBytesMax, expected] of [['log', 1e9, 'fetched'], ['a copy', 300, 'snapshot']] as const) {
  tape(`each step of an admission after catching up by ${how}`, { timeout }, async (t) => {
    const labels = stepsOf(returning(logBytesMax))
    t.ok(labels.some(label => label.includes(expected)), `${expected} is one of ${labels.length} steps`)
    t.equal(labels.some(label => label.includes('snapshot')), expected === 'snapshot')
    let cases = 0
    for (let at = 0; at <= labels.length; at++) {
      // What these carry is of no interest to the next step.
      if (/heartbeat|grant|flushes|time/.test(labels[at] ?? '')) continue
      for (const victim of 'abc') {
        for (const landed of [0, 1]) {
          const cluster = returning(logBytesMax)
          for (let i = 0; i < at; i++) advance(cluster)
          if (landed > cluster.node(victim).persists.length) continue
          cases++
          const differences = survive(cluster, victim, landed)
          if (differences.length > 0) {
            t.fail(`${victim} dead after step ${at} (${labels[at - 1] ?? 'none'}), ${landed} persists landed: ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
            return
          }
        }
      }
    }
    t.ok(cases > 100, `${cases} crashes survived`)
  })
}
