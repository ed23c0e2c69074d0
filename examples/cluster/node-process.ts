import { fork, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Calls, Failure, LoadProgress, Message, Method, NodeOptions, Request } from './messages.ts'

const program = fileURLToPath(new URL('node.ts', import.meta.url))
const closeTimeoutMs = 10_000

/** The codes of a call to a node that is not up, or that is paused. */
export const nodeDown = 'NODE_DOWN'
export const nodePaused = 'NODE_PAUSED'

/** A call to a node that failed, in the node or on the way to it. */
export class CallError extends Error {
  readonly failure: Failure

  constructor (failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

const writes: readonly Method[] = ['put', 'del', 'batch']

interface Pending {
  method: Method
  resolve (result: unknown): void
  reject (err: CallError): void
  onProgress: (progress: LoadProgress) => void
}

/** The prompt's side of one node: starts its process, asks it, ends it. */
export class NodeProcess {
  /** Whatever is changed here holds from its next start on. */
  readonly options: NodeOptions
  /** Tells what happens to the node without being asked for. */
  readonly #tell: (text: string) => void
  readonly #pending = new Map<number, Pending>()
  #child: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()
  #isEnding = false
  #isPaused = false
  #isCut = false
  #nextId = 1

  constructor (options: NodeOptions, tell: (text: string) => void) {
    this.options = options
    this.#tell = tell
  }

  get name (): string {
    return this.options.name
  }

  get isWitness (): boolean {
    return this.options.role === 'witness'
  }

  get pid (): number | null {
    return this.#child?.pid ?? null
  }

  get isUp (): boolean {
    return this.#child !== null && !this.#isEnding
  }

  get isPaused (): boolean {
    return this.#isPaused
  }

  /** It stays cut off when its process ends and starts again. */
  get isCut (): boolean {
    return this.#isCut
  }

  /** It can do its part. */
  get isReachable (): boolean {
    return this.isUp && !this.#isPaused && !this.#isCut
  }

  /** Resolves when the database is open and the node listens. */
  async start (): Promise<void> {
    await this.#exited
    const child = fork(program, {
      // Not relative to the folder in which the prompt was started.
      execArgv: ['--import', import.meta.resolve('tsx')],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    this.#child = child
    this.#isEnding = false
    this.#isPaused = false
    this.#exited = new Promise((resolve) => { child.once('exit', resolve) })
    child.on('message', (message) => { this.#onMessage(message as Message) })
    child.on('exit', (code, signal) => { this.#onExit(code, signal) })
    child.on('error', (err) => { this.#tell(`${this.name}: ${err.message}`) })

    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => { this.#tell(`${this.name}| ${line}`) })
    }

    try {
      await this.call('open', [this.options, this.#isCut])
    } catch (err) {
      await this.kill()
      throw err
    }
  }

  async call<M extends Method> (
    method: M,
    args: Parameters<Calls[M]>,
    onProgress: (progress: LoadProgress) => void = () => {}
  ): Promise<ReturnType<Calls[M]>> {
    const child = this.#child
    if (child === null || this.#isEnding) throw new CallError({ code: nodeDown, message: `${this.name} is down` })
    // It would be answered when the process goes on: for a script, maybe never.
    if (this.#isPaused) throw new CallError({ code: nodePaused, message: `${this.name} is paused` })

    const id = this.#nextId++
    return await new Promise((resolve, reject) => {
      this.#pending.set(id, { method, resolve: resolve as (result: unknown) => void, reject, onProgress })
      const request: Request = { id, method, args }
      // If it cannot be sent the process has gone: `exit` follows, which rejects the call.
      child.send(request, () => {})
    })
  }

  /** As a machine that hangs would: connections stay, and nobody answers. */
  pause (): void {
    if (!this.isUp) throw new CallError({ code: nodeDown, message: `${this.name} is down` })
    if (process.platform === 'win32') throw new CallError({ message: 'Windows cannot pause a process' })
    if (this.#isPaused) throw new CallError({ message: 'it is paused already' })
    this.#isPaused = true
    this.#child?.kill('SIGSTOP')
  }

  resume (): void {
    if (!this.#isPaused) throw new CallError({ message: 'it is not paused' })
    this.#isPaused = false
    this.#child?.kill('SIGCONT')
  }

  async cut (isCut: boolean): Promise<void> {
    if (this.#isCut === isCut) throw new CallError({ message: isCut ? 'it is cut off already' : 'it is not cut off' })
    if (this.isUp) await this.call('cut', [isCut])
    this.#isCut = isCut
  }

  /** As a crash would: the process can do nothing about it. */
  async kill (): Promise<void> {
    this.#isEnding = true
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Lets the node close its database first. */
  async close (): Promise<void> {
    if (this.isPaused) this.resume()
    if (this.isUp) {
      // Why a node could not close does not matter any more.
      this.call('close', []).catch(() => {})
      this.#isEnding = true
    }
    const timer = setTimeout(() => { this.#child?.kill('SIGKILL') }, closeTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  #onMessage (message: Message): void {
    if (message.type === 'event') {
      if (!this.#isEnding) this.#tell(`${this.name}: ${message.text}`)
      return
    }

    const pending = this.#pending.get(message.id)
    if (pending === undefined) return
    if (message.type === 'progress') {
      pending.onProgress(message.progress)
      return
    }

    this.#pending.delete(message.id)
    if (message.type === 'result') pending.resolve(message.result)
    else pending.reject(new CallError(message.failure))
  }

  #onExit (code: number | null, signal: string | null): void {
    const how = signal ?? `exit code ${code}`
    if (!this.#isEnding) this.#tell(`${this.name}: the process ended with ${how}; "start ${this.name}" brings it back`)
    this.#child = null
    this.#isPaused = false

    for (const { method, reject } of this.#pending.values()) {
      const more = method === 'load' ? ', with some of the lines written' : ''
      const failure: Failure = { message: `the process of ${this.name} ended (${how}) before it answered${more}` }
      reject(new CallError(writes.includes(method) ? { ...failure, outcome: 'unknown' } : failure))
    }
    this.#pending.clear()
  }
}
