import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import { codes } from '../../../lib/errors.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import { Seal } from '../../../lib/net/seal.ts'
import { Secret } from '../../../lib/net/secret.ts'
import { decodeChallenge, encodeAuth, encodeChallenge, encodeProof } from '../../../lib/wire/auth.ts'
import { decodeWelcome, encodeHello, encodeVerdict, encodeWelcome, ownVersions } from '../../../lib/wire/handshake.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import type { Method } from '../../../lib/wire/rpc-frame.ts'
import { closeAll, crossing, exchange, idOf, Node, nonceOf } from './node.ts'
import type { NodeOptions } from './node.ts'
import { Puppet, stage } from './puppet.ts'

const timeout = { timeout: 30000 }
const utf8 = (text: string) => new TextEncoder().encode(text)
const bytes = utf8('a secret of some length')
const others = utf8('a secret of some lengtH')
const secret = new Secret(bytes)
const stranger = { id: idOf('9'), start: 1, history: [nonceOf(1)], cluster: '', address: null, name: 'stranger', observer: false }
const later = { min: 2, max: 9 }

/** A node that notes what is asked of it, and what it is told, because of a connection; errors aside. */
function watched (digit: string, options: NodeOptions = {}): Node & { seen: string[] } {
  const seen: string[] = []
  const node = Object.assign(new Node(digit, options), { seen })
  node.verdict = () => {
    seen.push('judge')
    return null
  }
  node.identify = () => {
    seen.push('identify')
    return node.identity
  }
  for (const event of ['session', 'refused', 'resolve', 'dialled', 'frame']) node.on(event, () => { seen.push(event) })
  return node
}

async function setUp (t: Test, options: NodeOptions = {}) {
  const node = watched('5', { secret: bytes, ...options })
  const address = await node.listen()
  t.teardown(() => closeAll(node))
  return { node, address }
}

/** Real nodes still get in: nothing was broken by what came before. */
async function stillWorks (t: Test, node: Node, address: { host: string, port: number }): Promise<void> {
  const peer = new Node('2', { secret: bytes })
  peer.network.start(peer)
  peer.network.dial(address)
  await exchange(peer, node)
  await closeAll(peer)
  t.pass('a node with the secret gets in')
}

test('auth: nodes with the same secret', timeout, async (t) => {
  for (const [dialler, acceptor] of [['1', '2'], ['2', '1']] as const) {
    const a = new Node(dialler, { secret: bytes, identity: { address: { host: 'me', port: 1 } } })
    const b = new Node(acceptor, { secret: Uint8Array.from(bytes) })
    const address = await b.listen()
    const dialled = once(b, 'dialled')
    a.network.start(a)
    a.network.dial(address)
    t.same(await dialled, [address])
    await exchange(a, b)
    await exchange(a, b, new Uint8Array(3_000_000).map((_, i) => i * 31))
    t.same([(await a.session(b)).peer, (await b.session(a)).peer], [b.identity, a.identity])
    await closeAll(a, b)
    t.same(a.errors.concat(b.errors), [])
  }
})

test('auth: a frame may be as large as without a secret, and no larger', timeout, async (t) => {
  const [a, b] = [new Node('1', { secret: bytes, frameBytesMax: 6000 }), new Node('2', { secret: bytes, frameBytesMax: 6001 })]
  const address = await a.listen()
  b.network.start(b)
  b.network.dial(address)
  await exchange(a, b, new Uint8Array(6000))
  const closed = once(a, 'close')
  ;(await b.session(a)).send(new Uint8Array(6001))
  t.is((await closed)[1].code, codes.protocol)
  await closeAll(a, b)
})

test('auth: two nodes that dial each other end with one session', timeout, async (t) => {
  for (let i = 0; i < 20; i++) {
    const [a, b] = [new Node('1', { secret: bytes }), new Node('2', { secret: bytes })]
    t.same(await crossing(a, b), [])
    t.same([...a.errors, ...b.errors], [])
  }
})

test('auth: an address of its own, a copy of its disk, and a refusal are told as without a secret', timeout, async (t) => {
  const a = new Node('1', { secret: bytes, failAfter: 1 })
  const own = await a.listen()
  a.network.dial(own)
  t.same(await once(a, 'dialled'), [own])
  while (!a.log.includes(`resolve ${a.identity.id}`)) await once(a, 'resolve')
  t.same(a.errors, [], 'itself')

  const copy = new Node('1', { secret: bytes, identity: { id: a.identity.id } })
  copy.network.start(copy)
  copy.network.dial(own)
  const [stale] = await once(copy, 'failure')
  t.is(stale.code, codes.staleIdentity)

  const b = new Node('2', { secret: bytes })
  a.verdict = () => codes.clusterMismatch
  b.network.start(b)
  b.network.dial(own)
  const [mismatch] = await once(b, 'failure')
  t.is(mismatch.code, codes.clusterMismatch)
  while (!b.log.includes(`refused ${codes.clusterMismatch}`)) await once(b, 'refused')
  a.verdict = () => null
  await exchange(a, b)
  await closeAll(a, b, copy)
})

