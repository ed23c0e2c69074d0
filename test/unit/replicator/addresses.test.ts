import { once } from 'node:events'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import type { Test } from 'tape'
import { realEnvironment } from '../../../lib/env.ts'
import type { Resolver } from '../../../lib/net/resolver.ts'
import { StreamNetwork } from '../../../lib/net/stream-network.ts'
import type { ReplicatorOptions } from '../../../lib/options.ts'
import { DatabaseReplicator } from '../../../lib/replicator.ts'
import type { Database, MemoryReplicator } from './trio.ts'
import { addressOf, allReady, createMember, next, Switchboard } from './trio.ts'

const timeout = 30_000

test('a member that knows one other finds the rest after a restart, also when that one is dead', { timeout }, async (t) => {
  const board = new Switchboard()
  const options = { minConsensus: 1, failureTimeoutMs: 1000 }
  // The founding waits for all three.
  const hub = createMember(t, board, 1, [2, 3], options)
  const [a, c] = [createMember(t, board, 2, [1], options), createMember(t, board, 3, [1], options)]
  await allReady([hub, a, c])
  while (!a.replicator.stats().peers.some(({ id, connected }) => connected && id === c.replicator.stats().id)) await once(a.replicator, 'connect')

  await a.db.close()
  await hub.replicator.close()
  await hub.db.close()
  board.refuse(3, 2)
  const connected = next(a.replicator, 'connect', (_host, port) => port === 3)
  await a.db.open()
  await connected
  await allReady([a, c])
  await a.db.put('a', '1')
  t.equal(await c.db.get('a'), '1')
})

/** A replicator that finds its peers by name. */
function named (t: Test, board: Switchboard, port: number, resolver: Resolver, options: ReplicatorOptions = {}): { db: Database, replicator: MemoryReplicator } {
  const db: Database = new MemoryLevel<string, string>()
  const transport = board.transport(port)
  const replicator: MemoryReplicator = new DatabaseReplicator<Database>(db, { ...addressOf(port), peers: [{ srv: '_db._tcp.local' }], transport, ...options }, {
    env: realEnvironment,
    network: (settings, env) => new StreamNetwork({ env, failAfter: settings.failAfter, failureTimeoutMs: settings.failureTimeoutMs, transport }),
    resolver
  })
  board.add({ db, replicator, address: addressOf(port) })
  t.teardown(async () => {
    await replicator.close()
    await db.close()
  })
  return { db, replicator }
}

test('peers that are found by name found a cluster, if they are told how many they are', { timeout }, async (t) => {
  const board = new Switchboard()
  const up: number[] = []
  const resolver: Resolver = {
    addresses: async () => [],
    services: async () => {
      if (up.length === 0) throw new Error('ENOTFOUND')
      return up.map(port => ({ name: '127.0.0.1', port }))
    }
  }
  const first = named(t, board, 1, resolver, { founders: 3, minConsensus: 1 })
  const [error] = await next(first.replicator, 'error')
  t.match(error.message, /_db\._tcp\.local.*ENOTFOUND/)
  await first.db.open()
  t.equal(first.replicator.status, 'notready')

  up.push(1, 2, 3)
  const others = [2, 3].map(port => named(t, board, port, resolver, { founders: 3, minConsensus: 1 }))
  await Promise.all([first, ...others].map(async ({ replicator }) => { await replicator.ready() }))
  await first.db.put('a', '1')
  for (const { db, replicator } of others) {
    t.equal(await db.get('a'), '1')
    t.equal(replicator.stats().members.length, 3)
  }
})
