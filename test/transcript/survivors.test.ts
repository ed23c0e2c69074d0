import tape from 'tape'
import type { CoreCluster } from '../support/core-cluster.ts'
import { goOn, ready, runSteps, stepsOf, survive, without } from './survive.ts'

// Each step of a write × who dies there × what of its persists reached the disk: the others go on without the dead one,
// and when it is back, everything is alike and every caller was told the truth.

const timeout = 120_000

const scenarios: Record<string, (cluster: CoreCluster) => void> = {
  'a write on the coordinator': cluster => { cluster.write('a', 'x', 'a1') },
  'a write on a participant': cluster => { cluster.write('b', 'x', 'b1') },
  'writes on all nodes to one key': cluster => {
    for (const { name } of cluster.nodes) {
      cluster.write(name, 'x', `${name}1`)
      cluster.write(name, 'x', `${name}2`)
    }
  }
}

for (const [name, scenario] of Object.entries(scenarios)) {
  const long = name.startsWith('writes')
  for (const [names, minConsensus, stride] of [['abc', 1, long ? 2 : 1], ['abcde', 2, long ? 11 : 3]] as const) {
    tape(`the others go on: ${name}, ${minConsensus} of ${names.length}`, { timeout }, async (t) => {
      const prepare = (): CoreCluster => {
        const cluster = ready(names, { minConsensus })
        scenario(cluster)
        return cluster
      }
      const labels = stepsOf(prepare())
      t.ok(labels.length > 10, `the round has ${labels.length} steps`)
      let cases = 0
      for (let at = 0; at <= labels.length; at += stride) {
        for (const victim of names.slice(0, 3)) {
          for (const landed of [0, 1, 2]) {
            const cluster = prepare()
            runSteps(cluster, at)
            // The same happens for each number beyond.
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
      t.ok(cases > labels.length / stride * 3, `${cases} crashes survived`)
    })
  }
}

/** The coordinator dies with a write under way, and time passes: the steps from there on are those of a change of views. */
function change (names: string, minConsensus: number, beats: number): CoreCluster {
  const cluster = ready(names, { minConsensus })
  cluster.write('b', 'x', 'b1')
  cluster.run(step => step.label.startsWith('a persists'))
  cluster.crash('a')
  // Up to here the others only miss it.
  for (let i = 0; i < beats; i++) {
    cluster.run(step => step.label.includes('propose('))
    if (cluster.steps().some(({ label }) => label.includes('propose('))) return cluster
    cluster.tick(50)
  }
  return cluster
}

for (const [names, minConsensus, stride] of [['abc', 1, 1], ['abcde', 2, 4]] as const) {
  tape(`a second death in the change of views that follows the first, ${minConsensus} of ${names.length}`, { timeout }, async (t) => {
    const labels = stepsOf(change(names, minConsensus, 100))
    t.ok(labels.some(label => label.includes('view(')), `a view is agreed on within ${labels.length} steps`)
    let cases = 0
    for (let at = 0; at <= labels.length; at += stride) {
      for (const victim of 'bc') {
        for (const landed of [0, 1]) {
          const cluster = change(names, minConsensus, 100)
          runSteps(cluster, at)
          if (landed > cluster.node(victim).persists.length) continue
          cluster.crash(victim, landed)
          cases++
          // Two of three are no majority.
          const back = names.length === 3 ? (cases % 2 === 0 ? 'a' : victim) : ''
          if (back !== '') {
            cluster.pass(500)
            cluster.start(back)
          }
          const dead = ['a', victim].filter(name => name !== back)
          let differences = goOn(cluster, without(names, dead.join('')), 'later ')
          if (differences.length === 0) {
            for (const name of dead) cluster.start(name)
            differences = cluster.settle()
          }
          if (differences.length > 0) {
            t.fail(`${victim} dead after step ${at} (${labels[at - 1] ?? 'none'}), ${landed} persists landed, ${back} back: ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
            return
          }
        }
      }
    }
    t.ok(cases > labels.length / stride, `${cases} crashes survived`)
  })
}
