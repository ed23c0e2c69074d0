import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BrowserContext, Page } from 'playwright-core'
import type { Lifetime } from '../support/cluster/cluster.ts'

export const names = ['a', 'b', 'c'] as const
export type Name = typeof names[number]

/** The example, with its prompt: `npm run board`. */
export class Board {
  readonly urls = {} as Record<Name, string>
  readonly #child
  /** What the commands print, and what happens beside them. */
  readonly #lines: string[] = []
  readonly #notes: string[] = []
  #wake = () => {}

  private constructor (folder: string, options: readonly string[]) {
    this.#child = spawn('npm', ['run', '--silent', 'board', '--', '--data', folder, ...options], { stdio: 'pipe' })
    // It may have ended: then there is nothing to be said to it.
    this.#child.stdin.on('error', () => {})
    for (const [stream, lines] of [[this.#child.stdout, this.#lines], [this.#child.stderr, this.#notes]] as const) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line)
        this.#wake()
      })
    }
    this.#child.on('close', () => { this.#wake() })
  }

  static async start (lifetime: Lifetime, options: readonly string[] = []): Promise<Board> {
    const folder = await mkdtemp(join(tmpdir(), 'quorum-level-board-'))
    const board = new Board(folder, options)
    const closed = once(board.#child, 'close')
    lifetime.teardown(async () => {
      board.#child.stdin.end()
      await closed
      await rm(folder, { recursive: true, force: true })
    })
    for (const name of names) board.urls[name] = (await board.#find(board.#lines, 0, `${name}: http`)).slice(3)
    return board
  }

  /** Resolves with the lines that it prints, up to the one that tells how it went. */
  async run (command: string): Promise<string[]> {
    const from = this.#lines.length
    this.#child.stdin.write(`${command}\n`)
    const last = await this.#find(this.#lines, from, `${command}: `)
    return this.#lines.slice(from, this.#lines.indexOf(last, from) + 1)
  }

  /** The cards as this server holds them, each as `column: text`. */
  async cards (name: Name): Promise<string[]> {
    const lines = await this.run(`cards ${name}`)
    if (!/: \d+ cards$/.test(lines.at(-1) ?? '')) throw new Error(lines.at(-1))
    return lines.slice(0, -1).map((line) => line.trim())
  }

  /** Resolves when it has caught up. */
  async restart (name: Name): Promise<void> {
    const from = this.#notes.length
    await this.run(`start ${name}`)
    await this.#find(this.#notes, from, `${name}: ready`)
  }

  async #find (lines: readonly string[], from: number, start: string): Promise<string> {
    while (true) {
      const line = lines.slice(from).find((line) => line.startsWith(start))
      if (line !== undefined) return line
      if (this.#child.exitCode !== null) throw new Error(`No line starts with ${start}:\n${this.#lines.join('\n')}\n${this.#notes.join('\n')}`)
      await new Promise<void>((resolve) => {
        // Somebody else may wait, too.
        const wake = this.#wake
        this.#wake = () => { wake(); resolve() }
      })
      this.#wake = () => {}
    }
  }
}

/** The page, as a person sees it. */
export class Tab {
  readonly page: Page

  private constructor (page: Page) {
    this.page = page
    page.setDefaultTimeout(60_000)
  }

  static async open (context: BrowserContext, url: string, onError: (error: Error) => void): Promise<Tab> {
    const tab = new Tab(await context.newPage())
    tab.page.on('pageerror', onError)
    await tab.page.goto(url)
    await tab.ready()
    return tab
  }

  async ready (): Promise<void> {
    await this.page.waitForSelector('body[data-status=ready]')
  }

  async add (column: number, text: string): Promise<void> {
    const input = this.page.locator(`#board section:nth-child(${column + 1}) form input`)
    await input.fill(text)
    await input.press('Enter')
  }

  /** A part of the card with this text, by the label that it has for people. */
  part (label: string) {
    return this.page.getByLabel(label, { exact: true })
  }

  async cards (): Promise<string[]> {
    return await this.page.evaluate(readCards)
  }

  /** Resolves when the board is this. */
  async shows (cards: readonly string[]): Promise<void> {
    await this.page.waitForFunction(`JSON.stringify((${readCards})()) === ${JSON.stringify(JSON.stringify(cards))}`)
  }

  /** Resolves when the newest write with this text is in this state, with the text of its outcome. */
  async outcome (text: string, state: 'pending' | 'committed' | 'aborted' | 'unknown'): Promise<string> {
    const item = this.page.locator('#writes li', { hasText: `“${text}”` }).first().and(this.page.locator(`[data-state=${state}]`))
    await item.waitFor()
    return await item.locator('.outcome').textContent() ?? ''
  }

  /** Resolves when no write is pending any more, with the states of all, the newest first. */
  async states (): Promise<string[]> {
    await this.page.waitForFunction(() => document.querySelector('#writes [data-state=pending]') === null)
    return await this.page.locator('#writes li').evaluateAll((items) => items.map((item) => (item as HTMLElement).dataset.state ?? ''))
  }

  /** Resolves when the page says this of a server. */
  async server (name: string, note: 'connected' | 'coordinates' | 'catching up' | 'not connected'): Promise<void> {
    await this.page.waitForSelector(`[data-server="${name}"][data-note="${note}"]`)
  }

  /** Resolves with the name of the server that coordinates, as soon as there is one. */
  async coordinator (): Promise<Name> {
    const item = await this.page.waitForSelector('[data-note=coordinates]')
    return await item.getAttribute('data-server') as Name
  }
}

function readCards (): string[] {
  return [...document.querySelectorAll('#board section')].flatMap((section) => {
    const title = section.querySelector('h2')?.firstChild?.textContent ?? ''
    return [...section.querySelectorAll('textarea')].map((text) => `${title}: ${text.value}`)
  })
}
