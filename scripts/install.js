// Brings in the dependencies, if they are not there or older than the lock file. Plain JavaScript without
// imports from outside Node.js, because it runs on a fresh clone, before anything is installed.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const lockFile = join(root, 'package-lock.json')
// npm writes this file last, so an interrupted installation has none.
const installedFile = join(root, 'node_modules', '.package-lock.json')
const mutexFile = join(root, '.tmp', 'installing')

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`quorum-level needs Node.js 20.19 or newer; this is ${process.versions.node}`)
  process.exit(1)
}

if (!isInstalled()) {
  await acquireMutex()
  try {
    // The process that held the mutex before us may have done the work.
    if (!isInstalled()) install()
  } finally {
    rmSync(mutexFile, { force: true })
  }
}

function install () {
  console.error('installing the dependencies with npm ci')
  // Within an npm script, the npm that runs it; no dependency needs its install script. Without
  // `--include=dev`, NODE_ENV=production would leave out the tools.
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const { status, error, stdout, stderr } = npm?.endsWith('npm-cli.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, encoding: 'utf8' })
    : spawnSync('npm', args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' })

  if (status !== 0) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
    console.error(`npm ci failed${error === undefined ? '' : `: ${error.message}`}`)
    process.exitCode = 1
    return
  }

  const now = new Date()
  utimesSync(installedFile, now, now)
}

function isInstalled () {
  const installed = statSync(installedFile, { throwIfNoEntry: false })
  return installed !== undefined && installed.mtimeMs >= statSync(lockFile).mtimeMs
}

// A file with the number of the process that installs: `npm start` and `npm test` may begin at once.
async function acquireMutex () {
  mkdirSync(dirname(mutexFile), { recursive: true })

  while (true) {
    try {
      writeFileSync(mutexFile, String(process.pid), { flag: 'wx' })
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
      if (isAbandoned()) rmSync(mutexFile, { force: true })
      await delay(100)
      continue
    }

    // Another process may have taken our file for an abandoned one that it had just looked at.
    await delay(100)
    if (readOwner() === process.pid) return
  }
}

function isAbandoned () {
  const owner = readOwner()
  if (owner === undefined) {
    // Created and not yet written, or released meanwhile.
    const stat = statSync(mutexFile, { throwIfNoEntry: false })
    return stat !== undefined && Date.now() - stat.mtimeMs > 10_000
  }

  try {
    process.kill(owner, 0)
    return false
  } catch (err) {
    return err.code === 'ESRCH'
  }
}

function readOwner () {
  try {
    return Number(readFileSync(mutexFile, 'utf8')) || undefined
  } catch {
    return undefined
  }
}
