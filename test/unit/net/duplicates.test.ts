import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'tape'
import { codes } from '../../../lib/errors.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import type { Identity } from '../../../lib/net/network.ts'
import { decodeVerdict } from '../../../lib/wire/handshake.ts'
import { closeAll, idOf, Node, nonceOf } from './node.ts'
import type { NodeOptions } from './node.ts'
import { Puppet, stage } from './puppet.ts'

// The node under test is '5'. It decides if the puppet is '9', and obeys if the puppet is '1'.

const timeout = { timeout: 30000 }
const small = { id: idOf('1'), start: 1, history: [nonceOf(1)], cluster: '', address: null, name: 'small', observer: false }
const large = { id: idOf('9'), start: 1, history: [nonceOf(1)], cluster: '', address: null, name: 'large', observer: false }

async function setUp (options: NodeOptions = {}) {
  const node = new Node('5', options)
  return { node, address: await node.listen(), place: await stage() }
}

test('duplicates: the decider, dialled twice, keeps the first', timeout, async (t) => {
  const { node, address, place } = await setUp()
  const [first, second, third] = [Puppet.dial(address), Puppet.dial(address), Puppet.dial(address)]
  t.is((await first.hello(large)).code, null)
  t.is((await second.hello(large)).code, null, 'a handshake that is not over is no reason to refuse')
  t.same(await first.start(), { code: null, order: 1 })
  t.same(await second.start(), { code: codes.duplicate, order: 0 }, 'only one gets through')
  await second.gone
  t.is((await third.hello(large)).code, codes.duplicate, 'and later ones are refused at once')
  await third.gone
  t.same(node.log, ['session large'])
  t.same(node.errors, [])
  await closeAll(node)
  place.close()
})

test('duplicates: the decider dials and is dialled', timeout, async (t) => {
  for (const winner of ['inbound', 'outbound'] as const) {
    const { node, address, place } = await setUp()
    const inbound = Puppet.dial(address)
    await inbound.hello(large)
    node.network.dial(place.address)
    const outbound = await place.next()

    if (winner === 'inbound') {
      t.same(await inbound.start(), { code: null, order: 1 })
      await outbound.welcome(large)
      t.same(await outbound.verdict(), { code: codes.duplicate, order: 0 })
      await outbound.gone
    } else {
      await outbound.welcome(large)
      t.same(await outbound.verdict(), { code: null, order: 1 })
      t.same(await inbound.start(), { code: codes.duplicate, order: 0 })
      await inbound.gone
    }
    const log = [`resolve ${large.id}`, 'session large']
    t.same(node.log, winner === 'inbound' ? log.reverse() : log)
    t.is([...node.live][0]?.outbound, winner === 'outbound')
    await closeAll(node)
    place.close()
  }
})

test('duplicates: who does not decide takes the newest decision, in whatever order they arrive', timeout, async (t) => {
  const { node, address, place } = await setUp()
  node.network.dial(place.address)
  const outbound = await place.next()
  await outbound.welcome(small)
  const asked = await outbound.call()
  t.same(decodeVerdict(asked.payload), { code: null, order: 0 }, 'it asks')

  const [older, newer] = [Puppet.dial(address), Puppet.dial(address)]
  await older.hello(small)
  await newer.hello(small)
  const started = once(node, 'session')
  newer.tellStart({ code: null, order: 3 })
  await started
  older.tellStart({ code: null, order: 2 })
  await older.gone
  t.same(node.log, [`resolve ${small.id}`, 'session small'])

  const newest = Puppet.dial(address)
  await newest.hello(small)
  const replaced = once(node, 'session')
  newest.tellStart({ code: null, order: 4 })
  await replaced
  await newer.gone
  t.same(node.log.slice(2), ['close LEVEL_CONNECTION_LOST', 'session small'], 'the old one was closed before')
  t.is(node.live.size, 1)
  await closeAll(node)
  place.close()
})

