import { readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import type * as pairs from '../../../lib/net/duplex-pair.ts'
import type * as ports from '../../../lib/transport/message-port.ts'
import { suite } from '../../../lib/transport/test.ts'
import { memoryTransport } from '../transport/memory-transport.ts'

const timeout = 30_000
const modules = importForBrowsers<typeof pairs & typeof ports>("export * from './lib/net/duplex-pair.ts'; export * from './lib/transport/message-port.ts'")

/** The modules with those that take the place of others in browsers, as the field `browser` of package.json says. */
async function importForBrowsers<T> (contents: string): Promise<T> {
  const { browser } = JSON.parse(readFileSync('package.json', 'utf8')) as { browser: Record<string, string> }
  const source = (path: string): string => resolve(path.replace('/dist/', '/').replace(/\.js$/, '.ts'))
  const replaced = new Map(Object.entries(browser).map(([from, to]) => [source(from), source(to)]))
  const { outputFiles: [file] } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    write: false,
    plugins: [{
      name: 'the field browser',
      setup ({ onResolve }) {
        onResolve({ filter: /^\./ }, ({ path, resolveDir }) => ({ path: replaced.get(resolve(resolveDir, path)) ?? resolve(resolveDir, path) }))
      }
    }]
  })
  await mkdir('.tmp', { recursive: true })
  const path = join('.tmp', `for-browsers-${process.pid}.mjs`)
  try {
    await writeFile(path, file!.contents)
    return await import(pathToFileURL(path).href)
  } finally {
    await rm(path)
  }
}

async function duplexPair (): Promise<[Duplex, Duplex]> {
  return (await modules).duplexPair()
}

suite({
  test,
  name: 'a pair in memory, as in browsers',
  ...memoryTransport(duplexPair),
  database: () => new MemoryLevel(),
  bufferBytesMax: 1024 * 1024
})

suite({
  test,
  name: 'MessagePorts, as in browsers',
  ...memoryTransport(async () => {
    const { messagePortStream } = await modules
    const { port1, port2 } = new MessageChannel()
    return [messagePortStream(port1), messagePortStream(port2)]
  }),
  database: () => new MemoryLevel()
})

for (const who of ['writer', 'reader'] as const) {
  test(`the stream for browsers: is destroyed while a write waits, with the ${who}`, { timeout }, async (t) => {
    const [writer, reader] = await duplexPair()
    const states = (): boolean[] => [writer, reader].flatMap(({ destroyed, closed }) => [destroyed, closed])
    const closed = Promise.all([writer, reader].map((stream) => new Promise((resolve) => { stream.on('close', resolve) })))
    for (const stream of [writer, reader]) stream.on('error', () => { t.fail('there is no error') })
    t.notOk(writer.write(new Uint8Array(1_000_000)), 'it is to wait')
    const destroyed = who === 'writer' ? writer : reader
    await turn()
    destroyed.destroy()
    t.deepEqual(states(), [true, false, true, false])
    await closed
    t.deepEqual(states(), [true, true, true, true])
  })
}

test('the stream for browsers: tells what has ended', { timeout }, async (t) => {
  const [a, b] = await duplexPair()
  const ended = (): boolean[] => [a, b].flatMap(({ readableEnded, writableEnded }) => [readableEnded, writableEnded])
  t.deepEqual(ended(), [false, false, false, false])
  const texts = [a, b].map(async (stream) => {
    const chunks: Uint8Array[] = []
    stream.on('data', (chunk: Uint8Array) => { chunks.push(chunk) })
    await new Promise((resolve) => { stream.on('end', resolve) })
    return String(Buffer.concat(chunks))
  })
  a.end('é')
  t.deepEqual(ended(), [false, true, false, false])
  t.equal(await texts[1], 'é', 'a string is written in UTF-8')
  t.deepEqual(ended(), [false, true, true, false])
  b.end()
  t.equal(await texts[0], '')
  t.deepEqual(ended(), [true, true, true, true])
})

test('the stream for browsers: fails with the error that it is destroyed with', { timeout }, async (t) => {
  const [a, b] = await duplexPair()
  const errors = Promise.all([a, b].map((stream) => new Promise((resolve) => { stream.on('error', resolve) })))
  const error = new Error('planted')
  a.destroy(error)
  t.deepEqual(await errors, [error, error])
})

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
