import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type Plugin } from 'esbuild'
import type { Configuration } from './page/configuration.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = join(root, 'examples/browser/page')

/** Writes the page, which knows this, into a folder. */
export async function bundlePage (folder: string, configuration: Configuration): Promise<void> {
  await build({
    entryPoints: ['page.ts', 'service-worker.ts', 'index.html', 'style.css', 'icon.svg'].map((file) => join(page, file)),
    outdir: folder,
    bundle: true,
    format: 'esm',
    minify: true,
    loader: { '.html': 'copy', '.css': 'copy', '.svg': 'copy' },
    define: { CONFIGURATION: JSON.stringify(configuration) },
    plugins: [await fromSource(folder)],
    nodePaths: [join(root, 'node_modules')],
    logLevel: 'error'
  })
}

/**
 * Only within this repository: takes the library from its source, with what its package.json puts in the place of some modules in
 * browsers. A program that has the package from npm needs no plugin.
 */
async function fromSource (folder: string): Promise<Plugin> {
  await promisify(execFile)(process.execPath, [join(root, 'scripts/bundle-dependencies.js'), folder])
  const { browser } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { browser: Record<string, string> }
  const locate = (path: string) => {
    if (path.startsWith('./dist/browser/')) return join(folder, path.slice('./dist/'.length))
    return join(root, path.replace('./dist/', '').replace(/\.js$/, '.ts'))
  }
  return {
    name: 'quorum-level from source',
    setup ({ onResolve }) {
      for (const [from, to] of Object.entries(browser)) {
        const isFile = from.startsWith('./')
        const name = isFile ? from.slice(from.lastIndexOf('/') + 1).replace(/\.js$/, '\\.ts') : from
        onResolve({ filter: new RegExp(isFile ? `/${name}$` : `^${name}$`) }, ({ path, resolveDir }) => {
          return isFile && resolve(resolveDir, path) !== locate(from) ? undefined : { path: locate(to) }
        })
      }
    }
  }
}
