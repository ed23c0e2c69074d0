import type { Progress } from './core/catch-up.ts'
import type { View } from './core/view.ts'
import type { ReplicatorError } from './errors.ts'
import type { LinkEvents } from './links.ts'

/** What a node tells its replicator. */
export interface NodeEvents extends Omit<LinkEvents, 'onInput' | 'onOutput' | 'onRefused' | 'onSighting' | 'onAddresses'> {
  onReady (): void
  onNotReady (): void
  /** A view is known, or installed, that was not before. */
  onView (view: View): void
  onSync (progress: Progress): void
  /** This node has stopped taking part. */
  onFailed (error: ReplicatorError): void
  /** The database is closing, or closed. */
  isClosing (): boolean
}
