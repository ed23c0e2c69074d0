import { readFileSync } from 'node:fs'
import test from 'tape'
import ts from 'typescript'
import { codes } from '../../lib/errors.ts'
import { listFiles, readSource, walk } from './source.ts'

const timeout = 30_000

const readme = readFileSync('README.md', 'utf8')

/** The sections of the README on errors, by their headings. */
function headings (): Map<string, string> {
  const errors = readme.slice(readme.indexOf('\n## Errors\n') + 1).split('\n## ')[0] ?? ''
  return new Map(errors.split('\n### ').slice(1).map((section) => {
    const [heading = '', ...lines] = section.split('\n')
    return [heading, lines.join('\n')]
  }))
}

test('each code is a heading in the README, with cause, outcome and remedy, and no heading is anything else', { timeout }, async (t) => {
  const sections = headings()
  t.deepEqual([...sections.keys()].sort(), Object.values(codes).map((code) => `\`${code}\``).sort())
  for (const [heading, text] of sections) {
    const parts = text.trim().split('\n\n')
    t.deepEqual(parts.map((part) => /^\*\*(.+?)\.\*\* \S/.exec(part)?.[1]), ['Cause', 'Outcome', 'What to do'], heading)
  }
})

test('each code is used, and explained where it is defined', { timeout }, async (t) => {
  const used = new Set<string>()
  for (const source of listFiles('lib').filter((path) => path.endsWith('.ts') && path !== 'lib/errors.ts').map(readSource)) {
    walk(source.tree, (node) => {
      if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'codes') used.add(node.name.text)
    })
  }
  t.deepEqual(Object.keys(codes).filter((name) => !used.has(name)), [])
  const { text } = readSource('lib/errors.ts')
  for (const [name, code] of Object.entries(codes)) t.ok(new RegExp(`\\*/\\n  ${name}: '${code}'`).test(text), code)
})

test('no text speaks of a code that is none', { timeout }, async (t) => {
  const known = new Set<string>(Object.values(codes))
  // Of abstract-level and of stores.
  const others = new Set(['LEVEL_ABORTED', 'LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ITERATOR_NOT_OPEN', 'LEVEL_IO_ERROR', 'LEVEL_LOCKED'])
  const paths = listFiles('.').filter((path) => /^(README|CHANGELOG)\.md$|^(spec|examples)\/.*\.(md|ts)$|^(lib\/.*|index)\.ts$/.test(path))
  t.ok(paths.includes('README.md') && paths.includes('spec/protocol.md'), 'there are texts')
  for (const path of paths) {
    for (const [code] of readFileSync(path, 'utf8').matchAll(/\bLEVEL_[A-Z_]+[A-Z]\b/g)) {
      if (!known.has(code) && !others.has(code)) t.fail(`${path} speaks of ${code}`)
    }
  }
  for (const [, anchor = ''] of readme.matchAll(/\]\(#(level_[a-z_]+)\)/g)) {
    if (!known.has(anchor.toUpperCase())) t.fail(`the README links to #${anchor}`)
  }
})
