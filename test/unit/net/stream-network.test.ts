import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import test from 'tape'
import { codes } from '../../../lib/errors.ts'
import type { ReplicatorError } from '../../../lib/errors.ts'
import type { Address, Session } from '../../../lib/net/network.ts'
import { closeAll, crossing, exchange, Node } from './node.ts'

const timeout = { timeout: 30000 }

/** A TCP server that does what it is told with its connections. */
async function tcpServer (onSocket: (socket: Socket) => void): Promise<{ address: Address, close: () => void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    close () {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** An address where nobody listens. */
async function nowhere (): Promise<Address> {
  const { address, close } = await tcpServer(() => {})
  close()
  return address
}

test('network: two nodes that dial each other end with one session', timeout, async (t) => {
  for (let i = 0; i < 50; i++) t.same(await crossing(new Node('1'), new Node('2')), [])
})

test('network: one side dials', timeout, async (t) => {
  for (const [dialler, acceptor] of [['1', '2'], ['2', '1']] as const) {
    const a = new Node(dialler, { identity: { start: 7, cluster: 'cd'.repeat(16), address: { host: 'me', port: 1 } } })
    const b = new Node(acceptor)
    const address = await b.listen()
    const dialled = once(b, 'dialled')
    const resolved = once(a, 'resolve')
    a.network.start(a)
    a.network.dial(address)
    a.network.dial(address)
    t.same(await dialled, [address], 'told to the acceptor')
    t.same(await resolved, [address, b.identity.id])

    const session = await b.session(a)
    t.same(session.peer, a.identity)
    t.same(session.address, { host: 'me', port: 1 })
    t.is(session.outbound, false)
    const other = await a.session(b)
    t.same(other.peer, b.identity)
    t.same(other.address, address)
    t.is(other.outbound, true)
    await exchange(a, b)
    await closeAll(a, b)
    t.same(a.errors.concat(b.errors), [])
  }
})

test('network: frames keep their order and their bytes, of any size', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  a.network.dial(await b.listen())
  a.network.start(a)
  const session = await a.session(b)
  const sizes = [1, 3, 1023, 1024, 1025, 70_000, 5_000_000, 2]
  const got: string[] = []
  const all = new Promise<void>((resolve) => {
    b.on('frame', (_session: Session, body: Uint8Array) => {
      got.push(`${body.byteLength} ${body.every((byte) => byte === body.byteLength % 256)}`)
      if (got.length === sizes.length) resolve()
    })
  })
  for (const size of sizes) session.send(new Uint8Array(size).fill(size % 256))
  await all
  t.same(got, sizes.map((size) => `${size} true`))
  await closeAll(a, b)
})

test('network: back-pressure of a real socket', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  a.network.dial(await b.listen())
  a.network.start(a)
  const session = await a.session(b)
  await b.session(a)
  const drained = once(a, 'drain')
  const last = b.frame((body) => body.byteLength === 1)
  t.is(session.send(new Uint8Array(8_000_000)), false)
  t.is(session.send(new Uint8Array(1)), false, 'taken all the same')
  await drained
  await last
  t.is(session.send(new Uint8Array(2)), true)
  await closeAll(a, b)
  t.is(session.send(new Uint8Array(8_000_000)), true, 'nothing after the close')
})

test('network: bodies that cannot be sent', timeout, async (t) => {
  const [a, b] = [new Node('1', { frameBytesMax: 100 }), new Node('2')]
  a.network.dial(await b.listen())
  a.network.start(a)
  const session = await a.session(b)
  t.throws(() => session.send(new Uint8Array(0)), TypeError)
  t.throws(() => session.send(new Uint8Array(101)), TypeError)

  // The peer has a larger limit, and goes beyond ours.
  const closed = once(a, 'close')
  ;(await b.session(a)).send(new Uint8Array(101))
  const [, error] = await closed as [Session, ReplicatorError]
  t.is(error.code, codes.protocol, error.message)
  await closeAll(a, b)
})

