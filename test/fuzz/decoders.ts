import { isDeepStrictEqual } from 'node:util'
import { ReplicatorError } from '../../lib/errors.ts'
import type { Random } from '../../lib/sim/random.ts'
import { WireError } from '../../lib/wire/bytes.ts'
import { toHex } from '../../lib/wire/hex.ts'
import { Generator } from './generate.ts'
import { mutate } from './mutate.ts'
import type { Target } from './targets.ts'
import { targets } from './targets.ts'

/** What one input did that it must not. */
export interface Finding {
  readonly target: string
  readonly problem: string
  /** How to see it again. */
  readonly how: string
}

export interface DecoderCounts {
  inputs: number
  decoded: number
  refused: number
}

/** A decoder that takes longer for less than a mebibyte has lost its way. */
const CPU_MS_MAX = 1000

/** What the decoder makes of it: 'decoded', 'refused', or what is wrong with it. */
export function probe (target: Target, bytes: Uint8Array): string {
  let value: unknown
  try {
    value = target.decode(bytes)
  } catch (error) {
    return isAllowed(error) ? 'refused' : `throws ${describeError(error)}`
  }
  if (value === null) return 'refused'
  return weighty(value, bytes.length) ?? unstable(target, bytes, value) ?? 'decoded'
}

/** As `probe`, and how long it takes. */
export function probeInTime (target: Target, bytes: Uint8Array): string {
  const started = performance.now()
  const verdict = probe(target, bytes)
  if (performance.now() - started < CPU_MS_MAX || bytes.length > 2 ** 20) return verdict
  // The machine may have been busy with something else: then it is quicker another time.
  const times = [1, 2, 3].map(() => {
    const { user } = process.cpuUsage()
    probe(target, bytes)
    return process.cpuUsage().user - user
  })
  return Math.min(...times) / 1000 > CPU_MS_MAX ? `takes ${Math.round(Math.min(...times) / 1000)} ms for ${bytes.length} bytes` : verdict
}

/** One input for one of the decoders, valid or changed. Returns what is wrong, or null. */
export function fuzzDecoder (random: Random, counts: DecoderCounts): Finding | null {
  const target = random.pick(targets)
  const generator = new Generator(random)
  const sound = target.make(generator)
  const isSound = random.chance(0.1)
  let bytes = isSound ? sound : random.chance(0.02) ? generator.bytes(200) : mutate(random, sound, target.make(generator))
  if (!isSound && target.repair !== undefined && random.chance(0.7)) bytes = target.repair(bytes)

  const verdict = probeInTime(target, bytes)
  counts.inputs++
  if (verdict === 'decoded') counts.decoded++
  else if (verdict === 'refused') counts.refused++
  // What a generator makes has to mean something, or nothing of this does.
  const problem = verdict === 'refused' && isSound && !mayBeRefused.has(target.name) ? 'refuses what is valid' : verdict
  return problem === 'decoded' || problem === 'refused' ? null : { target: target.name, problem, how: toHex(bytes) }
}

/** Their generators change groups behind the checksums, or make what is only half of something. */
const mayBeRefused: ReadonlySet<string> = new Set(['messages', 'inbox', 'block'])

/** Of what a decoder has made, the items of lists and the bytes of texts are not more than it was given. */
function weighty (value: unknown, bytes: number): string | null {
  const texts = new Set<string>()
  let items = 0
  let content = 0
  const weigh = (part: unknown): void => {
    if (typeof part === 'string') {
      if (!texts.has(part)) content += part.length
      texts.add(part)
    } else if (part instanceof Uint8Array) content += part.length
    else if (Array.isArray(part)) {
      items += part.length
      for (const item of part) weigh(item)
    } else if (typeof part === 'object' && part !== null) for (const item of Object.values(part)) weigh(item)
  }
  weigh(value)
  // Names of kinds are texts, too.
  const most = 4 * bytes + 256
  return items > most || content > most ? `makes ${items} items and ${content} bytes of ${bytes} bytes` : null
}

function unstable (target: Target, bytes: Uint8Array, value: unknown): string | null {
  try {
    const encoded = target.encode(value)
    if (!isDeepStrictEqual(plain(target.decode(encoded)), plain(value))) return `is something else when it is encoded again: ${toHex(encoded)}`
    if (target.canonical && Buffer.compare(encoded, bytes) !== 0) return `has a second encoding: ${toHex(encoded)}`
    return null
  } catch (error) {
    return `cannot be encoded again: ${describeError(error)}`
  }
}

/** Without the records of groups, which are what they were decoded from. */
function plain (value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).filter(([name, part]) => name !== 'record' || !('entries' in value && part instanceof Uint8Array)).map(([name, part]) => [name, plain(part)]))
}

function isAllowed (error: unknown): boolean {
  return error instanceof WireError || error instanceof ReplicatorError
}

export function describeError (error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
}
