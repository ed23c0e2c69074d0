/**
 * Does one thing very often in this process, and prints what is left of it as JSON: `leak-probe.ts connections <count> [plant]`, or
 * `leak-probe.ts hours <count> [plant]`. With `plant`, it leaks on purpose. To be run with `--expose-gc`.
 */
import { connect } from 'node:net'
import type { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryLevel } from 'memory-level'
import { Replicator } from '../../index.ts'
import { realEnvironment } from '../../lib/env.ts'
import { duplexPair } from '../../lib/net/duplex-pair.ts'
import type { Address } from '../../lib/net/network.ts'
import { StreamNetwork } from '../../lib/net/stream-network.ts'
import { SimCluster } from '../../lib/sim/index.ts'

export interface Findings {
  /** What is left of all that, in words; empty if nothing is. */
  leaks: string[]
  /** For people. */
  summary: string
}

interface Measure {
  bytes: number
  resources: Record<string, number>
  listeners: number
}

const [what, count, plants = ''] = process.argv.slice(2)
const leaked: unknown[] = []
const gc = (globalThis as { gc?: () => void }).gc
if (gc === undefined) throw new Error('to be run with --expose-gc')
const warnings: string[] = []
process.on('warning', ({ message }) => { warnings.push(message) })

const findings = what === 'hours' ? await hours(Number(count)) : await connections(Number(count))
console.log(JSON.stringify(findings))
process.exit(0)

async function measure (emitters: readonly unknown[]): Promise<Measure> {
  // What is unreachable may have to be finalized before what it held is.
  for (let i = 0; i < 4; i++) {
    await sleep(20)
    gc?.()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  let listeners = 0
  for (const emitter of [process, ...emitters] as EventEmitter[]) for (const name of emitter.eventNames()) listeners += emitter.listenerCount(name)
  return { bytes: heapUsed + arrayBuffers, resources, listeners }
}

/** `bytesMax`: as many more are noise. */
function compare (before: Measure, after: Measure, bytesMax: number): string[] {
  const leaks = [...warnings]
  const grown = after.bytes - before.bytes
  if (grown > bytesMax) leaks.push(`memory: ${grown} bytes`)
  for (const [name, count] of Object.entries(after.resources)) {
    // The node's own clock comes and goes.
    const more = count - (before.resources[name] ?? 0)
    if (more > 2) leaks.push(`resources: ${more} of ${name}`)
  }
  if (after.listeners > before.listeners) leaks.push(`listeners: ${after.listeners - before.listeners}`)
  return leaks
}

function summary (done: string, before: Measure, after: Measure): string {
  return `${done}: ${before.bytes} bytes before, ${after.bytes} after; ${before.listeners} and ${after.listeners} listeners; ${JSON.stringify(before.resources)} and ${JSON.stringify(after.resources)}`
}

/** A node that peers and strangers connect with, and leave: a fifth over TCP, the others over streams of this process. */
async function connections (count: number): Promise<Findings> {
  const db = new MemoryLevel<string, string>()
  const replicator = Replicator(db)
  replicator.on('error', () => {})
  const { address: { port } } = await replicator.listen({ port: 0, host: '127.0.0.1' })
  await replicator.ready()
  const address = { host: '127.0.0.1', port }

  const cycle = async (lane: number, i: number): Promise<void> => {
    if (plants !== '') {
      replicator.on('ready', () => {})
      leaked.push(new Array(200).fill(i))
      setTimeout(() => {}, 1e8)
    }
    if (i % 5 !== 0) return await session(lane, address, () => pair(replicator))
    if (i % 2 === 0) return await session(lane, address)
    await stranger(address, i % 3 === 0)
  }
  const run = async (count: number): Promise<void> => {
    let next = 0
    await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
      while (next < count) await cycle(lane, next++)
    }))
    while (replicator.stats().peers.length > 0) await sleep(5)
  }

  // As much as it takes until all code is compiled, and tables have their size.
  await run(Math.max(1000, count / 10))
  const before = await measure([replicator, db])
  await run(count)
  const after = await measure([replicator, db])
  return { leaks: compare(before, after, 1_000_000 + 50 * count), summary: summary(`${count} connections`, before, after) }
}

