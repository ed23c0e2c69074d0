import { AbstractChainedBatch } from 'abstract-level'
import type { AbstractLevel } from 'abstract-level'
import type { Operation } from '../wire/operations.ts'
import type { Data, PrivateLevel, PrivateOperation } from './private-api.ts'
import type { Submission } from './submission.ts'
import { copyData } from './formats.ts'
import { operationBytes } from './submission.ts'
import type { WriteOptions } from '../write-options.ts'

type AnyLevel = AbstractLevel<unknown, unknown, unknown>

/**
 * Collects operations and submits them as one write, in place of the chained batch of a store, which may write
 * natively. Whatever is wrong with an operation rejects write(), as in a batch of one array.
 */
export class ReplicaChainedBatch extends AbstractChainedBatch<AnyLevel, unknown, unknown> {
  readonly #submission: Submission
  #operations: Operation[] = []
  #size = 0
  #error: unknown = null

  constructor (db: PrivateLevel, submission: Submission) {
    super(db as unknown as AnyLevel)
    this.#submission = submission
  }

  _put (key: Data, value: Data, op: PrivateOperation): void {
    this.#add({ type: 'put', key: copyData(key), value: copyData(value), sublevel: op.sublevel ?? null })
  }

  _del (key: Data, op: PrivateOperation): void {
    this.#add({ type: 'del', key: copyData(key), sublevel: op.sublevel ?? null })
  }

  _clear (): void {
    this.#operations = []
    this.#size = 0
    this.#error = null
  }

  async _write (options: WriteOptions): Promise<void> {
    if (this.#error !== null) throw this.#error
    // The database waits for its resources before it tells the gate that it closes. A write that cannot commit must
    // not hold that up: the gate settles it.
    this.db.detachResource(this)
    await this.#submission.submit(this.#operations, options)
  }

  async _close (): Promise<void> {
    this.#operations = []
  }

  #add (op: PrivateOperation): void {
    if (this.#error !== null) return

    try {
      const operation = this.#submission.operation(op)
      this.#size += operationBytes(operation)
      // A batch that can only fail is not kept in memory.
      this.#submission.assertSize(this.#size)
      this.#operations.push(operation)
    } catch (error) {
      this.#error = error
      this.#operations = []
    }
  }
}
