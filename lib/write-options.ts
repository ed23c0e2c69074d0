/** What put(), del(), batch() and the write() of a chained batch take beside the options of the database. */
export interface WriteOptions {
  /**
   * Makes it safe to call a write again, on any node: of all writes under the same key only the first takes effect, and the others
   * resolve like it. A non-empty string of at most 128 bytes in UTF-8, chosen by the caller, different for each write. The cluster
   * knows the last 16,384 of them.
   *
   * Errors: LEVEL_KEY_REUSED if another write (other operations) has the key.
   */
  idempotencyKey?: string | undefined
}

// So that they can be given to any database. What is merged has to have the same parameters.
/* eslint-disable @typescript-eslint/no-unused-vars */
declare module 'abstract-level' {
  interface AbstractPutOptions<K, V> extends WriteOptions {}
  interface AbstractDelOptions<K> extends WriteOptions {}
  interface AbstractBatchOptions<K, V> extends WriteOptions {}
  interface AbstractChainedBatchWriteOptions extends WriteOptions {}
}
