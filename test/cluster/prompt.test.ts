import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { Prompt, runPrompt } from './run-prompt.ts'

const timeout = 120_000
/** A slow machine shall not fail a test. */
const patient = ['--write-timeout', '60000', '--read-timeout', '60000']

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
    'trace a b',
    'get a "x',
    'put a x 1'
  ])

  t.same(lines, [
    'line 1: unknown command "frobnicate"; "help" lists them',
    'line 2: usage: put NODE KEY VALUE',
    'line 3: no node is called "z": there are a, b, c',
    'line 4: batch takes "put KEY VALUE" and "del KEY", not "put x"',
    'line 5: LIMIT is a whole number above 0, not "0"',
    'line 6: LIMIT is a whole number above 0, not "b"',
    'line 7: a quote is not closed or not followed by a space: "x',
    'put a x 1: written'
  ])
  t.is(code, 1)
})

test('the cluster goes on without a node that was killed, and that catches up', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), patient, [
    'put a before 1',
    'kill c',
    'put a during 2',
    'get b during',
    'start c',
    'get c before',
    'get c during',
    'put c after 3',
    'get a after',
    'check',
    'trace b 500',
    'trace'
  ])

  t.same(withoutTable(lines).filter((line) => !line.startsWith('trace')).map(withoutTime), [
    'put a before 1: written',
    'kill c: killed',
    'put a during 2: written',
    'get b during: 2',
    'start c: ready',
    'get c before: 1',
    'get c during: 2',
    'put c after 3: written',
    'get a after: 3',
    'check: all 3 replicas are identical'
  ])

  // The end of one table, and the beginning of the next.
  const end = lines.findIndex((line) => /^trace b: \d+ events$/.test(line))
  const ofB = lines.slice(0, end).filter((line) => /^b +\d\d:\d\d:\d\d\.\d{3} /.test(line))
  const [down, excluded, admitted] = [/ down +peer c, /, / view +epoch .* excluded c$/, / view +epoch .* admitted c$/].map((pattern) => ofB.findIndex((line) => pattern.test(line)))
  t.ok(down! >= 0 && down! < excluded! && excluded! < admitted!, 'the trace of one tells how it came, in order')
  t.match(lines.at(-1)!, /^trace: the last 20 of \d+ events$/)
  const times = lines.slice(end + 2, -1).map((line) => line.split(/ +/)[1]!)
  t.same(times, [...times].sort(), 'that of all is in order, too')
  t.is(code, 0, stderr)
})

test('any node may be killed, one after the other', { timeout }, async (t) => {
  const rounds = [['a', 'b'], ['b', 'c'], ['c', 'a']].flatMap(([dead, other]) => [
    `kill ${dead}`,
    `put ${other} x ${dead}`,
    `start ${dead}`,
    `get ${dead} x`
  ])
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), patient, [...rounds, 'check'])

  for (const name of ['a', 'b', 'c']) t.ok(lines.includes(`get ${name} x: ${name}`), `${name} has what it had missed`)
  t.ok(lines.includes('check: all 3 replicas are identical'))
  t.is(code, 0, stderr)
})

test('a node that was paused is left behind, and reads nothing old when it goes on', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), patient, [
    'put a x 1',
    'get c x',
    'pause c',
    'pause c',
    'put a x 2',
    'get c x',
    'status',
    'resume c',
    'get c x',
    'put c x 3',
    'get a x',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime), [
    'put a x 1: written',
    'get c x: 1',
    'pause c: paused',
    'line 4: pause c: failed: it is paused already',
    'put a x 2: written',
    'line 6: get c x: failed: NODE_PAUSED: c is paused',
    '  c is paused: "resume c"',
    'resume c: resumed',
    'get c x: 2',
    'put c x 3: written',
    'get a x: 3',
    'check: all 3 replicas are identical'
  ])
  t.is(statusOf(lines, 'c').process, 'paused')
  t.is(statusOf(lines, 'a').live, 'a b', 'the others are live')
  t.is(code, 1, stderr)
})

