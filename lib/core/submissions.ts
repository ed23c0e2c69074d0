import type { Rejection, Settlement } from './effects.ts'
import type { Entry, MemberId, SkipReason } from './entry.ts'
import type { Host } from './host.ts'
import type { SubmittedWrite } from './messages.ts'

export interface SubmissionLimits {
  /** How many writes, and how many bytes of them, may be submitted and undecided at a time. */
  readonly windowWrites: number
  readonly windowBytes: number
  /** A message takes writes up to this many bytes; a single larger one goes in a message of its own. */
  readonly submitBytesMax: number
  /** How long before its deadline a submitted write is withdrawn, in milliseconds. */
  readonly withdrawMs: number
  /** It asks for an id when there is a write to submit, not before. */
  readonly opensLate: boolean
}

/** A write called here. */
interface Submission {
  /** Null once the caller has been told that the outcome is unknown. */
  ticket: number | null
  write: SubmittedWrite
  readonly deadline: number
  /** 0 until it is submitted for the first time. */
  number: number
  withdrawn: boolean
  /** Of a founder's own data. */
  readonly seed: boolean
  /** It has an entry in this node's log. */
  logged: boolean
}

/**
 * The origin's side of a write: numbers the writes of this process, submits them in order within a window, submits
 * again what is unresolved after each change of session or view, and settles each caller by what the log says.
 */
export class Submissions {
  readonly #host: Host
  readonly #limits: SubmissionLimits
  #id = 0
  #lastNumber = 0
  /** Not submitted yet: rejecting these is always definite. */
  #queue: Submission[] = []
  /** Those of a founder's own data, which go before all others and do not wait for readiness. */
  #seeds: Submission[] = []
  /** Submitted, by number, in order. */
  readonly #undecided = new Map<number, Submission>()
  #undecidedBytes = 0
  /** Applied here, and not yet known to be held by enough members; by position, in order. */
  #unassured: Array<{ readonly position: number, readonly submission: Submission }> = []
  #coordinator: MemberId | null = null
  #epoch = 0
  #ready = false

  constructor (host: Host, limits: SubmissionLimits) {
    this.#host = host
    this.#limits = limits
  }

  /** The position of this process's OPEN entry; 0 until that is applied. */
  get id (): number {
    return this.#id
  }

  get queued (): number {
    return this.#queue.length + this.#seeds.length
  }

  get undecided (): number {
    return this.#undecided.size + this.#unassured.length
  }

