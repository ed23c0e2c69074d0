import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address, ReplicatorOptions } from '../../index.ts'
import type { Lifetime } from '../support/cluster/cluster.ts'
import type { Reply } from './page/member.ts'
import { remote } from './remote.ts'
import type { Remote } from './remote.ts'

const script = fileURLToPath(new URL('server.ts', import.meta.url))

export interface Server {
  readonly member: Remote
  readonly address: Address
}

/** Servers in processes of their own, which found a cluster: the first one alone, the others join it. */
export async function startServers (lifetime: Lifetime, names: readonly string[], options: ReplicatorOptions = {}): Promise<Server[]> {
  const directory = await mkdtemp(join(tmpdir(), 'quorum-level-'))
  lifetime.teardown(async () => { await rm(directory, { recursive: true, force: true }) })

  const servers: Server[] = []
  for (const name of names) {
    const peers = servers.map(({ address }) => address)
    const server = await startServer(lifetime, join(directory, name), { name, ...(peers.length === 0 ? {} : { peers }), ...options })
    servers.push(server)
  }
  await Promise.all(servers.map(async ({ member }) => { await member.ready() }))
  return servers
}

async function startServer (lifetime: Lifetime, location: string, options: ReplicatorOptions): Promise<Server> {
  const child = fork(script, [JSON.stringify({ location, options })], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => { stderr += text })
  const exit = once(child, 'close')
  lifetime.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const started = await Promise.race([once(child, 'message'), exit])
  const port = started[0]?.port
  if (port === undefined) throw new Error(`The server ended before it listened: ${stderr}`)
  return { member: inProcess(child), address: { host: '127.0.0.1', port } }
}

function inProcess (child: ChildProcess): Remote {
  const waiting = new Map<number, (reply: Reply) => void>()
  let last = 0
  child.on('message', ({ id, reply }: any) => {
    waiting.get(id)?.(reply)
    waiting.delete(id)
  })
  child.on('exit', () => { for (const resolve of waiting.values()) resolve({ failure: { message: 'The process ended' } }) })
  return remote((method, args) => new Promise((resolve) => {
    const id = ++last
    waiting.set(id, resolve)
    // If it cannot be sent the process is ending, which settles the call.
    child.send({ id, method, args }, () => {})
  }))
}
