import { readFileSync } from 'node:fs'
import test from 'tape'
import type { Limit, OptionLimit } from '../../lib/limits.ts'
import { fixedLimits, optionLimits } from '../../lib/limits.ts'
import { readOptions } from '../../lib/options.ts'

const timeout = 30_000

const units = [['PiB', 2 ** 50], ['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const

function amount (value: number, unit: Limit['unit']): string {
  if (unit === 'number') return value.toLocaleString('en')
  if (unit === 'ms') return value % 1000 === 0 ? `${(value / 1000).toLocaleString('en')} s` : `${value.toLocaleString('en')} ms`
  const [name, size] = units.find(([, size]) => value >= size && value % size === 0) ?? ['bytes', 1]
  return `${(value / size).toLocaleString('en')} ${value === 1 ? 'byte' : name}`
}

function beyond ({ code, beyond }: Limit): string {
  const error = code === null ? [] : [code.startsWith('LEVEL_') ? `[\`${code}\`](#${code.toLowerCase()})` : `\`${code}\``]
  return [...error, ...(beyond === '' ? [] : [beyond])].join(code !== null && beyond.startsWith('or ') ? ' ' : ', ')
}

/** The table of limits, as the README has it. */
function table (): string {
  const rows = [
    ...Object.entries<OptionLimit>(optionLimits).map(([name, limit]) => {
      const { what, unit, value, min, max } = limit
      return [what, amount(value, unit), `\`${name}\`: ${amount(min, unit)} to ${amount(max, unit)}`, beyond(limit)]
    }),
    ...Object.values<Limit>(fixedLimits).map((limit) => [limit.what, amount(limit.value, limit.unit), '', beyond(limit)])
  ]
  return ['| what is limited | to | option | beyond it |', '|---|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`.replace(/ {2,}/g, ' '))].join('\n')
}

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
