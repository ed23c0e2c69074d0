/** The example of the README for TLS with certificates on both sides, as it stands there. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import tls from 'node:tls'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import type { Test } from 'tape'
import { Replicator } from '../../index.ts'
import type { DatabaseReplicator, ReplicatorError, ReplicatorOptions, Transport } from '../../index.ts'
import type { Certificate } from '../interop/certificate.ts'
import { authority, certificate } from '../interop/certificate.ts'
import { freePorts } from '../support/cluster/free-ports.ts'

const timeout = 120_000
const host = 'localhost'
const readme = readFileSync('README.md', 'utf8')
const [, example = ''] = /\n### TLS\n.*?```js\n(.*?)```/s.exec(readme) ?? []

type Database = MemoryLevel<string, string>

interface Started {
  db: Database
  r: DatabaseReplicator<Database>
  server: Server
}

/** Runs the example with a certificate, at a port. */
async function start (t: Test, { key, cert }: Certificate, ca: string, port: number, opts: ReplicatorOptions): Promise<Started> {
  const code = example.replace(/^import .*$/gm, '').replace('listen(3000)', `listen(${port})`)
  const scope = { Replicator, tls, db: new MemoryLevel<string, string>(), opts: { host, port, ...opts }, key, cert, ca }
  const module = `export default async ({ ${Object.keys(scope).join(', ')} }) => {\n${code}\nreturn { db, r, server }\n}`
  const { default: run } = await import(`data:text/javascript,${encodeURIComponent(module)}`) as { default: (all: object) => Promise<Started> }
  const started = await run(scope)
  t.teardown(async () => {
    started.server.close()
    await started.r.close()
    await started.db.close()
  })
  await once(started.server, 'listening')
  return started
}

/** A node that does not listen, and dials in some way of its own. */
function intruder (t: Test, port: number, transport: Transport): DatabaseReplicator<Database> {
  const db: Database = new MemoryLevel<string, string>()
  const r = Replicator(db, { peers: [{ host, port }], failAfter: 3, transport })
  t.teardown(async () => {
    await r.close()
    await db.close()
  })
  return r
}

test('TLS: three nodes with certificates of one authority replicate, and nobody else gets in', { timeout }, async (t) => {
  t.ok(example.includes('requestCert: true'), 'the README has an example')
  const { cert: ca, issue } = authority()
  const ports = await freePorts(3)
  const nodes = await Promise.all(ports.map(async (port) => {
    const peers = ports.filter((other) => other !== port).map((other) => ({ host, port: other }))
    return await start(t, issue(host), ca, port, { peers, minConsensus: 1 })
  }))
  await Promise.all(nodes.map(({ r }) => r.ready()))
  for (const [i, { db }] of nodes.entries()) await db.put(`key ${i}`, String(i))
  for (const { db } of nodes) t.deepEqual(await db.getMany(['key 0', 'key 1', 'key 2']), ['0', '1', '2'])

  const [first] = nodes as [Started, ...Started[]]
  const { port } = first.server.address() as AddressInfo
  let secured = 0
  first.server.on('secureConnection', () => { secured++ })
  const refused = (): Promise<unknown[]> => once(first.server, 'tlsClientError')
  const other = authority()
  const alien = other.issue(host)
  const intruders: Array<[string, Transport]> = [
    ['without a certificate', (port, host) => tls.connect({ port, host, ca })],
    ['with one of another authority', (port, host) => tls.connect({ port, host, ...alien, ca })],
    ['with one that it has signed itself', (port, host) => tls.connect({ port, host, ...certificate(), ca })],
    ['without TLS', (port, host) => net.connect({ port, host })]
  ]
  for (const [what, transport] of intruders) {
    const noticed = refused()
    const r = intruder(t, port, transport)
    await new Promise<void>((resolve) => { r.once('fail', () => { resolve() }) })
    await noticed
    t.equal(r.status, 'notready', what)
    t.deepEqual(r.stats().peers.filter(({ connected }) => connected), [])
    t.ok(first.r.stats().peers.every(({ id }) => id !== r.stats().id), 'the members know nothing of it')
    await r.close()
  }
  t.equal(secured, 0, 'no connection of theirs has come to the replicator')

  // The other way: a member does not talk to whoever answers at an address without the right certificate.
  const [place = 0] = await freePorts(1)
  const impostor = await start(t, alien, other.cert, place, {})
  let talked = 0
  impostor.server.on('secureConnection', () => { talked++ })
  const failure = new Promise<ReplicatorError>((resolve) => {
    first.r.on('error', (error) => { if (error.message.includes(`${host}:${place}`)) resolve(error as ReplicatorError) })
  })
  first.r.addPeer({ host, port: place })
  t.match((await failure).message, /certificate|self.signed|unable to/i)
  t.equal(talked, 0)

  await nodes[1]?.db.put('after', 'all')
  for (const { db, r } of nodes) {
    t.equal(await db.get('after'), 'all')
    t.equal(r.stats().members.length, 3)
  }
})
