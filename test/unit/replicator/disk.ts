import type { AbstractLevel } from 'abstract-level'

interface BatchOperation {
  readonly type: 'put' | 'del'
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

interface Methods {
  _open (options: object): Promise<void>
  _batch (operations: BatchOperation[], options: object): Promise<void>
}

/** Stands between a database and its storage. To be made before the database is wrapped. */
export class Disk {
  #stuck: Array<() => void> | null = null
  #failure: Error | null = null
  #openFailure: Error | null = null
  #onStuck: () => void = () => {}
  /** Sees the operations of each batch before they are stored. */
  onBatch: (operations: readonly BatchOperation[]) => void = () => {}

  constructor (db: AbstractLevel<Buffer | Uint8Array | string, string, string>) {
    const level = db as unknown as Methods
    const { _open: open, _batch: original } = level
    level._open = async (options) => {
      if (this.#openFailure !== null) throw this.#openFailure
      await open.call(level, options)
    }
    level._batch = async (operations, options) => {
      this.onBatch(operations)
      if (this.#failure !== null) throw this.#failure
      const stuck = this.#stuck
      if (stuck !== null) {
        await new Promise<void>((resolve) => {
          stuck.push(resolve)
          this.#onStuck()
        })
      }
      await original.call(level, operations, options)
    }
  }

  /** From here on no batch settles. Resolves when the first one hangs. */
  hang (): Promise<void> {
    this.#stuck = []
    return new Promise((resolve) => { this.#onStuck = resolve })
  }

  resume (): void {
    const stuck = this.#stuck ?? []
    this.#stuck = null
    for (const resolve of stuck) resolve()
  }

  fail (error: Error): void {
    this.#failure = error
  }

  failOpen (error: Error): void {
    this.#openFailure = error
  }

  mend (): void {
    this.#failure = null
    this.#openFailure = null
  }
}
