/** What the README shows: the session of "Try it", and the code of "Operations", which is marked there with what it does. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import type { ReplicatorStats } from '../../index.ts'
import { codes } from '../../lib/errors.ts'
import type { Machine } from '../support/cluster/machines.ts'
import { Machines } from '../support/cluster/machines.ts'
import { runPrompt } from './run-prompt.ts'

const timeout = 120_000
const readme = readFileSync('README.md', 'utf8')
const operations = readme.slice(readme.indexOf('\n## Operations\n'), readme.indexOf('\n## API\n'))
const blocks = new Map([...operations.matchAll(/<!-- runs: (\w+) -->\n```js\n(.*?)```/gs)].map(([, name, code]) => [name as string, code as string]))
const unused = new Set(blocks.keys())

/** Runs a block on a machine, as it stands there. */
async function run (name: string, machine: Machine): Promise<void> {
  const code = blocks.get(name)
  if (code === undefined) throw new RangeError(`The README does not say how to ${name}`)
  unused.delete(name)
  const { host, db, Replicator } = machine
  const scope: Record<string, unknown> = { host, db, Replicator, name: host.split('.')[0] }
  if (!code.includes('const r = ')) scope.r = machine.replicator
  const module = `export default async ({ ${Object.keys(scope).join(', ')} }) => {\n${code}}`
  const { default: block } = await import(`data:text/javascript,${encodeURIComponent(module)}`) as { default: (scope: object) => Promise<void> }
  await block(scope)
}

/** Resolves when this machine knows of a cluster like that. */
async function until ({ replicator }: Machine, isDue: (stats: ReplicatorStats) => boolean): Promise<void> {
  while (!isDue(replicator.stats())) await new Promise<void>((resolve) => { replicator.once('view', () => { resolve() }) })
}

async function assertAllWrite (t: Test, machines: readonly Machine[], key: string): Promise<void> {
  for (const { db, host } of machines) await db.put(`${key}-${host}`, host)
  const keys = machines.map(({ host }) => `${key}-${host}`)
  for (const { db, host, replicator } of machines) {
    t.deepEqual(await db.getMany(keys), machines.map(({ host }) => host), `${key}: ${host} has a write of each`)
    await until({ replicator } as Machine, ({ members }) => members.length === machines.length)
  }
}

test('the README: every link leads to a heading, and every error code has one', { timeout }, async (t) => {
  const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text)
  // As GitHub makes them.
  const anchors = new Set(headings.map((text) => text.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-')))
  const links = [...readme.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = '']) => anchor)
  t.ok(links.length > 0, 'there are links')
  t.deepEqual(links.filter((link) => !anchors.has(link)), [])
  t.deepEqual(Object.values(codes).filter((code) => !headings.includes(`\`${code}\``)), [])
})

