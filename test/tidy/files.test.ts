import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import test from 'tape'
import { listFiles } from './source.ts'

const timeout = 30_000
const linesMax = 600

const text = /\.(ts|js|json|md|yml|txt|ndjson)$|^\.ci\/|^(LICENSE|\.npmrc|\.gitignore)$/
// The name of the marker, spelt so that this file does not contain it.
const marker = ['TO', 'DO'].join('')

test('no file has markers, tabs or spaces at the end of a line', { timeout }, async (t) => {
  const paths = listFiles('.').filter((path) => text.test(path) && path !== 'package-lock.json')
  t.ok(paths.length > 0, 'there are files')

  for (const path of paths) {
    const content = readFileSync(path, 'utf8')
    for (const [index, line] of content.split('\n').entries()) {
      const where = `${path}:${index + 1}`
      if (line.includes(marker)) t.fail(`${where} has a marker of unfinished work`)
      if (line.includes('\t')) t.fail(`${where} has a tab`)
      if (/\s$/.test(line)) t.fail(`${where} has a space at its end`)
    }
    if (content !== '' && !content.endsWith('\n')) t.fail(`${path} does not end with a new line`)
  }
})

test('one file of the library holds one idea', { timeout }, async (t) => {
  const paths = listFiles('lib')
  t.ok(paths.length > 0, 'there are files')

  for (const path of paths) {
    const lines = readFileSync(path, 'utf8').split('\n').length - 1
    if (lines > linesMax) t.fail(`${path} has ${lines} lines, more than ${linesMax}`)
  }
})

test('names of source files are in kebab-case', { timeout }, async (t) => {
  const paths = listFiles('.').filter((path) => path.endsWith('.ts'))
  t.ok(paths.length > 0, 'there are files')

  for (const path of paths) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?\.ts$/.test(basename(path))) t.fail(`${path} is not in kebab-case`)
  }
})

test('the lock file names no place to download from', { timeout }, async (t) => {
  t.notOk(/"resolved"/.test(readFileSync('package-lock.json', 'utf8')))
})
