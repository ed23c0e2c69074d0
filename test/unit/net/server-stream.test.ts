import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import test from 'tape'
import { codes } from '../../../lib/errors.ts'
import { closeAll, exchange, Node } from './node.ts'

const timeout = { timeout: 30000 }

interface Piped { con: Socket, stream: Duplex }

/** A TCP server as users write it: without a single listener for errors. */
async function serve (node: Node): Promise<{ server: Server, port: number, piped: Piped[] }> {
  const piped: Piped[] = []
  const server = createServer((con) => {
    const stream = node.network.createServer()
    stream.pipe(con).pipe(stream)
    piped.push({ con, stream })
    server.emit('piped')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: (server.address() as AddressInfo).port, piped }
}

test('server stream: sessions over piped connections', timeout, async (t) => {
  const [a, b] = [new Node('1'), new Node('2')]
  const { server, port, piped } = await serve(b)
  a.network.start(a)
  b.network.start(b)
  a.network.dial({ host: '127.0.0.1', port })
  await exchange(a, b)
  await exchange(a, b, new Uint8Array(3_000_000).fill(7))
  await closeAll(a, b)
  const { con, stream } = piped[0] as Piped
  if (!con.closed) await once(con, 'close')
  t.ok(stream.destroyed)
  server.close()
})

test('server stream: notices at once that its connection is gone', timeout, async (t) => {
  const ends: Array<[string, (piped: Piped, dialled: Socket) => void]> = [
    ['destroyed here', ({ con }) => { con.destroy() }],
    ['destroyed here with an error', ({ con }) => { con.destroy(new Error('con')) }],
    ['ended here', ({ con }) => { con.end() }],
    ['unpiped', ({ con }) => { con.unpipe() }],
    ['reset by the peer', (_, dialled) => { dialled.resetAndDestroy() }],
    ['ended by the peer', (_, dialled) => { dialled.end() }],
    ['stream destroyed', ({ stream }) => { stream.destroy() }],
    ['stream destroyed with an error', ({ stream }) => { stream.destroy(new Error('stream')) }],
    ['stream ended', ({ stream }) => { stream.end() }]
  ]
  for (const [what, end] of ends) {
    let dialled: Socket | undefined
    const slow = { heartbeatMs: 1_000_000, failureTimeoutMs: 5_000_000 }
    const a = new Node('1', {
      ...slow,
      transport (port, host) {
        dialled = connect(port, host)
        return dialled
      }
    })
    const b = new Node('2', slow)
    const { server, port, piped } = await serve(b)
    a.network.start(a)
    b.network.start(b)
    a.network.dial({ host: '127.0.0.1', port })
    await exchange(a, b)

    const closes = Promise.all([once(a, 'close'), once(b, 'close')])
    const first = piped[0] as Piped
    end(first, dialled as Socket)
    await closes
    if (!first.con.closed) await once(first.con, 'close').catch(() => once(first.con, 'close'))
    t.ok(first.stream.destroyed, what)
    await exchange(a, b)
    await closeAll(a, b)
    server.close()
  }
})

test('server stream: before the start and after the close', timeout, async (t) => {
  const node = new Node('1')
  const { server, port, piped } = await serve(node)
  for (const phase of ['before', 'after'] as const) {
    const client = connect(port, '127.0.0.1')
    client.on('error', () => {})
    await once(client.resume(), 'close')
    const { stream } = piped.at(-1) as Piped
    t.is((stream.errored as Error & { code?: string } | null)?.code, codes.closed, phase)
    if (phase === 'before') node.network.start(node)
    await node.network.close()
  }

  const stream = node.network.createServer()
  const [error] = await once(stream, 'error').catch((err) => [err])
  t.is(error.code, codes.closed, 'is told to who listens')
  server.close()
})
