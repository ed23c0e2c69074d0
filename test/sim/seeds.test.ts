import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import tape from 'tape'
import { runSeed } from './run-seed.ts'
import type { SimSettings } from './settings.ts'
import { drawSettings, faultKinds, readSettings } from './settings.ts'
import { shrink } from './shrink.ts'

const folder = new URL('./seeds/', import.meta.url)

tape('no seed shows a violation', { timeout: 240_000 }, async (t) => {
  // As many at a time as there are processors.
  const args = ['--import', 'tsx', 'test/sim/main.ts', '--seeds', '30', '--from', '1']
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 1e8 }, (error, stdout, stderr) => { resolve(error === null ? stdout : `${stdout}\n${stderr}\n${error.message}`) })
  })
  t.ok(output.endsWith('\n0 violations\n'), output)
  const committed = Number(/(\d+) writes committed/.exec(output)?.[1])
  t.ok(committed > 1000, `${committed} writes committed`)
})

tape('what was found once is not found again', { timeout: 120_000 }, async (t) => {
  const files = readdirSync(folder).filter(name => name.endsWith('.json'))
  t.ok(files.length > 0, `${files.length} stored settings`)
  for (const file of files) {
    const settings = readSettings(readFileSync(new URL(file, folder), 'utf8'))
    t.deepEqual((await runSeed(settings)).problems, [], file)
  }
})

tape('the same seed gives the same trace, another seed another', { timeout: 60_000 }, async (t) => {
  const hashes = new Set<string>()
  for (const seed of [3, 17, 44, 71]) {
    const lines: string[] = []
    const first = await runSeed(drawSettings(seed))
    const second = await runSeed(drawSettings(seed), line => { lines.push(line) })
    t.equal(first.traceHash, second.traceHash, `seed ${seed}: also with a transcript`)
    t.equal(first.events, second.events)
    t.ok(lines.some(line => line.includes('is ready')), 'the transcript tells what happened')
    hashes.add(first.traceHash)
  }
  t.equal(hashes.size, 4)
})

tape('the shrinker keeps what fails and drops the rest', { timeout: 120_000 }, async (t) => {
  const settings = { ...drawSettings(9), nodes: 5, operations: 400, keys: 30 }
  for (const kind of faultKinds) settings.faults[kind] = 4
  const seen: SimSettings[] = []
  // A bug that shows itself with three nodes, ten operations and a power cut.
  const smallest = await shrink(settings, smaller => { seen.push(smaller) }, async ({ nodes, operations, faults }) => nodes >= 3 && operations >= 10 && faults.powerCut > 0)
  t.ok(seen.length > 0, `${seen.length} steps`)
  t.deepEqual([smallest.nodes, smallest.operations, smallest.keys, smallest.clientsPerNode], [3, 10, 1, 1])
  t.deepEqual(faultKinds.filter(kind => smallest.faults[kind] > 0), ['powerCut'])
})
