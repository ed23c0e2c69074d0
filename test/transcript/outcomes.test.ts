import tape from 'tape'
import type { CoreCluster, CoreNode, WriteRecord } from '../support/core-cluster.ts'
import { ready, runSteps, stepsOf, without } from './survive.ts'

// Each step of a write × who dies there × what of its persists reached the disk: what the caller was told, and what the others tell
// of the write, before and after the dead one is back. The table of it is printed.

const timeout = 120_000
const names = 'abc'

/** The name under which the next write of a node will be submitted; null if it would not be. */
function nextTransaction ({ core }: CoreNode): string | null {
  const id = core?.submissions.id ?? 0
  return id === 0 ? null : `${id}:1`
}

/** A cluster that a leads, and a write on one of its nodes. */
function writing (origin: string, timeoutMs: number): { cluster: CoreCluster, write: WriteRecord, transaction: string } {
  const cluster = ready(names, { minConsensus: 1 })
  const transaction = nextTransaction(cluster.node(origin))
  if (transaction === null) throw new Error(`${origin} has no id`)
  return { cluster, write: cluster.write(origin, 'x', 'asked', timeoutMs), transaction }
}

/** What these tell of it, after each has been asked; one word if all tell the same. */
function told (cluster: CoreCluster, among: string, transaction: string): string {
  // Whoever waits asks again: a question that is on its way to one that dies, or before a view, is lost.
  for (let i = 0; i < 3; i++) {
    for (const name of among) cluster.ask(name, transaction)
    // A view that has just begun waits for leases of the one before.
    cluster.pass(500)
  }
  const [origin, number] = transaction.split(':').map(Number) as [number, number]
  return [...new Set([...among].map(name => cluster.node(name).core?.table.fate(origin, number) ?? 'down'))].join(' and ')
}

/** What is wrong with what was told, given what happened; empty if nothing is. */
function falsehood (saw: string, says: string, later: string, isApplied: boolean): string {
  if (says !== (isApplied ? 'committed' : 'aborted')) return `the others tell ${says}`
  if (later !== says) return `later, all tell ${later}`
  return (saw === 'committed' || saw === 'aborted') && saw !== says ? `the caller was told ${saw}` : ''
}

for (const [where, origin] of [['the coordinator', 'a'], ['a participant', 'b']] as const) {
  for (const [how, timeoutMs] of [['waits', 1e6], ['gives up soon', 100]] as const) {
    tape(`what becomes of a write on ${where} whose caller ${how}`, { timeout }, async (t) => {
      const labels = stepsOf(writing(origin, timeoutMs).cluster)
      const rows = new Map<string, number>()
      for (let at = 0; at <= labels.length; at++) {
        for (const victim of names) {
          for (const landed of [0, 1]) {
            const { cluster, write, transaction } = writing(origin, timeoutMs)
            runSteps(cluster, at)
            if (landed > cluster.node(victim).persists.length) continue
            cluster.crash(victim, landed)
            const others = without(names, victim)
            const differences = cluster.settleAmong(others)
            // Nobody tells the caller on a node that is dead.
            const saw = victim === origin && write.settlement?.outcome !== 'committed' ? 'nothing' : write.settlement?.outcome ?? 'nothing'
            const says = told(cluster, others, transaction)
            cluster.start(victim)
            differences.push(...cluster.settle())
            const later = told(cluster, names, transaction)
            const isApplied = cluster.node('c').disk.data.get('x') === 'asked'
            const wrong = [...differences, falsehood(saw, says, later, isApplied)].filter(text => text !== '')
            const row = `${labels[at - 1] ?? 'called'} | ${victim}${victim === 'a' ? ', the coordinator,' : ''}${victim === origin ? ' where it was called' : ''} | ${saw} | ${says}`
            if (wrong.length > 0) {
              t.fail(`${row}: ${wrong.join('; ')}\n${cluster.transcript.join('\n')}`)
              return
            }
            rows.set(row, (rows.get(row) ?? 0) + 1)
          }
        }
      }
      t.comment('after this step | dies | the caller is told | the others tell')
      for (const row of rows.keys()) t.comment(row)
      t.ok([...rows.keys()].some(row => row.endsWith('committed')) && [...rows.keys()].some(row => row.endsWith('aborted')), `${rows.size} cases, with both outcomes`)
    })
  }
}
