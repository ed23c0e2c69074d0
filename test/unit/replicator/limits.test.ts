import { Duplex } from 'node:stream'
import test from 'tape'
import { realEnvironment } from '../../../lib/env.ts'
import { fixedLimits, optionLimits } from '../../../lib/limits.ts'
import type { Session } from '../../../lib/net/network.ts'
import { Outbox } from '../../../lib/net/outbox.ts'
import { RpcLink } from '../../../lib/net/rpc-link.ts'
import { ByteWriter, WireError } from '../../../lib/wire/bytes.ts'
import { readMessages, writeMessage } from '../../../lib/wire/messages.ts'
import type { WireMessage } from '../../../lib/wire/messages.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import { framedCall } from '../../support/bytes.ts'
import { allReady, createMember, createTrio, next, Switchboard, verdict } from './trio.ts'

const timeout = 30_000

/** The bytes that a put takes in a write. */
function bytesOf (key: string, value: string): number {
  return encodeOperations([{ type: 'put', key: Buffer.from(key), value: Buffer.from(value) }]).byteLength
}

/** A value with which a put of this key is as large as that. */
function valueFor (key: string, bytes: number): string {
  let value = 'v'.repeat(bytes - bytesOf(key, '') - 4)
  while (bytesOf(key, value) < bytes) value += 'v'
  return value
}

test('as many writes wait as queueMax says', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2], { queueMax: 3 })
  await db.open()
  const waiting = ['a', 'b', 'c'].map((key) => verdict(db.put(key, '1')))
  t.equal(await verdict(db.put('d', '1')), 'LEVEL_QUEUE_FULL aborted')
  t.equal(await verdict(db.batch().put('d', '1').write()), 'LEVEL_QUEUE_FULL aborted')
  await next(replicator, 'reconnect')
  t.equal(replicator.stats().queuedWrites, 3)
  await replicator.close()
  t.deepEqual(await Promise.all(waiting), Array(3).fill('LEVEL_REPLICATOR_CLOSED aborted'), 'those that wait are still there')
})

test('as many bytes wait as queueBytesMax says', { timeout }, async (t) => {
  const size = bytesOf('a', '1')
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2], { queueBytesMax: 2 * size })
  await db.open()
  const waiting = [db.put('a', '1'), db.put('b', '1')].map(verdict)
  t.equal(await verdict(db.put('c', '1')), 'LEVEL_QUEUE_FULL aborted')
  await replicator.close()
  t.deepEqual(await Promise.all(waiting), Array(2).fill('LEVEL_REPLICATOR_CLOSED aborted'))
})

test('a write larger than the queue passes when the queue is empty', { timeout }, async (t) => {
  const board = new Switchboard()
  const a = createMember(t, board, 1, [2], { queueBytesMax: 100 })
  await a.db.open()
  const large = a.db.put('large', 'v'.repeat(5000))
  t.equal(await verdict(a.db.put('b', '1')), 'LEVEL_QUEUE_FULL aborted')
  const b = createMember(t, board, 2, [1])
  await large
  t.equal((await b.db.get('large'))?.length, 5000)
  await a.db.put('b', '1')
  t.equal(await b.db.get('b'), '1', 'and then there is room again')
})

test('room in the queue comes back when writes settle', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [], { queueMax: 2 })
  await db.open()
  for (let i = 0; i < 20; i++) {
    t.deepEqual(await Promise.all(['a', 'b', 'c'].map((key) => verdict(db.put(key, '1')))), ['resolved', 'resolved', 'LEVEL_QUEUE_FULL aborted'])
  }
})

test('as many reads wait as queueMax says', { timeout }, async (t) => {
  const { db, replicator } = createMember(t, new Switchboard(), 1, [2], { queueMax: 3 })
  await db.open()
  const waiting = [db.get('a'), db.getMany(['a', 'b']), db.iterator().all()].map(verdict)
  t.equal(await verdict(db.get('a')), 'LEVEL_QUEUE_FULL -')
  t.equal(await verdict(db.has('a')), 'LEVEL_QUEUE_FULL -')
  t.equal(await verdict(db.keys().all()), 'LEVEL_QUEUE_FULL -')
  await replicator.close()
  t.deepEqual(await Promise.all(waiting), Array(3).fill('LEVEL_REPLICATOR_CLOSED -'))
})

test('reads that give up make room', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [2], { queueMax: 1, readTimeoutMs: 100 })
  await db.open()
  const first = verdict(db.get('a'))
  t.equal(await verdict(db.get('a')), 'LEVEL_QUEUE_FULL -')
  t.equal(await first, 'LEVEL_TIMEOUT -')
  t.equal(await verdict(db.get('a')), 'LEVEL_TIMEOUT -')
})

