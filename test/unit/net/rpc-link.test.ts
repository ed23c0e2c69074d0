import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import test from 'tape'
import fc from 'fast-check'
import { realEnvironment } from '../../../lib/env.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'
import { RpcLink } from '../../../lib/net/rpc-link.ts'
import type { LinkHandler } from '../../../lib/net/rpc-link.ts'

const timeout = { timeout: 30000 }
const bytes = (...values: number[]) => Uint8Array.from(values)

interface Recorded {
  link: RpcLink
  calls: Array<[string, number[]]>
  /** Resolves with the error of the close, which must come once. */
  gone: Promise<ReplicatorError>
  closes: number
}

function record (stream: Duplex, onCall: LinkHandler['onCall'] = () => {}, bytesMax = 100): Recorded {
  let close: (error: ReplicatorError) => void = () => {}
  const gone = new Promise<ReplicatorError>((resolve) => { close = resolve })
  const calls: Recorded['calls'] = []
  const link = new RpcLink(realEnvironment, stream, {
    onCall (method, payload, reply) {
      calls.push([method, [...payload.subarray(0, 10)]])
      onCall(method, payload, reply)
    },
    onDrain () { stream.emit('test:drain') },
    onClose (error) { recorded.closes++; close(error) }
  }, bytesMax)
  const recorded: Recorded = { link, calls, gone, closes: 0 }
  return recorded
}

function call (link: RpcLink, payload: Uint8Array, timeoutMs = 20000): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    link.call('hello', payload, timeoutMs, (error, reply) => { error === null ? resolve(reply) : reject(error) })
  })
}

async function codeOf (promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => 'no error', (err: ReplicatorError) => err.code)
}

test('link: calls, replies and one-way calls', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  const b = record(y, (_method, payload, reply) => { reply(bytes(...payload, 9)) })

  a.link.send('frame', bytes(5))
  const replies = await Promise.all([call(a.link, bytes(1)), call(a.link, bytes(2))])
  t.same(replies.map((r) => [...r]), [[1, 9], [2, 9]])
  t.same(b.calls, [['frame', [5]], ['hello', [1]], ['hello', [2]]])

  a.link.end(new Error('over') as ReplicatorError)
  const error = await b.gone
  t.is(error.code, 'LEVEL_CONNECTION_LOST')
  await Promise.all([a.link.closed, b.link.closed])
  t.same([a.closes, b.closes], [1, 1])
})

test('link: nobody is called back while sending', timeout, async (t) => {
  const [x, y] = duplexPair()
  let sending = false
  const a = record(x, () => { t.notOk(sending) })
  const b = record(y, (_method, payload) => { b.link.send('frame', payload) })
  sending = true
  a.link.send('frame', bytes(1))
  a.link.send('frame', bytes(2))
  sending = false
  while (a.calls.length < 2) await once(x, 'data')
  t.same(a.calls, [['frame', [1]], ['frame', [2]]])
  x.destroy()
  await b.gone
})

test('link: a call that hangs is rejected on disconnect', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  record(y)
  const hanging = codeOf(call(a.link, bytes(1)))
  y.destroy()
  t.is(await hanging, 'LEVEL_CONNECTION_LOST')
  t.is(await codeOf(call(a.link, bytes(1))), 'LEVEL_CONNECTION_LOST', 'also one that is made later')
  t.is(a.link.send('frame', bytes(1)), true, 'nothing is sent any more')
  t.is(a.closes, 1)
})

test('link: a call without an answer ends the link', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  const b = record(y)
  // What holds the process while the timer does not.
  const hold = setTimeout(() => {}, 30000)
  t.is(await codeOf(call(a.link, bytes(1), 10)), 'LEVEL_TIMEOUT')
  t.is((await a.gone).code, 'LEVEL_TIMEOUT')
  await b.gone
  clearTimeout(hold)
})

test('link: back-pressure', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  const big = new Uint8Array(x.writableHighWaterMark).fill(1)
  t.is(a.link.send('frame', bytes(1)), true)
  t.is(a.link.send('frame', big), false)
  t.is(a.link.send('frame', bytes(2)), false, 'still')
  const drained = once(x, 'test:drain')
  const b = record(y, () => {}, big.byteLength)
  await drained
  t.is(a.link.send('frame', bytes(3)), true)
  while (b.calls.length < 4) await once(y, 'data')
  t.same(b.calls.map((c) => c[1][0]), [1, 1, 2, 3], 'nothing was lost')
  x.destroy()
  await b.gone
})

