import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import test from 'tape'
import fc from 'fast-check'
import { realEnvironment } from '../../../lib/env.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import { codes } from '../../../lib/errors.ts'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'
import { equalBytes } from '../../../lib/net/equal-bytes.ts'
import { hmacWith, portableHmac } from '../../../lib/net/hmac.ts'
import { RpcLink } from '../../../lib/net/rpc-link.ts'
import { Seal, tagBytes } from '../../../lib/net/seal.ts'
import { Secret } from '../../../lib/net/secret.ts'
import { WireError } from '../../../lib/wire/bytes.ts'
import { fromHex, toHex } from '../../../lib/wire/hex.ts'

const timeout = { timeout: 30000 }
const bytes = (...values: number[]) => Uint8Array.from(values)
const utf8 = (text: string) => new TextEncoder().encode(text)

const transcript = { auth: bytes(1, 2, 3), challenge: bytes(4, 5) }

test('secret: a proof belongs to a secret, a role and what was said', timeout, async (t) => {
  const secret = new Secret(utf8('0123456789abcdef'))
  const proof = secret.proof('dialler', transcript)
  t.ok(secret.isProof(proof, 'dialler', transcript))
  t.ok(new Secret(utf8('0123456789abcdef')).isProof(proof, 'dialler', transcript))

  t.notOk(secret.isProof(proof, 'acceptor', transcript), 'the other role')
  t.notOk(new Secret(utf8('0123456789abcdeF')).isProof(proof, 'dialler', transcript), 'another secret')
  t.notOk(secret.isProof(proof, 'dialler', { ...transcript, auth: bytes(1, 2, 4) }), 'another auth')
  t.notOk(secret.isProof(proof, 'dialler', { ...transcript, challenge: bytes(4, 6) }), 'another challenge')
  t.notOk(secret.isProof(proof, 'dialler', { auth: bytes(1, 2), challenge: bytes(3, 4, 5) }), 'the same bytes, cut elsewhere')
  for (let i = 0; i < proof.length; i++) {
    const changed = Uint8Array.from(proof)
    changed[i] = (changed[i] as number) ^ 1
    if (secret.isProof(changed, 'dialler', transcript)) t.fail(`byte ${i} does not matter`)
  }
  t.notOk(secret.isProof(proof.subarray(1), 'dialler', transcript), 'too short')
  t.notOk(secret.isProof(bytes(), 'dialler', transcript), 'empty')
})

test('secret: vectors', timeout, async (t) => {
  const { vectors } = JSON.parse(readFileSync(new URL('../../../spec/vectors/secret.json', import.meta.url), 'utf8'))
  t.ok(vectors.length > 0, 'there are vectors')
  for (const { name, secret: text, auth, challenge, proofs, frames } of vectors) {
    const secret = new Secret(fromHex(text))
    const transcript = { auth: fromHex(auth), challenge: fromHex(challenge) }
    for (const role of ['dialler', 'acceptor'] as const) {
      t.is(toHex(secret.proof(role, transcript)), proofs[role], `${name}: proof of the ${role}`)
      const { sending } = secret.seals(role, transcript)
      const { receiving } = secret.seals(role === 'dialler' ? 'acceptor' : 'dialler', transcript)
      for (const { frame, tag } of frames[role]) {
        t.is(toHex(sending.tag(fromHex(frame))), tag, `${name}: tag of a frame of the ${role}`)
        t.is(toHex(receiving.open(fromHex(frame + tag))), frame, `${name}: taken by the other side`)
      }
    }
  }
})

test('secret: the platform and JavaScript agree', timeout, async (t) => {
  t.notOk(hmacWith === portableHmac, 'here, there is one of the platform')
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.array(fc.uint8Array({ maxLength: 200 })), (key, parts) => {
    const [mine, theirs] = [portableHmac(key), hmacWith(key)]
    // Twice, since the first must not change what the next begins with.
    return [1, 2].every(() => equalBytes(mine(...parts), theirs(...parts)))
  }))
})

test('seal: equal bytes', timeout, async (t) => {
  t.ok(equalBytes(bytes(), bytes()))
  t.ok(equalBytes(bytes(1, 2), bytes(1, 2)))
  t.notOk(equalBytes(bytes(1, 2), bytes(1, 3)))
  t.notOk(equalBytes(bytes(1, 2), bytes(0, 2)))
  t.notOk(equalBytes(bytes(1, 2), bytes(1)))
  t.notOk(equalBytes(bytes(1, 2), bytes(1, 2, 0)))
})

/** A frame with its tag, as it travels. */
function sealed (seal: Seal, ...frame: number[]): Uint8Array {
  return bytes(...frame, ...seal.tag(bytes(...frame)))
}

test('seal: frames in order, and no others', timeout, async (t) => {
  const key = new Uint8Array(32).fill(7)
  const [a, b] = [new Seal(key), new Seal(key)]
  const [first, second] = [sealed(a, 1, 2), sealed(a, 1, 2)]
  t.is(first.length, 2 + tagBytes)
  t.same(b.open(first), bytes(1, 2))
  t.same(b.open(second), bytes(1, 2))

  const refuses = (what: string, ...frames: Uint8Array[]) => {
    const seal = new Seal(key)
    const last = frames.pop() as Uint8Array
    for (const frame of frames) seal.open(frame)
    t.throws(() => seal.open(last), WireError, what)
  }
  refuses('repeated', first, first)
  refuses('left out, or out of order', second)
  refuses('changed', bytes(2, ...first.subarray(1)))
  refuses('a changed tag', bytes(...first.subarray(0, -1), (first.at(-1) as number) ^ 1))
  refuses('cut', first.subarray(0, -1))
  refuses('without a tag', bytes(1, 2))
  refuses('nothing', bytes())
  refuses('of another key', sealed(new Seal(new Uint8Array(32)), 1, 2))
})

