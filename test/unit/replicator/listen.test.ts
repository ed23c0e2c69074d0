import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'tape'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../../index.ts'
import { freePorts } from '../../support/cluster/free-ports.ts'
import { rejection } from './trio.ts'

const timeout = 30_000
const host = '127.0.0.1'

/** Whether somebody listens there. */
async function answers (port: number): Promise<boolean> {
  const socket = connect({ port, host })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

test('listen() lasts until the database closes, and comes back with it', { timeout }, async (t) => {
  const [portA, portB] = await freePorts(2) as [number, number]
  const [dbA, dbB] = [new MemoryLevel<string, string>(), new MemoryLevel<string, string>()]
  const a = Replicator(dbA, { host, port: portA, peers: [{ host, port: portB }] })
  // Only the second dials, so a connection shows that the first listens.
  const b = Replicator(dbB, { peers: [{ host, port: portA }], minConsensus: 1 })
  t.teardown(async () => {
    await Promise.all([a.close(), b.close()])
    await Promise.all([dbA.close(), dbB.close()])
  })
  const handle = await a.listen({ port: portA, host })
  t.deepEqual(handle.address, { host, port: portA })
  await b.listen({ port: portB, host })
  await Promise.all([a.ready(), b.ready()])

  await dbA.close()
  t.notOk(await answers(portA), 'closed with the database')
  await dbA.open()
  await Promise.all([a.ready(), b.ready()])
  await dbB.put('x', '1')
  t.equal(await dbA.get('x'), '1')

  // The port may be taken a moment after the node is ready by the connection that it has dialled itself.
  while (!await answers(portA)) await new Promise<void>((resolve) => { setImmediate(resolve) })
  t.pass('it listens on the same port')
  await handle.close()
  t.notOk(await answers(portA), 'the handle closes what it stands for now')
  await handle.close()
  t.pass('twice is fine')

  await dbA.close()
  await dbA.open()
  await Promise.all([a.ready(), b.ready()])
  t.notOk(await answers(portA), 'what was closed by hand does not come back')

  const second = await a.listen({ port: portA, host })
  t.ok(await answers(portA), 'it can be called again')
  await a.close()
  t.notOk(await answers(portA), 'closed with the replicator')
  await second.close()
})

test('a handle closes what is just coming back', { timeout }, async (t) => {
  const [port] = await freePorts(1) as [number]
  const db = new MemoryLevel<string, string>()
  const replicator = Replicator(db)
  const handle = await replicator.listen({ port, host })
  await db.close()
  const closed = new Promise<void>((resolve, reject) => { db.once('open', () => { handle.close().then(resolve, reject) }) })
  await db.open()
  await closed
  await replicator.ready()
  t.notOk(await answers(port))
  await replicator.close()
  await db.close()
})

test('listen() on a node that has failed rejects with why', { timeout }, async (t) => {
  const db = new MemoryLevel<string, string>()
  await db.put('own', '1')
  const replicator = Replicator(db, { role: 'witness' })
  const failure = await rejection(replicator.ready())
  t.equal(failure?.code, 'LEVEL_HAS_DATA')
  t.equal(await rejection(replicator.listen({ port: 0, host })), failure)
  await replicator.close()
  t.equal((await rejection(replicator.listen({ port: 0, host })))?.code, 'LEVEL_REPLICATOR_CLOSED')
  await db.close()
})

test('listen() rejects as a server fails, and takes only what a server takes', { timeout }, async (t) => {
  const [port] = await freePorts(1) as [number]
  const db = new MemoryLevel<string, string>()
  const replicator = Replicator(db)
  await replicator.listen({ port, host })
  const error = await rejection(replicator.listen({ port, host })) as NodeJS.ErrnoException | null
  t.equal(error?.code, 'EADDRINUSE')
  t.ok(await rejection(replicator.listen(undefined as unknown as number)) instanceof TypeError)
  t.ok(await rejection(replicator.listen('3000' as unknown as number)) instanceof TypeError)
  await replicator.close()
  await db.close()
})
