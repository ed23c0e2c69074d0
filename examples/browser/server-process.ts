import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Answers, Ask, Reply, ServerOptions, Tell } from './messages.ts'

const program = fileURLToPath(new URL('server.ts', import.meta.url))
const closeTimeoutMs = 10_000

/** The prompt's side of one server: starts its process, asks it, ends it. */
export class ServerProcess {
  readonly options: ServerOptions
  /** Tells what happens to the server without being asked for. */
  readonly #tell: (text: string) => void
  readonly #asked = new Map<number, { resolve (answer: unknown): void, reject (err: Error): void }>()
  #child: ChildProcess | null = null
  #exited: Promise<unknown> = Promise.resolve()
  #isEnding = false
  #lastId = 0

  constructor (options: ServerOptions, tell: (text: string) => void) {
    this.options = options
    this.#tell = tell
  }

  get name (): string {
    return this.options.name
  }

  get isUp (): boolean {
    return this.#child !== null
  }

  get url (): string {
    const { host, port } = this.options
    return `http://${host}:${port}/`
  }

  /** Resolves when the database is open and the server listens. */
  async start (): Promise<void> {
    if (this.isUp) throw new Error('it is up already')
    const child = fork(program, [JSON.stringify(this.options)], {
      // Not relative to the folder in which the prompt was started.
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    this.#child = child
    this.#isEnding = false
    this.#exited = once(child, 'exit')
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => { this.#tell(`${this.name}| ${line}`) })
    }
    await new Promise<void>((resolve, reject) => {
      child.on('message', (message: Tell | Reply) => {
        if (message.type === 'listening') resolve()
        else this.#onMessage(message)
      })
      child.once('exit', (code, signal) => {
        this.#onExit(signal ?? `exit code ${code}`)
        reject(new Error('it does not start'))
      })
    })
  }

  async ask<Q extends keyof Answers> (question: Q): Promise<Answers[Q]> {
    const child = this.#child
    if (child === null) throw new Error('it is down')
    const id = ++this.#lastId
    return await new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as (answer: unknown) => void, reject })
      // If it cannot be sent the process has gone: `exit` follows.
      child.send({ id, question } satisfies Ask, () => {})
    })
  }

  /** As a crash would: the process can do nothing about it. */
  async kill (): Promise<void> {
    if (!this.isUp) throw new Error('it is down already')
    this.#isEnding = true
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Lets the server close its database first. */
  async close (): Promise<void> {
    if (!this.isUp) return
    this.#isEnding = true
    this.#child?.disconnect()
    const timer = setTimeout(() => { this.#child?.kill('SIGKILL') }, closeTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  #onMessage (message: Exclude<Tell | Reply, { type: 'listening' }>): void {
    if (message.type === 'event') {
      if (!this.#isEnding) this.#tell(`${this.name}: ${message.text}`)
      return
    }
    const asked = this.#asked.get(message.id)
    this.#asked.delete(message.id)
    if (message.type === 'answer') asked?.resolve(message.answer)
    else asked?.reject(new Error(message.message))
  }

  #onExit (how: string): void {
    if (!this.#isEnding) this.#tell(`${this.name}: the process ended with ${how}; "start ${this.name}" brings it back`)
    this.#child = null
    for (const { reject } of this.#asked.values()) reject(new Error(`the process ended (${how}) before it answered`))
    this.#asked.clear()
  }
}
