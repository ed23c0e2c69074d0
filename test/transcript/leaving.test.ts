import tape from 'tape'
import type { CoreCluster, CoreNode, Step } from '../support/core-cluster.ts'
import { founded, membersOf, present, writesOfAll } from './members.ts'

// A member leaves, or is removed; all others are restarted in the worst moment, and one disk is lost. The one that has left is
// thrown away as soon as it may be, and the others go on.

const timeout = 60_000

/** Runs until a step like this is the next, with time going by. */
function upTo (cluster: CoreCluster, label: RegExp): Step {
  for (let ticks = 0; ticks < 200; ticks++) {
    cluster.run(step => label.test(step.label))
    const found = cluster.steps().find(step => label.test(step.label))
    if (found !== undefined) return found
    cluster.tick(50)
  }
  throw new Error(`never comes to ${String(label)}`)
}

/** Runs, with time going by, until it is so, or for ten seconds. */
function until (cluster: CoreCluster, isSo: () => boolean): boolean {
  for (let ticks = 0; ticks < 200 && !isSo(); ticks++) {
    cluster.run(isSo)
    if (!isSo()) cluster.tick(50)
  }
  return isSo()
}

/** Nothing gets from these to those. */
function freeze (cluster: CoreCluster, from: string, to: string): void {
  for (const one of from) for (const two of to) if (one !== two) cluster.frozen.add(`${one}>${two}`)
}

/** The names of the coordinator, and of the other holders. */
function roles (cluster: CoreCluster): [coordinator: string, ...others: string[]] {
  const { name } = cluster.coordinator as CoreNode
  return [name, ...cluster.nodes.filter(node => !node.witness && node.name !== name).map(({ name }) => name)]
}

/** The disk of this one is lost, all others are restarted, and a person says so. Returns what is wrong in the end. */
function restartWithout (cluster: CoreCluster, lost: string): string[] {
  for (const { name, core } of cluster.nodes) if (core !== null) cluster.crash(name)
  cluster.frozen.clear()
  cluster.node(lost).gone = true
  for (const { name } of present(cluster)) cluster.start(name)
  cluster.pass(1000)
  cluster.remove((present(cluster)[0] as CoreNode).name, lost, true)
  return [...cluster.settle(undefined, present(cluster)), ...writesOfAll(cluster)]
}

tape('who leaves hears only of the view after the one that it was removed by', { timeout }, async (t) => {
  const cluster = founded('abcd', 1)
  const [coordinator, leaver, x, y] = roles(cluster) as [string, string, string, string]
  cluster.remove(leaver, leaver)
  upTo(cluster, new RegExp(`^${coordinator} persists .*view`)).run()
  // The others hear of the view, and cannot tell that they follow it; then the coordinator is restarted.
  freeze(cluster, x + y, coordinator)
  until(cluster, () => [x, y, leaver].every(name => cluster.node(name).core?.known?.members.length === 3))
  t.notOk(cluster.node(leaver).gone, 'it is needed')
  cluster.crash(coordinator)
  cluster.frozen.clear()
  cluster.start(coordinator)
  const first = cluster.node(coordinator).disk.view?.epoch ?? 0
  const heirs = (): CoreNode[] => cluster.nodes.filter(({ disk }) => (disk.view?.epoch ?? 0) > first)
  until(cluster, () => heirs().length > 0)
  const heir = (heirs()[0] as CoreNode).name
  // Only the one that left hears of the next view.
  freeze(cluster, heir, [coordinator, x, y].filter(name => name !== heir).join(''))
  until(cluster, () => (cluster.node(leaver).core?.known?.epoch ?? 0) > first)
  t.notOk(cluster.node(leaver).gone, 'it still is')
  cluster.frozen.clear()
  t.ok(until(cluster, () => cluster.node(leaver).gone))
  t.deepEqual(restartWithout(cluster, heir), [])
})