test('network: a peer may have a smaller limit than others', timeout, async (t) => {
  const [a, b, c] = [new Node('1'), new Node('2'), new Node('3')]
  a.frameBytesMaxOf = ({ name }) => name === '2' ? 1000 : 2000
  const address = await a.listen()
  for (const peer of [b, c]) {
    peer.network.start(peer)
    peer.network.dial(address)
    await exchange(peer, a, new Uint8Array(1000))
  }
  await exchange(c, a, new Uint8Array(2000))

  const closed = once(a, 'close')
  ;(await b.session(a)).send(new Uint8Array(2000))
  const [session, error] = await closed as [Session, ReplicatorError]
  t.is(session.peer.name, '2')
  t.is(error.code, codes.protocol, error.message)
  await exchange(c, a)
  await closeAll(a, b, c)
})

test('network: connects again after a drop', timeout, async (t) => {
  const sockets: Socket[] = []
  const a = new Node('1', {
    transport (port, host) {
      const socket = connect(port, host)
      sockets.push(socket)
      return socket
    }
  })
  const b = new Node('2')
  a.network.start(a)
  a.network.dial(await b.listen())
  for (let i = 0; i < 5; i++) {
    await exchange(a, b)
    const again = once(a, 'reconnect')
    const closes = Promise.all([once(a, 'close'), once(b, 'close')])
    sockets.at(-1)?.destroy()
    await closes
    const [, attempt] = await again
    t.is(attempt, 1)
  }
  await exchange(a, b)
  await closeAll(a, b)
  t.notOk(a.log.concat(b.log).some((line) => /[A-Z] [A-Z]/.test(line)))
})

test('network: no dialling while the peer is connected the other way', timeout, async (t) => {
  let dials = 0
  const b = new Node('2')
  const a = new Node('1', {
    transport (port, host) {
      dials++
      return connect(port, host)
    }
  })
  const [x, y] = await Promise.all([a.listen(), b.listen()])
  b.network.dial(x)
  await exchange(a, b)
  a.network.dial(y)
  await once(a, 'resolve')
  await exchange(a, b)
  t.is(dials, 1, 'once, to learn who is there')
  t.same(a.errors, [])

  const reconnected = Promise.race([once(a, 'reconnect'), once(b, 'reconnect')])
  for (const session of a.live) session.close(codes.connectionLost)
  await reconnected
  await exchange(a, b)
  await closeAll(a, b)
})