interface End {
  link: RpcLink
  got: string[]
  gone: Promise<ReplicatorError>
}

function end (stream: Duplex, role: 'dialler' | 'acceptor', secret: Secret): End {
  let close: (error: ReplicatorError) => void = () => {}
  const gone = new Promise<ReplicatorError>((resolve) => { close = resolve })
  const got: string[] = []
  const link = new RpcLink(realEnvironment, stream, {
    onCall (method, payload, reply) {
      got.push(`${method} ${payload.length}`)
      stream.emit('test:call')
      if (method === 'hello') reply(payload)
    },
    onDrain () {},
    onClose: (error) => { close(error) }
  }, 100_000)
  link.seal(secret.seals(role, transcript))
  return { link, got, gone }
}

/** Two sealed ends with somebody in between, who passes on what `tamper` returns of each chunk that the dialler sends. */
function pair (tamper: (chunk: Buffer) => Buffer = (chunk) => chunk, secret = new Secret(utf8('0123456789abcdef'))) {
  const [near, left] = duplexPair()
  const [right, far] = duplexPair()
  left.on('data', (chunk) => { right.write(tamper(chunk)) })
  right.on('data', (chunk) => { left.write(chunk) })
  for (const stream of [near, left, right, far]) stream.on('error', () => {})
  left.on('close', () => { right.destroy() })
  right.on('close', () => { left.destroy() })
  return { far, right, a: end(near, 'dialler', secret), b: end(far, 'acceptor', new Secret(utf8('0123456789abcdef'))) }
}

test('seal: calls, replies and frames of any size pass a sealed link', timeout, async (t) => {
  const { far, a, b } = pair()
  const sizes = [1, 1023, 1024, 1025, 99_999, 2]
  for (const size of sizes) a.link.send('frame', new Uint8Array(size).fill(size))
  const reply = await new Promise<Uint8Array>((resolve, reject) => {
    a.link.call('hello', bytes(9), 20_000, (error, reply) => { error === null ? resolve(reply) : reject(error) })
  })
  t.same([...reply], [9])
  while (b.got.length < sizes.length + 1) await once(far, 'test:call')
  t.same(b.got, [...sizes.map((size) => `frame ${size}`), 'hello 1'])
  b.link.send('frame', bytes(1))
  a.link.end(new Error('over') as ReplicatorError)
  await b.gone
})

test('seal: whoever stands between cannot change, repeat, leave out or add anything', timeout, async (t) => {
  const flip = (at: number) => (chunk: Buffer) => {
    const changed = Buffer.from(chunk)
    changed[at] = (changed[at] as number) ^ 1
    return changed
  }
  // A frame of one byte is: 4 bytes length, 2 bytes header, 1 byte payload, the tag.
  const tampers: Array<[string, (chunk: Buffer) => Buffer, string[]]> = [
    ['another method', flip(4), []],
    ['another id', flip(5), []],
    ['another payload', flip(6), []],
    ['another tag', flip(7), []],
    ['repeated', (chunk) => Buffer.concat([chunk, chunk]), ['frame 1']],
    ['added before', (chunk) => Buffer.concat([bytes(0, 0, 0, 2, 4, 0), chunk]), []],
    ['added behind', (chunk) => Buffer.concat([chunk, bytes(0, 0, 0, 2, 4, 0)]), ['frame 1']],
    ['without its tag', (chunk) => Buffer.concat([bytes(0, 0, 0, 3), chunk.subarray(4, 7)]), []]
  ]
  for (const [what, tamper, got] of tampers) {
    const { a, b } = pair(tamper)
    a.link.send('frame', bytes(1))
    const error = await b.gone
    t.is(error.code, codes.protocol, `${what}: ${error.message}`)
    t.same(b.got, got)
    await a.gone
  }

  let dropped = false
  const { a, b } = pair((chunk) => {
    if (dropped) return chunk
    dropped = true
    return Buffer.alloc(0)
  })
  a.link.send('frame', bytes(1))
  await new Promise((resolve) => { setImmediate(resolve) })
  a.link.send('frame', bytes(2))
  t.is((await b.gone).code, codes.protocol, 'left out')
  t.same(b.got, [])
})

test('seal: what one side has sent is not taken by itself', timeout, async (t) => {
  const { right, a, b } = pair()
  b.link.send('frame', bytes(1))
  const [chunk] = await once(right, 'data')
  right.write(chunk)
  t.is((await b.gone).code, codes.protocol)
  t.same(b.got, [])
  await a.gone
})

test('seal: another secret', timeout, async (t) => {
  const { a, b } = pair(undefined, new Secret(utf8('another secret 16')))
  a.link.send('frame', bytes(1))
  t.is((await b.gone).code, codes.protocol)
  t.same(b.got, [])
  await a.gone
})
