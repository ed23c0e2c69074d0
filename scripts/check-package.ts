/** Packs `dist` as it would be published, installs that into a temporary folder without a network, and uses it there. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildSync } from 'esbuild'

const root = process.cwd()
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, any>
const name: string = manifest.name
const folder = mkdtempSync(join(tmpdir(), `${name}-`))

try {
  const tarball = pack()
  run(folder, 'node', join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict')
  install(tarball)

  check('use.cjs', `
    const { Replicator } = require('${name}')
    if (typeof Replicator !== 'function') throw new Error('require() gives no Replicator')
    const { SimCluster } = require('${name}/sim')
    if (typeof SimCluster !== 'function') throw new Error('require() gives no SimCluster')
  `)
  check('use.mjs', `
    import { Replicator } from '${name}'
    import { SimCluster } from '${name}/sim'
    import { messagePortTransport } from '${name}/transport/message-port'
    import { suite } from '${name}/transport/test'
    import { webSocketTransport } from '${name}/transport/websocket'
    for (const fn of [messagePortTransport, suite, webSocketTransport]) if (typeof fn !== 'function') throw new Error('import gives no transport')
    if (typeof Replicator !== 'function') throw new Error('import gives no Replicator')
    if (typeof SimCluster !== 'function') throw new Error('import gives no SimCluster')
  `)
  checkBundle()
  checkTypes()
  console.log(`${name}: packed, linted, imported, required, bundled for browsers and type-checked`)
} catch (err) {
  const { message, stdout = '', stderr = '' } = err as Error & { stdout?: string, stderr?: string }
  console.error(`${message}\n${stdout}${stderr}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack (): string {
  // The caller has built already.
  const [packed] = JSON.parse(run(root, 'npm', 'pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder))
  const files: string[] = packed.files.map(({ path }: { path: string }) => path)
  for (const file of ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts', 'dist/browser/LICENSES', ...Object.values<string>(manifest.browser)]) {
    if (!files.includes(file.replace(/^\.\//, ''))) throw new Error(`the package lacks ${file}`)
  }
  const stray = files.filter((file) => /^(test|lib|examples|scripts)\//.test(file))
  if (stray.length > 0) throw new Error(`the package holds ${stray.join(', ')}`)
  return join(folder, packed.filename)
}

function install (tarball: string): void {
  const target = join(folder, 'node_modules', name)
  mkdirSync(target, { recursive: true })
  run(folder, 'tar', '-xzf', tarball, '--strip-components=1', '-C', target)

  // Only what it says that it needs, the types that every TypeScript program on Node.js has, and a database.
  const names = [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), '@types/node', 'undici-types', 'classic-level']
  for (const dependency of names) {
    const link = join(folder, 'node_modules', dependency)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', dependency), link, 'junction')
  }
}

function check (file: string, code: string): void {
  writeFileSync(join(folder, file), code)
  run(folder, process.execPath, file)
}

/** With no options: what only Node.js has cannot be resolved then. */
function checkBundle (): void {
  buildSync({ absWorkingDir: folder, entryPoints: ['use.mjs'], bundle: true, format: 'esm', write: false, logLevel: 'silent' })
  for (const file of Object.keys(manifest.browser).filter((file) => file.startsWith('.'))) readFileSync(join(folder, 'node_modules', name, file))
}

/** As strict as a caller may be: the declarations themselves are checked, too, and declarations made of them. */
function checkTypes (): void {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'use.ts'), `
    import { Replicator, ReplicatorError } from '${name}'
    import { SimCluster } from '${name}/sim'
    import type { AbstractLevel } from 'abstract-level'
    import { ClassicLevel } from 'classic-level'
    declare const db: AbstractLevel<any, string, string>
    declare const classic: ClassicLevel
    export const replicator = Replicator(db, { host: '127.0.0.1', port: 3000, peers: [] })
    export const overClassic = new Replicator(classic)
    export const overSublevel = Replicator(classic.sublevel('sub'))
    export const location: string = overClassic.db.location
    export const prefix: string = overSublevel.db.prefix
    export const status: string = replicator.status
    export const isError = (err: unknown): boolean => err instanceof ReplicatorError
    export const makeCluster = (...args: ConstructorParameters<typeof SimCluster>) => new SimCluster(...args)
  `)
  // A program of its own: what a compiler finds out about abstract-level's classes depends on what it has compared before.
  writeFileSync(join(folder, 'named.ts'), `
    import { ClassicLevel } from 'classic-level'
    import { Replicator } from '${name}'
    export class Service {
      readonly replicator: Replicator<ClassicLevel>
      constructor (path: string) { this.replicator = Replicator(new ClassicLevel(path)) }
    }
  `)
  for (const compiler of ['@typescript/native/bin/tsc', 'typescript/bin/tsc6']) {
    for (const file of ['named.ts', 'use.ts']) {
      run(folder, process.execPath, join(root, 'node_modules', compiler), '-p', configure(file))
    }
    const declarations = readFileSync(join(folder, 'out/use.d.ts'), 'utf8')
    if (!declarations.includes('ClassicLevel')) throw new Error(`${compiler} loses the class of the database: ${declarations}`)
    rmSync(join(folder, 'out'), { recursive: true })
  }
}

function run (cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' })
}

/** Of one program: the path of its configuration. */
function configure (file: string): string {
  const path = join(folder, 'tsconfig.json')
  writeFileSync(path, JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable', 'dom'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: file === 'use.ts',
      declaration: true,
      outDir: 'out',
      types: ['node']
    },
    files: [file]
  }))
  return path
}