test('auth: another secret, or one on one side only, is told on both sides, and nothing else is', timeout, async (t) => {
  const pairs: Array<[string, Uint8Array | null, Uint8Array | null]> = [
    ['two secrets', bytes, others],
    ['a longer one', bytes, utf8('a secret of some length ')],
    ['only the dialler has one', bytes, null],
    ['only the acceptor has one', null, bytes]
  ]
  for (const [what, dialling, accepting] of pairs) {
    const a = watched('1', { secret: dialling, failAfter: 2 })
    const b = watched('2', { secret: accepting })
    const address = await b.listen()
    const atAcceptor = once(b, 'failure') as Promise<[ReplicatorError, unknown]>
    const failed = once(a, 'fail')
    a.network.start(a)
    a.network.dial(address)
    const [error, where] = await once(a, 'failure') as [ReplicatorError, unknown]
    t.is(error.code, codes.unauthorized, `${what}: ${error.message}`)
    t.match(error.message, /option 'secret' must be the same on all nodes/)
    t.same(where, address)
    const [other] = await atAcceptor
    t.is(other.code, codes.unauthorized, `${what}: ${other.message}`)
    t.match(other.message, /option 'secret' must be the same on all nodes/)
    await failed
    t.same(b.seen, [], 'the acceptor asks and tells nothing')
    // Without a secret it says who it is, as it always does.
    t.same([...new Set(a.seen)], dialling === null ? ['identify'] : [])
    await closeAll(a, b)
  }
})

test('auth: a stranger is told nothing but the versions', timeout, async (t) => {
  const { node, address } = await setUp(t)
  const puppet = Puppet.dial(address)
  const hello = encodeHello({ versions: ownVersions, body: { instance: 'aa'.repeat(8), identity: stranger, dialled: { host: 'x', port: 1 } } })
  const reply = await puppet.ask('hello', hello)
  t.same(decodeWelcome(reply), { versions: ownVersions, version: 0, code: codes.unauthorized, body: null })
  t.notOk(toHex(reply).includes(node.identity.id))
  await puppet.gone

  const asking = Puppet.dial(address)
  const { challenge } = await asking.auth()
  const again = await (async () => {
    const other = Puppet.dial(address)
    const { challenge } = await other.auth()
    other.destroy()
    return challenge
  })()
  t.is(challenge.length, again.length)
  t.notSame(challenge, again, 'each has a challenge of its own')
  asking.destroy()
  t.same(node.seen, [])
})

test('auth: versions are settled first', timeout, async (t) => {
  const { node, address } = await setUp(t)
  const puppet = Puppet.dial(address)
  const answer = decodeChallenge(await puppet.ask('auth', encodeAuth({ versions: later, nonce: null })))
  t.same(answer, { versions: ownVersions, version: 0, code: codes.version, nonce: null })
  await puppet.gone
  t.same([node.seen, node.errors], [[], []])

  const place = await stage()
  const dialler = watched('1', { secret: bytes })
  dialler.network.start(dialler)
  dialler.network.dial(place.address)
  const { reply } = await (await place.next()).call()
  reply(encodeChallenge({ versions: later, version: 0, code: codes.version, nonce: null }))
  t.is((await once(dialler, 'failure'))[0].code, codes.version)
  t.same(dialler.seen, [])
  await closeAll(dialler)
  place.close()
})

/** What a stranger sends one after the other, and what the connection ends with. */
type Steps = (puppet: Puppet) => Promise<unknown>

const nonce = 'ab'.repeat(32)
const auth = encodeAuth({ versions: ownVersions, nonce })
const hello = encodeHello({ versions: ownVersions, body: { instance: 'aa'.repeat(8), identity: stranger, dialled: { host: 'x', port: 1 } } })
const payloads: Record<Method, Uint8Array> = {
  auth,
  prove: encodeProof(new Uint8Array(32)),
  hello,
  start: encodeVerdict({ code: null, order: 1 }),
  frame: Uint8Array.of(1),
  ping: new Uint8Array(0)
}

/** Sends something, and does not mind if the answer never comes. */
function say (method: Method, payload = payloads[method]): Steps {
  return async (puppet) => { puppet.ask(method, payload).catch(() => {}) }
}

