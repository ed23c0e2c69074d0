import { readFileSync } from 'node:fs'
import test from 'tape'
import { codes } from '../../lib/errors.ts'
import type { Limit, OptionLimit } from '../../lib/limits.ts'
import { fixedLimits, optionLimits } from '../../lib/limits.ts'
import { readOptions } from '../../lib/options.ts'

const timeout = 30_000

type Unit = 'bytes' | 'ms' | 'number'

const units = [['PiB', 2 ** 50], ['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const

/** What the comments say: of each limit, what it bounds, and what happens beyond. */
const words = new Map([...readFileSync('lib/limits.ts', 'utf8').matchAll(/\/\*\* (.+) \| (.+) \*\/\n {2}(\w+): /g)]
  .map(([, what, beyond, name]) => [name, { what: what as string, beyond: beyond as string }]))

function unitOf (name: string): Unit {
  return /Ms$/.test(name) ? 'ms' : /Bytes(Max)?$/.test(name) ? 'bytes' : 'number'
}

function amount (value: number, unit: Unit): string {
  if (unit === 'number') return value.toLocaleString('en')
  if (unit === 'ms') return value % 1000 === 0 ? `${(value / 1000).toLocaleString('en')} s` : `${value.toLocaleString('en')} ms`
  const [name, size] = units.find(([, size]) => value >= size && value % size === 0) ?? ['bytes', 1]
  return `${(value / size).toLocaleString('en')} ${value === 1 ? 'byte' : name}`
}

function row (name: string, { value }: Limit, option: string): string {
  const unit = unitOf(name)
  const { what, beyond } = words.get(name) ?? { what: '', beyond: '' }
  const linked = beyond.replace(/LEVEL_\w+/g, (code) => `[\`${code}\`](#${code.toLowerCase()})`).replace(/\w+Error\b/g, '`$&`')
  return `| ${what} | ${amount(value, unit)} | ${option} | ${linked} |`.replace(/ {2,}/g, ' ')
}

/** The table of limits, as the README has it. */
function table (): string {
  const rows = [
    ...Object.entries<OptionLimit>(optionLimits).map(([name, limit]) => {
      const [min, max] = [limit.min, limit.max].map((edge) => amount(edge, unitOf(name)))
      return row(name, limit, `\`${name}\`: ${min} to ${max}`)
    }),
    ...Object.entries<Limit>(fixedLimits).map(([name, limit]) => row(name, limit, ''))
  ]
  return ['| what is limited | to | option | beyond it |', '|---|---|---|---|', ...rows].join('\n')
}

test('each limit says what it bounds, and what happens beyond', { timeout }, async (t) => {
  t.deepEqual([...words.keys()], [...Object.keys(optionLimits), ...Object.keys(fixedLimits)])
  const known = new Set<string>(Object.values(codes))
  for (const [name, { beyond }] of words) for (const [code] of beyond.matchAll(/LEVEL_\w+/g)) t.ok(known.has(code), `${name}: ${code}`)
})

test('the README has the table of limits', { timeout }, async (t) => {
  const readme = readFileSync('README.md', 'utf8')
  const section = readme.slice(readme.indexOf('\n## Limits\n')).split('\n## ')[1] ?? ''
  const found = section.split('\n').filter((line) => line.startsWith('|')).join('\n')
  t.equal(found, table())
})

test('each option that is a limit has its default', { timeout }, async (t) => {
  const settings = readOptions({})
  for (const [name, { value, min, max }] of Object.entries<OptionLimit>(optionLimits)) {
    t.equal(settings[name as keyof typeof optionLimits], value, name)
    t.ok(min <= value && value <= max, `${name} may be set to its default`)
  }
})

test('the description of the wire format has the limits of frames', { timeout }, async (t) => {
  const spec = readFileSync('spec/wire.md', 'utf8')
  const section = spec.slice(spec.indexOf('\n## Limits\n')).split('\n## ')[1] ?? ''
  const { handshakeBytes, messages, frameBytes, strangerFrameBytes, operations, members, handshakes, handshakeMs } = fixedLimits
  const rows = [
    `| handshake payload | ${handshakeBytes.value.toLocaleString('en')} bytes |`,
    `| messages in a frame | ${messages.value.toLocaleString('en')}, together ${amount(frameBytes.value, 'bytes')} |`,
    `| a frame of a peer that is no member | ${amount(strangerFrameBytes.value, 'bytes')} |`,
    `| operations of a write | ${operations.value.toLocaleString('en')} |`,
    `| body of a write | ${amount(optionLimits.writeBytesMax.max, 'bytes')} |`,
    `| members, ids in a list, addresses | ${members.value} |`,
    `| connections in the handshake, on one node | ${handshakes.value} |`,
    `| time to connect, time for the handshake | ${amount(handshakeMs.value, 'ms')} each |`
  ]
  for (const row of rows) t.ok(section.split('\n').includes(row), row)
})
