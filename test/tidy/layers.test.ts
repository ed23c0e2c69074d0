import { dirname, join } from 'node:path/posix'
import test from 'tape'
import ts from 'typescript'
import { at, importsOf, listFiles, readSource, walk } from './source.ts'

const timeout = 30_000

/**
 * Imports point down: shell -> store, net -> wire -> core -> nothing. What a layer is not listed with, it may not
 * import. The layer of a file is the longest of these that its path starts with.
 */
const layers: Record<string, string[]> = {
  'lib/errors.ts': [],
  'lib/core/': ['lib/core/', 'lib/errors.ts'],
  'lib/wire/': ['lib/wire/', 'lib/core/', 'lib/errors.ts'],
  'lib/store/': ['lib/store/', 'lib/wire/', 'lib/core/', 'lib/errors.ts', 'lib/env.ts', 'lib/', 'abstract-level', 'debug'],
  'lib/net/': ['lib/net/', 'lib/wire/', 'lib/core/', 'lib/errors.ts', 'lib/env.ts', 'lib/', 'node:', 'events', 'debug', 'rpc-stream', 'reconnect-core', '@noble/hashes/hkdf.js', '@noble/hashes/hmac.js', '@noble/hashes/sha2.js'],
  'lib/': ['lib/', 'lib/net/', 'lib/store/', 'lib/wire/', 'lib/core/', 'lib/errors.ts', 'node:', 'events', 'abstract-level', 'debug'],
  'lib/browser/': ['lib/net/', 'lib/', 'lib/errors.ts', 'streamx'],
  'lib/transport/': ['lib/transport/', 'lib/net/', 'node:'],
  'lib/transport/test': ['lib/transport/test', 'lib/', 'lib/net/', 'lib/env.ts', 'node:', 'abstract-level'],
  'lib/sim/': ['lib/sim/', 'lib/', 'lib/net/', 'lib/store/', 'lib/wire/', 'lib/core/', 'lib/errors.ts', 'abstract-level'],
  'index.ts': ['lib/', 'lib/net/', 'lib/store/', 'lib/wire/', 'lib/core/', 'lib/errors.ts']
}

/** Only the shell knows everything, so nothing below may know the shell. The simulator and the suite for transports stand above it. */
const shell = 'lib/replicator.ts'

/** What only an impure program has: time, chance, turns of the event loop, and the outside world. */
const impure = new Set([
  'Date', 'performance', 'crypto', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'clearTimeout',
  'Promise', 'process', 'Buffer', 'console', 'debug', 'fetch', 'globalThis', 'window', 'require'
])

test('imports point down', { timeout }, async (t) => {
  const sources = listFiles('.').filter((path) => /^(lib\/.*|index)\.ts$/.test(path)).map(readSource)
  t.ok(sources.length > 0, 'there are sources')

  for (const source of sources) {
    const allowed = layers[layerOf(source.path)] ?? []
    for (const { name, node } of importsOf(source)) {
      const target = name.startsWith('.') ? join(dirname(source.path), name) : name
      const layer = name.startsWith('.') ? layerOf(target) : name.startsWith('node:') ? 'node:' : name
      if (!allowed.includes(layer)) t.fail(`${at(source, node)} may not import ${name}`)
      if (target === shell && source.path !== 'index.ts' && !/^lib\/(sim\/|transport\/test)/.test(source.path)) t.fail(`${at(source, node)} imports the shell`)
    }
  }
})

test('the core and the wire format are pure', { timeout }, async (t) => {
  const sources = [...listFiles('lib/core'), ...listFiles('lib/wire')].filter((path) => path.endsWith('.ts')).map(readSource)
  t.ok(sources.length > 0, 'there are sources')

  for (const source of sources) {
    walk(source.tree, (node) => {
      const name = impurity(node)
      if (name !== null) t.fail(`${at(source, node)} uses ${name}`)
    })
  }
})

function layerOf (path: string): string {
  const fitting = Object.keys(layers).filter((layer) => path.startsWith(layer))
  return fitting.sort((a, b) => b.length - a.length)[0] ?? path
}

function impurity (node: ts.Node): string | null {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async'
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)) return 'await'
  if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'Math.random'
  if (!ts.isIdentifier(node) || !impure.has(node.text)) return null

  // As the name of somebody's property it means something else.
  const { parent } = node
  const isProperty = (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent)) && parent.name === node
  return isProperty ? null : node.text
}
