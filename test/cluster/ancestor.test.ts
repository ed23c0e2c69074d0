/** What users of level-2pc relied on, asked anew: nodes in one process, over TCP; three that need all, and three that need two. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import { Random } from '../support/check/random.ts'
import { createMesh, createNode, emitted, freeAddresses } from '../support/cluster/in-process.ts'
import type { LocalNode } from '../support/cluster/in-process.ts'

const timeout = 60_000
const random = new Random(Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 1e6)))

interface Entry<K, V> {
  key: K
  value: V
}

async function assertEverywhere<K, V> (t: Test, nodes: ReadonlyArray<LocalNode<K, V>>, entries: ReadonlyArray<Entry<K, V>>): Promise<void> {
  const values = entries.map(({ value }) => value)
  for (const [i, { db }] of nodes.entries()) {
    t.deepEqual(await db.getMany(entries.map(({ key }) => key)), values, `node ${i} has all ${entries.length} values`)
  }
}

function records (prefix: string): Array<Entry<string, string>> {
  return Array.from({ length: random.integer(1, 50) }, (_, i) => ({
    key: `${prefix}${i}-${random.integer(0, 1e9).toString(36)}`,
    value: random.integer(0, 1e9).toString(36)
  }))
}

type Part = string | number

/** Arrays of strings and numbers whose bytes sort as the arrays do: what bytewise does, made small. */
const sorted = {
  name: 'test-sorted-array',
  format: 'buffer' as const,
  encode (parts: Part[]): Buffer {
    return Buffer.concat(parts.map((part) => {
      if (typeof part === 'string') return Buffer.concat([Buffer.from([2]), Buffer.from(part), Buffer.from([0])])
      const bytes = Buffer.alloc(9, 1)
      bytes.writeDoubleBE(part, 1)
      // Negative numbers sort before the others, and the other way round.
      if (part < 0) for (let i = 1; i < 9; i++) bytes[i] = ~bytes[i]!
      else bytes[1]! |= 0x80
      return bytes
    }))
  },
  decode (bytes: Buffer): Part[] {
    const parts: Part[] = []
    for (let at = 0; at < bytes.length;) {
      if (bytes[at] === 2) {
        const end = bytes.indexOf(0, at)
        parts.push(bytes.toString('utf8', at + 1, end))
        at = end + 1
        continue
      }
      const number = Buffer.from(bytes.subarray(at + 1, at + 9))
      if (number[0]! >= 0x80) number[0]! &= 0x7f
      else for (let i = 0; i < 8; i++) number[i] = ~number[i]!
      parts.push(number.readDoubleBE(0))
      at += 9
    }
    return parts
  }
}

const reversed = {
  name: 'test-reversed',
  format: 'utf8' as const,
  encode: (value: string): string => [...value].reverse().join(''),
  decode: (data: string): string => [...data].reverse().join('')
}