function then (...all: Steps[]): Steps {
  return async (puppet) => { for (const steps of all) await steps(puppet) }
}

const proven: Steps = (puppet) => puppet.authenticate(secret)

test('auth: out of turn, cut short or repeated, it ends the connection', timeout, async (t) => {
  const { node, address } = await setUp(t)
  const broken: Array<[string, Steps]> = [
    ['start first', say('start')],
    ['frame first', say('frame')],
    ['ping first', say('ping')],
    ['prove first', say('prove')],
    ['auth, then auth', then((puppet) => puppet.auth(), say('auth'))],
    ['auth, then hello', then((puppet) => puppet.auth(), say('hello'))],
    ['auth, then start', then((puppet) => puppet.auth(), say('start'))],
    ['auth, then frame', then((puppet) => puppet.auth(), say('frame'))],
    ['auth, then ping', then((puppet) => puppet.auth(), say('ping'))],
    ['auth, cut short', say('auth', auth.subarray(0, -1))],
    ['auth with more behind it', say('auth', Uint8Array.of(...auth, 0))],
    ['auth of another protocol', say('auth', Uint8Array.of(65, 66, 67, 68))],
    ['prove, cut short', then((puppet) => puppet.auth(), say('prove', payloads.prove.subarray(0, -1)))],
    ['an empty prove', then((puppet) => puppet.auth(), say('prove', new Uint8Array(0)))],
    ['proven, then auth', then(proven, say('auth'))],
    ['proven, then prove', then(proven, say('prove'))],
    ['proven, then start', then(proven, say('start'))],
    ['proven, then frame', then(proven, say('frame'))],
    ['proven, then ping', then(proven, say('ping'))],
    ['proven, then frames of another key', then(proven, async (puppet) => {
      puppet.link.seal({ sending: new Seal(new Uint8Array(32)), receiving: new Seal(new Uint8Array(32)) })
    }, say('hello'))],
    ['proven, then frames with the keys of another connection', then(proven, async (puppet) => {
      puppet.link.seal(secret.seals('dialler', { auth, challenge: auth }))
    }, say('hello'))]
  ]
  for (const [what, steps] of broken) {
    const puppet = Puppet.dial(address)
    const failed = once(node, 'failure')
    await steps(puppet)
    const [error] = await failed
    t.is(error.code, codes.protocol, `${what}: ${error.message}`)
    await puppet.gone
  }

  // No frame of a proven connection is without a tag.
  const socket = connect(address.port, address.host)
  const puppet = new Puppet(socket)
  await puppet.authenticate(secret)
  const failed = once(node, 'failure')
  socket.write(Uint8Array.of(0, 0, 0, 2 + hello.length, 1, 9, ...hello))
  t.is((await failed)[0].code, codes.protocol, 'proven, then a hello without a tag')
  await puppet.gone
  t.same(node.seen, [])
  await stillWorks(t, node, address)
})

test('auth: wrong proofs', timeout, async (t) => {
  const { node, address } = await setUp(t)
  const early = Puppet.dial(address)
  const old = await early.authenticate(secret)
  early.destroy()
  const wrong: Array<[string, (transcript: typeof old) => Uint8Array | null]> = [
    ['none', () => null],
    ['zeros', () => new Uint8Array(32)],
    ['of another secret', (transcript) => new Secret(others).proof('dialler', transcript)],
    ['the one that the acceptor would give', (transcript) => secret.proof('acceptor', transcript)],
    ['of an earlier connection', () => secret.proof('dialler', old)],
    ['of an earlier challenge', ({ auth }) => secret.proof('dialler', { auth, challenge: old.challenge })],
    ['of an earlier auth', ({ challenge }) => secret.proof('dialler', { auth: old.auth, challenge })]
  ]
  await once(node, 'failure')
  for (const [what, proof] of wrong) {
    const puppet = Puppet.dial(address)
    const failed = once(node, 'failure')
    const transcript = await puppet.auth()
    t.is(await puppet.prove(proof(transcript)), null, what)
    t.is((await failed)[0].code, codes.unauthorized)
    await puppet.gone
  }
  t.same(node.seen, [])
  await stillWorks(t, node, address)
})

/** Dials, and keeps all that is sent and received. */
function recorder (): { transport: (port: number, host: string) => Socket, sent: Buffer[], received: Buffer[] } {
  const sent: Buffer[] = []
  const received: Buffer[] = []
  return {
    sent,
    received,
    transport (port, host) {
      const socket = connect(port, host)
      const write = socket.write.bind(socket) as (chunk: Uint8Array) => boolean
      socket.write = ((chunk: Uint8Array) => {
        sent.push(Buffer.from(chunk))
        return write(chunk)
      }) as typeof socket.write
      socket.on('data', (chunk: Buffer) => { received.push(Buffer.from(chunk)) })
      return socket
    }
  }
}

