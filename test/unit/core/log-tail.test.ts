import tape from 'tape'
import fc from 'fast-check'
import type { Group } from '../../../lib/core/entry.ts'
import { lastPosition } from '../../../lib/core/entry.ts'
import { LogTail } from '../../../lib/core/log-tail.ts'

function group (epoch: number, first: number, count: number): Group {
  return { epoch, first, entries: Array.from({ length: count }, (_, i) => ({ kind: 'skip', origin: 1, number: first + i, reason: 'withdrawn' })) }
}

function groupsOf (tail: LogTail, after: number): number[] {
  const firsts: number[] = []
  tail.visit(after, (found) => { firsts.push(found.first); return true })
  return firsts
}

tape('the tail appends, visits, drops and cuts', { timeout: 30_000 }, async (t) => {
  const tail = new LogTail(0, [])
  tail.append(group(1, 1, 2))
  tail.append(group(1, 3, 1))
  tail.append(group(3, 4, 3))
  t.deepEqual(tail.end, { position: 6, epoch: 3 })
  t.deepEqual(groupsOf(tail, 0), [1, 3, 4])
  t.deepEqual(groupsOf(tail, 2), [3, 4])
  t.deepEqual(tail.outline(2), { base: 2, runs: [{ position: 3, epoch: 1 }, { position: 6, epoch: 3 }] })
  t.deepEqual([0, 2, 3, 4].map(position => tail.nameAt(position).epoch), [0, 1, 1, 3], 'nothing has no epoch')

  tail.drop(2)
  t.equal(tail.base, 2)
  t.deepEqual(groupsOf(tail, 0), [3, 4])
  t.deepEqual(tail.cut(3).map(removed => removed.first), [4])
  t.deepEqual(tail.end, { position: 3, epoch: 1 })
  t.throws(() => tail.append(group(1, 9, 1)), /follows the end/)
  t.throws(() => tail.append(group(0, 4, 1)), /never go back/)
  t.throws(() => tail.cut(1), /nothing that is applied/)
})

tape('common() finds the longest common prefix of two logs that obey the naming rule', { timeout: 30_000 }, async (t) => {
  // A tree of logs: each epoch is opened once, on a prefix of some earlier log, by one process.
  const run = fc.record({ parent: fc.nat(), keep: fc.nat(), groups: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }), stop: fc.nat() })
  fc.assert(fc.property(fc.array(run, { minLength: 1, maxLength: 8 }), fc.nat(), fc.nat(), (runs, i, j) => {
    const logs: Group[][] = [[]]
    runs.forEach(({ parent, keep, groups }, epoch) => {
      const base = logs[parent % logs.length] as Group[]
      const log = base.slice(0, keep % (base.length + 1))
      for (const count of groups) {
        const last = log[log.length - 1]
        log.push(group(epoch + 1, last === undefined ? 1 : lastPosition(last) + 1, count))
      }
      logs.push(log)
    })
    const [one, two] = [logs[i % logs.length], logs[j % logs.length]] as [Group[], Group[]]
    let common = 0
    for (let k = 0; k < Math.min(one.length, two.length); k++) {
      const [a, b] = [one[k], two[k]] as [Group, Group]
      if (a.epoch !== b.epoch || a.first !== b.first || a.entries.length !== b.entries.length) break
      common = lastPosition(a)
    }
    const tails = [one, two].map(log => {
      const tail = new LogTail(0, [])
      for (const item of log) tail.append(item)
      return tail
    }) as [LogTail, LogTail]
    return tails[0].common(tails[1].outline(0)) === common
  }), { numRuns: 2000 })
  t.pass('2000 pairs of logs')
})

tape('common() gives no position beyond the own end', { timeout: 30_000 }, async (t) => {
  const tail = new LogTail(0, [])
  tail.append(group(1, 1, 2))
  tail.append(group(2, 3, 2))
  t.equal(tail.common({ base: 6, runs: [{ position: 9, epoch: 2 }] }), 4, 'the other one has committed more of the same epoch')
  t.equal(tail.common({ base: 6, runs: [{ position: 9, epoch: 7 }] }), 4)
  t.equal(tail.common({ base: 3, runs: [{ position: 9, epoch: 7 }] }), 3)
})

tape('has() knows the names of a log from where it was truncated', { timeout: 30_000 }, async (t) => {
  const tail = new LogTail(2, [{ position: 2, epoch: 1 }])
  tail.append(group(1, 3, 2))
  tail.append(group(3, 5, 2))
  const names = (): number[][] => [1, 2, 3, 4].map(epoch => [2, 3, 4, 5, 6, 7].filter(position => tail.has({ position, epoch })))
  t.deepEqual(names(), [[2, 3, 4], [], [5, 6], []])
  t.notOk(tail.has({ position: 7, epoch: 0 }), 'beyond the end is nothing')
  tail.truncate(3)
  t.deepEqual([3, 4, 5].map(position => tail.nameAt(position).epoch), [1, 1, 3])
  tail.cut(4)
  t.deepEqual(names(), [[2, 3, 4], [], [], []])
  tail.reset({ position: 9, epoch: 4 })
  t.ok(tail.has({ position: 9, epoch: 4 }))
  tail.append(group(5, 10, 1))
  t.ok(tail.has({ position: 9, epoch: 4 }) && tail.has({ position: 10, epoch: 5 }), 'what follows changes no name')
  tail.reset({ position: 0, epoch: 0 })
  t.ok(tail.has({ position: 0, epoch: 0 }), 'the empty log')
})
