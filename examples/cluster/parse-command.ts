import type { Operation } from './messages.ts'
import { UsageError } from './options.ts'

/** What can be done to a node. */
type NodeCommand = 'kill' | 'start' | 'pause' | 'resume' | 'cut' | 'mend' | 'leave'

export type Command =
  | { type: 'put', node: string, key: string, value: string }
  | { type: 'get' | 'del', node: string, key: string }
  | { type: 'batch', node: string, operations: Operation[] }
  | { type: 'load', node: string, file: string }
  | { type: 'scan', node: string, prefix: string, limit: number }
  | { type: NodeCommand, node: string }
  | { type: 'join', node: string, witness: boolean }
  | { type: 'remove', node: string, force: boolean }
  | { type: 'trace', node: string | null, limit: number }
  | { type: 'recover' | 'status' | 'check' }
  | { type: 'wait' | 'help' | 'quit' }

export interface Line {
  command: Command
  /** The line ended in `&`: do not wait for it. */
  background: boolean
}

const scanLimitDefault = 100
const traceLimitDefault = 20

const usages: Record<Command['type'], [arguments: string, meaning: string]> = {
  put: ['NODE KEY VALUE', 'write on a node; it is written when every live node has it'],
  get: ['NODE KEY', 'read from the node\'s own disk'],
  del: ['NODE KEY', 'delete'],
  batch: ['NODE put KEY VALUE del KEY ...', 'any number of both, all or nothing'],
  load: ['NODE FILE', 'write the lines of a file, {"key": "...", "value": "..."} each'],
  scan: ['NODE [PREFIX [LIMIT]]', `list entries in key order, at most ${scanLimitDefault} unless told`],
  kill: ['NODE', 'end its process with SIGKILL'],
  start: ['NODE', 'start its process again'],
  pause: ['NODE', 'make its process stand still, with SIGSTOP'],
  resume: ['NODE', 'let it go on'],
  cut: ['NODE', 'cut its connections to the others, as if its cable was pulled'],
  mend: ['NODE', 'let them connect again'],
  join: ['NODE [witness]', 'start one more, with a new letter; all it knows is one of the others'],
  leave: ['NODE', 'let it leave the cluster in order, and end it'],
  remove: ['NODE [force]', 'remove one that is dead; "force": where the others cannot know it'],
  recover: ['', 'if a majority is gone for good: those that are up are the cluster'],
  status: ['', 'what each node says about itself'],
  trace: ['[NODE [LIMIT]]', `what has happened last, on one or on all; ${traceLimitDefault} events unless told`],
  check: ['', 'are all replicas identical?'],
  wait: ['', 'wait for the commands in the background'],
  help: ['', 'this list'],
  quit: ['', 'close all nodes (as exit, Ctrl-C and the end of the input do)']
}

export const commandNames = Object.keys(usages)

export const commandsHelp = [
  ...Object.entries(usages).map(([name, [args, meaning]]) => `  ${`${name} ${args}`.padEnd(39)}${meaning}`),
  '',
  'Quote words that have spaces or are empty: "two words", \'it\'. An & at the end of the line runs it in the',
  'background. A line that begins with # is a comment.'
].join('\n')

/** Null for an empty line or a comment. Throws a UsageError whose message is one line. */
export function parseLine (text: string, nodes: readonly string[]): Line | null {
  const words = splitWords(text)
  const background = words.at(-1)?.text === '&' && !words.at(-1)?.quoted
  if (background) words.pop()
  const [name, ...args] = words.map((word) => word.text)
  if (name === undefined) return null
  return { command: parseCommand(name === 'exit' ? 'quit' : name, args, nodes), background }
}

