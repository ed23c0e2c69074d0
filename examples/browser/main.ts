/**
 * A shared board on three servers and any number of browser tabs: `npm run board`. Each server is a process of its own
 * (server.ts); this one bundles the page, starts them, and ends and restarts them as you say. `help` lists the commands.
 */
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { UsageError } from '../cluster/options.ts'
import { Output } from '../cluster/output.ts'
import { Plan } from '../cluster/plan.ts'
import { columns } from './board.ts'
import { bundlePage } from './bundle.ts'
import { ServerProcess } from './server-process.ts'

const optionsHelp = `npm run board -- [OPTIONS]

Starts three servers of a shared board on this machine. Open it in as many tabs as you like.

  --data DIR            where the databases are kept (default: ./data/board)
  --failure-timeout MS  when the others go on without a server that is silent (default: 1000)
  --write-timeout MS    when a tab gives up a write that cannot commit (default: 10000)
  --help`

const commandsHelp = `  kill NAME    end the process of a server with SIGKILL
  start NAME   start it again
  cards NAME   the cards, as this server holds them
  check        do all servers hold the same?
  help         this list
  quit         close all servers (as exit, Ctrl-C and the end of the input do)`

try {
  const options = readOptions()
  if (options === null) console.log(`${optionsHelp}\n\nCommands:\n\n${commandsHelp}`)
  else process.exitCode = await main(options)
} catch (err) {
  if (!(err instanceof UsageError)) throw err
  console.error(err.message)
  process.exitCode = 1
}

interface Options {
  data: string
  failureTimeoutMs: number
  writeTimeoutMs: number
}

/** Null if help is asked for. */
function readOptions (): Options | null {
  const { data, help, ...times } = parse()
  if (help) return null
  const milliseconds = (name: keyof typeof times) => {
    const number = Number(times[name])
    if (!Number.isInteger(number) || number < 10) throw new UsageError(`--${name} takes a whole number from 10 on, not "${times[name]}"`)
    return number
  }
  return { data: resolve(data), failureTimeoutMs: milliseconds('failure-timeout'), writeTimeoutMs: milliseconds('write-timeout') }
}

function parse () {
  try {
    return parseArgs({
      options: {
        data: { type: 'string', default: join('data', 'board') },
        'failure-timeout': { type: 'string', default: '1000' },
        'write-timeout': { type: 'string', default: '10000' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (err) {
    throw new UsageError((err as Error).message)
  }
}

async function main ({ data, failureTimeoutMs, writeTimeoutMs }: Options): Promise<number> {
  const output = new Output(process.stdin.isTTY && process.stdout.isTTY)
  // The ports are kept from one start to the next: what a browser stores is kept by the port, too.
  const { nodes } = await Plan.open({ data, nodes: 3, minConsensus: 1, failureTimeoutMs, readTimeoutMs: 10_000, writeTimeoutMs, help: false })
  const site = join(data, 'site')
  await bundlePage(site, { servers: nodes.map(({ name, host, port }) => ({ name, host, port })), failureTimeoutMs, writeTimeoutMs })

  const origins = nodes.map(({ host, port }) => `http://${host}:${port}`)
  const servers = nodes.map(({ name, host, port, peers, location }) => {
    return new ServerProcess({ name, host, port, peers, location, site, origins, failureTimeoutMs }, (text) => { output.note(text) })
  })
  const closeAll = async () => { await Promise.all(servers.map(async (server) => { await server.close() })) }

  const interrupt = async () => {
    await closeAll()
    process.exit(130)
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  try {
    await Promise.all(servers.map(async (server) => { await server.start() }))
    for (const { name, url } of servers) output.line(`${name}: ${url}`)
    if (output.isTerminal) output.line('Open them in as many tabs as you like. "kill a" ends a server, "start a" brings it back, "help" lists the commands.')
    await readCommands(servers, output)
    return 0
  } catch (err) {
    output.note((err as Error).message)
    return 1
  } finally {
    await closeAll()
  }
}

async function readCommands (servers: readonly ServerProcess[], output: Output): Promise<void> {
  const readline = createInterface({
    input: process.stdin,
    terminal: output.isTerminal,
    ...(output.isTerminal ? { output: process.stdout, prompt: '> ' } : {})
  })
  // On a terminal Ctrl-C comes from here, and means the end of the input.
  readline.on('SIGINT', () => { readline.close() })

  output.openPrompt(readline)
  for await (const text of readline) {
    output.closePrompt()
    const line = text.trim()
    if (line === 'quit' || line === 'exit') break
    if (line !== '') {
      try {
        output.line(await run(line, servers))
      } catch (err) {
        output.line(`${line}: failed: ${(err as Error).message}`)
      }
    }
    output.openPrompt(readline)
  }
  output.closePrompt()
  readline.close()
}

async function run (line: string, servers: readonly ServerProcess[]): Promise<string> {
  const [command = '', name] = line.split(/\s+/)
  const server = servers.find((server) => server.name === name)
  if (['kill', 'start', 'cards'].includes(command) && server === undefined) throw new Error(`there are the servers ${servers.map(({ name }) => name).join(', ')}`)

  switch (command) {
    case 'kill':
      await server?.kill()
      return `${line}: killed`
    case 'start':
      await server?.start()
      return `${line}: started`
    case 'cards': {
      const cards = await server?.ask('cards') ?? []
      return [...cards.map(({ column, text }) => `  ${columns[column]}: ${text}`), `${line}: ${cards.length} cards`].join('\n')
    }
    case 'check': {
      const digests = await Promise.all(servers.map(async (server) => await server.ask('digest')))
      const isSame = new Set(digests.map(({ data }) => data)).size === 1
      return `check: ${isSame ? 'all servers hold the same' : `the servers differ: ${JSON.stringify(digests)}`}`
    }
    case 'help':
      return commandsHelp
    default:
      throw new Error('there is no such command; "help" lists them')
  }
}
