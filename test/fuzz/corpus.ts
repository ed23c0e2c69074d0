import { readFileSync, readdirSync } from 'node:fs'
import { concat } from '../support/bytes.ts'

/** An input that is worth keeping: it has found a bug, or it leads to where few do. */
export interface CorpusEntry {
  readonly target: string
  readonly expected: 'decoded' | 'refused'
  readonly bytes: Uint8Array
  readonly why: string
}

/**
 * One file for each decoder, one input in each line: what becomes of it, its bytes in hex, and why it is there. Spaces do not count,
 * and `00ff*3` is three times these two bytes.
 */
export function readCorpus (): CorpusEntry[] {
  const directory = new URL('corpus/', import.meta.url)
  return readdirSync(directory).filter(file => file.endsWith('.txt')).sort().flatMap(file => {
    const target = file.slice(0, -'.txt'.length).replaceAll('_', ' ')
    return readFileSync(new URL(file, directory), 'utf8').trimEnd().split('\n').map(line => ({ target, ...readLine(line) }))
  })
}

function readLine (line: string): Omit<CorpusEntry, 'target'> {
  const [, expected, input, why] = /^(decoded|refused) ([0-9a-f* ]*)# (.+)$/.exec(line) ?? []
  if (expected === undefined || input === undefined || why === undefined) throw new Error(`not a line of a corpus: ${line}`)
  const parts = input.trim().split(/\s+/).map(part => {
    const [hex, times = '1'] = part.split('*')
    return Buffer.from((hex as string).repeat(Number(times)), 'hex')
  })
  return { expected: expected as CorpusEntry['expected'], bytes: concat(...parts), why }
}
