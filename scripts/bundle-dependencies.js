// Makes `dist/browser/*.js`: the dependencies that require modules of Node.js, with what they need of these, and the one that only
// browsers need. The field `browser` in package.json puts them in their place, so that a user's bundler needs neither options nor polyfills.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = resolve(root, process.argv[2] ?? 'dist', 'browser')

/** All that they use of each. */
const modules = {
  events: "export { EventEmitter } from 'events'",
  // What is never called: backoff has another strategy, and streamx can read text.
  './lib/function_call.js': '',
  './lib/strategy/fibonacci': '',
  'text-decoder': '',
  stream: "module.exports = class Stream extends require('events').EventEmitter {}",
  util: `
    exports.inherits = (constructor, parent) => { Object.setPrototypeOf(constructor.prototype, parent.prototype) }
    exports.format = (...parts) => parts.join(' ')
  `
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['rpc-stream', 'reconnect-core', 'streamx'],
  outdir: folder,
  bundle: true,
  // What esbuild adds to each of them is there once.
  splitting: true,
  format: 'esm',
  // Not `browser`: the field of that name would lead here.
  platform: 'neutral',
  mainFields: ['main'],
  target: 'es2022',
  metafile: true,
  plugins: [{
    name: 'modules of Node.js',
    setup ({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ path, kind }) => {
        if (!Object.hasOwn(modules, path)) return
        // What is left of it is an import of the package `events`, one copy for all.
        return kind === 'require-call' ? { path, namespace: 'node' } : { path, external: true }
      })
      onLoad({ filter: /./, namespace: 'node' }, ({ path }) => ({ contents: modules[path], resolveDir: root }))
    }
  }]
})

const names = new Set(Object.keys(metafile.inputs).flatMap(path => path.match(/^node_modules\/([^/]+)\//)?.[1] ?? []))
const licenses = [...names].sort().map(name => {
  const path = join(root, 'node_modules', name)
  const files = readdirSync(path).filter(file => /^licen[cs]e(\.mit)?$/i.test(file))
  // Some have it at the end of their readme only.
  const text = files.length > 0
    ? files.map(file => readFileSync(join(path, file), 'utf8')).join('\n')
    : /## License\s*(.*)/s.exec(readFileSync(join(path, 'README.md'), 'utf8'))?.[1]
  if (text === undefined) throw new Error(`${name} has no license`)
  return `${name}\n\n${text.trim()}\n`
})
writeFileSync(join(folder, 'LICENSES'), licenses.join('\n---\n\n'))
