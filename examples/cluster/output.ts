import { clearLine, cursorTo, type Interface } from 'node:readline'

/** Writes lines above the prompt or the progress bar, whichever is on the screen. */
export class Output {
  readonly isTerminal: boolean
  #readline: Interface | null = null
  #bar = ''

  constructor (isTerminal: boolean) {
    this.isTerminal = isTerminal
  }

  /** What a command has to say. */
  line (text: string): void {
    this.#write(process.stdout, text)
  }

  /** What happens beside the commands. */
  note (text: string): void {
    this.#write(process.stderr, text)
  }

  /** Shows the prompt from now on. */
  openPrompt (readline: Interface): void {
    this.#readline = readline
    if (this.isTerminal) readline.prompt(true)
  }

  closePrompt (): void {
    this.#readline = null
  }

  /** Only for terminals. The empty text removes the bar. */
  bar (text: string): void {
    this.#clear()
    this.#bar = text
    process.stdout.write(text)
  }

  #write (stream: NodeJS.WriteStream, text: string): void {
    if (!this.isTerminal) {
      stream.write(`${text}\n`)
      return
    }
    this.#clear()
    stream.write(`${text}\n`)
    if (this.#bar !== '') process.stdout.write(this.#bar)
    else this.#readline?.prompt(true)
  }

  #clear (): void {
    cursorTo(process.stdout, 0)
    clearLine(process.stdout, 0)
  }
}
