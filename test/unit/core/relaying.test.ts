import tape from 'tape'
import type { Effect } from '../../../lib/core/effects.ts'
import type { Message } from '../../../lib/core/messages.ts'
import type { RelayHost } from '../../../lib/core/relaying.ts'
import { Relaying } from '../../../lib/core/relaying.ts'
import { viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

/** The member b, with the observers o and p, in a view that a leads. */
class FakeHost implements RelayHost {
  readonly self = 'b'
  readonly start = 1
  known = viewOf({ epoch: 2 })
  readonly agreement = { startOf: (peer: string): number | null => peer === 'gone' ? null : 5 }
  readonly #done: string[] = []

  send (to: string, message: Message): void { this.#done.push(`${to}: ${message.type} ${message.type === 'relay' ? `${message.message.type} of ${message.node} ${message.start}` : ''}`) }
  emit (effect: Effect): void { this.#done.push(effect.type === 'disconnect' ? `disconnect ${effect.peer}${effect.isFault === false ? '' : ' for a fault'}` : effect.type) }
  persist (): void { throw new Error('nothing is persisted') }

  /** What it has done since. */
  done (): string[] {
    return this.#done.splice(0)
  }
}

const withdraw: Message = { type: 'withdraw', epoch: 2, origin: 1, number: 3 }

tape('what an observer asks of the coordinator is passed on, with the start of its session', { timeout }, async (t) => {
  const host = new FakeHost()
  const relaying = new Relaying(host)
  relaying.onMessage('o', withdraw)
  relaying.onMessage('o', { type: 'open', epoch: 2, start: 99 })
  t.same(host.done(), ['a: relay withdraw of o 5', 'a: relay open of o 5'])
  relaying.onMessage('o', { ...withdraw, epoch: 1 })
  relaying.onMessage('o', { type: 'verify', applied: 1 })
  relaying.onMessage('gone', withdraw)
  host.known = viewOf({ epoch: 2, coordinator: 'b' })
  relaying.onMessage('o', withdraw)
  t.same(host.done(), [], 'nothing of another epoch, nothing else, and nothing to itself')
})

tape('an observer submits again where something may be lost', { timeout }, async (t) => {
  const host = new FakeHost()
  const relaying = new Relaying(host)
  for (const observer of ['o', 'p', 'q']) relaying.onMessage(observer, withdraw)
  host.done()
  relaying.onDown('q')
  relaying.onUp('c')
  t.same(host.done(), [])
  relaying.onUp('a')
  t.same(host.done(), ['disconnect o', 'disconnect p'], 'the session before has ended, and they may not know')
  relaying.onUp('a')
  t.same(host.done(), [])

  relaying.onMessage('o', withdraw)
  host.done()
  relaying.onUnrelayed('c', 'o')
  relaying.onUnrelayed('a', 'p')
  t.same(host.done(), [], 'only what it had passed on, to whom it had')
  relaying.onUnrelayed('a', 'o')
  t.same(host.done(), ['disconnect o'])
})