test('duplicates: an outdated answer to an own dial', timeout, async (t) => {
  const { node, address, place } = await setUp()
  node.network.dial(place.address)
  const outbound = await place.next()
  await outbound.welcome(small)
  const inbound = Puppet.dial(address)
  await inbound.hello(small)
  const started = once(node, 'session')
  inbound.tellStart({ code: null, order: 8 })
  await started
  t.same(await outbound.verdict({ code: null, order: 7 }), { code: null, order: 0 })
  await outbound.gone
  t.same(node.log, [`resolve ${small.id}`, 'session small'])
  t.is([...node.live][0]?.outbound, false)

  // It waits for the end of that session before it dials again.
  inbound.destroy()
  const again = await place.next()
  await again.welcome(small)
  await again.verdict({ code: null, order: 9 })
  while (node.live.size === 0) await once(node, 'session')
  t.same(node.log.slice(2), ['close LEVEL_CONNECTION_LOST', 'reconnect 1', `resolve ${small.id}`, 'session small'])
  await closeAll(node)
  place.close()
})

test('duplicates: a refusal of which we do not know the reason yet is no failure', timeout, async (t) => {
  const { node, place } = await setUp({ failAfter: 1 })
  node.network.dial(place.address)
  await (await place.next()).welcome(small, codes.duplicate)
  const second = await place.next()
  await second.welcome(small)
  await second.verdict({ code: codes.duplicate, order: 0 })
  const third = await place.next()
  await third.welcome(small)
  await third.verdict({ code: null, order: 1 })
  while (node.live.size === 0) await once(node, 'session')
  t.same(node.errors, [])
  t.notOk(node.log.includes('fail'))
  await closeAll(node)
  place.close()
})

test('duplicates: a dead session does not keep a peer out', timeout, async (t) => {
  const { node, address, place } = await setUp({ heartbeatMs: 20, failureTimeoutMs: 1_000_000 })
  const paused = connect(address.port, address.host)
  const dead = new Puppet(paused)
  await dead.hello(large)
  await dead.start()
  paused.pause()

  const closed = once(node, 'close')
  const first = Puppet.dial(address)
  t.is((await first.hello(large)).code, codes.duplicate)
  const [, error] = await closed
  t.is(error.code, codes.timeout)
  const second = Puppet.dial(address)
  t.is((await second.hello(large)).code, null)
  t.same(await second.start(), { code: null, order: 2 })
  await closeAll(node)
  dead.destroy()
  place.close()
})

test('duplicates: a live session survives its probe', timeout, async (t) => {
  const { node, address, place } = await setUp({ heartbeatMs: 100, failureTimeoutMs: 10_000 })
  const first = Puppet.dial(address)
  await first.hello(large)
  await first.start()
  for (let i = 0; i < 10; i++) {
    const other = Puppet.dial(address)
    t.is((await other.hello(large)).code, codes.duplicate)
    await other.gone
    const arrived = node.frame()
    first.link.send('frame', Uint8Array.of(i))
    await arrived
  }
  t.same(node.log, ['session large'])
  await closeAll(node)
  place.close()
})

test('duplicates: a restarted peer, seen by the decider', timeout, async (t) => {
  const { node, address, place } = await setUp()
  const [first, second, third] = [Puppet.dial(address), Puppet.dial(address), Puppet.dial(address)]
  await first.hello(large)
  await first.start()
  t.is((await second.hello({ ...large, start: 2 })).code, null)
  t.is(node.live.size, 1, 'nothing happens before the start')
  t.same(await second.start(), { code: null, order: 2 })
  await first.gone
  t.is((await third.hello(large)).code, codes.staleIdentity, 'the start before is refused')
  t.same(node.log, ['session large', 'close LEVEL_CONNECTION_LOST', 'session large'])
  await closeAll(node)
  place.close()
})