function parseCommand (name: string, args: string[], nodes: readonly string[]): Command {
  if (!isCommandName(name)) throw new UsageError(`unknown command "${name}"; "help" lists them`)
  const [node = '', key = '', value = ''] = args

  const takes = (min: number, max = min) => {
    if (args.length < min || args.length > max) throw new UsageError(`usage: ${name} ${usages[name][0]}`.trimEnd())
    if (min > 0 && name !== 'join' && !nodes.includes(node)) throw new UsageError(`no node is called "${node}": there are ${nodes.join(', ')}`)
  }

  /** Whether the optional second argument is there. */
  const says = (word: string): boolean => {
    takes(1, 2)
    if (args.length === 2 && key !== word) throw new UsageError(`usage: ${name} ${usages[name][0]}`)
    return args.length === 2
  }

  switch (name) {
    case 'put': takes(3); return { type: name, node, key, value }
    case 'get': case 'del': takes(2); return { type: name, node, key }
    case 'batch': takes(3, Infinity); return { type: name, node, operations: parseOperations(args.slice(1)) }
    case 'load': takes(2); return { type: name, node, file: key }
    case 'scan': takes(1, 3); return { type: name, node, prefix: key, limit: parseLimit(args[2], scanLimitDefault) }
    case 'kill': case 'start': case 'pause': case 'resume': case 'cut': case 'mend': case 'leave': takes(1); return { type: name, node }
    case 'trace': takes(Math.min(args.length, 1), 2); return { type: name, node: args[0] ?? null, limit: parseLimit(args[1], traceLimitDefault) }
    case 'join': return { type: name, witness: says('witness'), node: parseNew(node, nodes) }
    case 'remove': return { type: name, force: says('force'), node }
    case 'recover': case 'status': case 'check': takes(0); return { type: name }
    case 'wait': case 'help': case 'quit': takes(0); return { type: name }
  }
}

function parseNew (node: string, nodes: readonly string[]): string {
  if (!/^[a-z]$/.test(node)) throw new UsageError(`a node is called by a letter from a to z, not "${node}"`)
  if (nodes.includes(node)) throw new UsageError(`there is a node ${node} already: take another letter`)
  return node
}

function isCommandName (name: string): name is Command['type'] {
  return Object.hasOwn(usages, name)
}

function parseOperations (words: readonly string[]): Operation[] {
  const operations: Operation[] = []
  for (let i = 0; i < words.length;) {
    const [type, key, value] = words.slice(i, i + 3)
    if (type === 'put' && key !== undefined && value !== undefined) {
      operations.push({ type, key, value })
      i += 3
    } else if (type === 'del' && key !== undefined) {
      operations.push({ type, key })
      i += 2
    } else {
      throw new UsageError(`batch takes "put KEY VALUE" and "del KEY", not "${words.slice(i, i + 3).join(' ')}"`)
    }
  }
  return operations
}

function parseLimit (text: string | undefined, otherwise: number): number {
  const limit = text === undefined ? otherwise : Number(text)
  if (Number.isInteger(limit) && limit > 0) return limit
  throw new UsageError(`LIMIT is a whole number above 0, not "${text}"`)
}

interface Word {
  text: string
  quoted: boolean
}

/** Words are parted by spaces. Quotes of both kinds hold a word together; in double quotes, \ escapes as in JSON. */
function splitWords (text: string): Word[] {
  const words: Word[] = []
  const pattern = /\s*(?:("(?:\\.|[^"\\])*")|'([^']*)'|([^\s"']\S*))(?=\s|$)/y
  const rest = text.trimEnd()
  if (rest.trimStart().startsWith('#')) return words

  while (pattern.lastIndex < rest.length) {
    const start = pattern.lastIndex
    const match = pattern.exec(rest)
    if (match === null) throw new UsageError(`a quote is not closed or not followed by a space: ${rest.slice(start).trim()}`)
    const [, double, single, bare = ''] = match
    words.push({ text: double === undefined ? single ?? bare : unquote(double), quoted: double !== undefined || single !== undefined })
  }
  return words
}

function unquote (text: string): string {
  try {
    return JSON.parse(text) as string
  } catch {
    throw new UsageError(`not a valid text in double quotes: ${text}`)
  }
}

/** The reverse: as the word would have to be typed. */
export function quote (text: string): string {
  return /^[^\s"'#&\p{C}][^\s\p{C}]*$/u.test(text) ? text : JSON.stringify(text)
}