test('network: a refused connection is only told as an error, and failAfter is counted', timeout, async (t) => {
  const address = await nowhere()
  const a = new Node('1', { failAfter: 3 })
  a.network.start(a)
  a.network.dial(address)
  t.same(await once(a, 'fail'), [address])
  t.is(a.errors.length, 3)
  const error = a.errors[0] as ReplicatorError
  t.is(error.code, codes.connectionLost)
  t.is((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  t.ok(error.message.includes(`${address.host}:${address.port}`), error.message)
  await once(a, 'reconnect')
  await once(a, 'reconnect')
  t.is(a.log.filter((line) => line === 'fail').length, 1, 'once, and goes on')

  // Until it has succeeded and then fails again.
  const b = new Node('2')
  b.network.start(b)
  await b.network.listen(address)
  await exchange(a, b)
  const fail = once(a, 'fail')
  await b.network.close()
  t.same(await fail, [address])
  await closeAll(a)
})

test('network: transports that throw, reject, or return something else', timeout, async (t) => {
  const transports: unknown[] = [
    () => { throw new Error('thrown') },
    () => Promise.reject(new Error('rejected')),
    () => undefined,
    () => ({}),
    async () => null
  ]
  for (const transport of transports) {
    const a = new Node('1', { transport: transport as () => Socket, failAfter: 2 })
    a.network.start(a)
    a.network.dial({ host: 'x', port: 1 })
    await once(a, 'fail')
    t.same(a.errors.map((err) => (err as ReplicatorError).code), [codes.connectionLost, codes.connectionLost], a.errors[0]?.message)
    await closeAll(a)
  }
})

test('network: dial and handshake have a time-out', timeout, async (t) => {
  const hold = setTimeout(() => {}, 30000)
  const never = new Node('1', { transport: () => new Promise(() => {}), dialTimeoutMs: 10 })
  never.network.start(never)
  never.network.dial({ host: 'x', port: 1 })
  const [noStream] = await once(never, 'failure')
  t.is(noStream.code, codes.timeout, noStream.message)
  await closeAll(never)

  const silent = await tcpServer(() => {})
  const a = new Node('1', { handshakeTimeoutMs: 10 })
  a.network.start(a)
  a.network.dial(silent.address)
  const [noAnswer] = await once(a, 'failure')
  t.is(noAnswer.code, codes.timeout, noAnswer.message)
  await closeAll(a)
  silent.close()

  const b = new Node('1', { handshakeTimeoutMs: 10 })
  const { host, port } = await b.listen()
  const stranger = connect(port, host)
  const [noHello] = await once(b, 'failure')
  t.is(noHello.code, codes.timeout, noHello.message)
  await once(stranger, 'close')
  await closeAll(b)
  clearTimeout(hold)
})

test('network: strangers end their connection, and nothing else', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  const address = await b.listen()
  a.network.start(a)
  a.network.dial(address)
  await exchange(a, b)

  const says: Array<[string, Uint8Array]> = [
    ['{}', Buffer.from('{}\n{}\n')],
    ['null', Buffer.from('null')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a frame of more than 4 KB', Uint8Array.of(0, 0, 0x20, 0)],
    ['a frame before the handshake', Uint8Array.of(0, 0, 0, 3, 3, 0, 1)],
    ['a start before the hello', Uint8Array.of(0, 0, 0, 4, 2, 1, 0, 0)],
    ['a ping before the handshake', Uint8Array.of(0, 0, 0, 2, 4, 0)],
    ['a reply', Uint8Array.of(0, 0, 0, 2, 0, 1)],
    ['a hello of another protocol', Uint8Array.of(0, 0, 0, 6, 1, 2, 65, 66, 67, 68)]
  ]
  for (const [what, data] of says) {
    const socket = connect(address.port, address.host)
    const failed = once(b, 'failure')
    socket.on('error', () => {})
    socket.resume()
    socket.write(data)
    const [error] = await failed
    t.is(error.code, codes.protocol, `${what}: ${error.message}`)
    await once(socket, 'close')
  }
  await exchange(a, b)
  t.notOk([...a.log, ...b.log].some((line) => line.startsWith('close')))
  await closeAll(a, b)
})

test('network: so many strangers and no more', timeout, async (t) => {
  const b = new Node('2', { handshakesMax: 64 })
  const { host, port } = await b.listen()
  const sockets = Array.from({ length: 65 }, () => connect(port, host))
  for (const socket of sockets) socket.on('error', () => {})
  await Promise.race(sockets.map((socket) => once(socket, 'close')))
  t.is(sockets.filter((socket) => socket.closed).length, 1)

  const a = new Node('1')
  a.network.start(a)
  a.network.dial({ host, port })
  for (const socket of sockets) socket.destroy()
  await exchange(a, b)
  await closeAll(a, b)
})

test('network: a silent peer is closed', timeout, async (t) => {
  // A relay that stops to pass anything on, and keeps the connections: a host without power.
  const b = new Node('2', { heartbeatMs: 20, failureTimeoutMs: 100 })
  const address = await b.listen()
  const pairs: Array<[Socket, Socket]> = []
  const relay = await tcpServer((from) => {
    const to = connect(address.port, address.host)
    to.on('error', () => {})
    from.pipe(to).pipe(from)
    pairs.push([from, to])
  })
  const a = new Node('1', { heartbeatMs: 20, failureTimeoutMs: 100 })
  a.network.start(a)
  a.network.dial(relay.address)
  await exchange(a, b)
  const closes = Promise.all([once(a, 'close'), once(b, 'close')])
  for (const [from, to] of pairs) {
    from.unpipe().pause()
    to.unpipe().pause()
  }
  for (const [, error] of await closes) t.is(error.code, codes.timeout, error.message)
  await exchange(a, b)
  await closeAll(a, b)
  for (const [from, to] of pairs) { from.destroy(); to.destroy() }
  relay.close()
})

test('network: heartbeats keep a quiet session', timeout, async (t) => {
  const options = { heartbeatMs: 50, failureTimeoutMs: 1000 }
  const [a, b] = [new Node('1', options), new Node('2', options)]
  const address = await b.listen()
  let chunks = 0
  const quiet = new Promise<void>((resolve) => {
    const relay = tcpServer((from) => {
      const to = connect(address.port, address.host)
      to.on('error', () => {})
      from.on('data', () => { if (++chunks === 60) resolve() })
      from.pipe(to).pipe(from)
      from.on('close', () => { to.destroy() })
    })
    relay.then(({ address, close }) => {
      a.network.dial(address)
      a.on('over', close)
    })
  })
  a.network.start(a)
  await quiet
  t.is(a.log.filter((line) => line.startsWith('session')).length, 1)
  await closeAll(a, b)
  a.emit('over')
})

test('network: an address of our own is given up', timeout, async (t) => {
  let dials = 0
  const a = new Node('1', {
    failAfter: 1,
    transport (port, host) {
      dials++
      return connect(port, host)
    }
  })
  const address = await a.listen()
  a.network.dial(address)
  t.same(await once(a, 'dialled'), [address])

  // What comes later shows that it was not dialled again.
  const b = new Node('2')
  b.network.start(b)
  b.network.dial(address)
  await exchange(a, b)
  t.is(dials, 1)
  t.same(a.errors, [])
  t.same(a.log, [`resolve ${a.identity.id}`, 'session 2'])
  await closeAll(a, b)
})

test('network: a live copy of our disk is not taken for ourselves', timeout, async (t) => {
  const a = new Node('1', { failAfter: 2 })
  const b = new Node('1', { identity: { id: a.identity.id } })
  a.network.dial(await b.listen())
  a.network.start(a)
  await once(a, 'fail')
  t.same(a.errors.map((err) => (err as ReplicatorError).code), [codes.staleIdentity, codes.staleIdentity])
  t.same(a.log.filter((line) => /^(session|refused)/.test(line)), [], 'nor refused: others have to judge')
  await closeAll(a, b)
})

test('network: a peer that is refused is told why, and tries again', timeout, async (t) => {
  for (const [dialler, acceptor] of [['1', '2'], ['2', '1']] as const) {
    for (const judge of ['dialler', 'acceptor'] as const) {
      const [a, b] = [new Node(dialler), new Node(acceptor)]
      const judging = judge === 'dialler' ? a : b
      judging.verdict = (peer) => peer.cluster === '' ? codes.clusterMismatch : null
      const address = await b.listen()
      a.network.start(a)
      a.network.dial(address)
      const [atDialler, where] = await once(a, 'failure')
      t.is(atDialler.code, codes.clusterMismatch, atDialler.message)
      t.same(where, address)
      const refused = judge === 'dialler' ? b : a
      while (!refused.log.includes(`refused ${codes.clusterMismatch}`)) await once(refused, 'refused')
      t.notOk(judging.log.includes(`refused ${codes.clusterMismatch}`), 'only the one that is refused is told so')
      if (judge === 'dialler') {
        while (!b.errors.some((err) => (err as ReplicatorError).code === codes.clusterMismatch)) await once(b, 'failure')
      }

      judging.verdict = () => null
      await exchange(a, b)
      await closeAll(a, b)
    }
  }
})

test('network: a node that is refused is told what to do', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  b.verdict = () => codes.staleIdentity
  a.network.dial(await b.listen())
  a.network.start(a)
  const [error] = await once(a, 'failure')
  t.match(error.message, /a later start of this node, or another copy of its disk/)
  await closeAll(a, b)
})

test('network: an address that is dialled no more', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  const address = await b.listen()
  const nowhere = { host: '127.0.0.1', port: 1 }
  a.network.undial(nowhere)
  a.network.dial(nowhere)
  a.network.undial(nowhere)
  a.network.start(a)
  a.network.dial(nowhere)
  await once(a, 'failure')
  a.network.undial(nowhere)
  const count = a.errors.length

  a.network.dial(address)
  const session = await a.session(b)
  a.network.undial(address)
  await exchange(a, b)
  t.ok(a.live.has(session), 'its session stays')
  session.close(codes.connectionLost)
  await once(a, 'close')
  a.network.dial(address)
  await exchange(a, b)
  t.pass('dialled again')
  t.is(a.errors.length, count)
  t.notOk(a.log.some((line) => line.startsWith('fail')))

  // Out of the handler, in the middle of an attempt.
  a.once('failure', () => { a.network.undial(nowhere) })
  a.network.dial(nowhere)
  await once(a, 'failure')
  await exchange(a, b)
  t.is(a.errors.length, count + 1)
  await closeAll(a, b)
})

