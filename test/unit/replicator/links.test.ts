import test from 'tape'
import type { View } from '../../../lib/core/view.ts'
import { realEnvironment } from '../../../lib/env.ts'
import type { ErrorCode } from '../../../lib/errors.ts'
import { codes, ReplicatorError } from '../../../lib/errors.ts'
import { readFrame } from '../../../lib/inbox.ts'
import type { LinkMemory } from '../../../lib/links.ts'
import { fixedLimits } from '../../../lib/limits.ts'
import { Links } from '../../../lib/links.ts'
import type { Address, Identity, Network, NetworkHandler, Session } from '../../../lib/net/network.ts'
import type { Resolver } from '../../../lib/net/resolver.ts'
import { readOptions } from '../../../lib/options.ts'
import type { ReplicatorOptions } from '../../../lib/options.ts'
import type { Sighting } from '../../../lib/store/layout.ts'

const timeout = 30_000
const [clusterC, clusterD] = ['c0'.repeat(16), 'd0'.repeat(16)]
const noMemory: LinkMemory = { sightings: new Map(), addresses: [] }

/** A network whose connections are made by tests. */
class FakeNetwork implements Network {
  readonly dialled: string[] = []
  #handler: NetworkHandler | null = null

  start (handler: NetworkHandler): void { this.#handler = handler }
  dial (address: Address): void { this.dialled.push(textOf(address)) }
  undial (address: Address): void { this.dialled.splice(this.dialled.indexOf(textOf(address)), 1) }
  async close (): Promise<void> {}

  get handler (): NetworkHandler {
    if (this.#handler === null) throw new Error('not started')
    return this.#handler
  }

  /** As a handshake does it. `address`: where it was dialled; null if the peer has dialled. */
  connect (peer: Identity, address: Address | null = null): FakeSession | ErrorCode {
    if (address !== null) this.handler.onResolve(address, peer.id)
    const code = this.handler.judge(peer)
    if (code !== null) return code
    const session = new FakeSession(peer, address)
    this.handler.onSession(session)
    return session
  }
}

class FakeSession implements Session {
  readonly peer: Identity
  readonly address: Address | null
  readonly outbound: boolean
  readonly frames: Uint8Array[] = []

  constructor (peer: Identity, address: Address | null) {
    this.peer = peer
    this.address = address ?? peer.address
    this.outbound = address !== null
  }

  send (body: Uint8Array): boolean {
    this.frames.push(body)
    return true
  }

  readonly closed: string[] = []
  close (code: string): void { this.closed.push(code) }
}

function setUp (options: ReplicatorOptions = {}, resolver: Partial<Resolver> = {}) {
  const network = new FakeNetwork()
  const owner = { id: 'me', start: 3, history: ['n3', 'n2'], name: 'm', cluster: '', known: null as View | null }
  const events: string[] = []
  const errors: Error[] = []
  const kept: string[][] = []
  const sightings = new Map<string, Sighting | null>()
  const missing = async (): Promise<never> => { throw new Error('ENOTFOUND') }
  const links = new Links(network, readOptions({ port: 1000, ...options }), realEnvironment, { addresses: missing, services: missing, ...resolver }, owner, {
    onInput: input => { if (input.type === 'up' || input.type === 'down') events.push(`${input.type} ${input.peer}`) },
    onOutput () {},
    onConnect: address => { events.push(`connect ${textOf(address)}`) },
    onDisconnect: address => { events.push(`disconnect ${textOf(address)}`) },
    onReconnect () {},
    onFail: address => { events.push(`fail ${textOf(address)}`) },
    onError: error => {
      errors.push(error)
      events.push(`error ${(error as ReplicatorError).code}`)
    },
    onRefused: code => { events.push(`refused ${code}`) },
    onSighting: (peer, sighting) => { sightings.set(peer, sighting) },
    onAddresses: addresses => { kept.push(addresses.map(textOf)) }
  })
  for (const address of readOptions({ port: 1000, ...options }).peers) links.addConfigured(address, false)
  return { network, owner, events, errors, kept, sightings, links }
}

function peer (id: string, fields: Partial<Identity> = {}): Identity {
  return { id, start: 1, history: ['n1'], cluster: '', address: null, name: id, observer: false, ...fields }
}

function at (port: number): Address {
  return { host: 'localhost', port }
}

function textOf ({ host, port }: Address): string {
  return `${host}:${port}`
}

function viewOf (...members: string[]): View {
  return {
    epoch: 1,
    cluster: clusterC,
    members,
    before: members,
    witnesses: [],
    names: members.map(() => ''),
    live: members.map(id => ({ id, since: 1 })),
    coordinator: members[0] as string,
    coordinatorStart: 1,
    seeder: null,
    leaseFree: true
  }
}

test('links: how a node introduces itself', { timeout }, async (t) => {
  const { network, links, owner } = setUp()
  links.start(noMemory)
  t.deepEqual(network.handler.identify(), { id: 'me', start: 3, history: ['n3', 'n2'], cluster: '', address: at(1000), name: 'm', observer: false })
  owner.cluster = clusterC
  t.equal(network.handler.identify().cluster, clusterC)
})

test('links: only members of another cluster are refused', { timeout }, async (t) => {
  const { network, links, owner } = setUp()
  links.start(noMemory)
  const judge = (id: string, cluster: string) => network.handler.judge(peer(id, { cluster }))
  t.equal(judge('a', ''), null)
  t.equal(judge('b', clusterC), null)
  t.equal(judge('c', clusterD), null, 'a node without a cluster meets all')

  Object.assign(owner, { cluster: clusterC, known: viewOf('a', 'me') })
  t.equal(judge('a', clusterC), null)
  t.equal(judge('a', ''), null)
  t.equal(judge('new', ''), null, 'no member')
  t.equal(judge('old', clusterC), null, 'no member any more')
  t.equal(judge('other', clusterD), codes.clusterMismatch)
})

test('links: a node that is to join one cluster meets no other, until it belongs to one', { timeout }, async (t) => {
  const { network, links, owner } = setUp({ cluster: clusterC })
  links.start(noMemory)
  t.equal(network.handler.judge(peer('a', { cluster: clusterC })), null)
  t.equal(network.handler.judge(peer('b')), null)
  t.equal(network.handler.judge(peer('c', { cluster: clusterD })), codes.clusterMismatch)
  Object.assign(owner, { cluster: clusterD, known: viewOf('me', 'c') })
  t.equal(network.handler.judge(peer('c', { cluster: clusterD })), null, 'since recover() it is that of this node')
  t.equal(network.handler.judge(peer('a', { cluster: clusterC })), codes.clusterMismatch)
  owner.cluster = ''
  t.equal(network.handler.judge(peer('c', { cluster: clusterD })), null, 'also while it is leaving the one for the other')
})

test('links: whoever meets another cluster is told what to do, if anything', { timeout }, async (t) => {
  const { network, links, owner, errors } = setUp()
  links.start(noMemory)
  const met = (): string => {
    network.handler.onError(new ReplicatorError(codes.clusterMismatch, 'refused by peer x'), null)
    return errors.pop()?.message ?? ''
  }
  const advice = /^refused by peer x\. This node has belonged to another cluster.*release\(\{ purge: true \}\)/
  t.match(met(), advice)
  for (const members of [['me'], ['a', 'b', 'me'], ['a', 'b']]) {
    Object.assign(owner, { cluster: clusterC, known: viewOf(...members) })
    t.match(met(), advice, 'it is alone, or no member')
  }
  owner.known = viewOf('a', 'b', 'me')
  network.connect(peer('b'))
  t.match(met(), /^refused by peer x\. That peer belongs to another cluster.*was not let in$/)
  const other = new ReplicatorError(codes.connectionLost, 'lost')
  network.handler.onError(other, at(1))
  t.equal(errors.pop(), other, 'other errors are passed on')
})

test('links: those who are no members do not keep out members', { timeout }, async (t) => {
  const { network, links, owner } = setUp()
  links.start(noMemory)
  Object.assign(owner, { cluster: clusterC, known: viewOf('a', 'me') })
  for (let i = 0; i < 63; i++) t.ok(network.connect(peer(`p${i}`)) instanceof FakeSession)
  t.equal(network.connect(peer('one too many')), codes.queueFull)
  t.ok(network.connect(peer('p5', { start: 2, history: ['n2', 'n1'] })) instanceof FakeSession, 'again')
  t.ok(network.connect(peer('a')) instanceof FakeSession)
})

test('links: observers are counted by themselves, up to observersMax', { timeout }, async (t) => {
  const { network, links, owner, sightings } = setUp({ observersMax: 2 })
  links.start(noMemory)
  Object.assign(owner, { cluster: clusterC, known: viewOf('a', 'me') })
  const observer = (id: string, fields = {}) => network.connect(peer(id, { observer: true, ...fields }))
  for (const id of ['o1', 'o2']) t.ok(observer(id) instanceof FakeSession)
  t.equal(observer('o3'), codes.queueFull)
  t.ok(observer('o2', { start: 2, history: ['n2', 'n1'] }) instanceof FakeSession, 'again')
  t.equal(observer('o1', { start: 1, history: ['another'] }), codes.staleIdentity, 'of them, too, a copied disk is noticed')
  t.equal(sightings.size, 0, 'but nothing is kept of them')
  for (let i = 0; i < 63; i++) t.ok(network.connect(peer(`p${i}`)) instanceof FakeSession, 'they take nobody else a place')

  const closed = setUp({ observersMax: 0 })
  closed.links.start(noMemory)
  t.equal(closed.network.connect(peer('o', { observer: true })), codes.queueFull)
})

test('links: only members send large frames, once there is a view', { timeout }, async (t) => {
  const { network, links, owner } = setUp()
  links.start(noMemory)
  const { frameBytes, strangerFrameBytes } = fixedLimits
  const limitsOf = (...ids: string[]) => ids.map(id => network.handler.frameBytesMaxOf(peer(id)))
  t.deepEqual(limitsOf('a', 'b'), [frameBytes.value, frameBytes.value])
  owner.known = { ...viewOf('a', 'c', 'me'), before: ['a', 'b', 'me'] }
  t.deepEqual(limitsOf('a', 'c'), [frameBytes.value, frameBytes.value])
  t.deepEqual(limitsOf('b'), [frameBytes.value], 'a member that was removed just now')
  t.deepEqual(limitsOf('d'), [strangerFrameBytes.value])
  owner.known = null
  t.equal(network.handler.frameBytesMaxOf(peer('d', { observer: true })), strangerFrameBytes.value, 'an observer, always')
})

test('links: a copied or restored disk is refused', { timeout }, async (t) => {
  const { network, links, sightings } = setUp()
  const seen = { start: 5, nonce: 'n5', order: 3 }
  links.start({ ...noMemory, sightings: new Map([['a', seen]]) })
  t.equal(network.connect(peer('a', { start: 4, history: ['n4'] })), codes.staleIdentity, 'an earlier start')
  t.equal(network.connect(peer('a', { start: 5, history: ['x5', 'n4'] })), codes.staleIdentity, 'the same with another nonce')
  t.equal(network.connect(peer('a', { start: 6, history: ['x6', 'x5'] })), codes.staleIdentity, 'a later one of another past')
  t.deepEqual([...sightings], [])
  t.ok(network.connect(peer('a', { start: 7, history: ['n7', 'n6', 'n5'] })) instanceof FakeSession)
  t.ok(network.connect(peer('b')) instanceof FakeSession)
  t.deepEqual([...sightings], [['a', { start: 7, nonce: 'n7', order: 4 }], ['b', { start: 1, nonce: 'n1', order: 5 }]])
  t.equal(network.handler.judge(peer('a', { start: 5, history: ['n5'] })), codes.staleIdentity)
})

test('links: a refusal is passed on, if it comes from a member, from where the user expects one, or from one with the secret', { timeout }, async (t) => {
  const { network, links, events, owner } = setUp({ peers: [at(1)] })
  links.start({ ...noMemory, addresses: [at(2)] })
  network.handler.onRefused(peer('a'), codes.staleIdentity, null)
  Object.assign(owner, { cluster: clusterC, known: viewOf('a', 'me') })
  network.handler.onRefused(peer('b'), codes.staleIdentity, null)
  network.handler.onRefused(peer('b'), codes.staleIdentity, at(2))
  t.deepEqual(events, [], 'a stranger could put any node out of action')
  network.handler.onRefused(peer('a'), codes.staleIdentity, null)
  network.handler.onRefused(peer('b'), codes.staleIdentity, at(1))
  t.deepEqual(events, ['refused LEVEL_STALE_IDENTITY', 'refused LEVEL_STALE_IDENTITY'])

  const guarded = setUp({ secret: new Uint8Array(16) })
  guarded.links.start(noMemory)
  guarded.network.handler.onRefused(peer('b'), codes.staleIdentity, null)
  t.deepEqual(guarded.events, ['refused LEVEL_STALE_IDENTITY'])
})

test('links: addresses are kept for the next run', { timeout }, async (t) => {
  const { network, links, kept, owner } = setUp({ peers: [at(1), at(2)] })
  links.start({ ...noMemory, addresses: [at(2), at(3), at(1000)] })
  t.deepEqual(network.dialled, ['localhost:1', 'localhost:2', 'localhost:3'], 'those that were kept are dialled, but not its own')
  t.deepEqual(links.reachable, { reachable: 2, failed: 0 }, 'and do not count as configured')
  network.handler.onFail(at(3))
  t.deepEqual(kept, [], 'a node that reaches nobody forgets nothing')

  network.connect(peer('a', { address: at(1) }), at(1))
  t.deepEqual(kept.pop(), ['localhost:1', 'localhost:2'])
  network.connect(peer('b', { address: at(4) }))
  t.deepEqual(kept.pop(), ['localhost:1', 'localhost:2', 'localhost:4'], 'also of those who have dialled')
  network.connect(peer('c', { address: { host: 'localhost', port: 0 } }))
  t.deepEqual(kept, [], 'if it is one')

  Object.assign(owner, { cluster: clusterC, known: viewOf('a', 'me') })
  network.handler.onResolve(at(3), 'd')
  network.handler.onFail(at(3))
  t.deepEqual(network.dialled, ['localhost:1', 'localhost:2'], 'that of somebody who is no member is dialled no more')
})

test('links: what peers tell is dialled', { timeout }, async (t) => {
  const { network, links } = setUp()
  links.start(noMemory)
  const a = network.connect(peer('a', { address: at(1) })) as FakeSession
  const b = network.connect(peer('b', { address: at(2) })) as FakeSession
  links.flush()
  const told = a.frames.flatMap(frame => readFrame(frame)).flatMap(message => message.type === 'addresses' ? message.addresses.map(textOf) : [])
  t.deepEqual([...new Set(told)].sort(), ['localhost:1', 'localhost:1000', 'localhost:2'])

  const other = setUp({ port: 1001 })
  other.links.start(noMemory)
  const session = other.network.connect(peer('me')) as FakeSession
  for (const frame of b.frames) other.network.handler.onFrame(session, frame)
  t.deepEqual([...other.network.dialled].sort(), ['localhost:1', 'localhost:1000', 'localhost:2'])
})

test('links: peers that are found by name are dialled, and are no founders', { timeout }, async (t) => {
  let answers = ['10.0.0.1', '10.0.0.2']
  let resolved = (): void => {}
  const { network, links, events } = setUp({ host: '10.0.0.2', port: 7, peers: [at(1), { dns: 'db', port: 7 }] }, {
    addresses: async () => {
      setImmediate(() => { setImmediate(() => { resolved() }) })
      return answers
    }
  })
  const once = async (): Promise<void> => { await new Promise<void>(resolve => { resolved = resolve }) }
  t.teardown(() => { links.stop() })
  const first = once()
  links.start(noMemory)
  await first
  t.deepEqual(network.dialled, ['localhost:1', '10.0.0.1:7'], 'not its own')
  t.deepEqual(links.reachable, { reachable: 1, failed: 0 })
  t.deepEqual(links.missing, ['localhost:1', '10.0.0.1:7'])

  answers = ['10.0.0.3']
  const again = once()
  network.handler.onFail({ host: '10.0.0.1', port: 7 })
  network.handler.onError(new Error('refused'), { host: '10.0.0.1', port: 7 })
  await again
  t.deepEqual(network.dialled, ['localhost:1', '10.0.0.3:7'], 'resolved again; what has failed and is not found any more is dialled no more')
  t.deepEqual(events, ['fail 10.0.0.1:7', 'error undefined'])
  t.deepEqual(links.missing, ['localhost:1', '10.0.0.3:7'])
})

test('links: a name that leads nowhere is an error event', { timeout }, async (t) => {
  const { links, events } = setUp({ peers: [{ srv: '_db._tcp.local' }] })
  t.teardown(() => { links.stop() })
  t.deepEqual(links.missing, ['_db._tcp.local'], 'not looked up yet')
  links.start(noMemory)
  while (events.length === 0) await new Promise<void>(resolve => { setImmediate(resolve) })
  t.deepEqual(events, ['error LEVEL_CONNECTION_LOST'])
  t.deepEqual(links.missing, ['_db._tcp.local (ENOTFOUND)'])
})

test('links: an observer for which too much is passed on is disconnected, and nobody else', { timeout }, async (t) => {
  const { network, links } = setUp()
  const [coordinator, observed] = ['c'.repeat(32), 'd'.repeat(32)] as const
  links.start({ sightings: new Map(), addresses: [] })
  const [member, observer] = [network.connect(peer(coordinator)), network.connect(peer(observed, { observer: true }))] as [FakeSession, FakeSession]
  const body = new Uint8Array(fixedLimits.relayedBytes.value / 4)
  const relay = (): void => { links.send(coordinator, { type: 'relay', node: observed, start: 1, message: { type: 'submit', epoch: 1, origin: 1, first: 1, writes: [{ body, operations: [], kind: 'write' }] } }) }
  for (let i = 0; i < 3; i++) relay()
  t.same(observer.closed, [])
  relay()
  t.same(observer.closed, ['LEVEL_CONNECTION_LOST'], 'it will come back, and has done nothing wrong')
  links.send(coordinator, { type: 'withdraw', epoch: 1, origin: 2, number: 1 })
  const before = member.frames.length
  links.flush()
  t.ok(member.frames.length > before)
  for (let i = 0; i < 3; i++) relay()
  t.equal(observer.closed.length, 1, 'what is sent does not count')
  t.same(member.closed, [])
})
