import { codes, ReplicatorError } from '../../../lib/errors.ts'
import type { ByteRange, Gate } from '../../../lib/store/gate.ts'
import type { Store } from '../../../lib/store/store.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { compareBytes } from '../../../lib/wire/bytes.ts'
import { decodeOperations } from '../../../lib/wire/operations.ts'

interface Pending {
  operations: Operation[]
  bytes: number
  done: Promise<void>
}

export interface DelayingGateOptions {
  /** Let every read wait for a turn, pending writes or not. */
  always?: boolean
  /** Do not apply writes before `release()`. */
  hold?: boolean
}

/** A gate for tests, in place of the replication core: applies each write by itself, a turn later. */
export class DelayingGate implements Gate {
  store!: Store
  readonly calls: string[] = []
  /** The operations of each write, and their encoded size. */
  readonly writes: Array<{ operations: Operation[], bytes: number }> = []
  readonly #always: boolean
  #pending: Pending[] = []
  #started!: () => void
  #start: Promise<void> = new Promise((resolve) => { this.#started = resolve })
  #isStarted = false
  #held: Promise<void> | null = null
  #release: () => void = () => {}
  #tail: Promise<void> = Promise.resolve()
  /** Fails the next writes with this error. */
  failure: Error | null = null
  /** What to do when the store closes, before it is drained. */
  onClosing: () => Promise<void> = async () => {}

  constructor ({ always = false, hold = false }: DelayingGateOptions = {}) {
    this.#always = always
    if (hold) this.hold()
  }

  assertComplete (): void {}

  get open (): boolean {
    return this.#isStarted && !this.#always && this.#pending.length === 0
  }

  hold (): void {
    this.#held = new Promise((resolve) => { this.#release = resolve })
  }

  release (): void {
    this.#held = null
    this.#release()
  }

  write (body: Uint8Array): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure)
    const operations = decodeOperations(body)
    this.writes.push({ operations, bytes: body.byteLength })

    const start = this.#start
    const before = this.#tail
    const pending: Pending = { operations, bytes: body.byteLength, done: Promise.resolve() }
    pending.done = (async () => {
      await start
      await before.catch(() => {})
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#held !== null) await this.#held
      try {
        await this.store.batch(operations, { sync: true })
      } finally {
        this.#pending = this.#pending.filter((other) => other !== pending)
      }
    })()
    pending.done.catch(() => {})
    this.#tail = pending.done
    this.#pending.push(pending)
    return pending.done
  }

  waitForKey (key: Uint8Array): Promise<void> | null {
    return this.#wait((other) => compareBytes(key, other) === 0)
  }

  waitForKeys (keys: readonly Uint8Array[]): Promise<void> | null {
    return this.#wait((other) => keys.some((key) => compareBytes(key, other) === 0))
  }

  waitForRange ({ gte, gt, lte, lt }: ByteRange): Promise<void> | null {
    return this.#wait((key) =>
      (gte === undefined || compareBytes(key, gte) >= 0) && (gt === undefined || compareBytes(key, gt) > 0) &&
      (lte === undefined || compareBytes(key, lte) <= 0) && (lt === undefined || compareBytes(key, lt) < 0))
  }

  async onStoreOpen (): Promise<void> {
    this.calls.push('open')
    this.#isStarted = true
    this.#started()
  }

  onStoreUnopened (): void {
    this.calls.push('unopened')
  }

  async onStoreClosing (): Promise<void> {
    this.calls.push('closing')
    await this.onClosing()
    this.release()
    while (this.#pending.length > 0) await Promise.allSettled(this.#pending.map((pending) => pending.done))
    this.#isStarted = false
    this.#start = new Promise((resolve) => { this.#started = resolve })
    this.calls.push('drained')
  }

  #wait (touches: (key: Uint8Array) => boolean): Promise<void> | null {
    if (!this.#isStarted) return this.#start
    const last = this.#pending.filter(({ operations }) => operations.some((op) => touches(op.key))).at(-1)
    if (last !== undefined) return last.done.catch((cause) => { throw new ReplicatorError(codes.inDoubt, 'in doubt', { cause }) })
    return this.#always ? new Promise((resolve) => setImmediate(resolve)) : null
  }
}
