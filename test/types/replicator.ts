// Compiled, never run: what a caller may and may not write.
import { MemoryLevel } from 'memory-level'
import { Replicator, ReplicatorError } from '../../index.ts'
import type { TraceEvent } from '../../index.ts'

const db = new MemoryLevel<string, string>()

const replicator = Replicator(db, {
  host: '127.0.0.1',
  port: 3000,
  peers: [{ host: '127.0.0.1', port: 3001 }],
  name: 'a',
  writeTimeoutMs: 10_000
})
const constructed: typeof replicator = new Replicator(db, { host: '127.0.0.1', port: 3000, peers: [] })

const status: 'opening' | 'notready' | 'ready' | 'failed' | 'closed' = constructed.status
const stats = replicator.stats()
const position: number = stats.committed
const connected: boolean[] = stats.peers.map((peer) => peer.connected)
const coordinator: string | undefined = stats.coordinator?.name
const live: string[] = [...stats.live, ...stats.peers.filter((peer) => peer.live).map((peer) => peer.id)]
const why: string[] = stats.peers.map((peer) => peer.why)
const lease: 'free' | 'valid' | 'expired' | 'none' = stats.lease
const readable: boolean = stats.readable
const limits: number[] = [stats.minConsensus, stats.logStart]
const source: string | undefined = stats.sync?.source
const silent: Array<number | null> = stats.peers.map((peer) => peer.heardMs)
const timeouts: number | undefined = stats.rejectedWrites.LEVEL_TIMEOUT
const events: TraceEvent[] = replicator.trace()
// What an event says follows from its name.
const excluded: string[] = events.flatMap((event) => event.event === 'view' ? event.excluded : [])
const counts: number[] = events.map((event) => event.event === 'error' ? event.count : 1)
const ready: PromiseLike<unknown> = replicator.ready()
const digest: Promise<{ position: number, entries: number, data: string, table: string }> = replicator.digest()
const server = await replicator.listen({ port: 3000, host: '127.0.0.1' })
const port: number = server.address.port
const closed: Promise<void> = replicator.close()
const released: Promise<void> = replicator.release({ purge: true })

replicator.on('ready', () => {})
replicator.on('connect', (host: string, port: number) => { console.log(host, port) })

const error = new ReplicatorError('LEVEL_TIMEOUT', 'text', { outcome: 'unknown' })
const outcome: 'aborted' | 'unknown' | undefined = error.outcome

// @ts-expect-error a database is needed
Replicator()
// @ts-expect-error not a database
Replicator({})
// @ts-expect-error an address is an object here
Replicator(db, { host: '127.0.0.1', port: 3000, peers: ['127.0.0.1:3001'] })
// @ts-expect-error a port is a number
Replicator(db, { host: '127.0.0.1', port: '3000', peers: [] })
// @ts-expect-error no such option
Replicator(db, { host: '127.0.0.1', port: 3000, peers: [], quorum: 2 })
// @ts-expect-error the status is only read
replicator.status = 'ready'
// @ts-expect-error no such code
const unknownCode = new ReplicatorError('LEVEL_NO_SUCH_CODE', 'text')
// @ts-expect-error only these outcomes
const unknownOutcome = new ReplicatorError('LEVEL_TIMEOUT', 'text', { outcome: 'perhaps' })

export {
  status, position, connected, coordinator, live, why, lease, readable, limits, source, silent, timeouts, excluded, counts, ready, digest, port, closed, released, outcome, unknownCode, unknownOutcome
}
