/** What a peer may have the coordinator hold: as much as an honest one can ever ask for, and no more. */
import tape from 'tape'
import type { CoordinatorHost } from '../../../lib/core/coordinator.ts'
import { Coordinator, NUMBERS_AHEAD_MAX } from '../../../lib/core/coordinator.ts'
import type { Effect } from '../../../lib/core/effects.ts'
import { emptyLog } from '../../../lib/core/entry.ts'
import { KeyTable } from '../../../lib/core/idempotency.ts'
import { LogTail } from '../../../lib/core/log-tail.ts'
import { OriginTable } from '../../../lib/core/origins.ts'
import { viewOf } from '../../support/core-parts.ts'

const timeout = 30_000
const limits = { groupBytesMax: 1000, tailBytesMax: 1000, incomingMax: 10, incomingBytesMax: 5000, bodyBytesMax: 1000 }

/** A coordinator at which only things come in, from the one origin of b. */
class Inbox {
  readonly #effects: Effect[] = []
  readonly #coordinator: Coordinator

  constructor () {
    const host = { self: 'a', start: 1, now: 0, base: emptyLog, tail: new LogTail(0, []), emit: (effect: Effect) => { this.#effects.push(effect) }, isUp: () => true }
    const table = new OriginTable(10, [[1, { node: 'b', start: 1, highest: 0, last: 1 }]])
    this.#coordinator = new Coordinator(host as unknown as CoordinatorHost, viewOf({ epoch: 2 }), table, new KeyTable(10), true, 0, limits)
  }

  /** Returns whether the peer stays. */
  submit (first: number, ...sizes: number[]): boolean {
    const writes = sizes.map(size => ({ body: new Uint8Array(size), operations: [], kind: 'write' as const }))
    this.#coordinator.onSubmit('b', { type: 'submit', epoch: 2, origin: 1, first, writes })
    return this.#stays
  }

  withdraw (number: number): boolean {
    this.#coordinator.onWithdraw('b', 1, number)
    return this.#stays
  }

  get #stays (): boolean {
    return !this.#effects.some(({ type }) => type === 'disconnect')
  }
}

tape('how far the numbers of an origin may run ahead', { timeout }, async (t) => {
  t.ok(new Inbox().submit(NUMBERS_AHEAD_MAX, 1))
  t.notOk(new Inbox().submit(NUMBERS_AHEAD_MAX + 1, 1))
  t.notOk(new Inbox().submit(NUMBERS_AHEAD_MAX, 1, 1), 'the last number counts')
  t.ok(new Inbox().withdraw(NUMBERS_AHEAD_MAX))
  t.notOk(new Inbox().withdraw(NUMBERS_AHEAD_MAX + 1))
})

tape('how large a body may be', { timeout }, async (t) => {
  t.ok(new Inbox().submit(1, limits.bodyBytesMax))
  t.notOk(new Inbox().submit(1, limits.bodyBytesMax + 1))
})

tape('how many submissions may wait for a position', { timeout }, async (t) => {
  const inbox = new Inbox()
  t.ok(inbox.submit(1, ...new Array<number>(limits.incomingMax).fill(1)))
  t.ok(inbox.submit(limits.incomingMax + 1, 1), 'and one message more')
  t.notOk(inbox.submit(limits.incomingMax + 2, 1))

  const withdrawn = new Inbox()
  for (let number = 1; number <= limits.incomingMax + 1; number++) t.ok(withdrawn.withdraw(number))
  t.notOk(withdrawn.withdraw(limits.incomingMax + 2))
})

tape('how many bytes may wait for a position', { timeout }, async (t) => {
  const inbox = new Inbox()
  for (let number = 1; number <= 5; number++) t.ok(inbox.submit(number, 1000))
  t.ok(inbox.submit(6, 1000), 'and one message more')
  t.notOk(inbox.submit(7, 1))
})