for (const minConsensus of [1, 2]) {
  test(`ancestor, minConsensus ${minConsensus}: puts, batches and deletions on one node are on all others when they resolve`, { timeout }, async function (t) {
    t.comment(`TEST_SEED=${random.seed}`)
    const nodes = await createMesh(t, 3, { replicator: { minConsensus } })
    const [first, second, third] = nodes as [LocalNode<string, string>, LocalNode<string, string>, LocalNode<string, string>]

    const puts = records('put-')
    await Promise.all(puts.map(({ key, value }) => first.db.put(key, value)))
    await assertEverywhere(t, nodes, puts)

    const batched = records('batch-')
    const half = batched.length >> 1
    await Promise.all([batched.slice(0, half), batched.slice(half)].map((group) => {
      return second.db.batch(group.map((entry) => ({ type: 'put' as const, ...entry })))
    }))
    await assertEverywhere(t, nodes, batched)

    const count = puts.length + batched.length
    for (const { db } of nodes) t.equal((await db.keys().all()).length, count, 'and nothing else')

    await first.db.put('single', 'value')
    t.equal(await second.db.get('single'), 'value', 'a single put is on the second node')
    t.equal(await third.db.get('single'), 'value', 'and on the third')

    await third.db.del('single')
    for (const { db } of nodes) t.equal(await db.get('single'), undefined, 'a deletion removes it everywhere')
  })

  test(`ancestor, minConsensus ${minConsensus}: a write is refused when consensus cannot be reached`, { timeout }, async function (t) {
    const [address, ...missing] = await freeAddresses(3)
    const node = await createNode(t, { address: address!, peers: missing, replicator: { minConsensus, failAfter: 2 } })
    const failed = new Set<string>()
    const allFailed = new Promise<void>((resolve) => {
      node.replicator.on('fail', (host, port) => {
        failed.add(`${host}:${port}`)
        if (failed.size === 2) resolve()
      })
    })
    await node.listen()
    const write = node.db.put('x', '1').then(() => null, (error: { code?: string, outcome?: string }) => error)
    await allFailed
    t.deepEqual([...failed].sort(), missing.map(({ host, port }) => `${host}:${port}`).sort(), 'fail tells host and port')

    const error = await write
    t.equal(error?.code, 'LEVEL_CONSENSUS_UNREACHABLE')
    t.equal(error?.outcome, 'aborted')

    // What is on the disk counts, so it is asked without the replicator.
    await node.replicator.close()
    t.equal(await node.db.get('x'), undefined, 'the key is not there')
  })

  test(`ancestor, minConsensus ${minConsensus}: nodes that join in any order, with a write waiting`, { timeout }, async function (t) {
    const addresses = await freeAddresses(3)
    const order = random.sample([0, 1, 2], 3)
    const nodes: Array<LocalNode<string, string>> = []
    const writes: Array<Promise<void>> = []

    for (const i of order) {
      const address = addresses[i]!
      const node = await createNode(t, { address, peers: addresses.filter((peer) => peer !== address), replicator: { minConsensus } })
      nodes.push(node)
      writes.push(node.db.put(`from-${i}`, `${i}`))
      t.notEqual(node.replicator.status, 'ready', 'the write is issued before the node is ready')
      await node.listen()
    }
    await Promise.all(writes)
    await assertEverywhere(t, nodes, order.map((i) => ({ key: `from-${i}`, value: `${i}` })))
  })

  test(`ancestor, minConsensus ${minConsensus}: json values`, { timeout }, async function (t) {
    const nodes = await createMesh<string, unknown>(t, 3, { replicator: { minConsensus }, database: { valueEncoding: 'json' } })
    const entries = [
      { key: 'a', value: { nested: [1, 'two', null, true] } },
      { key: 'b', value: 0 },
      { key: 'c', value: 'text' }
    ]
    await nodes[0]!.db.batch(entries.map((entry) => ({ type: 'put' as const, ...entry })))
    await assertEverywhere(t, nodes, entries)
    await nodes[1]!.db.put('utf8', 'plain', { valueEncoding: 'utf8' })
    t.equal(await nodes[2]!.db.get('utf8', { valueEncoding: 'utf8' }), 'plain', 'an encoding of one operation')
  })

  test(`ancestor, minConsensus ${minConsensus}: binary keys and values`, { timeout }, async function (t) {
    const nodes = await createMesh<Buffer, Buffer>(t, 3, { replicator: { minConsensus }, database: { keyEncoding: 'buffer', valueEncoding: 'buffer' } })
    const entries = [
      { key: Buffer.from([0]), value: Buffer.from([0xff, 0, 0x80]) },
      { key: Buffer.from([0xc3, 0x28]), value: Buffer.alloc(0) },
      { key: Buffer.from([0xff, 0xfe]), value: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) }
    ]
    await Promise.all(entries.map(({ key, value }, i) => nodes[i]!.db.put(key, value)))
    await assertEverywhere(t, nodes, entries)
    for (const { db } of nodes) t.deepEqual(await db.keys().all(), entries.map(({ key }) => key), 'in the order of bytes')
  })

  test(`ancestor, minConsensus ${minConsensus}: encodings of the user's own`, { timeout }, async function (t) {
    const nodes = await createMesh<Part[], string>(t, 3, { replicator: { minConsensus }, database: { keyEncoding: sorted, valueEncoding: reversed } })
    const keys: Part[][] = [[-2, 'b'], [-1], [0, 'a'], [0, 'b'], [10], ['a', 1], ['ab']]
    const entries = keys.map((key, i) => ({ key, value: `value ${i}` }))
    for (const { key, value } of random.sample(entries, entries.length)) await random.pick(nodes).db.put(key, value)
    await assertEverywhere(t, nodes, entries)

    for (const { db } of nodes) t.deepEqual(await db.keys().all(), keys, 'in the order that the encoding gives')
    t.equal(await nodes[0]!.db.get([10], { valueEncoding: 'utf8' }), '4 eulav', 'stored as encoded')
    await nodes[1]!.db.del([10])
    for (const { db } of nodes) t.equal(await db.get([10]), undefined, 'deleted everywhere')
  })

  test(`ancestor, minConsensus ${minConsensus}: closed nodes do not reconnect`, { timeout }, async function (t) {
    const nodes = await createMesh(t, 3, { replicator: { minConsensus } })
    await Promise.all(nodes.map(({ replicator }) => replicator.ready()))
    let closed = false
    let late = 0
    for (const { replicator } of nodes) replicator.on('reconnect', () => { if (closed) late++ })

    await Promise.all(nodes.map(({ replicator }) => replicator.close()))
    closed = true
    // A server in the place of a node would hear of anybody who still dials.
    const server = createServer((socket) => {
      late++
      socket.destroy()
    })
    t.teardown(() => { server.close() })
    server.listen(nodes[0]!.address.port, nodes[0]!.address.host)
    await once(server, 'listening')
    const stranger = await createNode(t, { address: (await freeAddresses(1))[0]!, peers: [nodes[1]!.address], replicator: { failAfter: 3 } })
    const failed = emitted(stranger.replicator, 'fail')
    await stranger.listen()
    // As long as it takes a live one to try three times.
    await failed
    t.equal(late, 0, 'no attempt after closing')
  })

  test(`ancestor, minConsensus ${minConsensus}: when the databases close, the replicators disconnect`, { timeout }, async function (t) {
    const nodes = await createMesh(t, 3, { replicator: { minConsensus } })
    await Promise.all(nodes.map(({ replicator }) => replicator.ready()))
    await nodes[0]!.db.put('x', '1')

    const notReady = nodes.map(({ replicator }) => emitted(replicator, 'notready'))
    const closed = nodes.map(({ replicator }) => emitted(replicator, 'closed'))
    await Promise.all(nodes.map(({ db }) => db.close()))
    await Promise.all(notReady)
    t.pass('each emits notready')
    await Promise.all(closed)
    t.pass('each emits closed')
    for (const { replicator } of nodes) t.equal(replicator.status, 'closed')
  })

  // Here minConsensus also says how many there are.
  test(`ancestor, minConsensus ${minConsensus}: nodes find each other through one that they know`, { timeout }, async function (t) {
    const addresses = await freeAddresses(minConsensus + 1)
    const nodes: Array<LocalNode<string, string>> = []
    for (const [i, address] of addresses.entries()) {
      const node = await createNode(t, { address, peers: i === 0 ? [] : [addresses[0]!], replicator: { minConsensus } })
      const met = emitted(node.replicator, 'connect')
      nodes.push(node)
      await node.listen()
      if (i > 0) await met
      if (i < minConsensus) for (const { replicator } of nodes) t.notEqual(replicator.status, 'ready', `${i + 1} are not enough`)
    }
    await Promise.all(nodes.map((node) => node.replicator.ready()))
    t.pass('all are ready when all have met')

    const entries = nodes.map((_, i) => ({ key: `from-${i}`, value: `${i}` }))
    await Promise.all(nodes.map(({ db }, i) => db.put(entries[i]!.key, entries[i]!.value)))
    await assertEverywhere(t, nodes, entries)
  })

  test(`ancestor, minConsensus ${minConsensus}: a late joiner that knows one peer`, { timeout }, async function (t) {
    const nodes = await createMesh(t, 3, { replicator: { minConsensus } })
    const before = records('before-')
    await Promise.all(before.map(({ key, value }, i) => nodes[i % 3]!.db.put(key, value)))

    const [address] = await freeAddresses(1)
    const late = await createNode(t, { address: address!, peers: [random.pick(nodes).address], replicator: { minConsensus } })
    nodes.push(late)
    const write = late.db.put('late', 'written before it is ready')
    await late.listen()
    await write
    await assertEverywhere(t, nodes, [...before, { key: 'late', value: 'written before it is ready' }])

    const entries = nodes.map((_, i) => ({ key: `from-${i}`, value: `${i}` }))
    await Promise.all(nodes.map(({ db }, i) => db.put(entries[i]!.key, entries[i]!.value)))
    await assertEverywhere(t, nodes, entries)
    for (const { replicator } of nodes) {
      const { members, live } = replicator.stats()
      t.deepEqual([members.length, live.length], [4, 4], 'everybody knows of four')
    }

    // Of four, it takes three: so its vote counts from now on.
    await nodes.shift()!.replicator.close()
    await Promise.all(nodes.map(({ replicator }) => replicator.ready()))
    await late.db.put('late', 'with its vote')
    await assertEverywhere(t, nodes, [...before, { key: 'late', value: 'with its vote' }])
  })
}