  add (ticket: number, write: SubmittedWrite, seed: boolean, deadline: number): void {
    const submission = { ticket, write, seed, deadline, number: 0, withdrawn: false, logged: false }
    ;(seed ? this.#seeds : this.#queue).push(submission)
    if (this.#id === 0 && this.#limits.opensLate && this.queued === 1) this.#open()
    this.#pump()
  }

  /** A coordinator takes submissions in this epoch, and has seen none of ours in this session. */
  connect (coordinator: MemberId, epoch: number): void {
    this.#coordinator = coordinator
    this.#epoch = epoch
    if (this.#id === 0) this.#openIfWanted()
    for (const submission of this.#undecided.values()) {
      if (!submission.logged) this.#submit(submission)
    }
    this.#pump()
  }

  disconnect (): void {
    this.#coordinator = null
  }

  /** Whether writes other than seeds may be submitted. */
  onReady (ready: boolean): void {
    this.#ready = ready
    this.#pump()
  }

  /** An entry of ours is in our log. It may yet be cut: see `onCut`. */
  onLogged (entry: Entry): void {
    if (entry.kind === 'open' || entry.origin !== this.#id) return
    const submission = this.#undecided.get(entry.number)
    if (submission !== undefined) submission.logged = true
  }

  onCut (entry: Entry): void {
    if (entry.kind === 'open' || entry.origin !== this.#id) return
    const submission = this.#undecided.get(entry.number)
    if (submission !== undefined) submission.logged = false
  }

  /** An entry has been applied here: the log is the only source of outcomes. */
  onApplied (position: number, entry: Entry): void {
    if (entry.kind === 'open') {
      if (entry.node === this.#host.self && entry.start === this.#host.start) {
        // The id before has left the table, and nobody has said so yet.
        if (this.#id !== 0) this.onForgotten()
        this.#id = position
        this.#pump()
      }
      return
    }
    if (entry.origin !== this.#id) return

    // Somebody may have asked for one that was not given yet.
    this.#lastNumber = Math.max(this.#lastNumber, entry.number)
    for (const [number, submission] of this.#undecided) {
      if (number > entry.number) break
      // A higher number of ours came first: the log never takes this one any more.
      if (number < entry.number) this.#settle(submission, { outcome: 'aborted', why: 'withdrawn', transaction: this.#name(submission) })
      // Of one that is repeated, the log has the first before it.
      else if (entry.kind === 'skip' && entry.reason !== 'repeated') this.#settle(submission, { outcome: 'aborted', why: whySkipped(submission, entry.reason), transaction: this.#name(submission) })
      else this.#unassured.push({ position, submission: this.#decided(submission) })
    }
    this.#pump()
  }

  /** Everything up to here is held by as many members as this node's callers ask for. */
  onAssured (position: number): void {
    while (this.#unassured.length > 0 && (this.#unassured[0] as { position: number }).position <= position) {
      const { submission } = this.#unassured.shift() as { submission: Submission }
      this.#tell(submission, { outcome: 'committed' })
    }
  }

  /** This node's log was replaced by a copy. Of our numbers, `highest` is the last at its beginning; null if our id is not in the table. */
  onCopied (id: number, highest: number | null): void {
    // What was under way under an id that has left the table may be in the part of the log that is not seen.
    if (this.#id !== 0 && this.#id !== id) {
      for (const submission of this.#undecided.values()) this.#settle(submission, { outcome: 'unknown', why: 'copied', transaction: this.#name(submission) })
      this.#lastNumber = 0
    }
    // The entry that gave us the id may be among those that are not seen.
    this.#id = id
    this.#lastNumber = Math.max(this.#lastNumber, highest ?? 0)
    for (const submission of this.#undecided.values()) {
      if (highest !== null && submission.number > highest) {
        // Whatever held it is gone.
        submission.logged = false
        continue
      }
      // Its entry, if it has one, is not in this log.
      this.#settle(submission, { outcome: 'unknown', why: 'copied', transaction: this.#name(submission) })
    }
    if (highest === null && this.#id !== 0) this.onForgotten()
    // The id that was asked for may have come and gone.
    if (this.#id === 0) this.#openIfWanted()
  }

  /** Our id has left the table: nothing under it enters the log any more, so all that is not there starts anew. */
  onForgotten (): void {
    const again: Submission[] = []
    for (const submission of this.#undecided.values()) {
      if (submission.withdrawn) {
        this.#tell(submission, { outcome: 'aborted', why: 'timeout', transaction: this.#name(submission) })
      } else if (submission.ticket !== null) {
        again.push(submission)
      }
    }
    this.#undecided.clear()
    this.#undecidedBytes = 0
    this.#id = 0
    this.#lastNumber = 0
    this.#seeds.unshift(...again.filter(submission => submission.seed))
    this.#queue.unshift(...again.filter(submission => !submission.seed))
    this.#openIfWanted()
  }

  onTick (now: number): void {
    this.#expire(this.#queue, now)
    for (const { submission } of this.#unassured) {
      if (now >= submission.deadline) this.#tell(submission, { outcome: 'unknown', why: 'timeout', transaction: this.#name(submission) })
    }
    for (const submission of this.#undecided.values()) {
      if (submission.ticket === null) continue
      if (now >= submission.deadline) {
        this.#tell(submission, { outcome: 'unknown', why: 'timeout', transaction: this.#name(submission) })
      }
      if (now >= submission.deadline - this.#limits.withdrawMs && !submission.withdrawn && !submission.logged) {
        submission.withdrawn = true
        this.#submit(submission)
      }
    }
  }

  /**
   * Rejects everybody. What was submitted may still commit. A founder's own data are nobody's call: unless the node stops,
   * they wait for better times.
   */
  rejectAll (why: Rejection): void {
    const ends = why === 'closed' || why === 'failed'
    const waiting = ends ? [...this.#seeds, ...this.#queue] : this.#queue
    this.#queue = []
    if (ends) this.#seeds = []
    for (const submission of waiting) this.#tell(submission, { outcome: 'aborted', why, transaction: null })
    for (const { submission } of this.#unassured) {
      if (!submission.seed || ends) this.#tell(submission, { outcome: 'unknown', why, transaction: this.#name(submission) })
    }
    for (const submission of this.#undecided.values()) {
      if (submission.seed && !ends) continue
      this.#tell(submission, { outcome: 'unknown', why, transaction: this.#name(submission) })
      // Nobody waits for it any more, so it had better not happen.
      if (!submission.withdrawn && !submission.logged) {
        submission.withdrawn = true
        this.#submit(submission)
      }
    }
  }

  /** What became of a write of another process, or of an earlier one: see `CoordinatorHost`. */
  ask (origin: number, number: number): void {
    if (this.#coordinator !== null) this.#host.send(this.#coordinator, { type: 'withdraw', epoch: this.#epoch, origin, number })
  }

  #openIfWanted (): void {
    if (!this.#limits.opensLate || this.queued > 0) this.#open()
  }

  #open (): void {
    if (this.#coordinator === null) return
    this.#host.send(this.#coordinator, { type: 'open', epoch: this.#epoch, start: this.#host.start })
  }

  #pump (): void {
    if (this.#id === 0 || this.#coordinator === null) return
    this.#submitFrom(this.#seeds)
    if (this.#ready && this.#seeds.length === 0) this.#submitFrom(this.#queue)
  }

  /** Submits the head of a queue as far as the window allows, in as few messages as their limit allows. */
  #submitFrom (queue: Submission[]): void {
    const { windowWrites, windowBytes, submitBytesMax } = this.#limits
    let writes: SubmittedWrite[] = []
    let bytes = 0
    let used = 0

    const send = (): void => {
      if (writes.length === 0) return
      const first = this.#lastNumber - writes.length + 1
      this.#host.send(this.#coordinator as MemberId, { type: 'submit', epoch: this.#epoch, origin: this.#id, first, writes })
      writes = []
      bytes = 0
    }

    for (const submission of queue) {
      if (this.#undecided.size >= windowWrites || this.#undecidedBytes >= windowBytes) break
      const size = submission.write.body.length
      if (bytes + size > submitBytesMax) send()
      submission.number = ++this.#lastNumber
      this.#undecided.set(submission.number, submission)
      this.#undecidedBytes += size
      writes.push(submission.write)
      bytes += size
      used++
    }
    send()
    queue.splice(0, used)
  }

  #submit (submission: Submission): void {
    if (this.#coordinator === null) return
    const { number, write } = submission
    this.#host.send(this.#coordinator, submission.withdrawn
      ? { type: 'withdraw', epoch: this.#epoch, origin: this.#id, number }
      : { type: 'submit', epoch: this.#epoch, origin: this.#id, first: number, writes: [write] })
  }

  #settle (submission: Submission, settlement: Settlement): void {
    this.#tell(this.#decided(submission), settlement)
  }

  #decided (submission: Submission): Submission {
    this.#undecided.delete(submission.number)
    this.#undecidedBytes -= submission.write.body.length
    return submission
  }

  #tell (submission: Submission, settlement: Settlement): void {
    if (submission.ticket === null) return
    this.#host.emit({ type: 'settle', ticket: submission.ticket, settlement })
    submission.ticket = null
  }

  #name (submission: Submission): string {
    return `${this.#id}:${submission.number}`
  }

  #expire (queue: Submission[], now: number): void {
    // Deadlines rise along the queue: all writes of a node have the same time-out.
    let expired = 0
    while (expired < queue.length && now >= (queue[expired] as Submission).deadline) expired++
    for (const submission of queue.splice(0, expired)) {
      this.#tell(submission, { outcome: 'aborted', why: 'timeout', transaction: null })
    }
  }
}

function whySkipped ({ withdrawn }: Submission, reason: Exclude<SkipReason, 'repeated'>): Rejection {
  return withdrawn && reason === 'withdrawn' ? 'timeout' : reason
}
