import type { Application } from './application.ts'
import type { Belonging } from './belonging.ts'
import type { CopyState, Effect } from './effects.ts'
import type { LogName, MemberId } from './entry.ts'
import type { Host } from './host.ts'
import type { KeyRow } from './idempotency.ts'
import type { Log } from './log.ts'
import type { OriginRow } from './origins.ts'
import type { Pace } from './pace.ts'
import type { Submissions } from './submissions.ts'

type Restore = Omit<Effect & { type: 'restore' }, 'type'>

interface CopyingHost extends Host {
  readonly self: MemberId
  readonly now: number
  readonly submissions: Submissions
  onRestored (): void
  /** The data are a state of the database again. */
  onCopied (): void
}

/** The copy of the data that is under way here, if any: what it does to the log, the tables, and the writes called here. */
export class Copying {
  readonly #host: CopyingHost
  readonly #belonging: Belonging
  readonly #log: Log
  readonly #application: Application
  readonly #pace: Pace
  #state: CopyState | null
  #restoring = false

  constructor (host: CopyingHost, { belonging, log, application, pace }: { belonging: Belonging, log: Log, application: Application, pace: Pace }, state: CopyState | null) {
    this.#host = host
    this.#belonging = belonging
    this.#log = log
    this.#application = application
    this.#pace = pace
    this.#state = state
  }

  /** As it is on disk; null if none is under way. */
  get state (): CopyState | null { return this.#state }
  /** A chunk is being written. */
  get restoring (): boolean { return this.#restoring }

  /** The log, the tables and all positions begin anew. */
  begin (base: LogName, seeded: boolean, rows: ReadonlyArray<readonly [number, OriginRow]>, keys: ReadonlyArray<readonly [number, KeyRow]>): void {
    this.#belonging.mustCopy = false
    this.#log.reset(base)
    this.#application.reset({ position: base.position, seeded, rows, keys })
    this.#state = { after: new Uint8Array(0), high: base.position }
    const { self, start, submissions } = this.#host
    const { table } = this.#application
    const id = table.find(self, start) ?? submissions.id
    submissions.onCopied(id, table.get(id)?.highest ?? null)
    this.#host.persist({ reset: { base, seeded, rows, keys } }, () => { this.#host.onRestored() })
  }

  restore (effect: Restore): void {
    this.#restoring = true
    this.#pace.onBusy(this.#host.now)
    this.#state = effect.copy
    this.#host.emit({ type: 'restore', ...effect })
  }

  onRestored (): void {
    this.#restoring = false
    this.#pace.onBusy(null)
    this.#host.onRestored()
  }

  end (): void {
    const state = this.#state
    this.#host.persist({ copied: true }, () => {
      // Another one may have begun before this was on disk.
      if (this.#state !== state) return
      this.#state = null
      this.#host.onCopied()
    })
  }
}
