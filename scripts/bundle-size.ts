/**
 * Prints how large the package is in a browser, minified and gzipped, with all that it depends on but abstract-level, which
 * comes with the store. Fails beyond the budget. Reads `dist`.
 */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const BUDGET_BYTES = 92_000

const { outputFiles: [file], metafile } = await build({
  stdin: {
    contents: "export { Replicator } from './dist/index.js'; export { webSocketTransport } from './dist/lib/transport/websocket.js'",
    resolveDir: process.cwd()
  },
  bundle: true,
  minify: true,
  format: 'esm',
  write: false,
  metafile: true,
  external: ['abstract-level']
})
if (file === undefined) throw new Error('Nothing was bundled')

const size = gzipSync(file.contents, { level: 9 }).length
const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))
const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`
console.log(`bundle: ${kilobytes(file.contents.length)} minified, ${kilobytes(size)} gzipped, of at most ${kilobytes(BUDGET_BYTES)}; with ${[...packages].sort().join(', ')}`)
if (size > BUDGET_BYTES) process.exitCode = 1
