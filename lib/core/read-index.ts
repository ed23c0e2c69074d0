import type { MemberId } from './entry.ts'
import type { Host } from './host.ts'

export interface ReadIndexHost extends Host {
  readonly committed: number
  /** The last position of its log. */
  readonly end: number
  /** How often a part of the log was cut off. */
  readonly cuts: number
  /** At this moment, everything that was acknowledged anywhere is in its log. */
  readonly isCurrent: boolean
}

interface Question {
  readonly number: number
  /** The end of the log at a moment when this node was current, after the question came; null until then. */
  position: number | null
  /** The log that this position belongs to. */
  cuts: number
}

/**
 * Tells observers how far they have to follow the log to have everything that was acknowledged anywhere before they asked: the
 * "read index" of Raft's literature, here by the leases of any live member. One question for each peer is under way.
 */
export class ReadIndexes {
  readonly #host: ReadIndexHost
  readonly #asked = new Map<MemberId, Question>()

  constructor (host: ReadIndexHost) {
    this.#host = host
  }

  onAsk (peer: MemberId, number: number): void {
    this.#asked.set(peer, { number, position: null, cuts: 0 })
    this.answer()
  }

  onDown (peer: MemberId): void {
    this.#asked.delete(peer)
  }

  /** Answers what can be answered by now. */
  answer (): void {
    if (this.#asked.size === 0) return
    const { committed, end, cuts, isCurrent } = this.#host
    for (const [peer, question] of this.#asked) {
      // What was cut off is not waited for; what came in its place is.
      if (isCurrent && (question.position === null || question.cuts !== cuts)) Object.assign(question, { position: end, cuts })
      const { number, position } = question
      if (position === null || question.cuts !== cuts || position > committed) continue
      this.#asked.delete(peer)
      this.#host.send(peer, { type: 'index', number, position })
    }
  }
}
