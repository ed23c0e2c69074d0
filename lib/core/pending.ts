import type { Group, KeyedOperation } from './entry.ts'

/** FNV-1a. Two keys with one hash only make a read wait for a write that does not concern it. */
export function hashKey (key: Uint8Array): number {
  // Not byteLength, here or elsewhere: V8 makes a call of that, each time.
  const { length } = key
  let hash = 0x811c9dc5
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193)
  return hash
}

/**
 * The keys that entries between *applied* and the end of the log touch, each with the last such position. A read of
 * such a key waits until that position is applied (CRAQ, Hermes): the entry may have been acknowledged elsewhere.
 */
export class PendingKeys {
  readonly #last = new Map<number, number>()

  get empty (): boolean {
    return this.#last.size === 0
  }

  get size (): number {
    return this.#last.size
  }

  /** The position that a read of this key has to wait for; 0 if none. */
  position (key: Uint8Array): number {
    return this.#last.size === 0 ? 0 : this.#last.get(hashKey(key)) ?? 0
  }

  mark (group: Group): void {
    this.#visit(group, (hash, position) => { this.#last.set(hash, position) })
  }

  /** The group is applied. */
  release (group: Group): void {
    this.#visit(group, (hash, position) => {
      if (this.#last.get(hash) === position) this.#last.delete(hash)
    })
  }

  clear (): void {
    this.#last.clear()
  }

  #visit (group: Group, fn: (hash: number, position: number) => void): void {
    for (let i = 0; i < group.entries.length; i++) {
      const entry = group.entries[i]
      if (entry?.kind !== 'write') continue
      for (const op of entry.operations) fn(hashKey(op.key), group.first + i)
    }
  }
}

/** The last position in these groups that touches a key for which `inRange` holds; 0 if none. */
export function lastTouching (groups: Iterable<Group>, inRange: (key: Uint8Array) => boolean): number {
  let last = 0
  for (const group of groups) {
    for (let i = 0; i < group.entries.length; i++) {
      const entry = group.entries[i]
      if (entry?.kind === 'write' && entry.operations.some((op: KeyedOperation) => inRange(op.key))) last = group.first + i
    }
  }
  return last
}
