/**
 * A cluster to play with: `npm start`. Each node is a process of its own (node.ts); this one starts them and passes
 * your commands on to them. `npm start -- --help` lists the options, `help` the commands.
 */
import { createInterface } from 'node:readline'
import { Cluster } from './cluster.ts'
import { CallError } from './node-process.ts'
import { optionsHelp, parseOptions, UsageError, type Options } from './options.ts'
import { Output } from './output.ts'
import { commandNames, commandsHelp } from './parse-command.ts'
import { Plan } from './plan.ts'
import { Session } from './session.ts'

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) console.log(`${optionsHelp}\n\nCommands:\n\n${commandsHelp}`)
  else process.exitCode = await main(options)
} catch (err) {
  if (!(err instanceof UsageError || err instanceof CallError)) throw err
  console.error(err.message)
  process.exitCode = 1
}

async function main (options: Options): Promise<number> {
  const output = new Output(process.stdin.isTTY && process.stdout.isTTY)
  // While they start, each node of a new cluster has to wait for the others: that is not worth telling.
  let isStarted = false
  const cluster = new Cluster(await Plan.open(options), (text) => {
    if (isStarted || text.includes('|')) output.note(text)
  })

  const interrupt = async () => {
    await cluster.closeAll()
    process.exit(130)
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  try {
    await cluster.startAll()
    isStarted = true
    output.line(cluster.nodes.map(({ name, options: { host, port } }) => `${name} on ${host}:${port}`).join(', '))
    if (output.isTerminal) output.line('Ready. "help" lists the commands.')
    return await readCommands(cluster, output)
  } finally {
    isStarted = false
    await cluster.closeAll()
  }
}

async function readCommands (cluster: Cluster, output: Output): Promise<number> {
  const session = new Session(cluster, output)
  const readline = createInterface({
    input: process.stdin,
    terminal: output.isTerminal,
    ...(output.isTerminal ? { output: process.stdout, prompt: '> ', completer: complete(cluster) } : {})
  })
  // On a terminal Ctrl-C comes from here, and means the end of the input.
  readline.on('SIGINT', () => { readline.close() })

  let number = 0
  let quit = false
  output.openPrompt(readline)
  for await (const text of readline) {
    number++
    output.closePrompt()
    quit = await session.run(text, output.isTerminal ? '' : `line ${number}: `)
    if (quit) break
    output.openPrompt(readline)
  }
  output.closePrompt()
  readline.close()
  if (output.isTerminal && !quit) console.log()

  if (!quit && !output.isTerminal) {
    cluster.resumeAll()
    await session.settled()
  }
  await cluster.closeAll()
  await session.settled()
  // How a conversation went is for the person to judge.
  return session.failures > 0 && !output.isTerminal ? 1 : 0
}

function complete (cluster: Cluster): (line: string) => [string[], string] {
  return (line) => {
    const words = line.split(/\s+/)
    const last = words.at(-1) ?? ''
    const candidates = words.length === 1 ? commandNames : words.length === 2 ? cluster.names : []
    return [candidates.filter((name) => name.startsWith(last)).map((name) => `${name} `), last]
  }
}
