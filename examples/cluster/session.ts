import type { Cluster } from './cluster.ts'
import { UsageError } from './options.ts'
import type { Output } from './output.ts'
import { commandsHelp, parseLine } from './parse-command.ts'
import { progressOf } from './progress.ts'
import { describeCommand, runCommand, type ClusterCommand } from './run-command.ts'

/** How long a command on a terminal may hold the prompt. */
const patienceMs = 1000

/** Runs one line after the other, and knows what goes on in the background. */
export class Session {
  failures = 0
  readonly #cluster: Cluster
  readonly #output: Output
  readonly #background = new Set<Promise<void>>()

  constructor (cluster: Cluster, output: Output) {
    this.#cluster = cluster
    this.#output = output
  }

  /** `where` goes before what went wrong. Resolves with true when the session is to end. */
  async run (text: string, where: string): Promise<boolean> {
    let line
    try {
      line = parseLine(text, this.#cluster.names)
    } catch (err) {
      if (!(err instanceof UsageError)) throw err
      this.#report(false, err.message, where)
      return false
    }
    if (line === null) return false

    const { command, background } = line
    switch (command.type) {
      case 'quit': return true
      case 'help': this.#output.line(commandsHelp); return false
      case 'wait': await this.settled(); return false
    }

    const job = this.#start(command, where, background)
    if (!background) await this.#attend(job, command)
    return false
  }

  /** Resolves when nothing is left in the background. */
  async settled (): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background)
  }

  #start (command: ClusterCommand, where: string, background: boolean): Promise<void> {
    const asBar = this.#output.isTerminal && !background
    const job = runCommand(command, this.#cluster, progressOf(describeCommand(command), this.#output, asBar))
      .then(({ ok, detail = '', text }) => {
        if (asBar && command.type === 'load') this.#output.bar('')
        if (detail !== '') this.#output.line(detail)
        this.#report(ok, text, where)
      })
      .finally(() => { this.#background.delete(job) })
    this.#background.add(job)
    return job
  }

  /** In a script, a command is over before the next one begins. On a terminal, one that waits gives the prompt back. */
  async #attend (job: Promise<void>, command: ClusterCommand): Promise<void> {
    if (!this.#output.isTerminal || command.type === 'load') {
      await job
      return
    }

    let timer
    const impatience = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#output.note(`${describeCommand(command)}: waiting. ${this.#cluster.hint}`.trimEnd())
        resolve()
      }, patienceMs)
    })
    await Promise.race([job, impatience])
    clearTimeout(timer)
  }

  #report (ok: boolean, text: string, where: string): void {
    if (!ok) this.failures++
    this.#output.line(ok ? text : `${where}${text}`)
  }
}