test('duplicates: a restarted decider begins to count anew', timeout, async (t) => {
  const { node, address, place } = await setUp()
  const [first, second] = [Puppet.dial(address), Puppet.dial(address)]
  await first.hello(small)
  first.tellStart({ code: null, order: 50 })
  await node.session({ identity: small as Identity } as Node)
  await second.hello({ ...small, start: 2 })
  const replaced = once(node, 'session')
  second.tellStart({ code: null, order: 1 })
  await replaced
  t.same(node.log, ['session small', 'close LEVEL_CONNECTION_LOST', 'session small'])
  await closeAll(node)
  place.close()
})

test('duplicates: connection lost just after the start', timeout, async (t) => {
  for (const peer of [small, large]) {
    const { node, address, place } = await setUp()
    node.network.dial(place.address)
    const outbound = await place.next()
    await outbound.welcome(peer)
    await outbound.call()
    outbound.destroy()

    const inbound = Puppet.dial(address)
    await inbound.hello(peer)
    const ended = once(node, peer === small ? 'session' : 'close')
    inbound.tellStart({ code: null, order: peer === small ? 1 : 0 })
    inbound.link.end(new Error('over') as ReplicatorError)
    await ended

    const last = await place.next()
    await last.welcome(peer)
    const verdict = await last.verdict({ code: null, order: 2 })
    t.is(verdict.code, null)
    while (node.live.size === 0) await once(node, 'session')
    t.notOk(node.log.some((line) => /[A-Z] [A-Z]/.test(line)), node.log.join(', '))
    await closeAll(node)
    place.close()
  }
})

test('duplicates: frames right behind the start belong to the session', timeout, async (t) => {
  for (const peer of [small, large]) {
    const { node, address, place } = await setUp()
    const inbound = Puppet.dial(address)
    await inbound.hello(peer)
    const frame = node.frame()
    inbound.tellStart({ code: null, order: peer === small ? 1 : 0 })
    inbound.link.send('frame', new Uint8Array(10_000))
    t.is((await frame).byteLength, 10_000)

    node.network.dial(place.address)
    inbound.destroy()
    let outbound = await place.next()
    await outbound.welcome(peer)
    let asked = await outbound.call()
    // It may have been dialled before it noticed the end of the other.
    while (decodeVerdict(asked.payload).code !== null) {
      outbound = await place.next()
      await outbound.welcome(peer)
      asked = await outbound.call()
    }
    const second = node.frame()
    asked.reply(Uint8Array.of(0, 2))
    outbound.link.send('frame', new Uint8Array(20_000))
    t.is((await second).byteLength, 20_000)
    await closeAll(node)
    place.close()
  }
})

test('duplicates: an unknown version is refused with words that every version understands', timeout, async (t) => {
  const { node, address, place } = await setUp()
  const later = Puppet.dial(address)
  const welcome = await later.hello(small, { min: 2, max: 3 })
  t.is(welcome.code, codes.version)
  t.same(welcome.versions, { min: 1, max: 1 })
  await later.gone
  t.same(node.log, [])
  await closeAll(node)
  place.close()
})

test('duplicates: what is against the protocol in the handshake', timeout, async (t) => {
  const { node, address, place } = await setUp()
  const steps: Array<[string, (puppet: Puppet) => void]> = [
    ['a second hello', (puppet) => { puppet.hello(small).catch(() => {}) }],
    ['a start without a number', (puppet) => { puppet.tellStart({ code: null, order: 0 }) }],
    ['a frame', (puppet) => { puppet.link.send('frame', Uint8Array.of(1)) }],
    ['garbage', (puppet) => { puppet.link.send('start', Uint8Array.of(255)) }]
  ]
  for (const [what, step] of steps) {
    const puppet = Puppet.dial(address)
    await puppet.hello(small)
    const failed = once(node, 'failure')
    step(puppet)
    t.is((await failed)[0].code, codes.protocol, what)
    await puppet.gone
  }

  const twice = Puppet.dial(address)
  await twice.hello(small)
  const started = once(node, 'session')
  twice.tellStart({ code: null, order: 1 })
  await started
  const closed = once(node, 'close')
  twice.tellStart({ code: null, order: 2 })
  t.is((await closed)[1].code, codes.protocol, 'a second start')
  await closeAll(node)
  place.close()
})
