import type { Effect, Persist } from './effects.ts'
import type { MemberId } from './entry.ts'
import type { Message } from './messages.ts'

/** What the parts of the core ask of the whole. */
export interface Host {
  readonly self: MemberId
  readonly start: number
  /** To a peer with a session, or to this very node: then it is handled within the same step. Else it is dropped. */
  send (to: MemberId, message: Message): void
  /** `then` runs once the step is durable, unless the node stops before. */
  persist (step: Partial<Persist>, then?: () => void): void
  emit (effect: Effect): void
}