const malformed: Array<[string, Uint8Array]> = [
  ['the object {} in JSON', Buffer.from('{}\n{}\n')],
  ['null in JSON', Buffer.from('null\n')],
  ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['an empty frame', bytes(0, 0, 0, 0)],
  ['a frame beyond the limit', bytes(0, 0, 0, 200)],
  ['an unknown method', bytes(0, 0, 0, 2, 77, 0)],
  ['a reply to a call that was not made', bytes(0, 0, 0, 2, 0, 7)],
  ['a body of no bytes', bytes(0, 0, 0, 2, 3, 0)],
  ['an endless id', bytes(0, 0, 0, 10, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255)]
]

for (const [what, data] of malformed) {
  test(`link: is closed by ${what}`, timeout, async (t) => {
    const [x, y] = duplexPair()
    const a = record(x)
    y.on('error', () => {})
    y.resume()
    y.write(data)
    const error = await a.gone
    t.is(error.code, 'LEVEL_PROTOCOL_ERROR', error.message)
    await a.link.closed
    t.is(a.calls.length, 0)
    t.is(a.closes, 1)
  })
}

test('link: how large a payload may be is asked when its frame begins', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  let bytesMax = 1000
  a.link.acceptPayloads(() => bytesMax)
  y.on('error', () => {})
  y.resume()
  const frame = bytes(0, 0, 0, 202, 3, 0, ...new Uint8Array(200).fill(1))
  const begun = once(x, 'data')
  y.write(frame.subarray(0, 100))
  await begun
  bytesMax = 100
  const rest = once(x, 'data')
  y.write(frame.subarray(100))
  await rest
  t.same([a.calls.length, a.link.error], [1, null], 'one that has begun may end')
  y.write(frame.subarray(0, 4))
  t.is((await a.gone).code, 'LEVEL_PROTOCOL_ERROR', a.link.error?.message)
  t.is(a.calls.length, 1, 'the next one may not begin')
})

test('link: random bytes only ever close it', timeout, async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 10 }), async (chunks) => {
    const [x, y] = duplexPair()
    const a = record(x, (_method, payload, reply) => { reply(payload) })
    y.on('error', () => {})
    y.resume()
    for (const chunk of chunks) y.write(chunk)
    y.end()
    const error = await a.gone
    await a.link.closed
    return a.closes === 1 && ['LEVEL_PROTOCOL_ERROR', 'LEVEL_CONNECTION_LOST'].includes(error.code)
  }))
  t.pass()
})

test('link: a stream of texts or objects is refused', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  x.setEncoding('utf8')
  y.on('error', () => {})
  y.write(bytes(0, 0, 0, 2, 3, 0))
  t.is((await a.gone).code, 'LEVEL_PROTOCOL_ERROR')
})

test('link: a handler that throws ends the link, and the other side learns nothing of it', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  const b = record(y, () => { throw new Error('secret') })
  const answer = call(a.link, bytes(1))
  t.is(await codeOf(answer), 'LEVEL_CONNECTION_LOST')
  const error = await b.gone
  t.is(error.code, 'LEVEL_PROTOCOL_ERROR')
  t.is((error.cause as Error).message, 'secret')
})

test('link: a late error of the stream is harmless', timeout, async (t) => {
  const [x, y] = duplexPair()
  const a = record(x)
  y.on('error', () => {})
  y.destroy()
  await a.gone
  await a.link.closed
  x.emit('error', new Error('late'))
  x.emit('error', new Error('later'))
  x.emit('close')
  t.is(a.closes, 1)
})

test('link: a stream that was destroyed before', timeout, async (t) => {
  const [x, y] = duplexPair()
  y.on('error', () => {})
  x.destroy()
  await once(x, 'close')
  const a = record(x)
  t.is((await a.gone).code, 'LEVEL_CONNECTION_LOST')
  await a.link.closed
})
