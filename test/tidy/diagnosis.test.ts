import { readFileSync } from 'node:fs'
import test from 'tape'
import ts from 'typescript'
import { version } from '../../lib/version.ts'
import { readSource, walk } from './source.ts'

const timeout = 30_000

/** The section of the README with this heading. */
function section (heading: string): string {
  const readme = readFileSync('README.md', 'utf8')
  const start = readme.indexOf(`\n${heading}\n`)
  return start === -1 ? '' : readme.slice(start + heading.length + 2).split(/\n##+ /)[0] ?? ''
}

/** The members of an interface, with the text of each. */
function membersOf (path: string, name: string): Map<string, ts.TypeElement> {
  const members = new Map<string, ts.TypeElement>()
  walk(readSource(path).tree, (node) => {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== name) return
    for (const member of node.members) members.set(member.name?.getText() ?? '', member)
  })
  return members
}

test('the README has all that stats() gives', { timeout }, async (t) => {
  const text = section('### `replicator.stats()`')
  const stats = [...membersOf('lib/stats.ts', 'ReplicatorStats').keys()]
  t.ok(stats.length > 20, `${stats.length} fields`)
  t.deepEqual(stats.filter((name) => !text.includes(`\`${name}\``)), [])

  const fieldsOf = (name: string): string[] => new RegExp(`\`${name}\`: (?:each )?\`{ ([A-Za-z, ]+) }\``).exec(text)?.[1]?.split(', ') ?? []
  t.deepEqual(fieldsOf('peers').sort(), [...membersOf('lib/stats.ts', 'PeerStats').keys()].sort(), 'those of a peer')
  t.deepEqual(fieldsOf('disk'), [...membersOf('lib/tracer.ts', 'DiskPace').keys()], 'those of the disk')
})

test('the README has all events of trace(), with their fields, and no others', { timeout }, async (t) => {
  const text = section('### `replicator.trace()`').split('\n').filter((line) => line.startsWith('- ')).join('\n')
  const shapes = membersOf('lib/trace.ts', 'TraceShapes')
  t.ok(shapes.size > 20, `${shapes.size} events`)
  for (const [name, member] of shapes) {
    const fields = fieldsOf((member as ts.PropertySignature).type)
    const entry = `\`${name}\`${fields.length === 0 ? ': ' : ` (${fields.map((field) => `\`${field}\``).join(', ')})`}`
    t.ok(text.includes(entry), entry)
  }
  for (const [, name = ''] of text.matchAll(/`([a-z]+)` \(`/g)) if (!shapes.has(name)) t.fail(`there is no event '${name}'`)
})

function fieldsOf (type: ts.TypeNode | undefined): string[] {
  if (type === undefined) return []
  if (ts.isIntersectionTypeNode(type)) return type.types.flatMap(fieldsOf)
  if (ts.isTypeLiteralNode(type)) return type.members.map((member) => member.name?.getText() ?? '')
  return type.getText() === 'Repeated' ? [...membersOf('lib/trace.ts', 'Repeated').keys()] : []
}

test('the version is that of the package', { timeout }, async (t) => {
  t.equal(version, (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
})
