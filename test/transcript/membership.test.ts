import tape from 'tape'
import { holders } from '../../lib/core/view.ts'
import { CoreCluster } from '../support/core-cluster.ts'
import type { CoreNode, Step } from '../support/core-cluster.ts'
import { founded, membersOf, present, writesOfAll } from './members.ts'

// Clusters that change, and who dies at which step of that. Each time, those that are left come to rest as one cluster, with
// nothing acknowledged lost, and the change is made or not, but not half.

const timeout = 120_000

for (const minConsensus of [null, 1]) {
  const kind = minConsensus === null ? 'free of leases' : 'with leases'

  tape(`${kind}: two nodes join at once, and everybody writes`, { timeout }, async (t) => {
    const cluster = founded('abc', minConsensus)
    cluster.join('d')
    cluster.join('e')
    t.deepEqual(cluster.settle(), [])
    t.equal(membersOf(cluster, 'a'), 'abcde')
    t.deepEqual(cluster.node('d').core?.known?.live.length, 5, 'all are live')
    t.deepEqual(writesOfAll(cluster), [])
  })

  tape(`${kind}: a participant leaves, and the coordinator`, { timeout }, async (t) => {
    const cluster = founded('abcd', minConsensus)
    const leader = cluster.coordinator as CoreNode
    const other = cluster.nodes.find(node => node !== leader) as CoreNode
    for (const { name } of [other, leader]) {
      const before = cluster.write(name, 'x', `last of ${name}`)
      cluster.run()
      cluster.remove(name, name)
      t.deepEqual(cluster.settle(), [])
      t.ok(cluster.node(name).gone, `${name} has left`)
      t.equal(before.settlement?.outcome, 'committed')
      cluster.crash(name)
      t.deepEqual(writesOfAll(cluster), [])
    }
    t.equal(membersOf(cluster, present(cluster)[0]?.name ?? '').length, 2)
  })
}

// What can die where.

interface Plan {
  readonly names: string
  readonly minConsensus: number | null
  readonly witnesses?: string
  readonly begin: (cluster: CoreCluster) => void
  /** Who dies, by turns. */
  readonly victims: string
  /** What the members may be in the end. */
  readonly ends: readonly string[]
}

const plans: Record<string, Plan> = {
  'a join, with leases': { names: 'abc', minConsensus: 1, begin: cluster => { cluster.join('d') }, victims: 'abd', ends: ['abcd'] },
  'a join, free of leases': { names: 'ab', minConsensus: null, begin: cluster => { cluster.join('d') }, victims: 'abd', ends: ['abd'] },
  'the join of a witness': { names: 'ab', minConsensus: 0, begin: cluster => { cluster.join('w', { witness: true }) }, victims: 'abw', ends: ['abw'] },
  // Whoever has died does not remember that it wanted to leave.
  'a participant leaves': { names: 'abc', minConsensus: 1, begin: cluster => { cluster.remove('b', 'b') }, victims: 'abc', ends: ['ac', 'abc'] },
  'the coordinator leaves': { names: 'abc', minConsensus: null, begin: cluster => { cluster.remove('a', 'a') }, victims: 'abc', ends: ['bc', 'abc'] },
  'one joins while one leaves': {
    names: 'abc',
    minConsensus: 1,
    begin: cluster => {
      cluster.join('d')
      cluster.remove('b', 'b')
    },
    victims: 'abd',
    ends: ['acd', 'abcd']
  }
}

/** It is under way, and nothing has happened yet. */
function begun (plan: Plan): CoreCluster {
  const cluster = founded(plan.names, plan.minConsensus, plan.witnesses)
  cluster.write('b', 'x', 'under way')
  plan.begin(cluster)
  return cluster
}

for (const [what, plan] of Object.entries(plans)) {
  tape(`${what}: whoever dies at whatever step`, { timeout }, async (t) => {
    // The change takes time: an admission, for example, is decided with a tick.
    const steps = walk(begun(plan), Infinity)
    t.ok(steps > 60, `it takes ${steps} steps`)

    let cases = 0
    for (let at = 0; at <= steps; at += 11) {
      for (const victim of plan.victims) {
        const cluster = begun(plan)
        walk(cluster, at)
        if (cluster.node(victim).gone) continue
        cluster.crash(victim, at % 3)
        cluster.run()
        cluster.start(victim)
        cases++
        const problems = cluster.settle().concat(writesOfAll(cluster))
        const [first] = present(cluster)
        const members = membersOf(cluster, first?.name ?? '')
        if (problems.length > 0 || !plan.ends.includes(members)) {
          t.fail(`${victim} dies at step ${at}: members ${members}; ${problems.join('; ')}\n${cluster.transcript.slice(-200).join('\n')}`)
          return
        }
      }
    }
    t.pass(`${cases} deaths`)
  })
}

