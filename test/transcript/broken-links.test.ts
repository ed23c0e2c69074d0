import tape from 'tape'
import type { CoreCluster } from '../support/core-cluster.ts'
import { founded } from './members.ts'

// Members that do not all reach one another: whoever reaches enough of them leads, and nobody takes turns without end.

const timeout = 60_000

function breakLink (cluster: CoreCluster, a: string, b: string): void {
  cluster.apart.add(`${a}>${b}`)
  cluster.disconnect(a, b)
}

/** Who leads, and the two others. */
function rolesOf (cluster: CoreCluster): [string, string, string] {
  const lead = cluster.coordinator?.name ?? ''
  const [one = '', two = ''] = 'abc'.replace(lead, '')
  return [lead, one, two]
}

function isSoonCommitted (cluster: CoreCluster, caller: string, ms: number): boolean {
  const write = cluster.write(caller, 'y', 'later', ms)
  cluster.pass(ms)
  return write.settlement?.outcome === 'committed'
}

/** Takes so many steps, with time going by for so long. Returns how many there were. */
function walk (cluster: CoreCluster, ms: number, steps = Infinity): number {
  let taken = 0
  for (const until = cluster.now + ms; taken < steps && cluster.now < until;) {
    const [step] = cluster.steps()
    if (step === undefined) cluster.tick(50)
    else {
      step.run()
      taken++
    }
  }
  return taken
}

/** Many writes come from there, until that leads, or for so long. */
function keepBusy (cluster: CoreCluster, name: string, ms: number): void {
  const until = cluster.now + ms
  while (cluster.now < until && cluster.coordinator?.name !== name) {
    for (let i = 0; i < 2; i++) cluster.write(name, 'x', `at ${cluster.now}.${i}`)
    cluster.pass(50)
  }
}

tape('two that reach a third, and not all the same others, do not propose at the same moments again and again', { timeout }, async (t) => {
  const cluster = founded('abc', 1)
  cluster.crash('a')
  cluster.pass(4000)
  t.equal(cluster.coordinator?.name, 'b')
  cluster.apart.add('a>c')
  cluster.start('a')
  cluster.pass(1000)
  // b reaches a, b and c, c reaches b and c: each is the second one that it reaches.
  cluster.crash('b')
  cluster.start('b')
  t.ok(isSoonCommitted(cluster, 'b', 2000))
})

for (const isLonger of [false, true]) {
  tape(`free of leases: the coordinator restarts, and the others, whose logs are ${isLonger ? 'longer' : 'as long'}, do not reach one another`, { timeout }, async (t) => {
    const cluster = founded('abc', null)
    const [lead, one, two] = rolesOf(cluster)
    breakLink(cluster, one, two)
    cluster.pass(3000)
    t.ok(isSoonCommitted(cluster, lead, 1000), 'it reaches all')
    if (isLonger) {
      // What it sends runs ahead of its own disk.
      cluster.write(lead, 'x', 'under way')
      cluster.node(lead).stalled = true
      cluster.run()
    }
    cluster.crash(lead, 0)
    cluster.pass(500)
    cluster.start(lead)
    t.ok(isSoonCommitted(cluster, lead, 5000), 'it still does')
    t.equal(cluster.coordinator?.name, lead)
  })
}

tape('free of leases: the coordinator does not reach a member, and somebody else reaches all', { timeout }, async (t) => {
  const cluster = founded('abc', null)
  const [lead, hub, far] = rolesOf(cluster)
  breakLink(cluster, lead, far)
  t.ok(isSoonCommitted(cluster, hub, 5000))
  t.equal(cluster.coordinator?.name, hub)
  const { views } = cluster.counts
  cluster.pass(20_000)
  t.ok(isSoonCommitted(cluster, hub, 1000))
  t.equal(cluster.counts.views, views, 'and it stays so')
})

tape('free of leases: whoever dies at whatever step while the coordination goes to the one that reaches all', { timeout }, async (t) => {
  const [lead, hub, far] = rolesOf(founded('abc', null))
  const begun = (): CoreCluster => {
    const cluster = founded('abc', null)
    breakLink(cluster, lead, far)
    cluster.write(hub, 'x', 'under way')
    cluster.pass(900)
    return cluster
  }
  const whole = begun()
  const steps = walk(whole, 2000)
  t.equal(whole.coordinator?.name, hub)
  let cases = 0
  for (let at = 0; at <= steps; at += 4) {
    for (const victim of 'abc') {
      const cluster = begun()
      walk(cluster, 2000, at)
      cluster.crash(victim, at % 3)
      cluster.run()
      cluster.start(victim)
      cluster.pass(5000)
      cases++
      if (!isSoonCommitted(cluster, hub, 5000)) {
        t.fail(`${victim} dies at step ${at}: led by ${String(cluster.coordinator?.name)}\n${cluster.transcript.slice(-100).join('\n')}`)
        return
      }
      cluster.apart.clear()
      cluster.connect(lead, far)
      const problems = cluster.settle()
      if (problems.length > 0) {
        t.fail(`${victim} dies at step ${at}: ${problems.join('; ')}`)
        return
      }
    }
  }
  t.ok(cases > 100, `${cases} deaths`)
})

tape('free of leases: a session that is soon back moves nothing', { timeout }, async (t) => {
  const cluster = founded('abc', null)
  const { views } = cluster.counts
  const [lead, hub, far] = rolesOf(cluster)
  for (let i = 0; i < 10; i++) {
    breakLink(cluster, lead, far)
    cluster.pass(500)
    cluster.apart.clear()
    cluster.connect(lead, far)
    cluster.pass(500)
  }
  t.equal(cluster.counts.views, views)
  t.ok(isSoonCommitted(cluster, hub, 1000))
})

for (const minConsensus of [null, 1]) {
  tape(`the coordination does not go to whoever does not reach all live members; minConsensus: ${String(minConsensus)}`, { timeout }, async (t) => {
    const cluster = founded('abc', minConsensus)
    const [lead, busy, far] = rolesOf(cluster)
    breakLink(cluster, busy, far)
    cluster.pass(3000)
    const { views } = cluster.counts
    keepBusy(cluster, busy, 60_000)
    t.equal(cluster.coordinator?.name, lead)
    t.equal(cluster.counts.views, views, 'no views that change nothing')
    t.ok(isSoonCommitted(cluster, lead, 2000))
  })
}

for (const at of [4900, 4950, 5000, 5050]) {
  tape(`free of leases: where the coordination goes, a link breaks after ${at} ms`, { timeout }, async (t) => {
    const cluster = founded('abc', null)
    const [lead, busy, far] = rolesOf(cluster)
    keepBusy(cluster, busy, at)
    breakLink(cluster, busy, far)
    keepBusy(cluster, busy, 5000)
    t.ok(isSoonCommitted(cluster, lead, 5000), `${lead} reaches all`)
  })
}

tape('hand-overs that led to nothing do not delay the one that is needed', { timeout }, async (t) => {
  const cluster = founded('abcde', 1)
  const [busy = '', , far = ''] = 'abcde'.replace(cluster.coordinator?.name ?? '', '')
  breakLink(cluster, busy, far)
  cluster.pass(3000)
  keepBusy(cluster, busy, 75_000)
  const leader = cluster.coordinator?.name ?? ''
  cluster.crash(leader)
  const caller = [...'abcde'].find(name => ![leader, busy, far].includes(name)) ?? ''
  t.ok(isSoonCommitted(cluster, caller, 2000))
})
