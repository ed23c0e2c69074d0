import type { Duplex } from 'node:stream'
import type { AbstractLevel } from 'abstract-level'
import type { Address } from '../net/network.ts'
import type { Transport } from '../net/transport.ts'
import { Replicator } from '../replicator.ts'
import type { DatabaseReplicator } from '../replicator.ts'
import { bytesAt, closed, gone, Reading, writeBytes, writeToLazyReader } from './test-bytes.ts'

/** What is used of the `t` of tape. */
export interface Assertions {
  ok (value: unknown, message?: string): void
  equal (actual: unknown, expected: unknown, message?: string): void
  pass (message?: string): void
  teardown (fn: () => void | Promise<void>): void
}

export interface TransportListener {
  /** Where `transport` finds it. */
  address: Address
  /** Accepts no more; from then on, nobody is there. Connections that are there may stay. */
  close (): Promise<void>
}

export interface TransportTestOptions {
  /** That of tape. */
  test: (name: string, options: { timeout: number }, body: (t: Assertions) => Promise<void>) => void
  /** Accepts connections, at an address of its own each time, and hands each one over as it would be piped to `createServer()`. */
  listen: (onStream: (stream: Duplex) => void) => Promise<TransportListener>
  /** What would be the option `transport`. */
  transport: Transport
  /** Gives an empty database, such as `new MemoryLevel()`. */
  database: () => AbstractLevel<any, string, string>
  /** What the names of the tests begin with. Default: `transport`. */
  name?: string | undefined
  /** How many bytes may be on the way in one direction while nobody reads. Twice as many are sent. Default: 32 MiB. */
  bufferBytesMax?: number | undefined
  /** What a test may take, in milliseconds. Default: 60,000. */
  timeout?: number | undefined
}

interface Connection {
  dialled: Duplex
  accepted: Duplex
}

interface Peer {
  db: AbstractLevel<any, string, string>
  replicator: DatabaseReplicator<AbstractLevel<any, string, string>>
  accepted: Duplex[]
  dialled: Duplex[]
}

/** Neither more nor less than what is usual for a buffer somewhere on the way, and what may be taken for an end. */
const sizes = [1, 2, 0, 3, 1000, 0, 0, 16383, 16384, 16385, 65535, 1, 65536, 65537, 7, 300_000, 1_200_000]