for (const what of ['a join, with leases', 'the coordinator leaves', 'one joins while one leaves'] as const) {
  const plan = plans[what] as Plan
  tape(`${what}: a session is lost, with all that is under way in it, at whatever step`, { timeout }, async (t) => {
    const steps = walk(begun(plan), Infinity)
    let cases = 0
    for (let at = 0; at <= steps; at += 11) {
      const names = begun(plan).nodes.map(({ name }) => name)
      for (const [one, two] of names.flatMap((one, i) => names.slice(i + 1).map(two => [one, two] as const))) {
        const cluster = begun(plan)
        walk(cluster, at)
        cluster.disconnect(one, two)
        cluster.run()
        cluster.connect(one, two)
        cases++
        const problems = cluster.settle().concat(writesOfAll(cluster))
        const membersNow = (): string => membersOf(cluster, present(cluster)[0]?.name ?? '')
        // All may be well before the change is tried again.
        for (let i = 0; i < 10 && membersNow() !== plan.ends[0]; i++) cluster.pass(500)
        const members = membersNow()
        // Nobody has died, so nothing is forgotten.
        if (problems.length > 0 || members !== plan.ends[0]) {
          t.fail(`${one} and ${two} are separated at step ${at}: members ${members}; ${problems.join('; ')}\n${cluster.transcript.slice(-200).join('\n')}`)
          return
        }
      }
    }
    t.pass(`${cases} losses`)
  })
}

tape('a member that misses two changes of the members decides nothing, and comes back', { timeout }, async (t) => {
  for (const minConsensus of [0, 1]) {
    const cluster = founded('abc', minConsensus)
    // It goes on for itself, and nobody tells it anything.
    for (const other of 'ab') cluster.disconnect('c', other)
    cluster.pass(3000)
    for (const name of 'de') {
      cluster.join(name)
      cluster.disconnect('c', name)
    }
    cluster.pass(5000)
    t.equal(membersOf(cluster, 'a'), 'abcde')
    for (const name of 'ab') {
      cluster.remove(name, name)
      cluster.pass(3000)
      t.ok(cluster.node(name).gone, `${name} has left`)
    }
    // The old majority and the new one have nobody in common: the first has promised to read and decide nothing more.
    t.equal(membersOf(cluster, 'd'), 'cde')
    const later = cluster.write('d', 'x', 'later')
    cluster.pass(1000)
    t.equal(later.settlement?.outcome, 'committed')
    for (const name of 'ab') {
      cluster.crash(name)
      cluster.node(name).gone = false
      cluster.start(name)
      for (const other of 'de') cluster.disconnect(name, other)
      cluster.connect(name, 'c')
    }
    // All of the first members, and nobody else.
    cluster.pass(5000)
    for (const name of 'abc') t.notOk(cluster.node(name).core?.ready, `${name} is not ready`)
    t.equal(cluster.node('c').disk.data.get('x'), 'before', 'nothing was decided without the others')
    for (const name of 'abc') for (const other of 'de') cluster.connect(name, other)
    cluster.pass(3000)
    for (const name of 'ab') t.ok(cluster.node(name).gone, `${name} learns that it is removed`)
    t.deepEqual(cluster.settle(), [])
    t.equal(cluster.node('c').disk.data.get('x'), 'later')
  }
})

