/** Writes the lines of a file, `{"key": "...", "value": ...}` each, to a database. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { AbstractLevel } from 'abstract-level'
import type { Failure, LoadProgress, LoadResult } from './messages.ts'

/** Enough for the replicator to gather writes into groups. */
const writesAtOnce = 256
const reportBytes = 64 * 1024

interface Line {
  number: number
  key: string
  value: string
  /** How much of the file has been read with it. */
  bytes: number
}

export async function load (
  db: AbstractLevel<any, string, string>,
  file: string,
  toFailure: (err: unknown) => Failure,
  onProgress: (progress: LoadProgress) => void
): Promise<LoadResult> {
  const totalBytes = (await stat(file)).size
  const read = (phase: LoadProgress['phase']) => withProgress(readLines(file), (bytes) => {
    onProgress({ phase, bytes, totalBytes })
  })

  // All of it first: a malformed line is found before anything is written.
  for await (const line of read('checking')) line satisfies Line

  const started = performance.now()
  const result: LoadResult = { written: 0, seconds: 0, failure: null, failed: 0 }
  const keysInFlight = new Set<string>()
  let wake = () => {}

  const settled = () => new Promise<void>((resolve) => { wake = resolve })

  const write = async ({ number, key, value }: Line) => {
    keysInFlight.add(key)
    try {
      await db.put(key, value)
      result.written++
    } catch (err) {
      result.failed++
      if (result.failure === null || number < result.failure.line) {
        result.failure = { line: number, error: toFailure(err) }
      }
    }
    keysInFlight.delete(key)
    wake()
  }

  for await (const line of read('writing')) {
    // Two writes of one key stay in the order of the file.
    while (keysInFlight.size >= writesAtOnce || keysInFlight.has(line.key)) await settled()
    if (result.failure !== null) break
    write(line)
  }
  while (keysInFlight.size > 0) await settled()

  result.seconds = (performance.now() - started) / 1000
  return result
}

async function * readLines (file: string): AsyncGenerator<Line> {
  let number = 0
  let bytes = 0

  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number++
    bytes += Buffer.byteLength(text) + 1
    if (text.trim() !== '') yield { number, bytes, ...parse(text, number) }
  }
}

function parse (text: string, number: number): { key: string, value: string } {
  let entry: unknown
  try {
    entry = JSON.parse(text)
  } catch {
    throw new Error(`line ${number} is not JSON; nothing was written`)
  }

  const { key, value } = (entry ?? {}) as { key?: unknown, value?: unknown }
  if (typeof key !== 'string' || value === undefined) {
    throw new Error(`line ${number} is not like {"key": "...", "value": "..."}; nothing was written`)
  }
  // Values are text here, so anything that is not a string is kept as JSON.
  return { key, value: typeof value === 'string' ? value : JSON.stringify(value) }
}

async function * withProgress (lines: AsyncIterable<Line>, report: (bytes: number) => void): AsyncGenerator<Line> {
  let reported = 0
  for await (const line of lines) {
    yield line
    if (line.bytes - reported < reportBytes) continue
    reported = line.bytes
    report(reported)
  }
}
