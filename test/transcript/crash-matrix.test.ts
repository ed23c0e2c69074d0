import tape from 'tape'
import { CoreCluster } from '../support/core-cluster.ts'

// Each step of a round × who dies there × what of its persists reached the disk × restart: the cluster comes back by
// itself, replicas and logs are equal, and every caller was told the truth.

type Scenario = (cluster: CoreCluster) => void

const scenarios: Record<string, Scenario> = {
  'a write on the coordinator': cluster => { cluster.write(coordinator(cluster), 'x', '1') },
  'a write on a participant': cluster => { cluster.write(participant(cluster), 'x', '1') },
  'writes on all nodes to one key': cluster => {
    for (const { name } of cluster.nodes) {
      cluster.write(name, 'x', `${name}1`)
      cluster.write(name, 'x', `${name}2`)
    }
  },
  'the founding of the cluster': () => {}
}

function coordinator (cluster: CoreCluster): string {
  return cluster.coordinator?.name ?? 'a'
}

function participant (cluster: CoreCluster): string {
  return cluster.nodes.find(node => node !== cluster.coordinator)?.name ?? 'b'
}

function prepare (scenario: string, nodes: string): CoreCluster {
  const cluster = new CoreCluster(nodes).startAll()
  if (scenario !== 'the founding of the cluster') cluster.run()
  ;(scenarios[scenario] as Scenario)(cluster)
  return cluster
}

function stepsOf (scenario: string, nodes: string): string[] {
  const labels: string[] = []
  const cluster = prepare(scenario, nodes)
  cluster.run(step => {
    labels.push(step.label)
    return false
  })
  return labels
}

function runUntil (cluster: CoreCluster, count: number): void {
  let left = count
  cluster.run(() => left-- === 0)
}

for (const scenario of Object.keys(scenarios)) {
  for (const nodes of ['ab', 'abc']) {
    tape(`crash matrix: ${scenario}, ${nodes.length} nodes`, { timeout: 60_000 }, async (t) => {
      const labels = stepsOf(scenario, nodes)
      t.ok(labels.length > 5, `the round has ${labels.length} steps`)
      let cases = 0

      for (let at = 0; at <= labels.length; at++) {
        for (const victims of [...nodes].flatMap((victim, i) => [victim, [...nodes].slice(0, i).join('') + victim])) {
          for (const landed of [0, 1, 2]) {
            const cluster = prepare(scenario, nodes)
            runUntil(cluster, at)
            for (const victim of new Set(victims)) cluster.crash(victim, landed)
            // The others go on for as long as they can.
            cluster.run()
            for (const victim of new Set(victims)) cluster.start(victim)

            cases++
            const differences = cluster.settle()
            if (differences.length > 0) {
              t.fail(`${[...victims].join(' and ')} dead after step ${at} (${labels[at - 1] ?? 'none'}), ${landed} persists landed: ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
              return
            }
          }
        }
      }
      t.pass(`${cases} crashes survived`)
    })

    tape(`session matrix: ${scenario}, ${nodes.length} nodes`, { timeout: 60_000 }, async (t) => {
      const labels = stepsOf(scenario, nodes)
      for (let at = 0; at <= labels.length; at++) {
        for (const [one, two] of [['a', 'b'], ['a', 'c'], ['b', 'c']] as const) {
          if (!nodes.includes(two)) continue
          for (const wait of [false, true]) {
            const cluster = prepare(scenario, nodes)
            runUntil(cluster, at)
            cluster.disconnect(one, two)
            if (wait) cluster.run()
            cluster.connect(one, two)
            const differences = cluster.settle()
            if (differences.length > 0) {
              t.fail(`session ${one}-${two} lost after step ${at} (${labels[at - 1] ?? 'none'}): ${differences.join('; ')}\n${cluster.transcript.join('\n')}`)
              return
            }
          }
        }
      }
      t.pass(`a session lost after each of ${labels.length} steps`)
    })
  }
}
