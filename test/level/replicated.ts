import type { Duplex } from 'node:stream'
import test from 'tape'
import type { Level, MakeLevel, RunningTest, Wrap } from './suite.ts'
import { runningTest } from './suite.ts'
import { duplexPair } from '../../lib/net/duplex-pair.ts'

type Transport = (port: number, host: string) => Duplex

/** As much of the replicator as is needed here. */
export interface TestedReplicator {
  createServer (): Duplex
  close (): Promise<void>
}

export interface TestedOptions {
  host?: string
  port?: number
  peers: Array<{ host: string, port: number }>
  transport?: Transport
}

export type ReplicatorClass = new (db: Level, options: TestedOptions) => TestedReplicator

/** A database that is wrapped alone, without peers. */
export function wrapAlone (Replicator: ReplicatorClass): Wrap {
  return (db) => {
    track({ db, others: [], replicators: [new Replicator(db, { peers: [] })] })
    return db
  }
}

/**
 * A database that is replicated to two others of its kind. The links are streams within the process, because a factory
 * cannot wait for ports. The others open and close with the first.
 */
export function wrapTrio (Replicator: ReplicatorClass): Wrap {
  return (first: Level, make: MakeLevel) => {
    const others = [make(), make()]
    const dbs = [first, ...others]
    const addresses = dbs.map((_, index) => ({ host: '127.0.0.1', port: index + 1 }))
    const replicators: TestedReplicator[] = []

    const transport: Transport = (port) => {
      const [near, far] = duplexPair()
      const index = port - 1
      if (dbs[index]?.status === 'open') {
        const server = (replicators[index] as TestedReplicator).createServer()
        server.pipe(far).pipe(server)
        // Whichever ends first.
        far.on('close', () => server.destroy())
        server.on('close', () => far.destroy())
        server.on('error', () => {})
        far.on('error', () => {})
      } else {
        far.on('error', () => {})
        queueMicrotask(() => near.destroy(new Error('Connection refused')))
      }
      return near
    }

    for (const [index, db] of dbs.entries()) {
      const { host, port } = addresses[index] as { host: string, port: number }
      const peers = addresses.filter((address) => address.port !== port)
      replicators.push(new Replicator(db, { host, port, peers, transport }))
    }

    track({ db: first, others, replicators })
    return first
  }
}

interface Cluster {
  db: Level
  others: Level[]
  replicators: TestedReplicator[]
}

/** Each with the test that opened it. */
const unclosed = new Map<Cluster, RunningTest>()

/** A test may end before what it does: its plan is met, and the next one begins. */
const TESTS_BETWEEN = 25

/** Lets the others follow the first, as often as it opens and closes. */
function track (cluster: Cluster): void {
  const { db, others } = cluster

  db.on('opening', () => {
    const test = runningTest()
    for (const [earlier, { name, number }] of unclosed) {
      // Tests that share a database begin with a test that opens it.
      if (number + TESTS_BETWEEN < test.number && !name.includes('setup')) void leave(earlier)
    }
    unclosed.set(cluster, test)
    for (const other of others) other.open().catch(() => {})
  })
  db.on('closed', () => {
    unclosed.delete(cluster)
    for (const other of others) other.close().catch(() => {})
  })
}

/**
 * Some tests of the suite leave their database open. It stays so, because closing it would call back into the test, which
 * is over; but hundreds of clusters that send heartbeats would slow down all tests that follow. Without connections and
 * timers, what is open keeps nothing alive.
 */
async function leave (cluster: Cluster): Promise<void> {
  unclosed.delete(cluster)
  await Promise.allSettled(cluster.replicators.map((replicator) => replicator.close()))
  await Promise.allSettled(cluster.others.map((level) => level.close()))
}

test.onFinish(async () => {
  for (const cluster of unclosed.keys()) await leave(cluster)
})
