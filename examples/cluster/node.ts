/**
 * One node of the cluster: a process with a database, a replicator around it, and a server for its peers. Apart from
 * the messages to and from the prompt, this is all that an application has to do.
 */
import { ClassicLevel } from 'classic-level'
import { Replicator, type ReplicatorStats, type SyncProgress } from '../../index.ts'
import { load } from './load.ts'
import { Wire } from './wire.ts'
import type { Calls, Entry, Failure, Message, Method, NodeOptions, Request, Traced } from './messages.ts'

type Handlers = { [M in Method]: (id: number, ...args: Parameters<Calls[M]>) => Promise<ReturnType<Calls[M]>> }

interface Opened {
  db: ClassicLevel<string, string>
  replicator: ReturnType<typeof Replicator>
  wire: Wire
}

let opened: Opened | null = null

async function open (options: NodeOptions, isCut: boolean): Promise<void> {
  const { location, host, port, name, peers, role, minConsensus, failureTimeoutMs, readTimeoutMs, writeTimeoutMs } = options
  const wire = new Wire(isCut)
  const db = new ClassicLevel<string, string>(location)
  await db.open()

  const replicator = Replicator(db, {
    host,
    port,
    name,
    peers,
    role,
    minConsensus,
    consistency: 'strong',
    failureTimeoutMs,
    readTimeoutMs,
    writeTimeoutMs,
    transport: wire.dial
  })
  opened = { db, replicator, wire }

  replicator.on('ready', () => {
    const { isCoordinator, epoch, members, live } = replicator.stats()
    tell(isCoordinator ? `ready, as coordinator of epoch ${epoch}, with ${live.length} of ${members.length} members live` : 'ready')
  })
  replicator.on('notready', () => { tell('not ready') })
  replicator.on('sync', ({ phase, done, total }) => {
    if (done === total && total > 0) tell(doneTexts[phase])
  })
  // Mostly peers that are down, again and again; `status` shows the last one. One that ends this node is worth a word.
  replicator.on('error', (err) => { if (replicator.status === 'failed') tell(`failed: ${err.message}`) })

  // Without a cable to cut: await replicator.listen({ host, port })
  await wire.listen(port, host, () => replicator.createServer())
}

const doneTexts: Record<SyncProgress['phase'], string> = {
  log: 'has what it lacked, from the log of another node',
  copy: 'has a copy of the data of another node',
  verify: 'has compared its copy: it is the same'
}

async function close (): Promise<void> {
  if (opened === null) return
  const { db, replicator, wire } = opened
  opened = null
  wire.close()
  await replicator.close()
  await db.close()
}

const handlers: Handlers = {
  open: async (id, options, isCut) => await open(options, isCut),
  cut: async (id, isCut) => { node().wire.cut(isCut) },

  async ready () {
    await node().replicator.ready()
  },

  put: async (id, key, value) => { await node().db.put(key, value) },
  del: async (id, key) => { await node().db.del(key) },
  batch: async (id, operations) => { await node().db.batch(operations) },
  get: async (id, key) => await node().db.get(key),

  async scan (id, from, prefix, limit) {
    const entries: Entry[] = []
    for await (const [key, value] of node().db.iterator({ gte: from })) {
      if (!key.startsWith(prefix) || entries.length === limit) break
      entries.push([key, value])
    }
    return entries
  },

  async load (id, file) {
    return await load(node().db, file, toFailure, (progress) => { send({ type: 'progress', id, progress }) })
  },

  async stats () {
    const stats = node().replicator.stats()
    const toName = namesOf(stats)
    const toNames = (ids: readonly string[]) => ids.map(toName).sort()
    return {
      status: stats.status,
      epoch: stats.epoch,
      coordinator: stats.coordinator === null ? null : toNames([stats.coordinator.id])[0] ?? null,
      members: toNames(stats.members),
      witnesses: toNames(stats.witnesses),
      live: toNames(stats.live),
      readable: stats.readable,
      lease: stats.lease,
      sync: stats.sync,
      logStart: stats.logStart,
      end: stats.end,
      committed: stats.committed,
      applied: stats.applied,
      connected: stats.peers.filter((peer) => peer.connected).length,
      peers: stats.peers.length,
      pendingWrites: stats.pendingWrites,
      queuedWrites: stats.queuedWrites,
      waitingFor: stats.waitingFor || null,
      lastError: stats.lastError === null ? null : toFailure(stats.lastError).message
    }
  },

  async trace () {
    const { replicator } = node()
    const toName = namesOf(replicator.stats())
    const toNames = (key: string, value: unknown) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? toName(value) : value
    return JSON.parse(JSON.stringify(replicator.trace(), toNames)) as Traced[]
  },

  digest: async () => await node().replicator.digest(),

  leave: async () => { await node().replicator.leave() },
  remove: async (id, name, force) => { await node().replicator.removePeer(name, { force }) },
  recover: async (id, names) => { await node().replicator.recover(names) },

  async close () {
    await close()
    // The answer goes out before the channel, which keeps this process alive, is closed.
    setImmediate(() => { process.disconnect() })
  }
}

/** How to call the node with an id: by its name, if that is known. */
function namesOf ({ id, name, peers }: ReplicatorStats): (id: string) => string {
  const names = new Map(peers.map((peer) => [peer.id, peer.name])).set(id, name)
  return (id) => names.get(id) || id.slice(0, 8)
}

function node (): Opened {
  if (opened === null) throw new Error('this node is not open')
  return opened
}

process.on('message', (request: Request) => { answer(request) })

// The prompt has gone, whatever the reason.
process.on('disconnect', () => { close().finally(() => { process.exit() }) })

// Ctrl-C reaches every process of the terminal; the prompt decides what it means.
process.on('SIGINT', () => {})

async function answer ({ id, method, args }: Request): Promise<void> {
  try {
    const handler = handlers[method] as (id: number, ...args: unknown[]) => Promise<unknown>
    send({ type: 'result', id, result: await handler(id, ...args) })
  } catch (err) {
    send({ type: 'failure', id, failure: toFailure(err) })
  }
}

function send (message: Message): void {
  // If the prompt has gone, nobody waits for this.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

function tell (text: string): void {
  send({ type: 'event', text })
}

function toFailure (thrown: unknown): Failure {
  const err = thrown as Error & Failure
  const cause = err.cause as Error & Failure | undefined
  // That a database did not open says little by itself; its cause does: a lock, for instance.
  if (err.code === 'LEVEL_DATABASE_NOT_OPEN' && cause !== undefined) return toFailure(cause)

  const isTold = cause === undefined || err.message.includes(cause.message)
  const failure: Failure = { message: isTold ? err.message : `${err.message}: ${cause.message}` }
  if (err.code !== undefined) failure.code = err.code
  if (err.outcome !== undefined) failure.outcome = err.outcome
  if (err.transaction !== undefined) failure.transaction = err.transaction
  return failure
}