/** A peer that gets through the handshake. */
async function session (lane: number, address: Address, transport?: () => ReturnType<typeof pair>): Promise<void> {
  const identity = { id: String(lane).repeat(32), start: 1, history: ['0'.repeat(16)], cluster: '', address: null, name: '', observer: false }
  const network = new StreamNetwork({ env: realEnvironment, reconnectMinMs: 1, reconnectMaxMs: 5, ...(transport === undefined ? {} : { transport }) })
  await new Promise<void>((resolve) => {
    network.start({
      identify: () => identity,
      judge: () => null,
      onRefused () {},
      onSession () { resolve() },
      frameBytesMaxOf: () => Infinity,
      onFrame () {},
      onDrain () {},
      onClose () {},
      onDialledAs () {},
      onReconnect () {},
      onFail () {},
      onError () {},
      onResolve () {}
    })
    network.dial(address)
  })
  await network.close()
}

function pair (replicator: { createServer (): ReturnType<typeof duplexPair>[0] }): ReturnType<typeof duplexPair>[0] {
  const [near, far] = duplexPair()
  near.on('error', () => {})
  far.on('error', () => {})
  const server = replicator.createServer()
  server.on('error', () => {})
  server.pipe(far).pipe(server)
  far.on('close', () => { server.destroy() })
  server.on('close', () => { far.destroy() })
  return near
}

/** One that drops the connection at once, or says what means nothing. */
async function stranger ({ host, port }: Address, speaks: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, host, () => {
      if (speaks) socket.write('GET / HTTP/1.1\r\n\r\n')
      else socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => { resolve() })
    socket.resume()
  })
}

/** A cluster in virtual time that is written to and read all the time. */
async function hours (count: number): Promise<Findings> {
  const cluster = new SimCluster({ seed: 1, replicator: { logBytesMax: 2 ** 16 } })
  cluster.start()
  await cluster.run(() => cluster.ready, 60_000)
  const emitters = cluster.machines.flatMap(({ db, replicator }) => [db, replicator])
  const calls = { made: 0, done: 0, failed: 0 }
  const watch = (promise: Promise<unknown>): void => {
    calls.made++
    promise.then(() => { calls.done++ }, () => { calls.failed++ })
  }

  const run = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      const { db } = cluster.machines[second % 3]!
      watch(db.put(`key-${second % 100}`, `value-${second}`))
      watch(db.get(`key-${(second * 7) % 100}`))
      if (plants !== '') leaked.push(new Array(200).fill(second))
      await cluster.run(() => false, 1000)
    }
    await cluster.run(() => calls.done + calls.failed === calls.made, 10_000)
  }

  // Until the log has its size.
  await run(900)
  const epoch = cluster.machine('a').replicator.stats().epoch
  // Logs grow, and are cut back again: what counts is how little there ever is.
  const least = async (): Promise<Measure> => {
    let least: Measure | null = null
    for (let i = 0; i < 10; i++) {
      await run(180 * count)
      // What a power cut would undo is the simulator's own.
      for (const { disk } of cluster.machines) disk.flush()
      const now = await measure(emitters)
      if (least === null || now.bytes < least.bytes) least = now
    }
    return least as Measure
  }
  const before = await least()
  const after = await least()
  const leaks = compare(before, after, 500_000)
  if (calls.done < calls.made) leaks.push(`calls: ${calls.made - calls.done} of ${calls.made} have failed, or never settled`)
  const { epoch: last } = cluster.machine('a').replicator.stats()
  if (last !== epoch) leaks.push(`views: ${last - epoch} changes`)
  return { leaks, summary: summary(`${count} hours, ${calls.made} calls, ${cluster.world.events} events`, before, after) }
}
