import { toHex } from '../wire/hex.ts'
import type { Address } from '../wire/identity.ts'
import type { Operation } from '../wire/operations.ts'
import type { Sighting } from './layout.ts'
import { addressesKey, encodeAddresses, encodeSighting, sightingKey } from './layout.ts'
import type { Store } from './store.ts'

/**
 * Writes down what a node has noticed of others, in the background and without syncs: a crash may take the last notes, and
 * nothing goes wrong without them. Of one key, only the newest is written. If one cannot be written, no other is.
 */
export class NoteWriter {
  readonly #store: Store
  readonly #onError: (error: unknown) => void
  #notes = new Map<string, Operation>()
  #writing: Promise<void> | null = null
  #stopped = false

  constructor (store: Store, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** What is known of a peer; null if nothing more is to be. */
  sighting (peer: string, sighting: Sighting | null): void {
    const key = sightingKey(peer)
    this.#add(sighting === null ? { type: 'del', key } : { type: 'put', key, value: encodeSighting(sighting) })
  }

  addresses (addresses: readonly Address[]): void {
    this.#add({ type: 'put', key: addressesKey, value: encodeAddresses(addresses) })
  }

  /** Resolves when nothing more will be written. What was noted before is. */
  async stop (): Promise<void> {
    this.#stopped = true
    await this.#writing
  }

  #add (note: Operation): void {
    if (this.#stopped) return
    this.#notes.set(toHex(note.key), note)
    this.#writing ??= this.#write()
  }

  async #write (): Promise<void> {
    try {
      // What is noted in the same turn goes together.
      await undefined
      while (this.#notes.size > 0) {
        const operations = [...this.#notes.values()]
        this.#notes = new Map()
        await this.#store.batch(operations, { sync: false })
      }
    } catch (error) {
      // The store may not find what is written after that.
      this.#stopped = true
      this.#notes = new Map()
      this.#onError(error)
    } finally {
      this.#writing = null
    }
  }
}
