// Installs Chromium with Debian's package manager, if it is not there: the tests in browsers need it. Plain
// JavaScript without imports from outside Node.js, because continuous integration runs it before anything is installed.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'

if (!existsSync(chromium)) {
  if (process.env.CHROMIUM === undefined && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error('installing Chromium with apt-get')
    apt('update')
    apt('install', '--yes', '--no-install-recommends', 'chromium')
  } else {
    console.error(`There is no Chromium at ${chromium}: install it, or say where it is in the environment variable CHROMIUM`)
    process.exit(1)
  }
}

function apt (...args) {
  const { status, stdout, stderr } = spawnSync('apt-get', ['--quiet', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  })
  if (status === 0) return
  console.error(`apt-get ${args[0]} failed:\n${stdout}${stderr}`)
  process.exit(1)
}