test('the README: the commands of "Try it" print what stands there', { timeout }, async (t) => {
  const [, session = ''] = /## Try it.*?```\n(> .*?)```/s.exec(readme) ?? []
  const lines = session.trimEnd().split('\n')
  const script = lines.filter((line) => line.startsWith('> ')).map((line) => line.slice(2))
  t.ok(script.includes('check'), 'there is a session')

  const folder = await mkdtemp(join(tmpdir(), 'quorum-level-readme-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  const { lines: printed, stderr } = await runPrompt(folder, ['--write-timeout', '60000', '--read-timeout', '60000'], script)
  // Ids and times differ from run to run, and so do the positions, which count views of the start.
  const comparable = (line: string): boolean => !line.startsWith('> ') && !/^(node|[a-z]) {2}/.test(line)
  const withoutTime = (line: string): string => line.replace(/ after \d+\.\d s$/, '')
  t.deepEqual(printed.filter(comparable).map(withoutTime), lines.filter(comparable).map(withoutTime), stderr)
})

test('the README: start, grow, shrink, replace, remove, upgrade', { timeout }, async (t) => {
  const machines = await Machines.create(t, ['db1', 'db2', 'db3'])
  const [db1, db2, db3] = ['db1', 'db2', 'db3'].map((host) => machines.machine(host)) as [Machine, Machine, Machine]
  await Promise.all([db1, db2, db3].map((machine) => run('start', machine)))
  await assertAllWrite(t, [db1, db2, db3], 'started')

  const db4 = machines.add('db4')
  await run('grow', db4)
  await assertAllWrite(t, [db1, db2, db3, db4], 'grown')

  await run('shrink', db4)
  t.equal(db4.replicator.status, 'closed', 'one has left')
  await assertAllWrite(t, [db1, db2, db3], 'shrunk')

  db2.cut()
  const replacement = machines.add('db2')
  await run('replace', replacement)
  await assertAllWrite(t, [db1, replacement, db3], 'replaced')

  db3.cut()
  await run('remove', db1)
  await assertAllWrite(t, [db1, replacement], 'removed')

  const another = machines.add('db5')
  await run('grow', another)
  const members = [db1, replacement, another]
  for (const machine of members) {
    await run('stop', machine)
    await run('start', machine)
    await assertAllWrite(t, members, `upgraded-${machine.host}`)
  }
})

test('the README: two nodes and a witness', { timeout }, async (t) => {
  const machines = await Machines.create(t, ['db1', 'db2', 'db3'])
  const [db1, db2, db3] = ['db1', 'db2', 'db3'].map((host) => machines.machine(host)) as [Machine, Machine, Machine]
  await Promise.all([db1, db2, db3].map((machine) => run('witness', machine)))
  await db1.db.put('x', '1')
  t.equal(await db2.db.get('x'), '1')
  t.equal(db1.replicator.stats().witnesses.length, 1)
  db1.cut()
  await db2.db.put('x', '2')
  t.equal(await db2.db.get('x'), '2', 'one of them goes on with it')
})

test('the README: an observer', { timeout }, async (t) => {
  const machines = await Machines.create(t, ['db1', 'db2', 'db3'])
  const members = ['db1', 'db2', 'db3'].map((host) => machines.machine(host)) as [Machine, Machine, Machine]
  await Promise.all(members.map((machine) => run('start', machine)))
  await members[2].db.put('anything', 'at all')
  const observer = machines.add('replica')
  await run('observer', observer)
  t.equal(await observer.db.get('anything'), 'at all')
  t.equal(await members[0].db.get('from'), 'an observer')
  t.equal(members[0].replicator.stats().members.length, 3)
})

test('the README: when a majority is gone for good', { timeout }, async (t) => {
  const hosts = ['db1', 'db2', 'db3', 'db4', 'db5']
  const machines = await Machines.create(t, hosts)
  const all = hosts.map((host) => machines.machine(host)) as [Machine, Machine, ...Machine[]]
  await Promise.all(all.slice(0, 3).map((machine) => run('start', machine)))
  for (const machine of all.slice(3)) await run('grow', machine)
  await all[4]!.db.put('x', '1')

  const [db1, db2, ...gone] = all
  const before = db1.replicator.stats().cluster
  for (const machine of gone) machine.cut()
  await Promise.all([db1, db2].map(async ({ replicator }) => {
    if (replicator.status === 'ready') await new Promise<void>((resolve) => { replicator.once('notready', () => { resolve() }) })
  }))
  await Promise.all([run('recover', db1), run('recover', db2)])
  await assertAllWrite(t, [db1, db2], 'recovered')
  t.equal(await db1.db.get('x'), '1')
  t.notEqual(db1.replicator.stats().cluster, before)
  const late = machines.add('db6')
  await run('grow', late)
  await assertAllWrite(t, [db1, db2, late], 'grown')
})

// What it does when a disk fails, is seen in `test/unit/replicator/failure.test.ts`.
test('the README: when a disk fails', { timeout }, async (t) => {
  const machines = await Machines.create(t, ['db1', 'db2', 'db3'])
  const all = ['db1', 'db2', 'db3'].map((host) => machines.machine(host)) as [Machine, ...Machine[]]
  await Promise.all(all.map((machine) => run('start', machine)))
  const [{ replicator }] = all
  const before = replicator.listenerCount('error')
  await run('reopen', all[0])
  t.equal(replicator.listenerCount('error'), before + 1)
  await assertAllWrite(t, all, 'watched')
})

test('the README: peers that are found by name', { timeout }, async (t) => {
  const hosts = ['db-0.db', 'db-1.db', 'db-2.db']
  const machines = await Machines.create(t, hosts)
  const all = hosts.map((host) => machines.machine(host))
  await Promise.all(all.map((machine) => run('dns', machine)))
  await assertAllWrite(t, all, 'found')
  t.deepEqual(all.map(({ replicator }) => replicator.stats().name), ['db-0', 'db-1', 'db-2'])
})

test('the README: all code of "Operations" was run', { timeout }, async (t) => {
  t.ok(blocks.size > 0, 'there is some')
  t.deepEqual([...unused], [], 'nothing is left')
  t.equal(operations.split('```js\n').length - 1, blocks.size, 'all of it is marked')
})
