import test from 'tape'
import { Random } from '../support/check/random.ts'
import { audit } from '../support/cluster/audit.ts'
import type { ClusterNode } from '../support/cluster/cluster-node.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { Load } from '../support/cluster/load.ts'

const KEYS = ['k0', 'k1', 'k2', 'k3']
const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6))

test('an observer writes, reads its own writes, and stays in sync, while nodes and it are killed', { timeout: 240_000 }, async function (t) {
  t.comment(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const cluster = await startCluster(t, { replicator: { minConsensus: 1, writeTimeoutMs: 2000, readTimeoutMs: 5000 } })
  await cluster.ready()
  const members = [...cluster.nodes]
  const load = new Load(members, { random, clientsPerNode: 2, keys: KEYS })
  load.start()
  const observer = await cluster.add({ name: 'o', knows: members.slice(0, 1), replicator: { role: 'observer', writeTimeoutMs: 2000, readTimeoutMs: 5000 } })
  await observer.start()
  await cluster.ready()

  const lapses: string[] = []
  let seen = 0
  const end = new AbortController()
  /** Nobody else writes its key: what it was told is written is there, or it was not told. */
  const write = async (client: string): Promise<void> => {
    let own: string | null = null
    const doubtful = new Set<string | null>([null])
    for (let i = 0; !end.signal.aborted; i++) {
      if (!observer.up) {
        await observer.whenUp()
        continue
      }
      const value = `${client}.${i}`
      try {
        await load.perform(observer, client, { kind: 'put', key: client, value })
        own = value
        doubtful.clear()
      } catch {
        doubtful.add(value)
      }
      const found = await observer.call('get', client).catch(() => undefined)
      if (found === undefined) continue
      seen++
      if (found !== own && !doubtful.has(found)) lapses.push(`${client} reads ${found}, and has written ${own}`)
    }
  }
  /** What a member has acknowledged is there after a sync. */
  const follow = async (member: ClusterNode): Promise<void> => {
    for (let i = 0; !end.signal.aborted; i++) {
      if (!observer.up || !member.up) {
        await Promise.all([observer.whenUp(), member.whenUp()])
        continue
      }
      const key = `to ${member.name}`
      const value = `${member.name}.${i}`
      try {
        await load.perform(member, `m${member.name}`, { kind: 'put', key, value })
        await observer.call('sync')
        const found = await observer.call('get', key)
        seen++
        if (found !== value) lapses.push(`after a sync, ${key} is ${found}, and ${value} was acknowledged before`)
      } catch {
        // It died, or was alone.
      }
    }
  }
  const clients = [write('o1'), write('o2'), follow(members[1] as ClusterNode)]

  for (let round = 0; round < 2; round++) {
    await load.operations(200)
    const leader = await cluster.coordinatorOf(members[1] as ClusterNode)
    await leader.kill()
    await load.operations(100)
    await leader.start()
    await cluster.ready()
    await load.operations(100)
    await observer.kill()
    await load.operations(50)
    await observer.start()
    await cluster.ready()
    t.pass(`killed and restarted: ${leader.name}, and the observer`)
  }
  await load.operations(200)
  end.abort()
  await Promise.all(clients)
  await load.stop()
  t.deepEqual(lapses, [])
  t.ok(seen > 50, `${seen} reads on the observer`)
  t.equal((await (members[0] as ClusterNode).call('stats')).members.length, 3)
  await audit(t, cluster, load)
})