test('a node that is cut off answers nothing, and catches up when its connections are back', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), [...patient, '--read-timeout', '8000'], [
    'put a x 1',
    'cut c',
    'put a x 2',
    'get b x',
    'get c x',
    'status',
    'check',
    'mend c',
    'get c x',
    'put c x 3',
    'get a x',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime).filter((line) => !line.startsWith('line 5: ')), [
    'put a x 1: written',
    'cut c: cut off',
    'put a x 2: written',
    'get b x: 2',
    '  c is cut off: "mend c"',
    'line 7: check: not every replica could be compared: c is cut off: "mend c"',
    'mend c: mended',
    'get c x: 2',
    'put c x 3: written',
    'get a x: 3',
    'check: all 3 replicas are identical'
  ])
  t.ok(lines.some((line) => /^line 5: get c x: failed: LEVEL_[A-Z_]+: /.test(line)), 'the old value is not given')
  t.is(statusOf(lines, 'c').network, 'cut off')
  t.is(statusOf(lines, 'c').reads, 'no', 'nothing is read there')
  t.is(statusOf(lines, 'a').live, 'a b', 'the others are live')
  t.is(code, 1, stderr)
})

test('a node stays cut off when it is killed and starts again', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), patient, [
    'cut c',
    'kill c',
    'start c',
    'put a x 1',
    'mend c',
    'get c x',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime), [
    'cut c: cut off',
    'kill c: killed',
    'start c: started; c is cut off: "mend c"',
    'put a x 1: written',
    'mend c: mended',
    'get c x: 1',
    'check: all 3 replicas are identical'
  ])
  t.is(code, 0, stderr)
})

test('with a larger consensus, a write waits for a node that was killed, and goes on when that is back', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), [...patient, '--min-consensus', '2'], [
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

test('nodes join and leave, and a dead one is removed', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  const { code, lines, stderr } = await runPrompt(folder, patient, [
    'put a x 1',
    'join d',
    'get d x',
    'put d x 2',
    'leave a',
    'get b x',
    'put b x 3',
    'kill c',
    'remove c',
    'get d x',
    'status',
    'join a',
    'join b',
    'join ab',
    'get c x',
    'put d x 4',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime), [
    'put a x 1: written',
    'join d: is a member',
    'get d x: 1',
    'put d x 2: written',
    'leave a: has left',
    'get b x: 2',
    'put b x 3: written',
    'kill c: killed',
    'remove c: removed',
    'get d x: 3',
    `line 12: join a: failed: ${join(folder, 'a')} has the data of a node that has left: take another letter`,
    'line 13: there is a node b already: take another letter',
    'line 14: a node is called by a letter from a to z, not "ab"',
    'line 15: no node is called "c": there are b, d',
    'put d x 4: written',
    'check: all 2 replicas are identical'
  ])
  t.is(statusOf(lines, 'd').members, 'b d')
  t.is(code, 1, stderr)

  const second = await runPrompt(folder, patient, ['get d x', 'put b x 5', 'join e', 'get e x', 'check'])
  t.same(withoutTable(second.lines.filter((line) => !line.startsWith('b on '))).map(withoutTime), [
    'get d x: 4',
    'put b x 5: written',
    'join e: is a member',
    'get e x: 5',
    'check: all 3 replicas are identical'
  ], 'after a restart, there are these')
  t.is(second.code, 0, second.stderr)
})

