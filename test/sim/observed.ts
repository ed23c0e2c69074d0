import type { Read } from '../support/check/history.ts'

/** What clients of observers saw and were told, apart from writes, which are in the history of all. Times are those of the history. */
export type Observed =
  /** Everything that these say was read from one state, of which the observer has the keys that begin with `part`. */
  | { readonly kind: 'read', readonly observer: string, readonly invoked: number, readonly completed: number, readonly reads: readonly Read[], readonly part: string }
  | { readonly kind: 'sync', readonly observer: string, readonly invoked: number, readonly completed: number }
  /** A write, by its id in the history, was acknowledged here. */
  | { readonly kind: 'written', readonly observer: string, readonly completed: number, readonly write: number }
  /** Its process ended. Its disk holds the log, or the data, up to here; what was acknowledged is not lost, or may be. */
  | { readonly kind: 'down', readonly observer: string, readonly completed: number, readonly end: number, readonly mayForget: boolean }
  /** It has got another disk, which is empty, or an old image and holds the log, or the data, up to here. */
  | { readonly kind: 'new', readonly observer: string, readonly completed: number, readonly end: number }
