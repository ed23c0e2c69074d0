import tape from 'tape'
import { readFrame } from '../../lib/inbox.ts'
import { Random } from '../../lib/sim/random.ts'
import { ByteReader, ByteWriter, ITEMS_MAX, WireError } from '../../lib/wire/bytes.ts'
import { readCorpus } from './corpus.ts'
import { fuzzDecoder, probe } from './decoders.ts'
import type { Target } from './targets.ts'
import { crowdedFrames, targets } from './targets.ts'

const timeout = { timeout: 60_000 }
const seed = 20_260

tape('decoders: what is in the corpus is decoded, or refused, as it should be', timeout, async (t) => {
  const corpus = readCorpus()
  t.ok(corpus.length > 0, `${corpus.length} inputs`)
  for (const { target, bytes, expected, why } of corpus) {
    const found = targets.find(({ name }) => name === target)
    t.equal(found === undefined ? 'there is no such decoder' : probe(found, bytes), expected, `${target}: ${why}`)
  }
})

tape('decoders: changed encodings are refused, or mean one thing', timeout, async (t) => {
  const random = new Random(seed)
  const counts = { inputs: 0, decoded: 0, refused: 0 }
  for (let i = 0; i < 15_000; i++) {
    const finding = fuzzDecoder(random, counts)
    if (finding !== null) t.fail(`${finding.target}: ${finding.problem}\n${finding.how}`)
  }
  // One that refuses, or takes, nearly everything would show nothing.
  t.ok(counts.decoded > 1500 && counts.refused > 1500, `${counts.decoded} decoded, ${counts.refused} refused`)
})

tape('decoders: an input has as many items as there may be, in all its parts together', timeout, async (t) => {
  const counting = (items: number): ByteReader => {
    const writer = new ByteWriter(items + 8)
    writer.varint(items)
    writer.raw(new Uint8Array(items))
    return new ByteReader(writer.finish())
  }
  const whole = counting(ITEMS_MAX)
  t.equal(whole.count(1), ITEMS_MAX)
  t.throws(() => counting(ITEMS_MAX + 1).count(1), WireError)
  t.throws(() => new ByteReader(Uint8Array.of(1, 0), whole).count(1), WireError, 'of a part')

  const frames = new Map(crowdedFrames(8 * 2 ** 20))
  t.throws(() => readFrame(frames.get('writes of one message') as Uint8Array), /too many items/, 'of one message')
  t.equal(readFrame(frames.get('operations of one write') as Uint8Array).length, 1, 'one write may have a million')
})

// A decoder as it should not be, one for each thing that is looked for.
const number: Target<number> = {
  name: 'number',
  make: generator => numberOf(generator.integer()),
  decode (bytes) {
    const reader = new ByteReader(bytes)
    const value = reader.varint()
    reader.end()
    return value
  },
  encode: numberOf,
  canonical: true
}

tape('decoders: what is wrong with one is found', timeout, async (t) => {
  const bytes = numberOf(300)
  t.equal(probe(number as Target, bytes), 'decoded')
  t.equal(probe(number as Target, Uint8Array.of(0x80)), 'refused')
  t.match(probe({ ...number, decode: () => (null as unknown as number[])[0] ?? 0 } as Target, bytes), /^throws TypeError/)
  t.match(probe({ ...number, decode: () => Array.from({ length: 1000 }), encode: () => bytes } as unknown as Target, bytes), /^makes 1000 items/)
  t.match(probe({ ...number, encode: () => numberOf(301) } as unknown as Target, bytes), /^is something else/)
  t.match(probe({ ...number, decode: (input: Uint8Array) => input.length } as unknown as Target, bytes), /^is something else/)
  t.match(probe({ ...number, decode: () => 5 } as unknown as Target, bytes), /^has a second encoding/)
})

function numberOf (value: number): Uint8Array {
  const writer = new ByteWriter(8)
  writer.varint(value)
  return writer.finish()
}
