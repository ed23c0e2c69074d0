import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import test from 'tape'
import { MessageStream } from '../../../lib/transport/message-stream.ts'
import type { Message } from '../../../lib/transport/message-stream.ts'

const timeout = { timeout: 30_000 }
const MiB = 1024 * 1024

/** A stream, what it has sent, and how its channel was closed. */
function record (): { stream: MessageStream, sent: Message[], closed: boolean[] } {
  const sent: Message[] = []
  const closed: boolean[] = []
  const stream = new MessageStream({
    send (message) { sent.push(message) },
    close (isClean) { closed.push(isClean) }
  })
  return { stream, sent, closed }
}

function bytesOf (sent: readonly Message[]): Buffer {
  return Buffer.concat(sent.filter((message) => message instanceof Uint8Array))
}

async function failureOf (stream: Duplex): Promise<string> {
  return await once(stream, 'close').then(() => 'no error', (err: Error) => err.message)
}

test('message stream: nothing is sent before it is open', timeout, async (t) => {
  const { stream, sent } = record()
  t.ok(stream.connecting)
  stream.write('a')
  stream.write('b')
  stream.end('c')
  t.deepEqual(sent, [])
  const events = Promise.all(['connect', 'finish'].map(async (event) => await once(stream, event)))
  stream.open()
  t.notOk(stream.connecting)
  await events
  t.equal(String(bytesOf(sent)), 'abc')
  t.equal(sent.at(-1), null, 'the end is last')

  const other = record()
  other.stream.end()
  await new Promise(setImmediate)
  t.deepEqual(other.sent, [])
  other.stream.open()
  await once(other.stream, 'finish')
  t.deepEqual(other.sent, [null])
})

test('message stream: one that is destroyed before it is open sends nothing', timeout, async (t) => {
  const { stream, sent, closed } = record()
  const written = new Promise((resolve) => { stream.write('a', resolve) })
  stream.on('connect', () => { t.fail('it is not connected') })
  stream.destroy()
  stream.open()
  t.ok(await written instanceof Error)
  t.deepEqual([sent, closed], [[], [false]])
})

test('message stream: what is written in one turn is one message', timeout, async (t) => {
  const { stream, sent } = record()
  stream.open()
  stream.cork()
  for (const text of ['a', '', 'bc', 'd']) stream.write(text)
  stream.uncork()
  t.deepEqual(sent, [Uint8Array.from(Buffer.from('abcd'))])
})

test('message stream: a message has memory of its own', timeout, async (t) => {
  const { stream, sent } = record()
  stream.open()
  const chunk = Buffer.from('abc')
  stream.write(chunk)
  chunk.fill('x')
  const [message] = sent as [Uint8Array]
  t.equal(String(bytesOf(sent)), 'abc')
  t.equal(message.byteLength, message.buffer.byteLength)
})

test('message stream: no more than the window is on the way', timeout, async (t) => {
  const { stream, sent } = record()
  stream.open()
  const bytes = Buffer.alloc(3 * MiB, 'abcdefg')
  const written = new Promise((resolve) => { stream.write(bytes, resolve) })
  t.equal(bytesOf(sent).length, MiB)
  stream.receive(10)
  t.equal(bytesOf(sent).length, MiB + 10)
  stream.receive(MiB)
  stream.receive(MiB - 10)
  t.equal(await written, null)
  t.ok(bytesOf(sent).equals(bytes))
})

test('message stream: a reader tells what it has taken, and nothing while it takes nothing', timeout, async (t) => {
  const { stream, sent } = record()
  stream.open()
  for (let i = 0; i < 16; i++) stream.receive(new Uint8Array(64 * 1024))
  await new Promise(setImmediate)
  t.deepEqual(sent, [])
  stream.resume()
  while (!sent.includes(MiB)) await once(stream, 'data')
  t.deepEqual(sent, [MiB])
})

test('message stream: whoever breaks the protocol is cut off', timeout, async (t) => {
  const breaches: Array<[string, unknown[]]> = [
    ['what is no message', ['text']],
    ['nothing', [undefined]],
    ['an object', [{}]],
    ['bytes that are none', [new Uint8Array(0)]],
    ['bytes after the end', [null, Uint8Array.of(1)]],
    ['two ends', [null, null]],
    ['more than the window', [new Uint8Array(MiB), Uint8Array.of(1)]],
    ['a message larger than the window', [new Uint8Array(MiB + 1)]],
    ['more taken than was sent', [11]],
    ['more taken than was sent, in two parts', [10, 1]],
    ['less than nothing taken', [-1]],
    ['nothing taken', [0]],
    ['half a byte taken', [0.5]],
    ['what is no number taken', [NaN]]
  ]
  for (const [what, messages] of breaches) {
    const { stream, closed } = record()
    stream.open()
    stream.write(new Uint8Array(10))
    const failure = failureOf(stream)
    for (const message of messages) stream.receive(message)
    t.match(await failure, /broke the protocol/, what)
    t.deepEqual(closed, [false])
    for (const message of messages) stream.receive(message)
  }
})

test('message stream: a lost channel', timeout, async (t) => {
  const lost = new Error('lost')

  const idle = record()
  idle.stream.open()
  const idleFailure = failureOf(idle.stream)
  idle.stream.lose(lost)
  idle.stream.lose(new Error('again'))
  t.equal(await idleFailure, 'lost')

  const writing = record()
  writing.stream.open()
  const written = new Promise((resolve) => { writing.stream.write(Buffer.alloc(2 * MiB), resolve) })
  const writingFailure = failureOf(writing.stream)
  writing.stream.lose(lost)
  t.equal(await writingFailure, 'lost')
  t.equal(await written, lost)
  const sent = writing.sent.length
  writing.stream.receive(MiB)
  t.equal(writing.sent.length, sent, 'nothing is sent any more')

  // The other side has ended, and is gone before everything was read here.
  const ended = record()
  ended.stream.open()
  ended.stream.receive(Buffer.from('last words'))
  ended.stream.receive(null)
  ended.stream.lose(lost)
  const endedFailure = failureOf(ended.stream)
  const [bytes] = await once(ended.stream, 'data')
  t.equal(String(bytes), 'last words')
  t.equal(await endedFailure, 'lost')

  const late = record()
  late.stream.open()
  late.stream.resume()
  late.stream.receive(null)
  await once(late.stream, 'end')
  const lateFailure = failureOf(late.stream)
  late.stream.lose(lost)
  t.equal(await lateFailure, 'lost', 'after the end was read')

  for (const write of [(stream: Duplex) => stream.write('a'), (stream: Duplex) => stream.end()]) {
    const { stream } = record()
    stream.open()
    stream.receive(Buffer.from('unread'))
    stream.receive(null)
    stream.lose(lost)
    const failure = failureOf(stream)
    write(stream)
    t.equal(await failure, 'lost', 'while nobody reads, who writes learns of it')
  }
})

test('message stream: after both ends it is closed in order, and a loss is none', timeout, async (t) => {
  for (const order of ['own end first', 'own end last']) {
    const { stream, sent, closed } = record()
    stream.open()
    if (order === 'own end first') stream.end()
    stream.receive(Buffer.from('a'))
    stream.receive(null)
    stream.end()
    await once(stream, 'finish')
    if (order === 'own end first') stream.lose(new Error('lost'))
    else stream.on('end', () => { stream.lose(new Error('lost')) })
    t.notOk(stream.destroyed, 'there is something to read')
    stream.resume()
    t.equal(await failureOf(stream), 'no error', order)
    t.deepEqual([sent, closed], [[null], [true]])
  }
})
