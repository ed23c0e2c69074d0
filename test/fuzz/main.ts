import { parseArgs } from 'node:util'
import { Random } from '../../lib/sim/random.ts'
import { fuzzConnections } from './connection.ts'
import { readCorpus } from './corpus.ts'
import type { Finding } from './decoders.ts'
import { describeError, fuzzDecoder, probe, probeInTime } from './decoders.ts'
import { coreLiar } from './liar.ts'
import { targets } from './targets.ts'

const help = `Looks for bytes, and for peers, that break a node.

  npm run fuzz -- --seconds 60            decoders, lying members, and whole connections, a third of the time each
  npm run fuzz -- --seed 42               the same from this seed; connections depend on time as well
  npm run fuzz -- --liar 7                one run with a lying member
  npm run fuzz -- --target group --input 01ff   one input for one decoder

Inputs that are worth keeping are in test/fuzz/corpus, and come first.
`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    liar: { type: 'string' },
    target: { type: 'string' },
    input: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
/** So many of one kind are enough. */
const FINDINGS_MAX = 10
let findings = 0

process.on('uncaughtException', error => {
  report({ target: 'process', problem: `nobody catches ${describeError(error)}`, how: `--seed ${seed}` })
  process.exit(1)
})

if (values.help) process.stdout.write(help)
else if (values.target !== undefined) replayInput(values.target, values.input ?? '')
else if (values.liar !== undefined) replayLiar(Number(values.liar))
else await search(Number(values.seconds ?? 60))
if (findings > 0) process.exitCode = 1

async function search (seconds: number): Promise<void> {
  const began = performance.now()
  const until = (share: number): () => boolean => {
    const end = began + 1000 * seconds * share
    return () => performance.now() < end && findings < FINDINGS_MAX
  }
  console.log(`seed ${seed}`)

  const corpus = readCorpus()
  for (const { target, bytes, expected, why } of corpus) {
    const found = targets.find(({ name }) => name === target)
    const verdict = found === undefined ? 'there is no such decoder' : probe(found, bytes)
    if (verdict !== expected) report({ target, problem: `${verdict}, not ${expected}`, how: why })
  }
  console.log(`corpus: ${corpus.length} inputs`)

  const decoders = { inputs: 0, decoded: 0, refused: 0 }
  const random = new Random(seed)
  for (const goesOn = until(1 / 3); goesOn();) {
    const finding = fuzzDecoder(random, decoders)
    if (finding !== null) report(finding)
  }
  console.log(`decoders: ${decoders.inputs} inputs, ${decoders.decoded} decoded, ${decoders.refused} refused`)

  let runs = 0
  for (const goesOn = until(2 / 3); goesOn(); runs++) {
    const finding = coreLiar(seed + runs)
    if (finding !== null) report(finding)
  }
  console.log(`lying members: ${runs} runs`)

  const before = process.memoryUsage.rss()
  const connections = { connections: 0, sessions: 0, frames: 0, closed: 0 }
  for (const [role, share] of [['outsider', 17 / 24], ['stranger', 19 / 24], ['insider', 7 / 8], ['member', 1]] as const) {
    const finding = await fuzzConnections(role, random, connections, until(share))
    if (finding !== null) report(finding)
  }
  const { connections: count, sessions, frames, closed } = connections
  console.log(`connections: ${count}, ${sessions} sessions, ${frames} frames, ${closed} closed for an invalid one; RSS ${megabytes(before)} MB before, ${megabytes(process.memoryUsage.rss())} MB after`)
  console.log(`${findings} findings`)
}

function replayInput (name: string, hex: string): void {
  const target = targets.find(target => target.name === name)
  if (target === undefined) throw new RangeError(`no decoder ${name}; there are ${targets.map(({ name }) => name).join(', ')}`)
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
  const verdict = probeInTime(target, bytes)
  if (verdict === 'refused' || verdict === 'decoded') console.log(verdict)
  else report({ target: name, problem: verdict, how: hex })
}

function replayLiar (seed: number): void {
  const finding = coreLiar(seed)
  if (finding === null) console.log('nothing is wrong')
  else report(finding)
}

function report ({ target, problem, how }: Finding): void {
  findings++
  console.log(`\n${target}: ${problem}\n  ${how}\n`)
}

function megabytes (bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
