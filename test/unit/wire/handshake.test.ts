import test from 'tape'
import fc from 'fast-check'
import { codes } from '../../../lib/errors.ts'
import { ByteWriter, WireError } from '../../../lib/wire/bytes.ts'
import {
  commonVersion, decodeHello, decodeVerdict, decodeWelcome, encodeHello, encodeVerdict, encodeWelcome,
  handshakeBytesMax, isAddress, ownVersions, refusals
} from '../../../lib/wire/handshake.ts'
import { HISTORY_MAX } from '../../../lib/wire/identity.ts'
import { assertRobust } from './robust.ts'

const timeout = { timeout: 30000 }

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes })
  .map((b) => Buffer.from(b).toString('hex'))
const address = fc.record({ host: fc.string({ minLength: 1, maxLength: 60 }), port: fc.nat(65535) })
const identity = fc.record({
  id: hex(16),
  start: fc.nat(),
  history: fc.array(hex(8), { minLength: 1, maxLength: HISTORY_MAX }),
  cluster: fc.oneof(hex(16), fc.constant('')),
  address: fc.option(address),
  name: fc.string({ maxLength: 64 }),
  observer: fc.boolean()
})
const introduction = fc.record({ instance: hex(8), identity })
const code = fc.option(fc.constantFrom(...refusals))

const helloBody = { instance: '00'.repeat(8), identity: { id: 'ab'.repeat(16), start: 3, history: ['cd'.repeat(8)], cluster: '', address: null, name: 'ü', observer: false }, dialled: { host: 'h', port: 1 } }

test('handshake: hello round trip', timeout, async (t) => {
  fc.assert(fc.property(introduction, address, (intro, dialled) => {
    const hello = { versions: ownVersions, body: { ...intro, dialled } }
    const bytes = encodeHello(hello)
    return bytes.byteLength <= handshakeBytesMax && same(decodeHello(bytes), hello)
  }))
  t.pass()
})

test('handshake: welcome round trip', timeout, async (t) => {
  fc.assert(fc.property(introduction, code, (body, code) => {
    const welcome = { versions: ownVersions, version: 1, code, body }
    return same(decodeWelcome(encodeWelcome(welcome)), welcome)
  }))
  t.pass()
})

test('handshake: verdict round trip', timeout, async (t) => {
  fc.assert(fc.property(code, fc.nat(), (code, order) => {
    return same(decodeVerdict(encodeVerdict({ code, order })), { code, order })
  }))
  t.pass()
})

test('handshake: bytes that were changed, cut or are random give a value or a WireError', timeout, async (t) => {
  const sound = encodeHello({ versions: ownVersions, body: helloBody })
  const changed = fc.tuple(fc.nat(sound.byteLength), fc.nat(255), fc.nat(sound.byteLength)).map(([at, byte, end]) => {
    const bytes = Uint8Array.from(sound)
    bytes[at] = byte
    return bytes.subarray(0, sound.byteLength - (end % 8 === 0 ? end : 0))
  })
  assertRobust(changed, [decodeHello, decodeWelcome, decodeVerdict])
  t.pass()
})

test('handshake: versions', timeout, async (t) => {
  t.is(commonVersion({ min: 1, max: 3 }, { min: 2, max: 5 }), 3)
  t.is(commonVersion({ min: 1, max: 1 }, { min: 2, max: 5 }), 0)

  // What a later version says beyond its range of versions must not matter.
  const later = encodeHello({ versions: { min: 2, max: 9 }, body: null })
  t.same(decodeHello(Buffer.concat([later, Uint8Array.of(1, 2, 3)])), { versions: { min: 2, max: 9 }, body: null })

  const refusal = { versions: { min: 2, max: 9 }, version: 0, code: codes.version, body: null }
  t.same(decodeWelcome(encodeWelcome(refusal)), refusal)
})

test('handshake: an unknown code is one of a protocol error', timeout, async (t) => {
  const writer = new ByteWriter()
  writer.text('LEVEL_FROM_THE_FUTURE')
  writer.varint(0)
  t.same(decodeVerdict(writer.finish()), { code: codes.protocol, order: 0 })
})

test('handshake: lengths are bounded', timeout, async (t) => {
  const body = { ...helloBody, identity: { ...helloBody.identity, name: 'x'.repeat(65) } }
  t.throws(() => decodeHello(encodeHello({ versions: ownVersions, body })), WireError, 'name')
  const dialled = { host: 'x'.repeat(256), port: 1 }
  t.throws(() => decodeHello(encodeHello({ versions: ownVersions, body: { ...helloBody, dialled } })), WireError, 'host')

  for (const length of [0, HISTORY_MAX + 1]) {
    const identity = { ...helloBody.identity, history: Array.from({ length }, () => 'ef'.repeat(8)) }
    t.throws(() => decodeHello(encodeHello({ versions: ownVersions, body: { ...helloBody, identity } })), WireError, `${length} nonces`)
  }

  t.ok(isAddress({ host: 'x'.repeat(255), port: 65535 }))
  t.notOk(isAddress({ host: 'ü'.repeat(128), port: 1 }))
  t.notOk(isAddress({ host: '', port: 1 }))
  t.notOk(isAddress({ host: 'x', port: 65536 }))
  t.notOk(isAddress({ host: 'x', port: 1.5 }))
})

function same (a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