test('two nodes and a witness survive one of them', { timeout }, async (t) => {
  const { code, lines, stderr } = await runPrompt(await temporaryFolder(t), [...patient, '--nodes', '2', '--min-consensus', '0'], [
    'put a x 1',
    'join w witness',
    'get w x',
    'status',
    'kill a',
    'put b x 2',
    'start a',
    'kill b',
    'get a x',
    'put a x 3',
    'start b',
    'kill w',
    'put b x 4',
    'start w',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime).filter((line) => !line.startsWith('line 3: ')), [
    'put a x 1: written',
    'join w witness: is a member',
    'kill a: killed',
    'put b x 2: written',
    'start a: ready',
    'kill b: killed',
    'get a x: 2',
    'put a x 3: written',
    'start b: ready',
    'kill w: killed',
    'put b x 4: written',
    'start w: ready',
    'check: all 2 replicas are identical'
  ])
  t.ok(lines.some((line) => line.startsWith('line 3: get w x: failed: LEVEL_WITNESS: ')), 'a witness has no data')
  t.same([statusOf(lines, 'a').members, statusOf(lines, 'a').witnesses], ['a b w', 'w'])
  t.is(code, 1, stderr)
})

test('the last one of three is declared the cluster', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  const { code, lines, stderr } = await runPrompt(folder, patient, [
    'put a x 1',
    'recover',
    'kill b',
    'kill c',
    'recover',
    'get a x',
    'put a x 2',
    'join d',
    'get d x',
    'check'
  ])

  t.same(withoutTable(lines).map(withoutTime).filter((line) => !line.startsWith('line 2: ')), [
    'put a x 1: written',
    'kill b: killed',
    'kill c: killed',
    'recover: the cluster is now a',
    'get a x: 1',
    'put a x 2: written',
    'join d: is a member',
    'get d x: 2',
    'check: all 2 replicas are identical'
  ])
  t.ok(lines.some((line) => line.startsWith('line 2: recover: failed: LEVEL_CHANGE_REFUSED: ')), 'not while it works')
  t.is(code, 1, stderr)
})

test('a write that cannot commit is given up with an outcome', { timeout }, async (t) => {
  const { code, lines } = await runPrompt(await temporaryFolder(t), ['--write-timeout', '1500', '--read-timeout', '500'], [
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
  t.ok(lines.some((line) => /^line 5: check: failed: LEVEL_[A-Z_]+: /.test(line)), 'one of three cannot tell')
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

  t.ok(/^pid \d+$/.test(statusOf(lines, 'a').process ?? ''), 'a runs')
  t.ok(/^pid \d+$/.test(statusOf(lines, 'b').process ?? ''), 'b runs')
  t.is(statusOf(lines, 'c').process, 'down')
  t.is(code, 0, stderr)
})

test('options that do not go together', { timeout }, async (t) => {
  const folder = await temporaryFolder(t)
  for (const [options, message] of [
    [['--nodes', '3', '--min-consensus', '3'], '--min-consensus 3 needs more nodes: there are 3'],
    [['--min-consensus', 'x'], '--min-consensus takes a whole number from 0 to 8, not "x"'],
    [['--failure-timeout', '9'], '--failure-timeout takes a whole number from 10 to 3600000, not "9"']
  ] as const) {
    const { code, stderr } = await runPrompt(folder, options, [])
    t.ok(stderr.includes(message), stderr)
    t.is(code, 1)
  }
})

/** Of the commands, what they print beside tables. */
function withoutTable (lines: readonly string[]): string[] {
  return lines.filter((line) => !/^(node|[a-z]) {2}/.test(line))
}

function withoutTime (line: string): string {
  return line.replace(/ after \d+\.\d s$/, '')
}

/** The row of a node in the first table of `status`, by the titles of its columns; empty if it has none. */
function statusOf (lines: readonly string[], name: string): Record<string, string> {
  const rows = lines.map((line) => line.trim().split(/\s{2,}/))
  const from = rows.findIndex((row) => row[0] === 'node' && row[1] === 'process')
  const titles = rows[from] ?? []
  const cells = rows.slice(from).find(([first]) => first === name) ?? []
  return Object.fromEntries(cells.map((cell, i) => [titles[i] ?? '', cell]))
}

async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'quorum-level-prompt-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  return folder
}
