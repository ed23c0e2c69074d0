import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'

export interface Source {
  path: string
  text: string
  tree: ts.SourceFile
}

const notOurs = ['node_modules', 'dist', 'data', '.git', '.tmp', 'coverage']

/** The files of the repository under `folder`, with `/` in their paths on every system. */
export function listFiles (folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '.' ? entry.name : `${folder}/${entry.name}`
    if (notOurs.includes(entry.name)) return []
    return entry.isDirectory() ? listFiles(path) : [path]
  }).sort()
}

export function readSource (path: string): Source {
  const text = readFileSync(path, 'utf8')
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
}

/** `path:line`, as editors and terminals understand it. */
export function at (source: Source, node: ts.Node): string {
  const { line } = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree))
  return `${source.path}:${line + 1}`
}

export function walk (node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => { walk(child, visit) })
}

/** What the file imports or re-exports, types included. */
export function importsOf (source: Source): Array<{ name: string, node: ts.Node }> {
  const imports: Array<{ name: string, node: ts.Node }> = []
  walk(source.tree, (node) => {
    const specifier = ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
        ? node.argument.literal
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined
    if (specifier !== undefined && ts.isStringLiteral(specifier)) imports.push({ name: specifier.text, node })
  })
  return imports
}