tape('who leaves did not run while it was excluded and removed', { timeout }, async (t) => {
  const cluster = founded('abcd', 1)
  const [coordinator, leaver, x, y] = roles(cluster) as [string, string, string, string]
  cluster.remove(leaver, leaver)
  cluster.run(() => cluster.node(coordinator).core?.agreement.statusOf(cluster.node(leaver).id)?.removing.length === 1)
  cluster.node(leaver).paused = true
  t.ok(until(cluster, () => cluster.node(coordinator).disk.view?.members.length === 3), 'it is excluded, then removed')
  freeze(cluster, coordinator, x + y)
  cluster.resume(leaver)
  until(cluster, () => cluster.node(leaver).core?.known?.members.length === 3)
  cluster.pass(200)
  t.notOk(cluster.node(leaver).gone, 'it has not promised that, and is needed all the same')
  cluster.frozen.clear()
  t.ok(until(cluster, () => cluster.node(leaver).gone))
  t.deepEqual(restartWithout(cluster, coordinator), [])
})

tape('where a write needs all others, and one of them is away, no other leaves', { timeout }, async (t) => {
  const cluster = founded('abcd', null, 'd')
  const [, leaver, away] = roles(cluster) as [string, string, string]
  cluster.crash(away)
  cluster.pass(3000)
  cluster.remove(leaver, leaver)
  cluster.pass(3000)
  t.notOk(cluster.node(leaver).gone, 'it is needed')
  cluster.start(away)
  t.deepEqual(cluster.settle(undefined, present(cluster)), [])
  t.ok(until(cluster, () => cluster.node(leaver).gone), 'until that one is back')
  t.deepEqual(writesOfAll(cluster), [])
})

tape('free of leases: the view with one that joins was accepted and never opened, and that one is gone for good', { timeout }, async (t) => {
  const cluster = founded('abc', null)
  const [coordinator] = roles(cluster)
  cluster.join('d')
  upTo(cluster, new RegExp(`^${coordinator} persists .*view`))
  cluster.crash(coordinator)
  cluster.crash('d')
  cluster.node('d').gone = true
  cluster.start(coordinator)
  until(cluster, () => membersOf(cluster, coordinator) === 'abcd')
  cluster.remove(coordinator, 'd', true)
  t.deepEqual(cluster.settle(undefined, present(cluster)), [])
  t.equal(membersOf(cluster, coordinator), 'abc')
  t.deepEqual(writesOfAll(cluster), [])
})

tape('free of leases, one of two is lost when a third has joined, and the other has not heard of it', { timeout }, async (t) => {
  const cluster = founded('ab', null)
  const [coordinator, x] = roles(cluster) as [string, string]
  cluster.join('c')
  upTo(cluster, new RegExp(`^${coordinator} persists .*view`)).run()
  freeze(cluster, coordinator + 'c', x)
  t.ok(until(cluster, () => membersOf(cluster, 'c') === 'abc'))
  t.equal(membersOf(cluster, x), 'ab')
  cluster.crash(coordinator)
  cluster.node(coordinator).gone = true
  // x has promised that view, so it reads no more, and c knows that it is chosen: together they are a majority.
  cluster.join('d', { replaces: coordinator })
  cluster.frozen.clear()
  t.deepEqual(cluster.settle(undefined, present(cluster)), [])
  t.equal(membersOf(cluster, x), [x, 'c', 'd'].sort().join(''))
  t.deepEqual(writesOfAll(cluster), [])
})

tape('free of leases, who took the place of a dead member is lost with the coordinator, before the others know that it is there', { timeout }, async (t) => {
  const cluster = founded('abcde', null)
  const [coordinator, dead, ...others] = roles(cluster) as [string, string, string, string, string]
  cluster.crash(dead)
  cluster.node(dead).gone = true
  cluster.join('f', { replaces: dead })
  upTo(cluster, new RegExp(`^${coordinator} persists .*view`))
  for (const lost of [coordinator, 'f']) {
    cluster.crash(lost, 0)
    cluster.node(lost).gone = true
  }
  t.ok(others.every(name => membersOf(cluster, name) === 'abcde'), 'they have accepted another view, and do not know that it is chosen')
  // That the dead one is dead was the word of f. In the view that was accepted, it is no member any more.
  cluster.join('g', { replaces: coordinator })
  cluster.join('h', { replaces: 'f' })
  t.deepEqual(cluster.settle(undefined, present(cluster)), [])
  t.equal(membersOf(cluster, others[0]), [...others, 'g', 'h'].sort().join(''))
  t.deepEqual(writesOfAll(cluster), [])
})

