import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ReplicatorStats } from '../../../index.ts'
import { releaseFile } from './messages.ts'
import type { Failure, NodeConfig, NodeMethod, NodeMethods, Reply, SyncPhase } from './messages.ts'

/** The events after which statistics may be others. */
const CHANGES = ['ready', 'notready', 'view', 'sync', 'failed']

const SCRIPT = fileURLToPath(new URL('node-process.ts', import.meta.url))

// Not even a parent that fails leaves processes behind. A stopped one dies of SIGKILL, too.
const living = new Set<ChildProcess>()
process.on('exit', () => { for (const child of living) child.kill('SIGKILL') })

/** The node answered with an error. */
export class RemoteError extends Error {
  readonly code: string | undefined
  readonly outcome: string | undefined

  constructor (node: string, failure: Failure) {
    super(`${node}: ${failure.message}`)
    this.code = failure.code
    this.outcome = failure.outcome
    if (failure.stack !== undefined) this.stack = `${this.message}\n${failure.stack}`
  }
}

/** The process ended before it answered: a write may have happened or may not. */
export class NodeDiedError extends Error {}

interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

interface Waiting {
  resolve (value: unknown): void
  reject (error: Error): void
}

/**
 * One node of a cluster: a directory, an address, and at most one process at a time. Emits `'up'` when the process
 * listens, the events of its replicator under `'replicator:<name>'`, and `'halted'` when the process stands still as it was told.
 */
export class ClusterNode extends EventEmitter {
  readonly config: NodeConfig
  #child: ChildProcess | null = null
  #guard: ChildProcess | null = null
  #listening = false
  #exit: Promise<Exit> | null = null
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor (config: NodeConfig) {
    super()
    this.config = config
    this.setMaxListeners(0)
  }

  get name (): string {
    return this.config.name
  }

  /** True while the process listens and can be called. */
  get up (): boolean {
    return this.#listening
  }

  /** Starts the process. Resolves when it listens. */
  async start (options: { haltAt?: SyncPhase } = {}): Promise<void> {
    if (this.#child !== null) throw new Error(`${this.name} is running`)
    const child = fork(SCRIPT, [JSON.stringify({ ...this.config, ...options })], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    living.add(child)
    this.#child = child
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#onExit(child)
        resolve({ code, signal })
      })
    })
    // An error of the channel is followed by the exit, which is what counts.
    child.on('error', () => {})
    child.on('message', (reply: Reply) => { this.#onReply(reply) })

    const failed = this.#exit.then(({ code, signal }) => {
      throw new NodeDiedError(`${this.name} ended before it listened (${signal ?? code})`)
    })
    await Promise.race([once(this, 'up'), failed])
    // Nobody waits for it any more.
    failed.catch(() => {})
  }

  call<M extends NodeMethod> (method: M, ...args: Parameters<NodeMethods[M]>): Promise<ReturnType<NodeMethods[M]>> {
    const child = this.#child
    if (child === null) return Promise.reject(new NodeDiedError(`${this.name} is not running`))
    const id = ++this.#lastId
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      // If the message cannot be sent the process is ending: its exit settles the call.
      child.send({ id, method, args }, () => {})
    }) as Promise<ReturnType<NodeMethods[M]>>
  }

  /** SIGKILL: whatever was not written is gone. Resolves when the process has ended. */
  async kill (): Promise<void> {
    this.#listening = false
    this.#child?.kill('SIGKILL')
    await this.#exit
  }

  /** Freezes the process. Its sockets stay open. */
  stop (): void {
    if (this.#child === null || this.#guard !== null) return
    // A frozen process cannot see that its parent is gone. A shell can: its input ends.
    this.#guard = spawn('sh', ['-c', `read -r _; kill -KILL ${this.#child.pid}`], { stdio: ['pipe', 'ignore', 'ignore'] })
    this.#child.kill('SIGSTOP')
  }

  /** Lets a process go on that was started with `haltAt`. */
  release (): void {
    writeFileSync(releaseFile(this.config), '')
  }

  cont (): void {
    this.#dismissGuard()
    this.#child?.kill('SIGCONT')
  }

  #dismissGuard (): void {
    this.#guard?.kill('SIGKILL')
    this.#guard = null
  }

  /** Closes replicator and database. Resolves when the process has ended by itself. */
  async close (method: 'close' | 'closeAbruptly' = 'close'): Promise<Exit> {
    const exit = this.#exit
    if (exit === null) throw new Error(`${this.name} was never started`)
    this.#listening = false
    await this.call(method)
    return await exit
  }

  /** Leaves the cluster. Resolves when the process has ended by itself; rejects if it may not leave, and goes on then. */
  async leave ({ force = false } = {}): Promise<Exit> {
    const exit = this.#exit
    if (exit === null) throw new Error(`${this.name} was never started`)
    await this.call('leave', force)
    this.#listening = false
    return await exit
  }

  /** Resolves once the process listens, at once if it does. */
  async whenUp (): Promise<void> {
    if (!this.#listening) await once(this, 'up')
  }

  /** Resolves once the replicator is not ready, at once if it is not. */
  async whenNotReady (): Promise<void> {
    const changed = once(this, 'replicator:notready')
    const { status } = await this.call('stats')
    if (status === 'ready') await changed
  }

  /** Resolves with the first statistics of which this is true: asked at once, and after each event of the replicator. */
  async whenStats (isDue: (stats: ReplicatorStats) => boolean): Promise<ReplicatorStats> {
    for (;;) {
      const abort = new AbortController()
      const changed = Promise.race(CHANGES.map((name) => once(this, `replicator:${name}`, { signal: abort.signal })))
      // What is not waited for any more rejects.
      changed.catch(() => {})
      try {
        const stats = await this.call('stats')
        if (isDue(stats)) return stats
        await changed
      } finally {
        abort.abort()
      }
    }
  }

  #onReply (reply: Reply): void {
    switch (reply.type) {
      case 'listening':
        this.#listening = true
        this.emit('up')
        break
      case 'event':
        this.emit(`replicator:${reply.name}`)
        break
      case 'view':
        this.emit('replicator:view', reply.view)
        break
      case 'sync':
        this.emit('replicator:sync', reply.progress)
        break
      case 'halted':
        this.emit('halted')
        break
      case 'result':
        this.#waiting.get(reply.id)?.resolve(reply.value)
        this.#waiting.delete(reply.id)
        break
      case 'failure':
        this.#waiting.get(reply.id)?.reject(new RemoteError(this.name, reply.error))
        this.#waiting.delete(reply.id)
    }
  }

  #onExit (child: ChildProcess): void {
    living.delete(child)
    this.#dismissGuard()
    this.#child = null
    this.#listening = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(new NodeDiedError(`${this.name} ended before it answered`))
  }
}