test('auth: a recorded connection, played again', timeout, async (t) => {
  const { node, address } = await setUp(t)
  const { transport, sent, received } = recorder()
  const real = new Node('1', { secret: bytes, transport })
  real.network.start(real)
  real.network.dial(address)
  await exchange(real, node)
  const seen = node.seen.length
  t.ok(seen > 0)

  // To the acceptor, as the dialler sent it: all at once, which it did not.
  const socket = connect(address.port, address.host)
  socket.on('error', () => {})
  socket.resume()
  const failed = once(node, 'failure')
  socket.write(Buffer.concat(sent))
  t.is((await failed)[0].code, codes.unauthorized)
  await once(socket, 'close')
  t.is(node.seen.length, seen, 'nothing has come of it')

  // To a dialler, as the acceptor sent it.
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => { socket.write(Buffer.concat(received)) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialler = watched('3', { secret: bytes })
  dialler.network.start(dialler)
  dialler.network.dial({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const [error] = await once(dialler, 'failure')
  t.is(error.code, codes.unauthorized, error.message)
  t.same(dialler.seen, [])
  await closeAll(real, dialler)
  server.close()
})

test('auth: whoever answers at an address has to show the secret, too', timeout, async (t) => {
  const transcripts: Array<Awaited<ReturnType<Puppet['challenge']>>> = []
  const impostors: Array<[string, (puppet: Puppet) => Promise<void>, string]> = [
    ['gives back the proof that it got', async (puppet) => {
      await puppet.challenge()
      const { payload, reply } = await puppet.call()
      reply(payload)
    }, codes.unauthorized],
    ['guesses', async (puppet) => {
      transcripts.push(await puppet.challenge())
      ;(await puppet.call()).reply(encodeProof(new Uint8Array(32)))
    }, codes.unauthorized],
    ['knows another secret', async (puppet) => {
      const transcript = await puppet.challenge()
      ;(await puppet.call()).reply(encodeProof(new Secret(others).proof('acceptor', transcript)))
    }, codes.unauthorized],
    ['has the proof of an earlier connection', async (puppet) => {
      await puppet.challenge()
      const [old] = transcripts
      if (old === undefined) throw new Error('no earlier connection')
      ;(await puppet.call()).reply(encodeProof(secret.proof('acceptor', old)))
    }, codes.unauthorized],
    ['does without', async (puppet) => {
      await puppet.challenge()
      ;(await puppet.call()).reply(encodeProof(null))
    }, codes.unauthorized],
    ['cuts its proof short', async (puppet) => {
      await puppet.challenge()
      ;(await puppet.call()).reply(new Uint8Array(5))
    }, codes.protocol],
    ['says that no secret is needed', async (puppet) => {
      ;(await puppet.call()).reply(encodeChallenge({ versions: ownVersions, version: 0, code: codes.unauthorized, nonce: null }))
    }, codes.unauthorized],
    ['claims that there is another connection', async (puppet) => {
      ;(await puppet.call()).reply(encodeChallenge({ versions: ownVersions, version: 0, code: codes.duplicate, nonce: null }))
    }, codes.version],
    ['calls instead of answering', async (puppet) => {
      await puppet.call()
      puppet.tellStart({ code: null, order: 1 })
    }, codes.protocol]
  ]
  for (const [what, act, code] of impostors) {
    const place = await stage()
    const node = watched('1', { secret: bytes })
    const failed = once(node, 'failure')
    node.network.start(node)
    node.network.dial(place.address)
    await act(await place.next())
    const [error] = await failed
    t.is(error.code, code, `${what}: ${error.message}`)
    t.same(node.seen, [])
    await closeAll(node)
    place.close()
  }
})

test('auth: a proof passed on from elsewhere is of no use without the secret', timeout, async (t) => {
  const place = await stage()
  const node = watched('1', { secret: bytes })
  const failed = once(node, 'failure')
  node.network.start(node)
  node.network.dial(place.address)

  // In the middle, between the node and one that has the secret: it gets to see the hello, and cannot answer it.
  const puppet = await place.next()
  const transcript = await puppet.challenge()
  ;(await puppet.call()).reply(encodeProof(secret.proof('acceptor', transcript)))
  const { method, reply } = await puppet.call()
  t.is(method, 'hello')
  reply(encodeWelcome({ versions: ownVersions, version: 1, code: null, body: { instance: 'aa'.repeat(8), identity: stranger } }))
  t.is((await failed)[0].code, codes.protocol)
  t.same(node.seen, ['identify'])
  await closeAll(node)
  place.close()
})
