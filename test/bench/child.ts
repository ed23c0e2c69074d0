import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Reply, Request } from './processes/serve.ts'

/** Where `build.ts` puts the programs of the children, as JavaScript. */
const programs = new URL('../../.tmp/bench/build/test/bench/processes/', import.meta.url)

// Not even a bench that fails leaves processes behind. A stopped one dies of SIGKILL, too.
const living = new Set<ChildProcess>()
process.on('exit', () => { for (const child of living) child.kill('SIGKILL') })

interface Waiting {
  resolve (value: unknown): void
  reject (error: Error): void
}

type Arguments<F> = F extends (...args: infer A) => unknown ? A : never
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never

/** A process of the bench, which does what it is told. `M` are the methods that it serves. */
export class Child<M> {
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiting = new Map<number, Waiting>()
  #up: () => void = () => {}
  #ended: Error | null = null
  #lastId = 0

  private constructor (child: ChildProcess) {
    this.#process = child
    living.add(child)
    this.#exited = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        this.#onExit(new Error(`a process of the bench ended (${signal ?? `exit code ${code}`})`))
        resolve()
      })
    })
    // An error of the channel is followed by the exit, which is what counts.
    child.on('error', () => {})
    child.on('message', (reply: Reply) => { this.#onReply(reply) })
  }

  /** Starts one of `processes/`. Resolves when it can be called. */
  static async start<M> (program: string, config: object): Promise<Child<M>> {
    const child = new Child<M>(fork(fileURLToPath(new URL(`${program}.js`, programs)), [JSON.stringify(config)], {
      // Nothing of the parent's: its loader for TypeScript would cost time and memory in what is measured.
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    }))
    await Promise.race([
      new Promise<void>((resolve) => { child.#up = resolve }),
      child.#exited.then(() => { throw new Error(`the process ${program} ended before it could be called`) })
    ])
    return child
  }

  call<K extends keyof M & string> (method: K, ...args: Arguments<M[K]>): Promise<Result<M[K]>> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      const request: Request = { id, method, args }
      // If it cannot be sent the process is ending, which settles the call.
      this.#process.send(request, () => {})
    })
  }

  /** Lets the process stand still, until what is returned is called. */
  async hold (): Promise<() => Promise<void>> {
    // A process that stands still cannot see that its parent is gone. The shell can: its input ends.
    const script = 'kill -STOP "$1"; echo stopped; read -r _; kill -CONT "$1"'
    const shell = spawn('sh', ['-c', script, 'sh', String(this.#process.pid)], { stdio: ['pipe', 'pipe', 'ignore'] })
    const exited = once(shell, 'exit')
    await once(shell.stdout, 'data')
    return async () => {
      shell.stdin.end()
      await exited
    }
  }

  /** SIGKILL, as a crash. Resolves when it has ended. */
  async kill (): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
  }

  #onExit (error: Error): void {
    living.delete(this.#process)
    this.#ended = error
    for (const { reject } of this.#waiting.values()) reject(error)
  }

  #onReply (reply: Reply): void {
    if (reply.type === 'up') {
      this.#up()
      return
    }
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.type === 'result') waiting?.resolve(reply.value)
    else waiting?.reject(new Error(`in a process of the bench: ${reply.message}`))
  }
}
