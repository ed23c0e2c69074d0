import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export class UsageError extends Error {}

export interface Options {
  data: string
  /** Null: as many as there were before, or three. */
  nodes: number | null
  /** Null: the smallest for which the others of a majority suffice. */
  minConsensus: number | null
  failureTimeoutMs: number
  readTimeoutMs: number
  writeTimeoutMs: number
  help: boolean
}

export const optionsHelp = `npm start -- [OPTIONS]

Starts a cluster of processes on this machine and reads commands, from you or from a pipe.

  --data DIR            where the databases are kept (default: ./data)
  --nodes N             how many nodes, 1 to 9 (default: 3, or as many as DIR has)
  --min-consensus M     how many others must have a write, 0 to N - 1 (default: N / 2, rounded down; fewer with witnesses)
  --failure-timeout MS  when the others go on without a node that is silent (default: 1000)
  --read-timeout MS     when a read that cannot be answered is given up (default: 10000)
  --write-timeout MS    when a write that cannot commit is given up (default: 10000)
  --help`

export function parseOptions (args: string[]): Options {
  const { data, nodes, help, ...more } = parse(args)
  const minConsensus = more['min-consensus']
  const timeout = (name: 'failure-timeout' | 'read-timeout' | 'write-timeout', min: number) => toNumber(`--${name}`, more[name], min, 3_600_000)

  return {
    data: resolve(data),
    nodes: nodes === undefined ? null : toNumber('--nodes', nodes, 1, 9),
    minConsensus: minConsensus === undefined ? null : toNumber('--min-consensus', minConsensus, 0, 8),
    failureTimeoutMs: timeout('failure-timeout', 10),
    readTimeoutMs: timeout('read-timeout', 1),
    writeTimeoutMs: timeout('write-timeout', 1),
    help
  }
}

function parse (args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        data: { type: 'string', default: 'data' },
        nodes: { type: 'string' },
        'min-consensus': { type: 'string' },
        'failure-timeout': { type: 'string', default: '1000' },
        'read-timeout': { type: 'string', default: '10000' },
        'write-timeout': { type: 'string', default: '10000' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (err) {
    throw new UsageError((err as Error).message)
  }
}

function toNumber (name: string, text: string, min: number, max: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= min && number <= max) return number
  throw new UsageError(`${name} takes a whole number from ${min} to ${max}, not "${text}"`)
}
