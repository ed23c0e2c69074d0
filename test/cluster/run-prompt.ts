import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface PromptRun {
  code: number | null
  /** What the commands printed, without the line that tells where the nodes are. */
  lines: string[]
  stderr: string
}

/** Runs `npm start` with a script on its standard input, as a user would from a pipe. */
export async function runPrompt (folder: string, options: readonly string[], script: readonly string[]): Promise<PromptRun> {
  const prompt = new Prompt(folder, options)
  return await prompt.end(script)
}

/** The program with its standard input open, for scripts that wait for an answer before they go on. */
export class Prompt {
  readonly lines: string[] = []
  readonly #child
  readonly #closed: Promise<unknown[]>
  #stderr = ''
  #wake = () => {}

  constructor (folder: string, options: readonly string[]) {
    this.#child = spawn('npm', ['start', '--silent', '--', '--data', folder, ...options], {
      stdio: 'pipe',
      shell: process.platform === 'win32'
    })
    this.#closed = once(this.#child, 'close')
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#stderr += text })
    // It may end before it has read its whole script.
    this.#child.stdin.on('error', () => {})
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.#wake()
    })
    this.#child.on('close', () => { this.#wake() })
  }

  send (line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Resolves with the first line that fits, also if it was there before. */
  async line (pattern: RegExp): Promise<string> {
    while (true) {
      const line = this.lines.find((line) => pattern.test(line))
      if (line !== undefined) return line
      if (this.#child.exitCode !== null) throw new Error(`no line fits ${pattern}:\n${this.lines.join('\n')}\n${this.#stderr}`)
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
  }

  async end (script: readonly string[] = []): Promise<PromptRun> {
    this.#child.stdin.end(script.map((line) => `${line}\n`).join(''))
    const [code] = await this.#closed as [number | null]
    return { code, lines: this.lines.filter((line) => !line.startsWith('a on 127.0.0.1:')), stderr: this.#stderr }
  }
}
