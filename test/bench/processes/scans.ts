import type { Level } from './level.ts'

/** Reads everything, again and again. */
export class Scans {
  readonly #db: Level
  #running = false
  #done: Promise<void> = Promise.resolve()

  constructor (db: Level) {
    this.#db = db
  }

  start (): void {
    this.#running = true
    this.#done = this.#run()
  }

  async stop (): Promise<void> {
    this.#running = false
    await this.#done
  }

  async #run (): Promise<void> {
    while (this.#running) {
      const iterator = this.#db.iterator()
      while (this.#running && (await iterator.nextv(1000)).length > 0);
      await iterator.close()
    }
  }
}
