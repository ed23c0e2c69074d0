import tape from 'tape'
import { CoreCluster } from '../support/core-cluster.ts'
import { writesOfAll } from './members.ts'

// Without syncs, a power cut of all live members takes what others have applied. The cluster goes on without it, and whoever has it
// must not go on as if nothing had happened.

const timeout = 120_000

/** `act`, and again, until nobody stops on the way: a node that finds other data than its own ends. Returns who did. */
function diverging (cluster: CoreCluster, act: () => void): string[] {
  const failed: string[] = []
  for (;;) {
    try {
      act()
      return failed
    } catch (error) {
      const name = /^Error: (\w) differs at \d+$/.exec(String(error))?.[1]
      if (name === undefined) throw error
      failed.push(name)
      cluster.crash(name)
      cluster.node(name).gone = true
    }
  }
}

for (const observer of [false, true]) {
  for (const kept of [0, 12]) {
    tape(`all members lose power, and ${observer ? 'an observer' : 'a node that joins'} does not; ${kept === 0 ? 'nothing' : 'something'} is left`, { timeout }, async (t) => {
      const cluster = new CoreCluster('ab', { minConsensus: 1, memory: true }).startAll()
      t.deepEqual(cluster.settle(), [])
      cluster.write('a', 'x', 'before')
      cluster.pass(500)
      // Not admitted yet, because it does not reach all.
      if (!observer) cluster.apart.add('a>j')
      cluster.join('j', { observer })
      cluster.pass(2000)
      for (let i = 0; i < 5; i++) {
        cluster.write('a', `k${i}`, `old ${i}`)
        cluster.pass(100)
      }
      const before = new Map(cluster.node('j').disk.data)
      t.equal(before.get('k4'), 'old 4', 'it has everything')

      for (const name of 'ab') cluster.crash(name, 0, kept)
      cluster.forget()
      cluster.apart.clear()
      for (const name of 'ab') cluster.start(name)
      const failed = diverging(cluster, () => { cluster.pass(3000) })
      t.notEqual(cluster.node('a').disk.data.get('k4'), 'old 4', 'which is lost')

      for (let i = 0; i < 12; i++) {
        cluster.write('a', `n${i}`, `new ${i}`)
        failed.push(...diverging(cluster, () => { cluster.pass(100) }))
      }
      failed.push(...diverging(cluster, () => { cluster.pass(20_000) }))
      t.deepEqual(failed, ['j'], 'the one that has more says so, and no other')
      t.deepEqual([...cluster.node('j').disk.data].sort(), [...before].sort(), 'its data are what they were')
      t.deepEqual(writesOfAll(cluster), [], 'the others go on')
      t.equal(cluster.node('b').disk.data.get('n11'), 'new 11')
    })
  }
}
