/** One node of a cluster in a process of its own, told what to do by its parent. */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { ClassicLevel } from 'classic-level'
import type { Change, KeyRange } from '../check/history.ts'
import { bulkKey, bulkValue } from './bulk.ts'
import type { Bulk } from './bulk.ts'
import { Flood } from './flood.ts'
import type { FloodOptions } from './flood.ts'
import { releaseFile } from './messages.ts'
import type { Failure, NodeConfig, NodeMethod, Reply, Request } from './messages.ts'

/** Nothing is done after these. */
const LAST: readonly NodeMethod[] = ['close', 'closeAbruptly', 'leave']

const EVENTS = ['ready', 'notready', 'connect', 'disconnect', 'reconnect', 'fail', 'closed'] as const

const parent = process.ppid
const config = JSON.parse(process.argv[2] as string) as NodeConfig
const { Replicator } = await import(config.entry) as typeof import('../../../index.ts')
type Options = NonNullable<Parameters<typeof Replicator>[1]>

const db = new ClassicLevel<string, string>(config.location, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
const detours = new Map(config.detours.map(({ port, through }) => [port, through]))
const transport = detours.size === 0 ? {} : { transport: (port: number, host: string) => connect(detours.get(port) ?? port, host) }
const replicator = Replicator(db, { ...config.replicator, ...transport, name: config.name } as Options)
const counts: Record<string, number> = {}
const running = new Set<Promise<unknown>>()
let flood: Flood | null = null

// Where the parent is gone there is nobody to stop this process.
let closing = false
process.on('disconnect', () => { if (!closing) process.exit(1) })
// It may have gone while this module was loading.
if (!process.connected) process.exit(1)

for (const name of EVENTS) {
  replicator.on(name, () => {
    counts[name] = (counts[name] ?? 0) + 1
    send({ type: 'event', name })
  })
}

replicator.on('error', () => { if (replicator.status === 'failed') send({ type: 'event', name: 'failed' }) })
replicator.on('view', (view) => { send({ type: 'view', view }) })

let halted = false
replicator.on('sync', (progress) => {
  send({ type: 'sync', progress })
  if (progress.phase !== config.haltAt || halted) return
  halted = true
  // Not before the parent can know of it.
  process.send?.({ type: 'halted' } satisfies Reply, undefined, undefined, halt)
})

/** Stands still until the parent makes a file, or is gone. */
function halt (): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(releaseFile(config))) {
    if (process.ppid !== parent) process.exit(1)
    Atomics.wait(sleeper, 0, 0, 20)
  }
}

const methods: Record<NodeMethod, (...args: never[]) => unknown> = {
  put: (key: string, value: string) => db.put(key, value),
  del: (key: string) => db.del(key),
  batch: (changes: readonly Change[]) => db.batch(changes.map(({ key, value }) => {
    return value === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value }
  })),
  clear: (range: KeyRange) => db.clear(range),
  get: async (key: string) => await db.get(key) ?? null,
  getMany: async (keys: string[]) => (await db.getMany(keys)).map((value) => value ?? null),
  range: (range: KeyRange) => db.iterator(range).all(),
  fill,
  flood: (options: FloodOptions) => { flood = new Flood({ put: (key, value) => db.put(key, value), stats: () => replicator.stats() }, options) },
  flooded: () => flood?.report,
  calm: () => flood?.stop(),
  ready: async () => { await replicator.ready() },
  stats: () => replicator.stats(),
  digest: () => replicator.digest(),
  sync: () => replicator.sync(),
  peakMemory: () => process.resourceUsage().maxRSS * 1024,
  memory: () => process.memoryUsage.rss(),
  trace: () => replicator.trace(),
  dump: () => db.iterator({ keyEncoding: 'view', valueEncoding: 'view' }).all(),
  events: () => counts,
  addPeer: (address: { host: string, port: number }) => { replicator.addPeer(address) },
  removePeer: (member: string, force: boolean) => replicator.removePeer(member, { force }),
  recover: (members: string[]) => replicator.recover(members),
  reopen: async () => {
    await db.close()
    await db.open()
  },
  leave: async (force: boolean) => {
    await replicator.leave({ force })
    closing = true
    await db.close()
  },
  close: async () => {
    closing = true
    await replicator.close()
    await db.close()
  },
  closeAbruptly: async () => {
    closing = true
    await Promise.all([replicator.close(), db.close(), Promise.allSettled(running)])
  }
}

process.on('message', ({ id, method, args }: Request) => {
  const result = answer(id, method, args)
  if (LAST.includes(method)) return
  running.add(result)
  result.finally(() => { running.delete(result) })
})

await replicator.listen(config.port)
send({ type: 'listening' })

async function answer (id: number, method: NodeMethod, args: unknown[]): Promise<void> {
  try {
    const value = await methods[method](...args as never[])
    send({ type: 'result', id, value })
  } catch (error) {
    send({ type: 'failure', id, error: failureFrom(error) })
  }
  // The channel keeps the process alive; from here on only what was left open can.
  if (closing && LAST.includes(method)) process.disconnect()
}

async function fill ({ first, count, bytes, perWrite = 1 }: Bulk): Promise<void> {
  const end = first + count
  let next = first
  const one = async (): Promise<void> => {
    while (next < end) {
      const from = next
      next = Math.min(end, from + perWrite)
      const operations = Array.from({ length: next - from }, (_, i) => ({ type: 'put' as const, key: bulkKey(from + i), value: bulkValue(from + i, bytes) }))
      await (perWrite === 1 ? db.put(operations[0]!.key, operations[0]!.value) : db.batch(operations))
    }
  }
  await Promise.all(Array.from({ length: Math.ceil(256 / perWrite) }, one))
}

function failureFrom (error: unknown): Failure {
  const { message, stack, code, outcome, transaction } = error as Failure
  return {
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(code === undefined ? {} : { code }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(transaction === undefined ? {} : { transaction })
  }
}

function send (reply: Reply): void {
  // Where the parent is gone, `disconnect` ends this process.
  if (process.connected) process.send?.(reply, undefined, undefined, () => {})
}
