import type { AgreementHost } from '../../../lib/core/agreement.ts'
import { Agreement } from '../../../lib/core/agreement.ts'
import type { Founding, Joining, Message, PromiseMessage, Removal, StatusMessage } from '../../../lib/core/messages.ts'
import type { View, Vow } from '../../../lib/core/view.ts'
import { liveOf, promiseOf, statusOf, viewOf } from '../../support/core-parts.ts'

export const members = ['a', 'b', 'c']

export function view (epoch: number, coordinator = 'a', live = 'abc'): View {
  return viewOf({ epoch, live: liveOf(live), coordinator })
}

/** Node a, of which the test is the disk, the others and the clock. The view of epoch 4 is known, and led by b. */
export class FakeHost implements AgreementHost {
  readonly self = 'a'
  readonly start = 1
  now = 0
  vow: Vow = { epoch: 4, to: 'b', members, cluster: 'k' }
  known: View | null = view(4, 'b')
  accepted: View | null = view(4, 'b')
  founding: Founding | null = null
  joining: Joining | null = null
  removing: Removal[] = []
  recovering: string[] = []
  recoveryCluster = 'recovered'
  minConsensus = 1
  caughtUp = false
  mustCopy = false
  fit = true
  leads = false
  stalled: string[] = []
  lost: string[] = []
  accused = false
  opening = false
  settled = false
  preferred: string | null = null
  /** Up to where each member has once told that it had applied the log. */
  readonly appliedOf = new Map<string, number>()
  /** Steps that are on their way to the disk. */
  readonly disk: Array<() => void> = []
  readonly opened: View[] = []
  readonly conflicts: string[] = []
  readonly agreement: Agreement
  #sent: Array<readonly [string, Message]> = []

  constructor () {
    this.agreement = new Agreement(this, 'fresh', 1000, 0)
  }

  get testimony (): Omit<PromiseMessage, 'type' | 'epoch'> {
    const { type, epoch, ...rest } = promiseOf({ accepted: this.accepted, known: this.known?.epoch ?? 0, installed: this.known === null ? 0 : 4, minConsensus: this.minConsensus })
    return rest
  }

  /** To oneself, too: it is the test that hands it back. */
  send (to: string, message: Message): void { this.#sent.push([to, message]) }
  emit (): void {}
  persist (): void { throw new Error('what is persisted has a call of its own') }

  appliedBy (member: string): number { return this.appliedOf.get(member) ?? 0 }

  promise (vow: Vow, then: () => void): void {
    this.vow = vow
    this.disk.push(then)
  }

  accept (accepted: View, then: () => void): void {
    this.accepted = accepted
    this.disk.push(then)
  }

  open (opened: View): void { this.opened.push(opened) }
  learn (learned: View): void { this.known = learned }
  onConflict (_of: string, why: string): void { this.conflicts.push(why) }

  connect (...ids: string[]): this {
    for (const id of ids) this.agreement.onUp(id, 1)
    for (const id of ids) this.agreement.onStatus(id, this.status())
    this.sent()
    return this
  }

  status (more: Partial<StatusMessage> = {}): StatusMessage {
    return statusOf({ promised: 4, view: view(4, 'b'), installed: 4, connected: members, ...more })
  }

  propose (from: string, epoch: number, more: Partial<Message & { type: 'propose' }> = {}): void {
    this.agreement.acceptor.onPropose(from, { type: 'propose', epoch, known: 4, cluster: 'k', members, without: [], recover: false, ...more })
  }

  promiseOf (epoch: number, more: Partial<PromiseMessage> = {}): PromiseMessage {
    return { type: 'promise', epoch, ...this.testimony, ...more }
  }

  /** What was sent since, without statuses, in short. */
  sent (): string[] {
    const lines = this.#sent.map(([to, message]) => `${to} ${message.type}${'view' in message && message.view !== null ? ` ${message.view.epoch}` : 'epoch' in message ? ` ${message.epoch}` : ''}`)
    this.#sent = []
    return lines.filter(line => !/ status/.test(line))
  }

  /** What was proposed since. */
  proposals (): Array<Message & { type: 'propose' }> {
    return this.#sent.flatMap(([, message]) => message.type === 'propose' ? [message] : [])
  }

  views (): View[] {
    return this.#sent.flatMap(([, message]) => message.type === 'accept' ? [message.view] : [])
  }
}
