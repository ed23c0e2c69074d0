/** Three members of etcd on the loopback, as they come: everything is synced before it is acknowledged. */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePorts } from '../support/cluster/free-ports.ts'

const members = ['m0', 'm1', 'm2']
const host = 'http://127.0.0.1'

interface Status {
  header: { member_id: string }
  leader: string
}

/** Null if it is not installed. */
export async function etcdVersion (): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('etcd', ['--version'])
    return /^etcd Version: (\S+)/m.exec(stdout)?.[1] ?? 'unknown'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Resolves with what `use` makes of the address of the leader. */
export async function withEtcd<T> (folder: string, use: (leader: string) => Promise<T>): Promise<T> {
  const ports = await freePorts(2 * members.length)
  const clientUrls = members.map((_, i) => `${host}:${ports[2 * i]}`)
  const peerUrls = members.map((_, i) => `${host}:${ports[2 * i + 1]}`)
  const cluster = members.map((name, i) => `${name}=${peerUrls[i]}`).join(',')
  const processes = members.map((name, i) => spawn('etcd', [
    '--name', name,
    '--data-dir', join(folder, name),
    '--listen-client-urls', clientUrls[i]!,
    '--advertise-client-urls', clientUrls[i]!,
    '--listen-peer-urls', peerUrls[i]!,
    '--initial-advertise-peer-urls', peerUrls[i]!,
    '--initial-cluster', cluster,
    '--logger', 'zap'
  ], { stdio: ['ignore', 'ignore', 'pipe'] }))
  const kill = (): void => { for (const child of processes) child.kill('SIGKILL') }
  process.on('exit', kill)
  try {
    await Promise.all(processes.map(whenServing))
    return await use(await findLeader(clientUrls))
  } finally {
    process.off('exit', kill)
    const exited = Promise.all(processes.map(async (child) => { if (child.exitCode === null) await once(child, 'exit') }))
    kill()
    await exited
  }
}

/** It says so when it knows of a leader. */
async function whenServing (child: ChildProcess): Promise<void> {
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr! }).on('line', (line) => {
      lines.push(line)
      if (line.includes('serving') && line.includes('client')) resolve()
    })
    child.on('error', reject)
    child.on('exit', () => { reject(new Error(`etcd does not start:\n${lines.slice(-5).join('\n')}`)) })
  })
}

async function findLeader (urls: readonly string[]): Promise<string> {
  for (const url of urls) {
    const response = await fetch(`${url}/v3/maintenance/status`, { method: 'POST', body: '{}' })
    const { header, leader } = await response.json() as Status
    if (header.member_id === leader) return url
  }
  throw new Error('etcd has no leader')
}
