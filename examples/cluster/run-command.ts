import { resolve } from 'node:path'
import { checkReplicas } from './check.ts'
import type { Cluster } from './cluster.ts'
import type { Failure, LoadProgress, LoadResult } from './messages.ts'
import { CallError, nodeDown, nodePaused } from './node-process.ts'
import { quote, type Command } from './parse-command.ts'
import { describeStatus } from './status.ts'
import { describeTrace } from './trace.ts'

export interface Outcome {
  ok: boolean
  /** Lines that go before the text. */
  detail?: string
  text: string
}

/** Commands about the cluster; the others are about the session. */
export type ClusterCommand = Exclude<Command, { type: 'wait' | 'help' | 'quit' }>

export async function runCommand (
  command: ClusterCommand,
  cluster: Cluster,
  onProgress: (progress: LoadProgress) => void
): Promise<Outcome> {
  const started = performance.now()
  const ok = (text: string): Outcome => ({ ok: true, text })
  const written = () => {
    const seconds = (performance.now() - started) / 1000
    return ok(`${describeCommand(command)}: written${seconds >= 1 ? ` after ${seconds.toFixed(1)} s` : ''}`)
  }

  try {
    switch (command.type) {
      case 'put':
        await cluster.node(command.node).call('put', [command.key, command.value])
        return written()

      case 'del':
        await cluster.node(command.node).call('del', [command.key])
        return written()

      case 'batch':
        await cluster.node(command.node).call('batch', [command.operations])
        return written()

      case 'get': {
        const value = await cluster.node(command.node).call('get', [command.key])
        return ok(`${describeCommand(command)}: ${value === undefined ? 'not found' : quote(value)}`)
      }

      case 'scan': {
        const { node, prefix, limit } = command
        // One more than asked for, to know whether there are more.
        const entries = await cluster.node(node).call('scan', [prefix, prefix, limit + 1])
        const lines = entries.slice(0, limit).map(([key, value]) => `  ${quote(key)} ${quote(value)}`)
        const count = entries.length > limit ? `the first ${limit} entries` : `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`
        return { ok: true, detail: lines.join('\n'), text: `${describeCommand(command)}: ${count}` }
      }

      case 'load': {
        const file = resolve(command.file)
        const result = await cluster.node(command.node).call('load', [file], onProgress)
        return describeLoad(describeCommand(command), result, cluster.hint)
      }

      case 'kill':
        if (!cluster.node(command.node).isUp) throw new CallError({ message: 'it is down already' })
        await cluster.node(command.node).kill()
        return ok(`${describeCommand(command)}: killed`)

      case 'start': {
        const isReady = await cluster.start(command.node)
        return ok(`${describeCommand(command)}: ${isReady ? 'ready' : `started; ${cluster.hint}`}`)
      }

      case 'pause':
        cluster.node(command.node).pause()
        return ok(`${describeCommand(command)}: paused`)

      case 'resume':
        cluster.node(command.node).resume()
        return ok(`${describeCommand(command)}: resumed`)

      case 'cut':
        await cluster.node(command.node).cut(true)
        return ok(`${describeCommand(command)}: cut off`)

      case 'mend':
        await cluster.node(command.node).cut(false)
        return ok(`${describeCommand(command)}: mended`)

      case 'join': {
        const isReady = await cluster.join(command.node, command.witness)
        return ok(`${describeCommand(command)}: ${isReady ? 'is a member' : `started; ${cluster.hint}`}`)
      }

      case 'leave':
        await cluster.leave(command.node)
        return ok(`${describeCommand(command)}: has left`)

      case 'remove':
        await cluster.remove(command.node, command.force)
        return ok(`${describeCommand(command)}: removed`)

      case 'recover':
        return ok(`recover: the cluster is now ${(await cluster.recover()).join(', ')}`)

      case 'status':
        return ok(await describeStatus(cluster))

      case 'trace': {
        const nodes = command.node === null ? cluster.nodes.filter((node) => node.isUp && !node.isPaused) : [cluster.node(command.node)]
        const { table, text } = await describeTrace(nodes, command.limit)
        return { ok: true, detail: table, text: `${describeCommand(command)}: ${text}` }
      }

      case 'check': {
        const { identical, table, text } = await checkReplicas(cluster)
        return { ok: identical, detail: table, text: `check: ${text}` }
      }
    }
  } catch (err) {
    if (!(err instanceof CallError)) throw err
    return { ok: false, text: `${describeCommand(command)}: failed: ${describeFailure(err.failure, cluster.hint)}` }
  }
}

/** The command in a form short enough to go before its result. */
export function describeCommand (command: Command): string {
  switch (command.type) {
    case 'put': return `put ${command.node} ${quote(command.key)} ${quote(shorten(command.value))}`
    case 'get': case 'del': return `${command.type} ${command.node} ${quote(command.key)}`
    case 'batch': return `batch ${command.node} (${command.operations.length} operations)`
    case 'load': return `load ${command.node} ${quote(command.file)}`
    case 'join': return `join ${command.node}${command.witness ? ' witness' : ''}`
    case 'remove': return `remove ${command.node}${command.force ? ' force' : ''}`
    case 'trace': return command.node === null ? 'trace' : `trace ${command.node}`
    case 'recover': case 'status': case 'check': case 'wait': case 'help': case 'quit': return command.type
    default: return `${command.type} ${command.node}`
  }
}

function shorten (value: string): string {
  return value.length <= 24 ? value : `${value.slice(0, 20)}...`
}

function describeLoad (name: string, { written, seconds, failure, failed }: LoadResult, hint: string): Outcome {
  const rate = `${written} written in ${seconds.toFixed(1)} s, ${Math.round(written / Math.max(seconds, 0.001))} per second`
  if (failure === null) return { ok: true, text: `${name}: ${rate}` }

  const reason = `stopped at line ${failure.line}: ${describeFailure(failure.error, hint)}`
  return { ok: false, text: `${name}: ${reason}\n  ${rate}, ${failed} failed` }
}

const outcomes: Record<string, string> = {
  aborted: 'outcome aborted: it is not written and never will be',
  unknown: 'outcome unknown: it may or may not be written'
}

function describeFailure ({ code, message, outcome }: Failure, hint: string): string {
  const lines = [code === undefined || message.startsWith(code) ? message : `${code}: ${message}`]
  if (outcome !== undefined) lines.push(`  ${outcomes[outcome] ?? outcome}`)
  // Other failures have nothing to do with nodes that cannot be reached.
  if (hint !== '' && (code === nodeDown || code === nodePaused || outcome !== undefined || code?.startsWith('LEVEL_'))) lines.push(`  ${hint}`)
  return lines.join('\n')
}
