import { dirname, join } from 'node:path/posix'
import test from 'tape'
import ts from 'typescript'
import { at, importsOf, listFiles, readSource, walk, type Source } from './source.ts'

const timeout = 30_000

const assertions = new Set([
  'ok', 'notOk', 'equal', 'equals', 'is', 'isNot', 'not', 'notEqual', 'same', 'notSame', 'deepEqual', 'notDeepEqual',
  'pass', 'fail', 'throws', 'doesNotThrow', 'error', 'ifError', 'match', 'doesNotMatch', 'looseEqual', 'deepLooseEqual'
])

/** Names that switch a test off, or all the others. */
const switches = new Set(['only', 'skip', 'todo'])

const sources = listFiles('test').filter((path) => path.endsWith('.test.ts')).map(readSource)

test('every test file asserts something', { timeout }, async (t) => {
  t.ok(sources.length > 0, 'there are test files')
  for (const source of sources) {
    if (!asserts(source)) t.fail(`${source.path} has no assertion`)
  }
})

test('no test is switched off', { timeout }, async (t) => {
  t.ok(sources.length > 0, 'there are test files')
  for (const source of sources) {
    walk(source.tree, (node) => {
      if ((ts.isPropertyAccessExpression(node) || ts.isPropertyAssignment(node)) && switches.has(node.name.getText())) {
        t.fail(`${at(source, node)} uses .${node.name.getText()}`)
      }
    })
  }
})

// A test that throws synchronously ends the whole run without a report, and one that never ends hides those after it.
test('every test is an async function with a time-out', { timeout }, async (t) => {
  t.ok(sources.length > 0, 'there are test files')
  for (const source of sources) {
    for (const call of callsOfTape(source)) {
      const [, options, callback] = call.arguments
      if (options === undefined || (ts.isObjectLiteralExpression(options) && !hasTimeout(options)) || isFunction(options)) {
        t.fail(`${at(source, call)} has no time-out`)
      }
      const last = callback ?? options
      const isAsync = last !== undefined && isFunction(last) && last.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)
      if (last !== undefined && isFunction(last) && isAsync !== true) t.fail(`${at(source, call)} is not async`)
    }
  }
})

function asserts (source: Source): boolean {
  const imports = importsOf(source).map(({ name }) => name)
  let found = imports.some((name) => name === 'abstract-level/test' || name.endsWith('lib/transport/test.ts'))
  // A file that only calls a suite leaves the assertions to it.
  if (callsOfTape(source).length === 0) {
    const helpers = imports.filter((name) => name.startsWith('.')).map((name) => join(dirname(source.path), name))
    found ||= helpers.some((path) => path.startsWith('test/') && asserts(readSource(path)))
  }
  walk(source.tree, (node) => {
    if (!ts.isCallExpression(node)) return
    const { expression } = node
    if (ts.isPropertyAccessExpression(expression) && assertions.has(expression.name.text)) found = true
    // Handed to a function that asserts.
    if (node.arguments.some((argument) => ts.isIdentifier(argument) && argument.text === 't')) found = true
  })
  return found
}

function callsOfTape (source: Source): ts.CallExpression[] {
  const calls: ts.CallExpression[] = []
  const name = nameOfTape(source)
  walk(source.tree, (node) => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === name) calls.push(node)
  })
  return calls
}

function nameOfTape (source: Source): string | undefined {
  for (const { name, node } of importsOf(source)) {
    if (name === 'tape' && ts.isImportDeclaration(node)) return node.importClause?.name?.text
  }
}

function hasTimeout (options: ts.ObjectLiteralExpression): boolean {
  return options.properties.some((property) => property.name?.getText() === 'timeout' || ts.isSpreadAssignment(property))
}

function isFunction (node: ts.Node): node is ts.ArrowFunction | ts.FunctionExpression {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node)
}
