import { existsSync, readdirSync } from 'node:fs'

export class UsageError extends Error {}

export interface Selection {
  group: string
  /** Empty if the folder holds no tests, which is a failure. */
  files: string[]
}

/** Folders of `test/` that hold no tape tests. */
const noGroups = ['bench', 'fixtures', 'support', 'types']

/** The quick ones first. Groups that are not named here follow, in alphabetical order. */
const order = ['tidy', 'unit', 'transcript', 'property', 'level', 'interop', 'browser', 'sim', 'fuzz', 'cluster']

/** Words that are names of groups choose groups, the others choose files by a part of their path. */
export function select (words: readonly string[]): Selection[] {
  const groups = listGroups()
  const chosen = words.filter((word) => groups.includes(word))
  const parts = words.filter((word) => !groups.includes(word))

  const selections: Selection[] = []
  for (const group of groups) {
    if (chosen.length > 0 && !chosen.includes(group)) continue
    const files = listTests(group).filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
    if (files.length > 0 || parts.length === 0) selections.push({ group, files })
  }

  if (selections.length === 0) {
    throw new UsageError(`no test matches ${words.join(' ')}; the groups are ${groups.join(', ')}`)
  }
  return selections
}

function listGroups (): string[] {
  const rank = (group: string) => order.includes(group) ? order.indexOf(group) : order.length
  const groups = existsSync('test') ? readdirSync('test', { withFileTypes: true }) : []
  return groups
    .filter((entry) => entry.isDirectory() && !noGroups.includes(entry.name))
    .map((entry) => entry.name)
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function listTests (group: string): string[] {
  return readdirSync(`test/${group}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${group}/${file.replaceAll('\\', '/')}`)
    .sort()
}
