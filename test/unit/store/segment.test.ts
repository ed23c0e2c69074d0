import tape from 'tape'
import { Random } from '../../../lib/sim/random.ts'
import type { Block, Segment } from '../../../lib/store/segment.ts'
import {
  FIRST_BLOCK, blockBytes, decodeBlock, decodeSegment, encodeBlockHeader, encodeSegment, fileName, findBlock, makeSegment, parseName, readBlocks
} from '../../../lib/store/segment.ts'
import { crc32c } from '../../../lib/wire/crc32c.ts'
import { FormatError, encodeGroup } from '../../../lib/wire/group.ts'
import { toHex } from '../../../lib/wire/hex.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { group, groups } from './store-setup.ts'

const timeout = { timeout: 30_000 }

const header = {
  id: '1d'.repeat(8), sequence: 300, previous: 299, oldest: 7, base: { position: 1000, epoch: 5 }, size: 1 << 21, salt: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
}

/** A block of these groups as it is at an offset. */
function block (segment: Segment, offset: number, of: ReturnType<typeof groups>): Uint8Array {
  const records = of.map(encodeGroup)
  return new Uint8Array(Buffer.concat([encodeBlockHeader(segment, offset, of, records), ...records]))
}

tape('names', timeout, async (t) => {
  t.equal(fileName(300, 'log'), '000000000000012c.log')
  t.deepEqual(parseName('000000000000012c.spare'), { sequence: 300, kind: 'spare' })
  for (const name of ['000012.log', '000000000000012C.log', '000000000000012c.ldb', '0000000000000000.log', 'ffffffffffffffff.log', '000000000000012c.log.bak']) {
    t.equal(parseName(name), null, name)
  }
})

tape('the header of a segment, byte by byte', timeout, async (t) => {
  const bytes = encodeSegment(header)
  const copy = [
    '716c766c2d6c6f67', '01', '1d'.repeat(8), 'ac02', 'ab02', '07', 'e807', '05', '80808001', '0102030405060708', 'aad88f2d'
  ].join('')
  t.equal(bytes.length, FIRST_BLOCK)
  t.equal(toHex(bytes.subarray(0, copy.length / 2)), copy)
  t.deepEqual(bytes.subarray(0, 4096), bytes.subarray(4096))
  t.deepEqual(bytes.subarray(copy.length / 2, 4096), new Uint8Array(4096 - copy.length / 2))

  const { name, seed, ...decoded } = decodeSegment(bytes, 300) as Segment
  t.deepEqual([name, decoded], ['000000000000012c.log', header])
  t.equal(seed, makeSegment(header).seed)
})

tape('one of the two copies is enough, if it is that of this file', timeout, async (t) => {
  for (const at of [0, 4096]) {
    const bytes = encodeSegment(header)
    bytes.fill(0, at, at + 512)
    t.equal(decodeSegment(bytes, 300)?.sequence, 300)
    t.equal(decodeSegment(bytes, 301), null, 'of an earlier use')
    bytes.set(encodeSegment({ ...header, sequence: 12 }).subarray(0, 512), at)
    t.equal(decodeSegment(bytes, 300)?.oldest, 7, 'half of a header over an earlier one')
  }
  t.equal(decodeSegment(new Uint8Array(FIRST_BLOCK), 300), null)
  t.equal(decodeSegment(new Uint8Array(0), 300), null)
  t.equal(decodeSegment(encodeSegment(header).subarray(0, 20), 300), null)
  const newer = encodeSegment(header)
  newer[8] = newer[4096 + 8] = 2
  t.throws(() => decodeSegment(newer, 300), FormatError)
})