tape('the coordinator stays as long as those that would remain are not connected', { timeout }, async (t) => {
  const cluster = founded('abcw', 1, 'w')
  const [coordinator, x, y] = roles(cluster) as [string, string, string]
  cluster.disconnect(x, y)
  cluster.run()
  cluster.remove(coordinator, coordinator)
  cluster.pass(3000)
  t.notOk(cluster.node(coordinator).gone, 'it would leave one of them behind')
  cluster.connect(x, y)
  t.ok(until(cluster, () => cluster.node(coordinator).gone))
  t.deepEqual(cluster.settle(undefined, present(cluster)), [])
  t.deepEqual(writesOfAll(cluster), [])
})

tape('free of leases: the coordinator opens a view, nobody else hears of it in time, and its disk is lost', { timeout }, async (t) => {
  for (const isRestarted of [false, true]) {
    const cluster = founded('abc', null)
    const [coordinator, x, y] = roles(cluster) as [string, string, string]
    cluster.crash(coordinator)
    cluster.start(coordinator)
    // The next view is known, and installed only by the one that leads it.
    until(cluster, () => [x, y].every(name => (cluster.node(name).core?.known?.epoch ?? 0) > (cluster.node(name).disk.view?.epoch ?? 0)))
    const leader = cluster.nodes.find(({ core }) => core?.leads === true)?.name ?? coordinator
    cluster.crash(leader)
    cluster.node(leader).gone = true
    if (isRestarted) {
      for (const { name } of present(cluster)) cluster.crash(name)
      for (const { name } of present(cluster)) cluster.start(name)
    }
    cluster.join('d', { replaces: leader })
    t.deepEqual(cluster.settle(undefined, present(cluster)), [])
    t.equal(membersOf(cluster, 'd'), 'abcd'.replace(leader, ''))
    t.deepEqual(writesOfAll(cluster), [])
  }
})

tape('of two members with data one leaves while another joins, and the disk of the third is lost', { timeout }, async (t) => {
  const cluster = founded('abw', 0, 'w')
  const [leaver, stays] = roles(cluster) as [string, string]
  // A coordinator that has to wait for leases of the view before hears of both wishes meanwhile.
  freeze(cluster, 'w', 'ab')
  cluster.crash(leaver)
  cluster.pass(3000)
  cluster.start(leaver)
  until(cluster, () => (cluster.coordinator?.core?.known?.epoch ?? 0) > 1 && cluster.coordinator?.core?.settled === false)
  const leader = cluster.coordinator as CoreNode
  const [coordinator, other] = leader.name === stays ? [stays, leaver] : [leaver, stays]
  cluster.frozen.clear()
  cluster.join('c')
  cluster.remove(other, other)
  cluster.run()
  t.equal(leader.core?.agreement.statusOf(cluster.node('c').id)?.caughtUp, true)
  t.equal(leader.core?.settled, false)
  t.ok(until(cluster, () => membersOf(cluster, coordinator).includes('c')))
  t.equal(membersOf(cluster, coordinator), 'abcw', 'both stay')
  // The one that joins hears no more before that disk is lost.
  freeze(cluster, coordinator, 'c')
  cluster.pass(200)
  t.notOk(cluster.node(other).gone, 'it is needed')
  t.deepEqual(restartWithout(cluster, coordinator), [])
  t.equal(membersOf(cluster, 'c'), `${other}cw`, 'who was restarted does not ask to leave any more')
})