test('keys are as large as keyBytesMax says', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [], { keyBytesMax: 10 })
  await db.put('k'.repeat(10), '1')
  t.equal(await verdict(db.put('k'.repeat(11), '1')), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.put('ä'.repeat(6), '1')), 'LEVEL_TOO_LARGE aborted', 'in bytes')
  t.equal(await verdict(db.del('k'.repeat(11))), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'del', key: 'k'.repeat(11) }])), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.batch().put('a', '1').put('k'.repeat(11), '1').write()), 'LEVEL_TOO_LARGE aborted')
  t.deepEqual(await db.keys().all(), ['k'.repeat(10)])
})

test('values are as large as valueBytesMax says', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [], { valueBytesMax: 10 })
  await db.put('a', 'v'.repeat(10))
  await db.batch([{ type: 'put', key: 'b', value: 'v'.repeat(10) }, { type: 'put', key: 'c', value: '' }])
  const larger = 'v'.repeat(11)
  t.equal(await verdict(db.put('d', larger)), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.put('d', 'ä'.repeat(6))), 'LEVEL_TOO_LARGE aborted', 'in bytes')
  t.equal(await verdict(db.batch([{ type: 'put', key: 'd', value: '1' }, { type: 'put', key: 'e', value: larger }])), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.batch().put('d', '1').put('e', larger).write()), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.sublevel('sub').put('d', larger)), 'LEVEL_TOO_LARGE aborted')
  t.deepEqual(await db.keys().all(), ['a', 'b', 'c'])
})

test('writes are as large as writeBytesMax says', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [], { writeBytesMax: 1000 })
  const value = valueFor('a', 1000)
  t.equal(bytesOf('a', value), 1000)
  await db.put('a', value)
  t.equal(await db.get('a'), value)
  t.equal(await verdict(db.put('a', value + 'v')), 'LEVEL_TOO_LARGE aborted')
  const half = 'v'.repeat(500)
  t.equal(await verdict(db.batch([{ type: 'put', key: 'b', value: half }, { type: 'put', key: 'c', value: half }])), 'LEVEL_TOO_LARGE aborted')
  t.equal(await verdict(db.batch().put('b', half).put('c', half).write()), 'LEVEL_TOO_LARGE aborted')
  t.deepEqual(await db.keys().all(), ['a'])
})

test('a write has no more than a million operations', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [])
  await db.put('a', '1')
  const operation = { type: 'del', key: 'a' } as const
  const most = fixedLimits.operations.value
  t.equal(await verdict(db.batch(Array(most + 1).fill(operation))), 'LEVEL_TOO_LARGE aborted')
  t.equal(await db.get('a'), '1')
  await db.batch(Array(most).fill(operation))
  t.equal(await db.get('a'), undefined, 'just as many are written')
})

test('reserved keys are refused, and hidden', { timeout }, async (t) => {
  const { db } = createMember(t, new Switchboard(), 1, [])
  const keyEncoding = 'view'
  const reserved = new Uint8Array(8).fill(0xff)
  const last = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe)
  const options = { keyEncoding }
  for (const key of [reserved, Uint8Array.of(...reserved, 1), Uint8Array.of(...reserved, 0xff)]) {
    t.equal(await verdict(db.put<Uint8Array, string>(key, '1', options)), 'LEVEL_RESERVED_KEY aborted')
    t.equal(await verdict(db.del<Uint8Array>(key, options)), 'LEVEL_RESERVED_KEY aborted')
    t.equal(await verdict(db.batch<Uint8Array, string>([{ type: 'put', key: last, value: '1' }, { type: 'put', key, value: '1' }], options)), 'LEVEL_RESERVED_KEY aborted')
    t.equal(await verdict(db.batch().put<Uint8Array, string>(last, '1', options).put<Uint8Array, string>(key, '1', options).write()), 'LEVEL_RESERVED_KEY aborted')
    t.equal(await db.get<Uint8Array, string>(key, options), undefined)
  }
  t.deepEqual(await db.keys<Uint8Array>(options).all(), [], 'nothing of that was written')
  await db.put<Uint8Array, string>(last, '1', options)
  t.equal(await db.get<Uint8Array, string>(last, options), '1', 'the key before them is free')
})