tape('a block, byte by byte', timeout, async (t) => {
  const segment = makeSegment(header)
  const of = [group(1001, 1, 5), group(1002, 3, 5)]
  const [first, second] = of.map(encodeGroup) as [Uint8Array, Uint8Array]
  const bytes = block(segment, 9000, of)
  t.equal(bytes.length, blockBytes([first, second]))
  const u32 = (number: number) => number.toString(16).padStart(8, '0')
  const expected = [
    '0102030405060708', 'e447ea51', u32(9000), u32(bytes.length), u32(2), '00000000000003e9',
    u32(1), u32(first.length), toHex(first.subarray(0, 5)), u32(3), u32(second.length), toHex(second.subarray(0, 5)),
    toHex(first), toHex(second)
  ].join('')
  t.equal(toHex(bytes), expected)

  t.deepEqual(decodeBlock(bytes, segment, 9000), {
    offset: 9000,
    length: bytes.length,
    records: [{ first: 1001, count: 1, record: first }, { first: 1002, count: 3, record: second }]
  })
  for (const [length, needed] of [[0, 32], [31, 32], [32, 58], [57, 58], [58, bytes.length], [bytes.length - 1, bytes.length]] as const) {
    t.equal(decodeBlock(bytes.subarray(0, length), segment, 9000), needed, `${length} bytes of it`)
  }
})

tape('a block is none in another place', timeout, async (t) => {
  const segment = makeSegment(header)
  const bytes = block(segment, 9000, groups(1, 3))
  t.equal(decodeBlock(bytes, segment, 9001), null, 'of the file')
  t.equal(decodeBlock(bytes, makeSegment({ ...header, salt: new Uint8Array(8) }), 9000), null, 'in another use of it')
  t.equal(decodeBlock(bytes, makeSegment({ ...header, sequence: 301 }), 9000), null, 'in another file')
  t.equal(decodeBlock(bytes, makeSegment({ ...header, id: '2d'.repeat(8) }), 9000), null, 'in another log')
})

tape('a block is none if its length is not the sum of its parts, whatever its checksum says', timeout, async (t) => {
  const segment = makeSegment(header)
  const of = groups(1, 3)
  const bytes = block(segment, 9000, of)
  for (const length of [0, 32, bytes.length - 1, bytes.length, bytes.length + 1]) {
    const changed = new Uint8Array([...bytes, 0])
    const view = new DataView(changed.buffer)
    view.setUint32(16, length)
    view.setUint32(8, crc32c(changed.subarray(12, 32 + 13 * of.length), segment.seed))
    const found = decodeBlock(changed, segment, 9000)
    t.equal(found !== null && typeof found === 'object', length === bytes.length, `${length} bytes`)
  }
})

tape('blocks are read in pieces of any size', timeout, async (t) => {
  const files = new FaultyFiles(new Random(1))
  const segment = makeSegment({ ...header, size: 40_000 })
  const file = new Uint8Array(segment.size)
  let offset = FIRST_BLOCK
  for (let first = 1, last = 1; first < 200; first = last + 1) {
    last = first + first % 7
    const bytes = block(segment, offset, groups(first, last))
    file.set(bytes, offset)
    offset += bytes.length
  }
  files.put(segment.name, file)

  for (const windowBytes of [0, 100, 1000, 1 << 20]) {
    const all: Block[] = []
    for await (const blocks of readBlocks(files, segment, FIRST_BLOCK, windowBytes)) all.push(...blocks)
    const last = all[all.length - 1] as Block
    t.equal(last.offset + last.length, offset)
    const firsts = all.flatMap(({ records }) => records.map(({ first }) => first))
    t.deepEqual([firsts.length > 199, firsts], [true, firsts.map((_, i) => i + 1)], `${windowBytes} bytes`)
  }
})

tape('a block that follows is found wherever it is', timeout, async (t) => {
  const files = new FaultyFiles(new Random(1))
  const segment = makeSegment({ ...header, size: 3 << 20 })
  const file = new Uint8Array(segment.size)
  files.put(segment.name, file)
  t.equal(await findBlock(files, segment, FIRST_BLOCK), null)

  for (const offset of [FIRST_BLOCK, FIRST_BLOCK + 1, ...Array.from({ length: 12 }, (_, i) => FIRST_BLOCK + (1 << 20) - 10 + i), segment.size - 200]) {
    file.fill(0)
    file.set(block(segment, offset, [group(9)]), offset)
    // What only looks like one.
    file.set(segment.salt, FIRST_BLOCK + 500)
    t.equal(await findBlock(files, segment, FIRST_BLOCK), offset)
    t.equal(await findBlock(files, segment, offset + 1), null)
  }
})