/** Tests what a replicator needs of a transport. */
export function suite (options: TransportTestOptions): void {
  const { listen, transport, database, name = 'transport', bufferBytesMax = 32 * 1024 * 1024, timeout = 60_000 } = options
  const test = (what: string, body: (t: Assertions) => Promise<void>): void => { options.test(`${name}: ${what}`, { timeout }, body) }

  /** Both directions of one test, from fresh connections: the one who does something, and the other. */
  const bothWays = (what: string, body: (t: Assertions, doer: Duplex, other: Duplex) => Promise<void>): void => {
    for (const who of ['dialled', 'accepted'] as const) {
      test(`${what}, by the side that ${who}`, async (t) => {
        const { dialled, accepted } = await connect(t)
        if (who === 'dialled') await body(t, dialled, accepted)
        else await body(t, accepted, dialled)
      })
    }
  }

  async function connect (t: Assertions): Promise<Connection> {
    let onStream!: (stream: Duplex) => void
    const accepting = new Promise<Duplex>((resolve) => { onStream = resolve })
    const address = await open(t, (stream) => { onStream(stream) })
    return { dialled: await dial(t, address), accepted: await accepting }
  }

  async function open (t: Assertions, onStream: (stream: Duplex) => void): Promise<Address> {
    const listener = await listen((stream) => {
      t.teardown(() => { stream.destroy() })
      onStream(quiet(stream))
    })
    t.teardown(async () => { await listener.close() })
    return listener.address
  }

  async function dial (t: Assertions, { port, host }: Address): Promise<Duplex> {
    const stream = quiet(await transport(port, host))
    t.teardown(() => { stream.destroy() })
    return stream
  }

  test('bytes arrive in order, in both directions at once, whatever the chunks', async (t) => {
    const { dialled, accepted } = await connect(t)
    const count = 8 * 1024 * 1024
    const readings = [new Reading(dialled), new Reading(accepted)]
    const writing = [writeBytes(dialled, count, sizes), writeBytes(accepted, count, [...sizes].reverse())]
    await Promise.all([...writing, ...readings.map((reading) => reading.until(count))])
    for (const { wrong } of readings) t.equal(wrong, null)
    for (const reading of readings) t.equal(reading.count, count)
  })

  test('chunks that were written in one turn arrive, each once', async (t) => {
    const { dialled, accepted } = await connect(t)
    const reading = new Reading(accepted)
    dialled.cork()
    for (let position = 0; position < 20_000; position += 100) dialled.write(bytesAt(position, 100))
    dialled.uncork()
    await reading.until(20_000)
    dialled.end()
    await reading.ended
    t.equal(reading.wrong, null)
    t.equal(reading.count, 20_000)
  })

  bothWays('a chunk without bytes is nothing', async (t, doer, other) => {
    const reading = new Reading(other)
    for (const length of [0, 0, 1, 0]) doer.write(bytesAt(0, length))
    await reading.until(1)
    doer.write(new Uint8Array(0))
    doer.write(bytesAt(1, 1))
    await reading.until(2)
    doer.end(new Uint8Array(0))
    await reading.ended
    t.equal(reading.wrong, null)
    t.equal(reading.count, 2)
  })

  bothWays('the writer is told to wait while nobody reads', async (t, doer, other) => {
    const { most, stuck } = await writeToLazyReader(doer, other, bufferBytesMax * 2)
    t.ok(most <= bufferBytesMax, `at most ${most} bytes on the way, ${bufferBytesMax} may be`)
    t.ok(stuck > 0, `the writer had to wait for the reader (${stuck} times)`)
  })

  bothWays('an end comes after all bytes, and nothing after it', async (t, doer, other) => {
    const count = 3_000_000
    const reading = new Reading(other)
    doer.resume()
    await writeBytes(doer, count, sizes)
    doer.end()
    await reading.ended
    t.equal(reading.wrong, null)
    t.equal(reading.count, count)

    other.end()
    await Promise.all([closed(doer), closed(other)])
    t.equal(reading.count, count, 'after both sides have ended, both are closed')
  })

  bothWays('the other side notices a destroy', async (t, doer, other) => {
    const noticed = gone(other)
    doer.destroy()
    await Promise.all([noticed, closed(doer)])
    t.pass('without an error')
  })

  bothWays('the other side notices a destroy with an error', async (t, doer, other) => {
    const reading = new Reading(other)
    doer.write(bytesAt(0, 1))
    await reading.until(1)
    const noticed = gone(other)
    const failed = new Promise((resolve) => { doer.once('error', resolve) })
    doer.destroy(new Error('planted'))
    await noticed
    t.ok(await failed instanceof Error)
  })

  bothWays('who waits to write notices a destroy', async (t, doer, other) => {
    other.pause()
    const noticed = gone(doer)
    doer.write(new Uint8Array(bufferBytesMax * 2))
    other.destroy()
    await noticed
    t.pass('although nobody reads')
  })

  bothWays('what is done after a destroy does no harm', async (t, doer, other) => {
    const noticed = gone(other)
    doer.write(bytesAt(0, 100_000))
    doer.destroy()
    doer.destroy(new Error('again'))
    doer.write(bytesAt(0, 1), () => {})
    doer.end()
    await Promise.all([noticed, closed(doer)])
    other.write(bytesAt(0, 100_000), () => {})
    other.destroy()
    other.end()
    await closed(other)
    t.pass('both are closed')
  })

  test('there is an error if nobody is there', async (t) => {
    const listener = await listen((stream) => { quiet(stream).destroy() })
    await listener.close()
    t.ok(await failure(listener.address) instanceof Error)
  })

  test('a stream may be destroyed before it is connected', async (t) => {
    // It is told of it, or has never heard of it.
    const address = await open(t, (stream) => { stream.resume() })
    const dialled = await dial(t, address)
    dialled.write(bytesAt(0, 10), () => {})
    dialled.destroy()
    await closed(dialled)
    t.ok(dialled.destroyed)
  })

  test('many connections at once are many', async (t) => {
    let accepted = 0
    const address = await open(t, (stream) => {
      accepted++
      stream.pipe(stream)
    })
    const connections = Array.from({ length: 20 }, async (_, i) => {
      const stream = await dial(t, address)
      // Each has bytes of its own: those of another would be wrong.
      const mine = bytesAt(i * 1000, 100_000)
      stream.write(mine)
      return await isEcho(stream, mine)
    })
    t.equal((await Promise.all(connections)).filter((isRight) => isRight).length, connections.length, 'each got its bytes')
    t.equal(accepted, connections.length)
  })

  test('two replicators replicate, and connect again after a cut', async (t) => {
    const peers: Peer[] = []
    const addresses = await Promise.all([0, 1].map(async (i) => await open(t, (con) => {
      const { replicator, accepted } = peers[i] as Peer
      accepted.push(con)
      const server = replicator.createServer()
      server.pipe(con).pipe(server)
    }))) as [Address, Address]
    for (const [i, address] of addresses.entries()) peers.push(peer(t, address, addresses[1 - i] as Address))
    const [x, y] = peers as [Peer, Peer]

    const write = async (key: string): Promise<void> => {
      await x.db.put(`${key} from the first`, 'x'.repeat(100_000))
      await y.db.put(`${key} from the second`, 'y')
      t.equal((await y.db.get(`${key} from the first`))?.length, 100_000, `${key}: the second has a write of the first`)
      t.equal(await x.db.get(`${key} from the second`), 'y', `${key}: the first has a write of the second`)
    }
    await write('at first')
    for (const side of ['accepted', 'dialled'] as const) {
      const noticed = peers.map(({ replicator }) => new Promise<void>((resolve) => { replicator.once('disconnect', () => { resolve() }) }))
      for (const { [side]: streams } of peers) for (const stream of streams.splice(0)) stream.destroy()
      await Promise.all(noticed)
      await write(`after all that ${side} was cut`)
    }
  })

  function peer (t: Assertions, address: Address, other: Address): Peer {
    const db = database()
    const dialled: Duplex[] = []
    const replicator = Replicator(db, {
      ...address,
      peers: [other],
      // The transport has to notice: heartbeats would take longer than the test may.
      failureTimeoutMs: timeout * 2,
      writeTimeoutMs: timeout * 2,
      readTimeoutMs: timeout * 2,
      async transport (port, host) {
        const stream = await transport(port, host)
        dialled.push(stream)
        return stream
      }
    })
    t.teardown(async () => {
      await replicator.close()
      await db.close()
    })
    return { db, replicator, accepted: [], dialled }
  }

  async function failure ({ port, host }: Address): Promise<unknown> {
    try {
      const stream = await transport(port, host)
      const failed = new Promise((resolve) => {
        stream.once('error', resolve)
        stream.once('close', () => { resolve(null) })
      })
      stream.on('error', () => {})
      stream.write(bytesAt(0, 10), () => {})
      return await failed
    } catch (err) {
      return err
    }
  }
}

async function isEcho (stream: Duplex, mine: Uint8Array): Promise<boolean> {
  let position = 0
  return await new Promise((resolve) => {
    stream.on('data', (chunk: Uint8Array) => {
      if (!chunk.every((byte, i) => byte === mine[position + i])) resolve(false)
      position += chunk.length
      if (position >= mine.length) resolve(true)
    })
    stream.on('close', () => { resolve(false) })
  })
}

/** What goes wrong is seen in other ways. */
function quiet (stream: Duplex): Duplex {
  return stream.on('error', () => {})
}