test('network: a peer that was started again takes the place of its old session', timeout, async (t) => {
  for (const [restarted, other] of [['1', '2'], ['2', '1']] as const) {
    const b = new Node(other)
    const address = await b.listen()
    const old = new Node(restarted)
    old.network.start(old)
    old.network.dial(address)
    await exchange(old, b)

    const next = new Node(restarted, { identity: { id: old.identity.id, start: 2 } })
    next.network.start(next)
    next.network.dial(address)
    await next.session(b)
    while (![...b.live].some((session) => session.peer.start === 2)) await once(b, 'session')
    t.same(b.log.slice(0, 3), [`session ${restarted}`, 'close LEVEL_CONNECTION_LOST', `session ${restarted}`])

    // The old one is still there, and comes back.
    const [error] = await once(old, 'failure')
    t.is(error.code, codes.staleIdentity)
    await exchange(next, b)
    await closeAll(old, next, b)
  }
})

test('network: start and close', timeout, async (t) => {
  const early = new Node('1')
  const { address } = await early.network.listen({ port: 0, host: '127.0.0.1' })
  await once(connect(address.port, address.host).resume(), 'close')
  t.pass('refused before the start')
  early.network.start(early)
  t.throws(() => early.network.start(early), TypeError)

  const closed = early.network.close()
  t.is(early.network.close(), closed, 'close is idempotent')
  await closed
  await early.network.listen(0).then(() => t.fail(), (err) => t.is(err.code, codes.closed))
  early.network.dial({ host: 'x', port: 1 })
  t.same(early.log, [])

  const unstarted = new Node('1')
  await unstarted.network.close()
  t.throws(() => unstarted.network.start(unstarted))

  const [b, c] = [new Node('2'), new Node('3')]
  const taken = await b.listen()
  await c.network.listen(taken).then(() => t.fail(), (err) => t.is(err.code, 'EADDRINUSE'))
  await closeAll(b, c)
})

test('network: close() from within the handler', timeout, async (t) => {
  for (const event of ['session', 'resolve', 'close', 'reconnect'] as const) {
    const [a, b] = [new Node('1'), new Node('2')]
    let closing: Promise<void> | null = null
    a.once(event, () => { closing = a.network.close() })
    a.network.dial(await b.listen())
    a.network.start(a)
    const happened = once(a, event)
    if (event === 'close' || event === 'reconnect') (await a.session(b)).close(codes.connectionLost)
    await happened
    await closing
    t.is(a.live.size, 0, event)
    await closeAll(b)
  }
})

test('network: options', timeout, async (t) => {
  t.throws(() => new Node('1', { heartbeatMs: 0 }), TypeError)
  t.throws(() => new Node('1', { failAfter: 1.5 }), TypeError)
  t.throws(() => new Node('1', { frameBytesMax: Infinity }), TypeError)
  t.throws(() => new Node('1').network.dial({ host: '', port: 1 }), TypeError)
  t.ok(new Node('1', { failAfter: Infinity }))
})
