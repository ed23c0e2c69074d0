import type { ErrorCode, Replicator } from 'quorum-level'
import type { BrowserLevel } from 'browser-level'
import type { Operation } from '../board.ts'

/** What is known of a write: the words of `error.outcome`, and `pending` until there is one. */
export type WriteState = 'pending' | 'committed' | 'aborted' | 'unknown'

export interface Write {
  /** The card that it changes. */
  readonly card: string
  readonly kind: 'add' | 'edit' | 'move' | 'delete'
  /** For people. */
  text: string
  operations: Operation[]
  state: WriteState
  /** How many keys were typed for it. */
  count: number
  /** When it was called, and how long it took, in milliseconds. */
  since: number
  tookMs: number
  /** Of the error with which it was rejected. */
  code: ErrorCode | ''
  /** It was unknown, and the cluster could tell later. */
  isLate: boolean
}

type Failure = Error & { code?: ErrorCode, outcome?: 'aborted' | 'unknown', transaction?: string }

/** So many that are committed are listed. */
const kept = 50
const askAgainMs = 500

/** The writes of this tab, with what became of each. */
export class Writes {
  readonly #replicator: Replicator<BrowserLevel<string, string>>
  readonly #onChange: () => void
  #list: Write[] = []
  /** Of a card whose text is being written, the edit that follows. */
  readonly #next = new Map<string, Write>()
  readonly #editing = new Set<string>()

  constructor (replicator: Replicator<BrowserLevel<string, string>>, onChange: () => void) {
    this.#replicator = replicator
    this.#onChange = onChange
  }

  /** The newest first. */
  get list (): readonly Write[] {
    return this.#list
  }

  /** The oldest first. */
  get pending (): Write[] {
    return this.#list.filter(({ state }) => state === 'pending').reverse()
  }

  latest (card: string): Write | undefined {
    return this.#list.find((write) => write.card === card)
  }

  /** Never rejects: the outcome is in the list. */
  async write (kind: Write['kind'], card: string, text: string, operations: Operation[]): Promise<void> {
    await this.#call(this.#add(kind, card, text, operations))
  }

  /** As one types: while an edit of a card is under way, only the newest text waits to be the next. */
  async edit (card: string, text: string, operations: Operation[]): Promise<void> {
    const next = this.#next.get(card)
    if (next !== undefined) {
      Object.assign(next, { text, operations, count: next.count + 1 })
      return this.#onChange()
    }
    const write = this.#add('edit', card, text, operations)
    if (this.#editing.has(card)) {
      this.#next.set(card, write)
      return
    }
    this.#editing.add(card)
    for (let current: Write | undefined = write; current !== undefined; current = this.#next.get(card)) {
      this.#next.delete(card)
      await this.#call(current)
    }
    this.#editing.delete(card)
  }

  /** Of one that was aborted. */
  async again (write: Write): Promise<void> {
    this.dismiss(write)
    if (write.kind === 'edit') await this.edit(write.card, write.text, write.operations)
    else await this.write(write.kind, write.card, write.text, write.operations)
  }

  dismiss (write: Write): void {
    this.#list = this.#list.filter((other) => other !== write)
    this.#onChange()
  }

  #add (kind: Write['kind'], card: string, text: string, operations: Operation[]): Write {
    const write: Write = { kind, card, text, operations, state: 'pending', count: 1, since: Date.now(), tookMs: 0, code: '', isLate: false }
    const old = this.#list.filter(({ state }) => state === 'committed').slice(kept)
    this.#list = [write, ...this.#list.filter((other) => !old.includes(other))]
    this.#onChange()
    return write
  }

  async #call (write: Write): Promise<void> {
    try {
      await this.#replicator.db.batch(write.operations)
      write.state = 'committed'
      if (write.kind === 'edit') this.#merge(write)
    } catch (error) {
      const { code = '', outcome = 'aborted', transaction } = error as Failure
      write.state = outcome
      write.code = code
      if (outcome === 'unknown' && transaction !== undefined) void this.#ask(write, transaction)
    }
    write.tookMs = Date.now() - write.since
    this.#onChange()
  }

  /** A text that was typed is one line of the list, not one for each key. */
  #merge (write: Write): void {
    const before = this.#list[this.#list.indexOf(write) + 1]
    if (before?.kind !== 'edit' || before.card !== write.card || before.state !== 'committed') return
    write.count += before.count
    this.#list = this.#list.filter((other) => other !== before)
  }

  /** The cluster knows what became of it, and tells when it can be asked. */
  async #ask (write: Write, transaction: string): Promise<void> {
    const { status } = this.#replicator
    if (status === 'closed' || status === 'failed') return
    try {
      await this.#replicator.ready()
      const outcome = await this.#replicator.outcome(transaction)
      if (outcome === 'forgotten') return
      if (outcome !== 'pending') {
        write.state = outcome
        write.isLate = true
        return this.#onChange()
      }
    } catch {
      // The connection was lost again.
    }
    setTimeout(() => { void this.#ask(write, transaction) }, askAgainMs)
  }
}