test('a very large write commits beside many small ones', { timeout }, async (t) => {
  const { max } = optionLimits.writeBytesMax
  const trio = createTrio(t, { writeBytesMax: max })
  const [a, b, c] = trio
  await allReady(trio)
  const notReady = trio.map(({ replicator }) => next(replicator, 'notready'))
  let lost = 0
  for (const event of notReady) void event.then(() => { lost++ })

  const value = valueFor('large', max)
  t.equal(await verdict(b.db.put('large', value + 'v')), 'LEVEL_TOO_LARGE aborted')
  const small = Array.from({ length: 500 }, (_, i) => `small-${i}`)
  const writes = small.slice(0, 250).map((key) => b.db.put(key, 'x'))
  const large = b.db.put('large', value)
  writes.push(...small.slice(250).map((key) => b.db.put(key, 'x')))
  writes.push(...small.map((key) => a.db.put(`a-${key}`, 'x')))
  await Promise.all([large, ...writes])
  t.equal(lost, 0, 'no node has given up')
  for (const { db } of [a, c]) {
    t.ok(await db.get('large') === value, 'it is there')
    t.equal((await db.getMany(small)).filter((read) => read === 'x').length, 500)
  }
})

test('a node has so many addresses', { timeout }, async (t) => {
  const { replicator } = createMember(t, new Switchboard(), 1, [2])
  for (let i = 1; i < fixedLimits.addresses.value; i++) replicator.addPeer({ host: 'localhost', port: 1000 + i })
  t.throws(() => { replicator.addPeer({ host: 'localhost', port: 2000 }) }, RangeError)
  t.doesNotThrow(() => { replicator.addPeer({ host: 'localhost', port: 1001 }) }, 'one that is there already')
})

test('a frame has so many messages', { timeout }, async (t) => {
  const message: WireMessage = { type: 'commit', epoch: 1, committed: 1 }
  const frameOf = (count: number): Uint8Array => {
    const writer = new ByteWriter(1024)
    for (let i = 0; i < count; i++) writeMessage(writer, message)
    return writer.finish()
  }
  const most = fixedLimits.messages.value
  t.equal(readMessages(frameOf(most)).length, most)
  t.throws(() => readMessages(frameOf(most + 1)), WireError)
})

test('so many messages wait for a peer', { timeout }, async (t) => {
  const closed: string[] = []
  // It takes one frame, and no more.
  const session = { send: () => false, close: (code: string) => { closed.push(code) } } as unknown as Session
  const outbox = new Outbox(session)
  const most = fixedLimits.unreadMessages.value
  outbox.push({ type: 'commit', epoch: 1, committed: 1 })
  outbox.flush()
  for (let i = 0; i < most; i++) outbox.push(i < 3 ? { type: 'addresses', addresses: [] } : { type: 'commit', epoch: 1, committed: i })
  t.deepEqual(closed, [])
  // Of those that repeat themselves, only the newest is kept.
  for (let i = 0; i < 2; i++) outbox.push({ type: 'commit', epoch: 1, committed: i })
  t.deepEqual(closed, [])
  outbox.push({ type: 'commit', epoch: 1, committed: most })
  t.deepEqual(closed, ['LEVEL_QUEUE_FULL'])
})

test('a peer leaves so many answers unread', { timeout }, async (t) => {
  const stuck = new Duplex({ highWaterMark: 1, read () {}, write () {} })
  const gone = new Promise<string>((resolve) => {
    const link = new RpcLink(realEnvironment, stuck, {
      onCall (_method, _payload, reply) { reply(new Uint8Array(0)) },
      onDrain () {},
      onClose (error) { resolve(error.code) }
    }, 100)
    t.teardown(async () => { await link.closed })
  })
  const call = (id: number): void => { stuck.push(framedCall(['ping', [new Uint8Array(0)], id])) }
  const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
  // The first answer fills the stream.
  const most = 1 + fixedLimits.unreadReplies.value
  for (let id = 1; id <= most; id++) call(id)
  while (stuck.readableLength > 0 && !stuck.destroyed) await turn()
  t.notOk(stuck.destroyed)
  call(most + 1)
  t.equal(await gone, 'LEVEL_QUEUE_FULL')
})

test('a node joins where keys are as large as they may be', { timeout }, async (t) => {
  const board = new Switchboard()
  const keyBytesMax = optionLimits.keyBytesMax.max
  const options = { keyBytesMax, logBytesMax: optionLimits.logBytesMax.min }
  const first = createMember(t, board, 1, [], options)
  await first.replicator.ready()
  // Each is a piece of the copy, and the joiner asks for what follows it: no request is larger.
  const keys = Array.from({ length: 4 }, (_, i) => `${i}`.padEnd(keyBytesMax, 'k'))
  for (const key of keys) await first.db.put(key, 'v'.repeat(64))
  const joiner = createMember(t, board, 2, [1], options)
  await joiner.replicator.ready()
  t.deepEqual(await joiner.db.keys().all(), keys)
  t.ok(joiner.replicator.trace().some(({ event }) => event === 'copied'), 'it has got a copy')
  t.notOk(first.replicator.trace().some(({ event }) => event === 'down'), 'in one session')
})
