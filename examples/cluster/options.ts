import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export class UsageError extends Error {}

export interface Options {
  data: string
  /** Null: as many as there were before, or three. */
  nodes: number | null
  writeTimeoutMs: number
  help: boolean
}

export const optionsHelp = `npm start -- [OPTIONS]

Starts a cluster of processes on this machine and reads commands, from you or from a pipe.

  --data DIR            where the databases are kept (default: ./data)
  --nodes N             how many nodes, 1 to 9 (default: 3, or as many as DIR has)
  --write-timeout MS    when a write that cannot commit is given up (default: 10000)
  --help`

export function parseOptions (args: string[]): Options {
  const { data, nodes, help, 'write-timeout': writeTimeout } = parse(args)

  return {
    data: resolve(data),
    nodes: nodes === undefined ? null : toNumber('--nodes', nodes, 1, 9),
    writeTimeoutMs: toNumber('--write-timeout', writeTimeout, 1, 3_600_000),
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
