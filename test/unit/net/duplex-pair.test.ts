import { once } from 'node:events'
import test from 'tape'
import { duplexPair } from '../../../lib/net/duplex-pair.ts'

const timeout = 30_000

for (const who of ['writer', 'reader'] as const) {
  test(`duplex pair: a write that waits fails when the ${who} is destroyed without an error`, { timeout }, async (t) => {
    const [writer, reader] = duplexPair()
    for (const stream of [writer, reader]) stream.on('error', () => { t.fail('there is no error') })
    const closed = Promise.all([writer, reader].map((stream) => new Promise((resolve) => { stream.on('close', resolve) })))
    const written = [1, 2].map(() => new Promise((resolve) => { writer.write(new Uint8Array(writer.writableHighWaterMark), resolve) }))
    const destroyed = who === 'writer' ? writer : reader
    destroyed.destroy()
    for (const error of await Promise.all(written)) t.ok(error instanceof Error)
    await closed
  })
}

test('duplex pair: what was written before the end can still be read when the writer is closed', { timeout }, async (t) => {
  const [writer, reader] = duplexPair()
  reader.end()
  writer.resume().end('last words')
  await once(writer, 'close')
  t.notOk(reader.destroyed)
  const closed = once(reader, 'close')
  const [[bytes]] = await Promise.all([once(reader, 'data'), once(reader, 'end')])
  t.equal(String(bytes), 'last words')
  await closed
})
