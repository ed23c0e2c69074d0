import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { Prompt, runPrompt } from './run-prompt.ts'

const timeout = 120_000

test('what is written on one node is read on the others', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), [], [
    '# a comment, and an empty line',
    '',
    'put b x 100',
    'get c x',
    'put a "two words" \'and more\'',
    'get b "two words"',
    'batch c put k1 1 put k2 2 put k3 3 del x',
    'get a x',
    'scan b k',
    'scan b k 2',
    'del a k2',
    'scan c',
    'check'
  ])

  t.same(lines.filter((line) => !/^(node|[abc] ) /.test(line)), [
    'put b x 100: written',
    'get c x: 100',
    'put a "two words" "and more": written',
    'get b "two words": "and more"',
    'batch c (4 operations): written',
    'get a x: not found',
    '  k1 1', '  k2 2', '  k3 3', 'scan b: 3 entries',
    '  k1 1', '  k2 2', 'scan b: the first 2 entries',
    'del a k2: written',
    '  k1 1', '  k3 3', '  "two words" "and more"', 'scan c: 3 entries',
    'check: all 3 replicas are identical'
  ])
  t.is(code, 0, stderr)
})

test('a file is loaded, and is there after a restart', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'entries.ndjson')
  const entries = Array.from({ length: 2000 }, (_, i) => ({ key: `key${String(i).padStart(4, '0')}`, value: `value ${i}` }))
  await writeFile(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))

  const first = await runPrompt(folder, [], [`load a "${file}"`, 'check'])
  t.ok(first.lines.some((line) => line.includes(': 2000 written in ')), 'says how many')
  t.is(first.code, 0, first.stderr)
  const ports = await readFile(join(folder, 'cluster.json'), 'utf8')

  const second = await runPrompt(folder, [], ['get c key1999', 'scan b key 10000', 'check'])
  t.ok(second.lines.includes('get c key1999: "value 1999"'))
  t.ok(second.lines.includes('scan b: 2000 entries'))
  t.is(second.code, 0, second.stderr)
  t.is(await readFile(join(folder, 'cluster.json'), 'utf8'), ports, 'the ports are kept')
})

test('a malformed line is found before anything is written', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'entries.ndjson')
  await writeFile(file, '{"key":"a","value":"1"}\n{"key":"b"}\n')

  const { code, lines } = await runPrompt(folder, [], [`load a "${file}"`, 'scan b'])
  t.ok(lines.some((line) => line.includes('line 2 is not like') && line.endsWith('nothing was written')))
  t.ok(lines.includes('scan b: 0 entries'))
  t.is(code, 1)
})

test('a wrong command takes one line and does not stop the others', { timeout }, async (t) => {
  const { code, lines } = await runPrompt(await temporaryFolder(t), [], [
    'frobnicate',
    'put a x',
    'put z x 1',
    'batch a put x',
    'scan a x 0',
    'get a "x',
    'put a x 1'
  ])

  t.same(lines, [
    'line 1: unknown command "frobnicate"; "help" lists them',
    'line 2: usage: put NODE KEY VALUE',
    'line 3: no node is called "z": there are a, b, c',
    'line 4: batch takes "put KEY VALUE" and "del KEY", not "put x"',
    'line 5: LIMIT is a whole number above 0, not "0"',
    'line 6: a quote is not closed or not followed by a space: "x',
    'put a x 1: written'
  ])
  t.is(code, 1)
})

test('a write waits for a node that was killed, and goes on when that is back', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), ['--write-timeout', '60000'], [
    'put a before 1',
    'kill c',
    'put a during 2 &',
    'start c',
    'wait',
    'get c before',
    'get c during',
    'put c after 3',
    'check'
  ])

  for (const line of [
    'kill c: killed',
    'get c before: 1',
    'get c during: 2',
    'put c after 3: written',
    'check: all 3 replicas are identical'
  ]) t.ok(lines.includes(line), line)
  t.ok(lines.some((line) => line.startsWith('put a during 2: written')), 'the write that waited is written')
  t.is(code, 0, stderr)
})

test('a write that cannot commit is given up with an outcome', { timeout }, async (t) => {
  const { code, lines } = await runPrompt(await temporaryFolder(t), ['--write-timeout', '500'], [
    'kill b',
    'kill c',
    'put a x 1',
    'put b x 2',
    'check'
  ])

  const failed = lines.findIndex((line) => /^line 3: put a x 1: failed: LEVEL_[A-Z_]+: /.test(line))
  t.ok(failed > 0, 'says the code')
  t.ok(/^ {2}outcome (aborted|unknown): /.test(lines[failed + 1] ?? ''), 'says the outcome')
  t.is(lines[failed + 2], '  b, c are down: "start b", "start c"')
  t.ok(lines.includes('line 4: put b x 2: failed: NODE_DOWN: b is down'))
  t.ok(lines.some((line) => line.startsWith('line 5: check: not every replica could be compared')))
  t.is(code, 1)
})

test('a port that is taken is named', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  t.is((await runPrompt(folder, [], [])).code, 0)

  const { nodes } = JSON.parse(await readFile(join(folder, 'cluster.json'), 'utf8')) as { nodes: Array<{ port: number }> }
  const port = nodes[1]!.port
  const squatter = createServer()
  await new Promise<void>((resolve) => { squatter.listen(port, '127.0.0.1', resolve) })
  t.teardown(() => { squatter.close() })

  const { code, stderr } = await runPrompt(folder, [], ['put a x 1'])
  t.ok(stderr.includes(`b cannot listen: another program uses its port, ${port}`), stderr)
  t.is(code, 1)
})

test('a second cluster in the same folder is refused', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  const first = new Prompt(folder, [])
  await first.line(/^a on /)

  const second = await runPrompt(folder, [], [])
  t.ok(/is in use: is this cluster running already\?|another program uses its port/.test(second.stderr), second.stderr)
  t.is(second.code, 1)

  const { code, lines, stderr } = await first.end(['put a x 1'])
  t.ok(lines.includes('put a x 1: written'), 'the first one goes on')
  t.is(code, 0, stderr)
})

test('the status tells of each node', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), [], ['put a x 1', 'kill c', 'status'])

  const rows = lines.filter((line) => /^[abc] /.test(line)).map((line) => line.trim().split(/\s{2,}/))
  t.same(rows.map(([name]) => name), ['a', 'b', 'c'])
  t.ok(/^pid \d+$/.test(rows[0]?.[1] ?? ''), 'a runs')
  t.is(rows[2]?.[1], 'down')
  t.is(code, 0, stderr)
})

async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'quorum-level-prompt-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  return folder
}
