import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import test from 'tape'
import { realEnvironment } from '../../../lib/env.ts'
import { codes } from '../../../lib/errors.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import { fixedLimits } from '../../../lib/limits.ts'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'
import { RpcLink } from '../../../lib/net/rpc-link.ts'
import { Secret } from '../../../lib/net/secret.ts'
import type { Flooded } from './flood.ts'
import { closeAll, exchange, Node } from './node.ts'
import { Puppet } from './puppet.ts'

const timeout = { timeout: 60000 }
const handshakesMax = fixedLimits.handshakes.value
const secret = new TextEncoder().encode('a secret of some length')

async function dialled (address: { host: string, port: number }): Promise<Socket> {
  const socket = connect(address.port, address.host)
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'connect')
  return socket
}

test('strangers: there is no call but those of the protocol', timeout, async (t) => {
  const protocol = ['hello', 'start', 'frame', 'ping', 'auth', 'prove']
  // The name of a method is one byte on the wire: nobody can ask for 'constructor', or for what the other side inherits.
  const reached: string[] = []
  const refused: Array<string | undefined> = []
  for (let kind = 0; kind <= 255; kind++) {
    for (const id of [0, 1]) {
      const [near, far] = duplexPair()
      const link = new RpcLink(realEnvironment, near, {
        onCall (method) {
          reached.push(`${kind} ${method}`)
          far.destroy()
        },
        onDrain () {},
        onClose () {}
      }, 100)
      far.on('error', () => {})
      far.resume()
      far.write(Uint8Array.of(0, 0, 0, 3, kind, id, 0))
      await link.closed
      if (link.error?.code !== codes.connectionLost) refused.push(link.error?.code)
    }
  }
  t.same(reached, protocol.flatMap((method, i) => [`${i + 1} ${method}`, `${i + 1} ${method}`]))
  t.same([refused.length, new Set(refused)], [2 * (256 - protocol.length), new Set([codes.protocol])], 'all others end the connection')
})

test('strangers: the oldest connection in the handshake makes room', timeout, async (t) => {
  const node = new Node('1', { handshakesMax: 3 })
  const address = await node.listen()
  const first = await dialled(address)
  const gone = once(first, 'close')
  const others = [await dialled(address), await dialled(address)]
  t.notOk(first.closed)
  others.push(await dialled(address))
  await gone
  t.same(others.map(({ closed }) => closed), [false, false, false])

  const peer = new Node('2')
  peer.network.start(peer)
  peer.network.dial(address)
  await exchange(peer, node)
  t.same(node.errors, [], 'nobody is told of those who make room')
  await closeAll(node, peer)
})

test('strangers: who has the secret does not make room for one that has not', timeout, async (t) => {
  const node = new Node('1', { handshakesMax: 2, handshakeTimeoutMs: 60_000, secret })
  const address = await node.listen()
  const known = Puppet.dial(address)
  await known.authenticate(new Secret(secret))
  for (let i = 0; i < 5; i++) {
    const stranger = Puppet.dial(address)
    await stranger.auth()
  }
  t.is(known.link.error, null)

  // Among themselves they do.
  for (let i = 0; i < 2; i++) await Puppet.dial(address).authenticate(new Secret(secret))
  t.is((await known.gone).code, codes.connectionLost)
  await closeAll(node)
})

test('strangers: one that is refused, and does not read it, makes room as well', timeout, async (t) => {
  const node = new Node('1', { handshakesMax: 2, secret })
  await node.listen()
  const stuck = node.network.createServer()
  const failed = once(node, 'failure')
  stuck.write(Uint8Array.of(0, 0, 0, 8, 1, 2, 0x51, 0x4c, 0x56, 0x4c, 1, 1))
  t.is((await failed)[0].code, codes.unauthorized)
  const gone = once(stuck, 'close')
  const others = [node.network.createServer(), node.network.createServer()]
  await gone.catch(() => {})
  t.is((stuck.errored as ReplicatorError | null)?.code, codes.queueFull)
  t.same(others.map(({ destroyed }) => destroyed), [false, false])
  await closeAll(node)
})

/** What another process opens, from where its memory is not ours. */
async function flood (count: number, address: { host: string, port: number }): Promise<{ child: ChildProcess, done: Promise<Flooded> }> {
  const child = fork(new URL('flood.ts', import.meta.url), [String(count), address.host, String(address.port), String(handshakesMax)])
  const done = once(child, 'message').then(([flooded]) => flooded as Flooded)
  return { child, done }
}

test('strangers: thousands of half-open connections keep nobody out, and take no memory', { timeout: 120_000 }, async (t) => {
  for (const shared of [null, secret]) {
    const node = new Node('1', { secret: shared, handshakeTimeoutMs: 60_000 })
    const address = await node.listen()
    let most = 0
    const count = setInterval(() => { most = Math.max(most, handlesOf('TCPSocketWrap')) }, 10)
    const before = process.memoryUsage().rss
    const { child, done } = await flood(3000, address)

    const peers = Array.from({ length: 5 }, (_, i) => new Node(String(i + 2), { secret: shared }))
    for (const peer of peers) {
      peer.network.start(peer)
      peer.network.dial(address)
      await exchange(peer, node)
    }
    t.pass('real nodes connect meanwhile')

    const { opened, closed } = await done
    const after = process.memoryUsage().rss
    t.is(opened, 3000, 'so many were opened')
    // Both ends of the five sessions are in this process, too.
    t.ok(closed >= 3000 - handshakesMax, `${closed} of them had to make room`)
    t.ok(most > 0 && most < 1000, `${most} sockets at the most`)
    t.comment(`${Math.round(before / 2 ** 20)} MiB before, ${Math.round(after / 2 ** 20)} MiB after`)

    const last = new Node('8', { secret: shared })
    last.network.start(last)
    last.network.dial(address)
    await exchange(last, node)
    t.pass('and with hundreds still open')
    clearInterval(count)
    child.kill()
    await once(child, 'exit')
    await closeAll(node, last, ...peers)
  }
})

function handlesOf (type: string): number {
  return process.getActiveResourcesInfo().filter((name) => name === type).length
}
