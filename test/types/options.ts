// Compiled, never run: what options may be, where undefined has to be said (exactOptionalPropertyTypes).
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../index.ts'
import type { Address, Listener, ReplicatorOptions, Transport } from '../../index.ts'

declare const maybe: { host: string | undefined, port: number | undefined, name: string | undefined }
declare const stream: Duplex
const db = new MemoryLevel()

const transport: Transport = (port, host) => connect({ port, host })
const peers: readonly Address[] = Object.freeze([{ host: 'localhost', port: 3001 }])

export const all: Required<ReplicatorOptions> = {
  host: maybe.host,
  port: maybe.port,
  peers,
  minConsensus: undefined,
  consistency: 'strong',
  failAfter: Infinity,
  transport,
  secret: maybe.name,
  log: 'store',
  durability: 'memory',
  reads: 'local',
  writeTimeoutMs: 1,
  readTimeoutMs: undefined,
  failureTimeoutMs: undefined,
  queueMax: undefined,
  queueBytesMax: undefined,
  writeBytesMax: undefined,
  keyBytesMax: undefined,
  valueBytesMax: 100,
  logBytesMax: undefined,
  observersMax: undefined,
  traceMax: undefined,
  name: maybe.name,
  role: 'witness',
  sublevel: undefined,
  cluster: maybe.name,
  founders: maybe.port,
  overwrite: undefined,
  replaces: maybe.name,
  coordinator: 'fixed'
}
export const replicator = Replicator(db, all)
Replicator(db, { ...maybe, peers: undefined })
Replicator(db, undefined)
Replicator(db, { transport: async () => stream })
Replicator(db, { secret: new Uint8Array(16) })
Replicator(db, { consistency: undefined, logBytesMax: 2 ** 20 })
Replicator(db, { peers: [{ host: 'localhost', port: 3001 }] as const })
Replicator(db, { peers: [{ dns: 'db.local', port: 3000 }, { srv: '_db._tcp.local' }, ...peers], founders: 3 })

export const listening: Promise<Listener> = replicator.listen({ port: 3000, ipv6Only: true })
export const stopped: Promise<void> = listening.then(({ close }) => close())
replicator.addPeer({ host: 'localhost', port: 3000 })
replicator.release({ purge: true, force: true })
replicator.createServer().pipe(stream).pipe(replicator.createServer())

// @ts-expect-error peers may be left out, but not null
Replicator(db, { peers: null })
// @ts-expect-error only these two
Replicator(db, { durability: 'none' })
// @ts-expect-error only these two
Replicator(db, { reads: 'eventual' })
// @ts-expect-error only strong
Replicator(db, { consistency: 'eventual' })
// @ts-expect-error a transport gives a stream
Replicator(db, { transport: () => 'stream' })
// @ts-expect-error a peer has a port
Replicator(db, { peers: [{ host: 'localhost' }] })
// @ts-expect-error a name needs a port
Replicator(db, { peers: [{ dns: 'db.local' }] })
// @ts-expect-error a secret is a string, or bytes
Replicator(db, { secret: 1234567890123456 })
// @ts-expect-error only these three
Replicator(db, { role: 'learner' })
// @ts-expect-error a misspelt option
Replicator(db, { minconsensus: 2 })
// @ts-expect-error a peer has a port
replicator.addPeer({ host: 'localhost' })
// @ts-expect-error a string is not an address
replicator.listen('3000')
// @ts-expect-error no such option
replicator.release({ wipe: true })
// @ts-expect-error internals are not for callers
export const third = Replicator(db, {}, {})
