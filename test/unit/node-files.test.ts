import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tape from 'tape'
import type { Group } from '../../lib/core/entry.ts'
import { emptyLog } from '../../lib/core/entry.ts'
import { FileLog } from '../../lib/store/file-log.ts'
import type { Files } from '../../lib/store/files.ts'
import { nodeFiles } from '../../lib/node-files.ts'
import { fileName } from '../../lib/store/segment.ts'
import { encodeGroup } from '../../lib/wire/group.ts'
import { group, groups } from './store/store-setup.ts'

const timeout = { timeout: 30_000 }

const id = '1d'.repeat(8)

/** A directory that is not there yet, in one that goes when the test is over. */
async function setup (t: tape.Test): Promise<{ directory: string, files: Files }> {
  const parent = mkdtempSync(join(tmpdir(), 'quorum-level-'))
  t.teardown(() => { rmSync(parent, { recursive: true, force: true }) })
  const directory = join(parent, 'some', 'log')
  return { directory, files: await nodeFiles(directory) }
}

function bytesOf (length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) % 256)
}

function fileLog (files: Files): FileLog {
  return new FileLog(files, { segmentBytes: 32_768, randomBytes: length => crypto.getRandomValues(new Uint8Array(length)) })
}

async function recovered (log: FileLog): Promise<Uint8Array[]> {
  const records: Uint8Array[] = []
  for await (const some of log.recover(id)) records.push(...some.map(([, record]) => record))
  return records
}

tape('a directory', timeout, async (t) => {
  const { directory, files } = await setup(t)
  t.deepEqual(await files.list(), [], 'that does not exist')
  await files.remove('a')
  await files.removeDirectory()
  t.equal(await files.read('a', 0, 1).catch((error: NodeJS.ErrnoException) => error.code), 'ENOENT')
  t.equal(await files.open('a').catch((error: NodeJS.ErrnoException) => error.code), 'ENOENT')

  await files.create('a', 3_000_000)
  t.ok(readFileSync(join(directory, 'a')).equals(Buffer.alloc(3_000_000)))
  await files.create('b', 10)
  await files.rename('b', 'c')
  t.deepEqual((await files.list()).sort(), ['a', 'c'])
  t.deepEqual([await files.size('a'), await files.size('c')], [3_000_000, 10])
  await files.removeDirectory()
  t.deepEqual(readdirSync(directory).sort(), ['a', 'c'], 'stays as long as something is in it')
  await files.remove('a')
  await files.remove('c')
  await files.removeDirectory()
  t.notOk(existsSync(directory))
})

tape('reads end with the file', timeout, async (t) => {
  const { directory, files } = await setup(t)
  await files.create('a', 1)
  writeFileSync(join(directory, 'a'), bytesOf(1000, 1))
  t.deepEqual(await files.read('a', 0, 1000), bytesOf(1000, 1))
  t.deepEqual(await files.read('a', 990, 1000), bytesOf(1000, 1).subarray(990))
  t.deepEqual(await files.read('a', 1000, 10), new Uint8Array(0))
})

tape('chunks of all sizes, and any number of them', timeout, async (t) => {
  const { directory, files } = await setup(t)
  const cases: number[][] = [
    [1], [0], [], [20_000], [65_536], [65_537], [100, 200, 300], [100, 20_000, 100], [20_000, 30_000, 1, 2, 40_000], [16_384, 16_385, 0, 16_384],
    Array.from({ length: 3000 }, (_, i) => i % 300), Array.from({ length: 1100 }, () => 16_400), Array.from({ length: 2100 }, (_, i) => i % 2 === 0 ? 10 : 16_400)
  ]
  for (const [i, lengths] of cases.entries()) {
    const chunks = lengths.map(bytesOf)
    const all = Buffer.concat(chunks)
    await files.create(`f${i}`, all.length + 20)
    const file = await files.open(`f${i}`)
    await file.write(chunks, 7)
    await file.sync()
    await file.close()
    const content = readFileSync(join(directory, `f${i}`))
    t.ok(content.equals(Buffer.concat([Buffer.alloc(7), all, Buffer.alloc(13)])), `${lengths.length} chunks, ${all.length} bytes`)
  }
})

tape('one write after the other', timeout, async (t) => {
  const { directory, files } = await setup(t)
  await files.create('a', 50_000)
  const file = await files.open('a')
  const expected = Buffer.alloc(50_000)
  for (let i = 0, at = 0; i < 40; i++, at += 1100) {
    const chunks = [bytesOf(100, i), bytesOf(1000, i + 1)]
    await file.write(chunks, at)
    expected.set(Buffer.concat(chunks), at)
  }
  await file.close()
  t.ok(readFileSync(join(directory, 'a')).equals(expected))
  t.equal(await file.write([bytesOf(10, 1)], 0).catch((error: NodeJS.ErrnoException) => error.code), 'EBADF')
})

tape('a log that is opened again', timeout, async (t) => {
  const { directory, files } = await setup(t)
  const log = fileLog(files)
  await log.begin(id, emptyLog)
  await log.start()
  const appended: Group[] = []
  for (let first = 1; first < 4000; first += 20) {
    appended.push(...groups(first, first + 19, 5))
    await log.append(groups(first, first + 19, 5))
  }
  t.deepEqual((await log.read(1, 1e9)).map(encodeGroup), appended.map(encodeGroup))
  await log.truncate(2000)
  await log.cut({ position: 3990, epoch: 1 })
  await log.append([group(3991, 9, 2)])
  await log.close()

  const again = fileLog(await nodeFiles(directory))
  const records = await recovered(again)
  const left = [...appended.filter(({ first }) => first > again.base.position && first < 3990), group(3991, 9, 2)]
  t.ok(again.base.position > 0 && again.base.position <= 2000)
  t.deepEqual(records, left.map(encodeGroup))
  await again.start()
  await again.append([group(4000, 1, 2)])
  t.deepEqual((await again.read(3991, 1e9)).map(({ first }) => first), [3991, 4000])
  await again.destroy()
  t.notOk(existsSync(directory))
})

// The device is always full, and a link has the name of the next file.
if (existsSync('/dev/full')) {
  tape('a full disk', timeout, async (t) => {
    const { directory, files } = await setup(t)
    const log = fileLog(files)
    await log.begin(id, emptyLog)
    await log.start()
    symlinkSync('/dev/full', join(directory, fileName(2, 'spare')))
    const file = await files.open(fileName(2, 'spare'))
    for (const chunks of [[bytesOf(10, 1)], [bytesOf(20_000, 1), bytesOf(20_000, 2)]]) {
      t.equal(await file.write(chunks, 0).catch((error: NodeJS.ErrnoException) => error.code), 'ENOSPC')
    }
    t.match(String(await file.write([bytesOf(10, 1)], 0).catch((error: Error) => error.message)), /^ENOSPC: no space left on device, write '.*\/some\/log\/0{15}2\.spare'$/)
    await file.close()

    // It is made when the segment is half full, and missed when it is full.
    await log.append(groups(1, 300, 10))
    const codes: string[] = []
    for (let first = 301; codes.length === 0 && first < 10_000; first += 10) {
      await log.append([group(first, 10)]).catch((error: NodeJS.ErrnoException) => { codes.push(error.code ?? '') })
    }
    t.deepEqual(codes, ['ENOSPC'])
    t.notOk(readdirSync(directory).includes(fileName(2, 'spare')), 'what could not be made is not left there')
    await log.close()
  })
}
