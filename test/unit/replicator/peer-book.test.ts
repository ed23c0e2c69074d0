import test from 'tape'
import type { Address } from '../../../lib/net/network.ts'
import { PeerBook } from '../../../lib/peer-book.ts'

const timeout = 30_000
const nobody = (): boolean => false
const anybody = (): boolean => true

function at (port: number): Address {
  return { host: 'h', port }
}

function book (): { peers: PeerBook, forgotten: number[] } {
  const forgotten: number[] = []
  return { peers: new PeerBook(address => { forgotten.push(address.port) }), forgotten }
}

function ports (addresses: readonly Address[]): number[] {
  return addresses.map(({ port }) => port)
}

test('peer book: what is to be dialled', { timeout }, async (t) => {
  const { peers } = book()
  t.equal(peers.add(at(1), true), true)
  t.equal(peers.add(at(1), false), false, 'known')
  t.equal(peers.add(at(2), false), true)
  t.equal(peers.add(at(2), true), false, 'dialled already')
  t.equal(peers.remember(at(3)), true)
  t.equal(peers.remember(at(1)), false)
  t.deepEqual(ports(peers.find([at(3), at(4), at(4)])), [4], 'each address once')
  t.deepEqual(ports(peers.addresses), [1, 2, 3, 4])
  t.deepEqual(peers.configuredBut('me'), { required: [], unresolved: 2 }, 'what was only heard, remembered or found does not count')
  peers.resolve(at(3), 'c')
  peers.resolve(at(4), 'd')
  peers.resolve(at(1), 'a')
  t.deepEqual(peers.configuredBut('me'), { required: ['a'], unresolved: 1 })
  t.deepEqual(peers.reachable('me', nobody), { reachable: 2, failed: 0 })
})

test('peer book: what is kept for the next run', { timeout }, async (t) => {
  const { peers } = book()
  for (const port of [1, 2]) peers.add(at(port), true)
  for (const port of [3, 4]) peers.add(at(port), false)
  t.deepEqual(peers.memory(anybody), [], 'nothing before somebody is met')
  peers.resolve(at(3), 'c')
  t.deepEqual(peers.memory(anybody), [], 'who answers may be refused')
  peers.onConnected('c', null)
  t.deepEqual(ports(peers.memory(nobody)), [3])
  peers.resolve(at(1), 'a')
  peers.onConnected('a', at(1))
  peers.remember(at(5))
  t.deepEqual(ports(peers.memory(nobody)), [1, 3, 5])

  for (const port of [1, 3, 5]) peers.fail(at(port), nobody)
  t.deepEqual(ports(peers.memory(nobody)), [1], 'what has failed goes, unless it is configured')
  t.deepEqual(ports(peers.memory(id => id === 'c')), [1, 3], 'or that of a member that is away')
  t.deepEqual(ports(peers.addresses), [1, 2, 3, 4, 5], 'but is dialled')
  peers.onConnected('c', null)
  t.deepEqual(ports(peers.memory(nobody)), [1, 3], 'until it comes back')
})

test('peer book: where a peer says that it is, is kept, and only dialled when somebody says so', { timeout }, async (t) => {
  const { peers, forgotten } = book()
  peers.onConnected('a', at(1))
  t.deepEqual([ports(peers.addresses), ports(peers.memory(nobody))], [[], [1]])
  t.deepEqual(peers.addressOf('a'), at(1))
  peers.onConnected('a', at(2))
  t.deepEqual(ports(peers.memory(nobody)), [2], 'it has moved')
  t.equal(peers.add(at(2), false), true)
  t.deepEqual(ports(peers.addresses), [2])
  peers.onConnected('a', at(3))
  t.deepEqual(ports(peers.memory(nobody)), [2, 3], 'what is dialled is kept until it fails')
  t.deepEqual(forgotten, [])

  t.equal(peers.add(at(3), true), true)
  t.deepEqual(peers.configuredBut('me'), { required: [], unresolved: 1 }, 'whoever it is has to answer there')
})

test('peer book: addresses of those who are gone are forgotten', { timeout }, async (t) => {
  const { peers, forgotten } = book()
  peers.add(at(1), true)
  for (const port of [2, 3]) peers.add(at(port), false)
  for (const [port, id] of [[1, 'a'], [2, 'b'], [3, 'c']] as const) {
    peers.resolve(at(port), id)
    peers.onConnected(id, null)
  }
  peers.fail(at(2), id => id === 'c')
  peers.fail(at(3), id => id === 'c')
  peers.fail(at(1), anybody)
  t.deepEqual(forgotten, [3])
  t.deepEqual(ports(peers.addresses), [1, 2])
})

test('peer book: addresses to which no name leads any more are forgotten when nobody answers', { timeout }, async (t) => {
  const { peers, forgotten } = book()
  peers.add(at(1), true)
  peers.find([at(1), at(2), at(3), at(4)])
  t.ok(peers.isFound(at(2)))
  peers.fail(at(2), nobody)
  t.deepEqual(ports(peers.find([at(4), at(5)])), [5])
  t.deepEqual(forgotten, [2], 'it had failed before')
  t.notOk(peers.isFound(at(3)))
  peers.fail(at(3), nobody)
  peers.fail(at(4), nobody)
  peers.fail(at(1), nobody)
  t.deepEqual(forgotten, [2, 3], 'it fails afterwards')
  t.deepEqual(ports(peers.find([at(2)])), [2], 'found again')
  t.deepEqual(ports(peers.addresses), [1, 5, 2])
})

test('peer book: a full book makes room', { timeout }, async (t) => {
  const { peers, forgotten } = book()
  for (let port = 1; port <= 64; port++) peers.add(at(port), port <= 60)
  t.equal(peers.add(at(65), false), false, 'not for what is heard')
  peers.fail(at(62), nobody)
  t.equal(peers.add(at(65), false), true, 'unless something has failed')
  t.equal(peers.add(at(66), true), true, 'for what somebody asks for')
  t.deepEqual(forgotten, [62, 61])
  for (let port = 67; port <= 69; port++) peers.add(at(port), true)
  t.throws(() => { peers.add(at(70), true) }, RangeError)
  t.equal(peers.addresses.length, 64)
})
