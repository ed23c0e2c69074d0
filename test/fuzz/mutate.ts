import type { Random } from '../../lib/sim/random.ts'
import { ByteWriter } from '../../lib/wire/bytes.ts'
import { concat } from '../support/bytes.ts'
import { edges } from './generate.ts'

/** Integers that no writer makes: with leading zeros, too long, too large. */
const wrongVarints: ReadonlyArray<readonly number[]> = [
  [0x80, 0x00], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]
]

/** The bytes with one to four changes; with parts of `other`, a different valid encoding. */
export function mutate (random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let result = Uint8Array.from(bytes)
  for (let left = 1 + random.below(4); left > 0; left--) result = change(random, result, other)
  return result
}

function change (random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const length = random.below(Math.min(16, bytes.length - at) + 1)
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
  switch (random.below(10)) {
    case 0: return concat(before, part.map(byte => byte ^ (1 << random.below(8))), after)
    case 1: return concat(before, part.map(() => random.pick([0, 1, 0x7f, 0x80, 0xff])), after)
    case 2: return concat(before)
    case 3: return concat(bytes, Uint8Array.from({ length: 1 + random.below(40) }, () => random.below(256)))
    case 4: return concat(before, after)
    case 5: return concat(before, part, part, after)
    case 6: {
      const from = random.below(other.length + 1)
      return concat(before, other.subarray(from, from + random.below(64)), after)
    }
    // In the place of a length, a count, or another number: or beside it.
    case 7: return concat(before, varint(random), bytes.subarray(at + 1))
    case 8: return concat(before, varint(random), bytes.subarray(at))
    default: return concat(before, after.subarray(0, 1), part, after.subarray(1))
  }
}

function varint (random: Random): Uint8Array {
  if (random.chance(0.2)) return Uint8Array.from(random.pick(wrongVarints))
  const writer = new ByteWriter(8)
  writer.varint(random.pick(edges))
  return writer.finish()
}
