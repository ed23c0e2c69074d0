import type { Entry } from './entries.ts'
import type { Writer } from './load.ts'

interface Waiting {
  resolve (): void
  reject (error: unknown): void
}

/**
 * The most that one disk gives to those who want each write synced: everything that comes in while a group is being synced is the
 * next group. What replication costs beside that is what the bench asks for.
 */
export class GroupCommit implements Writer {
  /** Resolves when all of it is on the disk. */
  readonly #commit: (group: Entry[]) => Promise<unknown>
  #entries: Entry[] = []
  #waiting: Waiting[] = []
  #running = false

  constructor (commit: (group: Entry[]) => Promise<unknown>) {
    this.#commit = commit
  }

  put (key: string, value: string): Promise<void> {
    return this.#add([{ key, value }])
  }

  batch (entries: Entry[]): Promise<void> {
    return this.#add(entries)
  }

  #add (entries: Entry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      for (const entry of entries) this.#entries.push(entry)
      this.#waiting.push({ resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run (): Promise<void> {
    this.#running = true
    // Those that are called in the same turn are the first group.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#entries
      const waiting = this.#waiting
      this.#entries = []
      this.#waiting = []
      try {
        await this.#commit(group)
        for (const { resolve } of waiting) resolve()
      } catch (error) {
        for (const { reject } of waiting) reject(error)
      }
    }
    this.#running = false
  }
}
