/** The bounds of a range read, as bytes. Absent bounds are open. */
export interface ByteRange {
  gte?: Uint8Array
  gt?: Uint8Array
  lte?: Uint8Array
  lt?: Uint8Array
}

/**
 * What stands between the intercepted database and the replication core. The wrapped database asks it
 * before each read and gives it each write.
 */
export interface Gate {
  /**
   * True if any read may be served at once: this node is readable and no write is pending. The fast path
   * of every read looks at nothing else.
   */
  readonly open: boolean
  /** Throws while the data are half of a copy: for what cannot wait until they are whole. */
  assertComplete (): void
  /**
   * Submits one write (see `encodeOperations`). Resolves when it has committed and is applied here. Rejects with a
   * ReplicatorError that has an `outcome`. `key`: under which the caller may repeat it, empty if none.
   */
  write (body: Uint8Array, key: string): Promise<void>
  /** Null if the read may be served now, else a promise; after it, the read must be issued in the same turn. */
  waitForKey (key: Uint8Array): Promise<void> | null
  /** The same for several keys at once: resolves when all may be read. */
  waitForKeys (keys: readonly Uint8Array[]): Promise<void> | null
  /** The same for a range. */
  waitForRange (range: ByteRange): Promise<void> | null
  /**
   * The database has opened (its storage can be used); called again after each reopening. It is open to its user when the promise
   * settles, unless it was open before it was wrapped. Never rejects.
   */
  onStoreOpen (): Promise<void>
  /** The database could not be opened. */
  onStoreUnopened (error: unknown): void
  /** The database is closing; its storage can be used until the promise settles. Never rejects. */
  onStoreClosing (): Promise<void>
}