tape('the new coordinator dies before anybody has heard of the view that the old one has left by', { timeout }, async (t) => {
  const cluster = founded('abc', 1)
  const leaver = cluster.coordinator as CoreNode
  cluster.remove(leaver.name, leaver.name)
  // The view is chosen, and nobody knows it.
  const heir = upTo(cluster, / lead\(/).slice(2, 3)
  cluster.crash(heir)
  cluster.pass(3000)
  const third = cluster.nodes.find(({ name }) => name !== heir && name !== leaver.name) as CoreNode
  t.notOk(leaver.core?.readable(Infinity, Infinity), 'the leaver has promised, and reads nothing')
  t.notOk(third.core?.ready, 'one of the two that are left, and the leaver, are not enough')
  cluster.start(heir)
  t.deepEqual(cluster.settle(), [])
  t.equal(membersOf(cluster, heir), 'abc'.replace(leaver.name, ''))
  t.deepEqual(writesOfAll(cluster), [])
})

tape('who leaves, or is removed, is there until the others know, if the coordinator dies first', { timeout }, async (t) => {
  for (const by of ['itself', 'another']) {
    const cluster = founded('abcd', 1)
    const coordinator = cluster.coordinator as CoreNode
    const [leaver, asker] = cluster.nodes.filter(node => node !== coordinator) as [CoreNode, CoreNode]
    cluster.remove(by === 'itself' ? leaver.name : asker.name, leaver.name)
    // Nobody but the leaver hears of it.
    const tells = (label: string): boolean => label.startsWith(`${coordinator.name}>`) && / (view|status)\(/.test(label)
    const choose = (steps: Step[]): Step => steps.find(({ label }) => !(tells(label) && !label.startsWith(`${coordinator.name}>${leaver.name}`))) as Step
    for (let i = 0; i < 100 && leaver.core?.known?.members.includes(leaver.id) === true; i++) {
      cluster.run(() => cluster.steps().every(({ label }) => tells(label) && !label.startsWith(`${coordinator.name}>${leaver.name}`)) || leaver.core?.known?.members.includes(leaver.id) === false, choose)
      cluster.tick(50)
    }
    t.ok(asker.core?.known?.members.includes(leaver.id), 'it alone knows')
    t.notOk(leaver.gone, 'and stays')
    cluster.crash(coordinator.name)
    coordinator.gone = true
    t.deepEqual(cluster.settle(undefined, present(cluster).filter(node => node !== leaver)), [])
    t.ok(leaver.gone, 'then it goes')
    t.equal(membersOf(cluster, asker.name), 'abcd'.replace(leaver.name, ''))
    t.deepEqual(writesOfAll(cluster), [])
  }
})

tape('who left is not needed any more, also if all others are restarted in that moment, and one is lost', { timeout }, async (t) => {
  for (const [minConsensus, witnesses] of [[null, ''], [null, 'd'], [1, '']] as const) {
    const cluster = founded('abcd', minConsensus, witnesses)
    const coordinator = cluster.coordinator as CoreNode
    const [leaver, , last] = cluster.nodes.filter(node => node !== coordinator) as [CoreNode, CoreNode, CoreNode]
    cluster.remove(leaver.name, leaver.name)
    // One accepts nothing; and what is told comes before what is stored, wherever there is a choice.
    const direction = `${coordinator.name}>${last.name}`
    for (let i = 0; i < 100 && !leaver.gone; i++) {
      cluster.run(({ label }) => {
        if (label.startsWith(`${direction} accept(`)) cluster.frozen.add(direction)
        return leaver.gone || cluster.frozen.has(direction)
      }, steps => steps.find(({ label }) => !label.includes(' persists ')) ?? steps[0] as Step)
      cluster.run(() => leaver.gone, steps => steps.find(({ label }) => !label.includes(' persists ')) ?? steps[0] as Step)
      if (!leaver.gone) cluster.tick(50)
    }
    t.ok(cluster.frozen.delete(direction) && leaver.gone, 'it goes')
    const others = present(cluster)
    for (const { name } of others) cluster.crash(name)
    // The disk of the one that knew it first is lost.
    coordinator.gone = true
    for (const { name } of present(cluster)) cluster.start(name)
    cluster.pass(1000)
    cluster.remove((present(cluster)[0] as CoreNode).name, coordinator.name, minConsensus === null)
    t.deepEqual(cluster.settle(undefined, present(cluster)), [])
    t.equal(membersOf(cluster, (present(cluster)[0] as CoreNode).name), 'abcd'.replace(leaver.name, '').replace(coordinator.name, ''))
    t.deepEqual(writesOfAll(cluster), [])
  }
})

tape('a view free of leases that nobody has heard of does not wait for a member that is gone for good', { timeout }, async (t) => {
  const cluster = founded('abcd', null, 'd')
  const coordinator = cluster.coordinator as CoreNode
  cluster.remove(coordinator.name, 'd')
  upTo(cluster, new RegExp(`${coordinator.name} persists .*view`))
  t.equal(coordinator.disk.accepted?.leaseFree, true, 'without the witness, all that are left are live')
  const [gone, other] = cluster.nodes.filter(node => node !== coordinator && !node.witness) as [CoreNode, CoreNode]
  cluster.crash(coordinator.name)
  cluster.crash(gone.name)
  cluster.start(coordinator.name)
  cluster.pass(5000)
  t.notOk(other.core?.ready, 'it may read there')
  t.equal(other.disk.view?.epoch, coordinator.disk.view?.epoch)
  gone.gone = true
  cluster.remove(other.name, gone.name, true)
  cluster.pass(5000)
  t.deepEqual(cluster.settle(), [])
  t.equal(membersOf(cluster, other.name), 'abc'.replace(gone.name, ''))
  t.deepEqual(writesOfAll(cluster), [])
})

/** Runs, with time going by, until this is what happens next. Returns what it is called. */
function upTo (cluster: CoreCluster, label: RegExp): string {
  for (let ticks = 0; ticks < 100; ticks++) {
    cluster.run(step => label.test(step.label))
    const found = cluster.steps().find(step => label.test(step.label))
    if (found !== undefined) return found.label
    cluster.tick(50)
  }
  throw new Error(`never comes to ${String(label)}`)
}

/** Runs so many steps, with time going by when nothing else is to be done, for at most five seconds. Returns how many it were. */
function walk (cluster: CoreCluster, steps: number): number {
  let taken = 0
  for (let ticks = 0; ticks < 100 && taken < steps; ticks++) {
    for (let next = cluster.steps()[0]; next !== undefined && taken < steps; next = cluster.steps()[0]) {
      next.run()
      taken++
    }
    cluster.tick(50)
  }
  return taken
}

tape('a dead member is replaced in one step, with and without leases, the coordinator too', { timeout }, async (t) => {
  for (const minConsensus of [null, 1]) {
    for (const isLeader of [false, true]) {
      const cluster = founded('abc', minConsensus)
      const dead = (isLeader ? cluster.coordinator : cluster.nodes.find(node => node !== cluster.coordinator)) as CoreNode
      cluster.crash(dead.name)
      dead.gone = true
      cluster.join('d', { replaces: dead.name })
      t.deepEqual(cluster.settle(), [], `${dead.name}, m ${String(minConsensus)}`)
      t.equal(membersOf(cluster, 'd'), 'abcd'.replace(dead.name, ''))
      t.deepEqual(writesOfAll(cluster), [])
    }
  }
})

tape('nobody replaces one that lives, or that there is not, or takes its name', { timeout }, async (t) => {
  const cluster = founded('abc', 1)
  const impostor = cluster.join('d', { replaces: 'b' })
  const lost = cluster.join('e', { replaces: 'z' })
  cluster.pass(5000)
  t.deepEqual([...new Set(impostor.denied)], ['alive'])
  t.deepEqual([...new Set(lost.denied)], ['unknown'])
  t.equal(membersOf(cluster, 'a'), 'abc')
})

tape('where nobody can be excluded, a dead member is removed only by force', { timeout }, async (t) => {
  const cluster = founded('abc', null)
  const dead = cluster.nodes.find(node => node !== cluster.coordinator) as CoreNode
  const [caller] = cluster.nodes.filter(node => node !== dead && node !== cluster.coordinator)
  cluster.crash(dead.name)
  cluster.remove(caller?.name ?? '', dead.name)
  cluster.pass(3000)
  t.deepEqual([...new Set(caller?.denied)], ['down'])
  t.equal(membersOf(cluster, caller?.name ?? ''), 'abc')

  dead.gone = true
  cluster.remove(caller?.name ?? '', dead.name, true)
  t.deepEqual(cluster.settle(), [])
  t.deepEqual(writesOfAll(cluster), [])
  t.equal(membersOf(cluster, caller?.name ?? '').length, 2)
})

tape('with leases, a dead member is removed when it has been excluded', { timeout }, async (t) => {
  const cluster = founded('abc', 1)
  cluster.crash('c')
  cluster.remove('b', 'c')
  cluster.node('c').gone = true
  cluster.pass(3000)
  t.deepEqual(cluster.settle(), [])
  t.equal(membersOf(cluster, 'a'), 'ab')
  // Whoever was removed while it was away learns of it, and takes no part.
  cluster.node('c').gone = false
  cluster.start('c')
  cluster.pass(1000)
  t.ok(cluster.node('c').gone, 'it is told')
  t.deepEqual(writesOfAll(cluster), [])
})

tape('nobody leaves who is needed', { timeout }, async (t) => {
  const cluster = founded('ab', 1)
  cluster.remove('b', 'b')
  cluster.pass(3000)
  t.deepEqual([...new Set(cluster.node('b').denied)], ['consensus'])
  const alone = founded('a', 0)
  alone.join('w', { witness: true })
  t.deepEqual(alone.settle(), [])
  alone.remove('a', 'a', true)
  alone.pass(3000)
  t.deepEqual([...new Set(alone.node('a').denied)], ['last'])
})

tape('two members and a witness survive the loss of each one', { timeout }, async (t) => {
  for (const victim of 'abw') {
    const cluster = founded('abw', 0, 'w')
    t.deepEqual(holders(cluster.node('a').core?.known ?? { members: [], witnesses: [] }).length, 2)
    cluster.crash(victim)
    const rest = 'abw'.replace(victim, '')
    t.deepEqual(cluster.settleAmong(rest), [], `without ${victim}`)
    const writer = rest.replace('w', '')[0] as string
    const write = cluster.write(writer, 'x', `without ${victim}`)
    t.deepEqual(cluster.settleAmong(rest), [])
    t.equal(write.settlement?.outcome, 'committed')
    cluster.start(victim)
    t.deepEqual(cluster.settle(), [], `${victim} is back`)
  }
})

tape('the last resort: survivors of a lost majority go on as a new cluster, if each of them is told', { timeout }, async (t) => {
  const cluster = founded('abcde', 2)
  const before = cluster.node('a').core?.cluster
  for (const name of 'cde') {
    cluster.crash(name)
    cluster.node(name).gone = true
  }
  cluster.pass(3000)
  t.notOk(cluster.node('a').core?.ready, 'two of five are not enough')
  const ids = ['a', 'b'].map(name => cluster.node(name).id)
  cluster.recover('a', 'ab')
  cluster.pass(3000)
  t.equal(cluster.node('a').core?.cluster, before, 'one alone decides nothing')
  cluster.recover('b', 'ab')
  cluster.pass(3000)
  t.deepEqual(cluster.node('a').core?.known?.members, ids)
  t.deepEqual(cluster.node('b').core?.known?.members, ids)
  t.notEqual(cluster.node('a').core?.cluster, before)
  t.equal(cluster.node('a').core?.cluster, cluster.node('b').core?.cluster)
  t.equal(cluster.node('b').disk.data.get('x'), 'before', 'and nothing that they had is lost')
})

tape('the last resort: one of the survivors dies at whatever step', { timeout }, async (t) => {
  const prepare = (): CoreCluster => {
    const cluster = founded('abcde', 1)
    for (const name of 'cde') {
      cluster.crash(name)
      cluster.node(name).gone = true
    }
    cluster.pass(3000)
    cluster.recover('a', 'ab')
    cluster.recover('b', 'ab')
    return cluster
  }
  const steps = walk(prepare(), Infinity)
  for (let at = 0; at <= Math.min(steps, 80); at += 3) {
    for (const victim of 'ab') {
      const cluster = prepare()
      walk(cluster, at)
      cluster.crash(victim, at % 3)
      cluster.run()
      cluster.start(victim)
      // As people would, if nothing happens.
      for (let i = 0; i < 3 && cluster.differences(present(cluster)).length > 0; i++) {
        cluster.pass(3000)
        for (const name of 'ab') if ((cluster.node(name).core?.known?.members.length ?? 0) > 2) cluster.recover(name, 'ab')
      }
      const problems = cluster.settle().concat(writesOfAll(cluster))
      if (problems.length > 0) {
        t.fail(`${victim} dies at step ${at}: ${problems.join('; ')}\n${cluster.transcript.slice(-200).join('\n')}`)
        return
      }
    }
  }
  t.pass(`${steps} steps`)
})

tape('the coordination goes to where the writes come from, and stays where they come from everywhere', { timeout }, async (t) => {
  const cluster = founded('abc', 1)
  const first = cluster.coordinator as CoreNode
  const [busy] = cluster.nodes.filter(node => node !== first)
  for (let i = 0; i < 200 && cluster.coordinator !== busy; i++) {
    for (let j = 0; j < 2; j++) cluster.write(busy?.name ?? '', 'x', `${i}.${j}`)
    cluster.pass(50)
  }
  t.equal(cluster.coordinator?.name, busy?.name)
  const { views } = cluster.counts
  for (let i = 0; i < 200; i++) {
    for (const { name } of cluster.nodes) cluster.write(name, 'x', `${i} of ${name}`)
    cluster.pass(50)
  }
  t.equal(cluster.counts.views, views, 'no more views')
  t.deepEqual(cluster.settle(), [])
})

for (const minConsensus of [null, 1]) {
  tape(`of two that replace the same member at once, one gets in; minConsensus: ${String(minConsensus)}`, { timeout }, async (t) => {
    const cluster = founded('abc', minConsensus)
    const victim = cluster.nodes.find(node => node !== cluster.coordinator) as CoreNode
    cluster.join('d', { replaces: victim.name })
    cluster.join('e', { replaces: victim.name })
    // Both have their copies by then.
    cluster.pass(500)
    cluster.crash(victim.name)
    victim.gone = true
    cluster.pass(8000)
    const [first] = present(cluster)
    t.equal(membersOf(cluster, first?.name ?? '').length, 3)
    t.deepEqual([...new Set(cluster.nodes.flatMap(({ denied }) => denied))], ['unknown'])
  })
}

tape('free of leases: who is believed to be dead, and is back before anybody has accepted that, is waited for', { timeout }, async (t) => {
  const cluster = founded('abc', null)
  t.equal(cluster.coordinator?.name, 'a')
  cluster.crash('c')
  cluster.pass(2000)
  // The promise of a itself is on its way to a slow disk.
  cluster.node('a').stalled = true
  cluster.remove('a', 'c', true)
  cluster.run()
  cluster.start('c')
  cluster.run()
  t.ok(cluster.node('a').core?.connected.includes(cluster.node('c').id))
  cluster.node('a').stalled = false
  cluster.frozen.add('c>a')
  cluster.pass(1000)
  t.equal(membersOf(cluster, 'a'), 'abc', 'c may read: it has not promised')
  cluster.frozen.clear()
  t.deepEqual(cluster.settle(undefined, 'ab'.split('').map(name => cluster.node(name))), [])
  t.equal(membersOf(cluster, 'a'), 'ab', 'it is removed as one that lives')
})

tape('free of leases: where the rest is no majority, nothing comes of a removal, or a replacement, and reads go on', { timeout }, async (t) => {
  for (const change of ['remove', 'replace']) {
    const cluster = founded('ab', null)
    cluster.crash('b')
    cluster.pass(2000)
    if (change === 'remove') cluster.remove('a', 'b', true)
    else cluster.join('c', { replaces: 'b' })
    cluster.pass(10_000)
    t.ok(cluster.node('a').core?.isCurrent, change)
    t.equal(cluster.node('a').core?.agreement.waitingFor, 'waiting for members to connect')
    cluster.crash('a')
    cluster.start('a')
    cluster.pass(1000)
    t.ok(cluster.node('a').core?.isCurrent, 'also after a restart')
  }
})

for (const minConsensus of [0, 1]) {
  tape(`the last resort: who was catching up has more than who was live later; minConsensus: ${minConsensus}`, { timeout }, async (t) => {
    const cluster = founded('abcde', minConsensus)
    cluster.crash('a')
    cluster.pass(4000)
    cluster.write('c', 'y', 'with b')
    cluster.pass(500)
    cluster.crash('b')
    cluster.pass(4000)
    for (let i = 0; i < 5; i++) cluster.write('c', `k${i}`, `without b ${i}`)
    cluster.pass(500)
    // It reaches all but one, so it gets what there is, and is not admitted.
    cluster.apart.add('a>e')
    cluster.start('a')
    cluster.pass(3000)
    t.equal(cluster.node('a').disk.data.get('k4'), 'without b 4')
    for (const name of 'cde') {
      cluster.crash(name)
      cluster.node(name).gone = true
    }
    cluster.start('b')
    cluster.pass(3000)
    for (const name of 'ab') cluster.recover(name, 'ab')
    cluster.apart.clear()
    cluster.pass(5000)
    t.deepEqual(cluster.settle().concat(writesOfAll(cluster)), [])
    t.equal(cluster.node('b').disk.data.get('k4'), 'without b 4', 'nothing is lost that a survivor has')
  })
}
