import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import type { Lifetime } from '../support/cluster/cluster.ts'

const run = promisify(execFile)
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' }
const scripts = ['page.ts', 'worker.ts', 'hub-worker.ts']

type Bundler = 'esbuild' | 'vite'

/** By each of them once, for all tests of this process. */
const bundled = new Map<Bundler, Promise<string>>()

/**
 * A program of a user: a folder with the pages, in whose node_modules is the package as it would be published. The bundlers are told
 * nothing but what to bundle. Returns the folder with what they made.
 */
async function bundle (bundler: Bundler): Promise<string> {
  await mkdir('.tmp', { recursive: true })
  const folder = await mkdtemp(join(process.cwd(), '.tmp/browser-'))
  // Before tape, which ends the process when it hears of that.
  process.prependOnceListener('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  const target = join(folder, 'node_modules/quorum-level')
  await cp('test/browser/page', folder, { recursive: true })
  await mkdir(target, { recursive: true })
  await cp('package.json', join(target, 'package.json'))
  await run(process.execPath, ['node_modules/@typescript/native/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', join(target, 'dist')])
  await run(process.execPath, ['scripts/bundle-dependencies.js', join(target, 'dist')])
  // No part of the package around it.
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'tsconfig.json'), '{}')

  const out = join(folder, 'out')
  if (bundler === 'vite') {
    await run(process.execPath, ['node_modules/vite/bin/vite.js', 'build', folder, '--outDir', out, '--logLevel', 'error'])
  } else {
    await build({ entryPoints: scripts.map(script => join(folder, script)), bundle: true, format: 'esm', outdir: out, logLevel: 'error' })
    const html = await readFile(join(folder, 'index.html'), 'utf8')
    await writeFile(join(out, 'index.html'), html.replace('page.ts', 'page.js'))
  }
  return out
}

/** Serves the pages until the test is over. Returns their URL. */
export async function serveSite (lifetime: Lifetime, bundler: Bundler): Promise<string> {
  const bundling = bundled.get(bundler) ?? bundle(bundler)
  bundled.set(bundler, bundling)
  const out = await bundling

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname === '/' ? '/index.html' : pathname
    try {
      const content = await readFile(join(out, path))
      response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream').end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  lifetime.teardown(async () => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
