import test from 'tape'
import fc from 'fast-check'
import { codes } from '../../../lib/errors.ts'
import { challengeBytes, decodeAuth, decodeChallenge, decodeProof, encodeAuth, encodeChallenge, encodeProof, proofBytes } from '../../../lib/wire/auth.ts'
import { ByteWriter, WireError } from '../../../lib/wire/bytes.ts'
import { decodeWelcome, encodeWelcome, ownVersions } from '../../../lib/wire/handshake.ts'
import { assertRobust } from './robust.ts'

const timeout = { timeout: 30000 }

const nonce = fc.uint8Array({ minLength: challengeBytes, maxLength: challengeBytes }).map((b) => Buffer.from(b).toString('hex'))
const proof = fc.uint8Array({ minLength: proofBytes, maxLength: proofBytes })
const later = { min: 2, max: 9 }

test('auth: round trips', timeout, async (t) => {
  fc.assert(fc.property(nonce, fc.option(proof), (nonce, proof) => {
    const auth = { versions: ownVersions, nonce }
    const challenge = { versions: ownVersions, version: 1, code: null, nonce }
    return same(decodeAuth(encodeAuth(auth)), auth) &&
      same(decodeChallenge(encodeChallenge(challenge)), challenge) &&
      same(decodeProof(encodeProof(proof)), proof)
  }))
  t.pass()
})

test('auth: bytes that were cut, extended, changed or are random give a value or a WireError', timeout, async (t) => {
  const auth = encodeAuth({ versions: ownVersions, nonce: 'ab'.repeat(challengeBytes) })
  const challenge = encodeChallenge({ versions: ownVersions, version: 1, code: null, nonce: 'ab'.repeat(challengeBytes) })
  const whole = encodeProof(new Uint8Array(proofBytes))
  for (const [bytes, decode] of [[auth, decodeAuth], [challenge, decodeChallenge], [whole, decodeProof]] as const) {
    for (let end = 0; end < bytes.length; end++) t.throws(() => decode(bytes.subarray(0, end)), WireError, `${decode.name}: ${end} bytes`)
    t.throws(() => decode(Uint8Array.of(...bytes, 0)), WireError, `${decode.name}: one more`)
  }

  const changed = fc.tuple(fc.constantFrom(auth, challenge, whole), fc.nat(50), fc.nat(255)).map(([sound, at, byte]) => {
    const bytes = Uint8Array.from(sound)
    bytes[at % bytes.length] = byte
    return bytes
  })
  assertRobust(changed, [decodeAuth, decodeChallenge, decodeProof])
})

test('auth: versions', timeout, async (t) => {
  // What a later version says beyond its range of versions must not matter.
  t.same(decodeAuth(Uint8Array.of(...encodeAuth({ versions: later, nonce: null }), 1, 2, 3)), { versions: later, nonce: null })

  const refusal = { versions: later, version: 0, code: codes.version, nonce: null }
  t.same(decodeChallenge(encodeChallenge(refusal)), refusal)
  t.throws(() => decodeChallenge(encodeChallenge({ versions: { min: 1, max: 2 }, version: 2, code: null, nonce: 'ab'.repeat(challengeBytes) })), WireError)
})

test('auth: whoever tells nothing of itself refuses for one of two reasons', timeout, async (t) => {
  const refused: Array<[string | null, string]> = [[codes.unauthorized, codes.unauthorized], [codes.version, codes.version]]
  for (const code of [codes.duplicate, codes.staleIdentity, 'LEVEL_FROM_THE_FUTURE', null]) refused.push([code, codes.version])
  for (const [said, understood] of refused) {
    const writer = new ByteWriter()
    writer.raw(encodeAuth({ versions: ownVersions, nonce: null }))
    writer.varint(0)
    writer.text(said ?? '')
    t.is(decodeChallenge(writer.finish()).code, understood, `challenge: ${said}`)
    t.is(decodeWelcome(writer.finish()).code, understood, `welcome: ${said}`)
  }
  const welcome = { versions: ownVersions, version: 0, code: codes.unauthorized, body: null }
  t.same(decodeWelcome(encodeWelcome(welcome)), welcome)
})

function same (a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
