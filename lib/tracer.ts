import type { Core } from './core/core.ts'
import type { Effect, Input, Persist } from './core/effects.ts'
import type { MemberId } from './core/entry.ts'
import type { LeaseState } from './core/heartbeats.ts'
import type { Message } from './core/messages.ts'
import type { View } from './core/view.ts'
import type { ReplicatorError } from './errors.ts'
import type { Trace, TraceShapes } from './trace.ts'

/** A step of the store that takes longer than this, in milliseconds, is worth an event. */
export const SLOW_MS = 1000
/** A tick that comes so much too late says that this process did not run. */
export const PAUSE_MS = 500

/** How the store gets on, in milliseconds. */
export interface DiskPace {
  /** How long the oldest step that is under way has taken so far; 0 if none is. */
  readonly busyMs: number
  /** The slowest step since the start. */
  readonly slowestMs: number
}

/** One kind of steps of the store, of which one is under way at a time. */
class Stopwatch {
  since: number | null = null
  slowestMs = 0
  readonly #trace: Trace
  readonly #what: TraceShapes['slow']['what']
  #told = false

  constructor (trace: Trace, what: TraceShapes['slow']['what']) {
    this.#trace = trace
    this.#what = what
  }

  begin (now: number): void {
    this.since ??= now
  }

  end (now: number): void {
    if (this.since === null) return
    const ms = now - this.since
    this.since = null
    this.#told = false
    this.slowestMs = Math.max(this.slowestMs, ms)
    if (ms >= SLOW_MS) this.#tell(ms, true)
  }

  /** One that hangs is told of while it does. */
  look (now: number): void {
    if (this.#told || this.since === null || now - this.since < SLOW_MS) return
    this.#told = true
    this.#tell(now - this.since, false)
  }

  #tell (ms: number, done: boolean): void {
    this.#trace.record('slow', { what: this.#what, ms: Math.round(ms), done })
  }
}

/**
 * Watches a core from outside, by what goes in and what comes out, and notes down what a person would want to know afterwards. It sees
 * every write of a busy node, so what is no event costs a few comparisons here, and no memory.
 */
export class Tracer {
  readonly #trace: Trace
  #self: MemberId = ''
  #now = 0
  readonly #append: Stopwatch
  readonly #apply: Stopwatch
  /** The last step that was given to the log. */
  #lastStep = 0
  /** Proposals go out to each member: the epochs of the last ones. */
  #proposed = 0
  #accepting = 0
  #vowed = 0
  #known: View | null = null
  #view: View | null = null
  #ready = false
  #reason = ''
  #lease: LeaseState = 'none'
  #phase = ''

  constructor (trace: Trace) {
    this.#trace = trace
    this.#append = new Stopwatch(trace, 'append')
    this.#apply = new Stopwatch(trace, 'apply')
  }

  disk (now: number): DiskPace {
    const since = Math.min(this.#append.since ?? now, this.#apply.since ?? now)
    return { busyMs: Math.round(now - since), slowestMs: Math.round(Math.max(this.#append.slowestMs, this.#apply.slowestMs)) }
  }

  /** `label`: how messages call the node. */
  onStart (core: Core, label: string): void {
    this.#self = core.self
    this.#vowed = core.vow.epoch
    this.#known = core.known
    this.#view = core.view
    this.#trace.label = label
    this.#trace.record('start', { id: core.self, start: core.start, epoch: core.view?.epoch ?? 0, applied: core.applied, end: core.end })
  }

  onFailed (error: ReplicatorError): void {
    this.#trace.fail(error)
  }

  onStop (why: 'closed' | 'failed'): void {
    this.#trace.record('stop', { why })
  }

  onRejected ({ code, outcome = 'unknown' }: ReplicatorError): void {
    this.#trace.repeat(`reject ${code} ${outcome}`, 'reject', { code, outcome })
  }

  /** Several times a second, as long as the node has anything to wait for; `lateMs` after it was due. */
  onTick (lease: LeaseState, now: number, lateMs: number): void {
    if (lateMs >= PAUSE_MS) this.#trace.record('pause', { ms: Math.round(lateMs) })
    this.#append.look(now)
    this.#apply.look(now)
    this.#setLease(lease)
  }

  /** Before the core takes it. */
  onInput (input: Input, now: number): void {
    this.#now = now
    switch (input.type) {
      case 'message':
        this.#onMessage(input.from, input.message)
        break
      case 'persisted':
        this.#append.end(now)
        // One is under way at a time: the next one has begun only now.
        if (input.id < this.#lastStep) this.#append.begin(now)
        break
      case 'applied':
      case 'restored':
        this.#apply.end(now)
        break
      case 'remove':
        this.#trace.record('change', { what: 'remove', members: [input.id], force: input.force, wanted: input.wanted })
        break
      case 'recover':
        this.#trace.record('change', { what: 'recover', members: input.members, force: true, wanted: true })
        break
    }
  }

  onEffect (effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.#lastStep = effect.id
        this.#append.begin(this.#now)
        this.#onPersist(effect.persist)
        break
      case 'send':
        this.#onSend(effect.to, effect.message)
        break
      case 'apply':
      case 'restore':
        this.#apply.begin(this.#now)
        break
      case 'disconnect':
        this.#trace.record('disconnect', { peer: effect.peer, reason: effect.reason })
        break
      case 'removed':
        this.#trace.record('removed', { epoch: this.#known?.epoch ?? 0 })
        break
    }
  }

  /** What follows from the core's state: called after each turn of inputs. */
  observe (core: Core, ready: boolean): void {
    const { known, view, progress } = core
    if (known !== this.#known) this.#onKnown(known)
    if (view !== this.#view) {
      this.#view = view
      if (view !== null) this.#trace.record('install', { epoch: view.epoch, leads: core.leads })
    }
    const phase = progress?.phase ?? ''
    if (phase !== this.#phase) {
      this.#phase = phase
      if (progress === null) this.#trace.record('synced', { end: core.end })
      else this.#trace.record('sync', { ...progress })
    }
    if (ready !== this.#ready) {
      this.#ready = ready
      // The tick that would notice comes later.
      if (ready && this.#lease === 'expired') this.#setLease('valid')
      this.#reason = ready ? '' : core.agreement.waitingFor
      const epoch = view?.epoch ?? 0
      if (ready) this.#trace.record('ready', { epoch, leads: core.leads })
      else this.#trace.record('notready', { epoch, waitingFor: this.#reason })
    } else if (!ready && core.agreement.waitingFor !== this.#reason) {
      this.#reason = core.agreement.waitingFor
      if (this.#reason !== '') this.#trace.repeat(`waiting ${this.#reason}`, 'waiting', { reason: this.#reason })
    }
  }

  #onKnown (known: View | null): void {
    const before = this.#known
    this.#known = known
    if (known === null) return
    const [wasLive, isLive] = [idsOf(before), idsOf(known)]
    const [were, are] = [before?.members ?? [], known.members]
    this.#trace.record('view', {
      epoch: known.epoch,
      coordinator: known.coordinator,
      members: are,
      live: isLive,
      excluded: wasLive.filter(id => are.includes(id) && !isLive.includes(id)),
      admitted: isLive.filter(id => !wasLive.includes(id)),
      joined: are.filter(id => !were.includes(id)),
      left: were.filter(id => !are.includes(id))
    })
  }

  #onMessage (from: MemberId, message: Message): void {
    // Strangers may say what they like, as often as they like: it shall not drive out the rest.
    if (this.#known?.members.includes(from) === false) return
    switch (message.type) {
      case 'propose':
      case 'refuse':
      case 'promise':
      case 'accept':
      case 'accepted':
      case 'lead':
      case 'deny':
        this.#onAgreement(from, message)
    }
  }

  #onSend (to: MemberId, message: Message): void {
    switch (message.type) {
      // The same to each.
      case 'propose':
        if (message.epoch === this.#proposed) break
        this.#proposed = message.epoch
        this.#onAgreement(this.#self, message)
        break
      case 'accept':
        if (message.view.epoch === this.#accepting) break
        this.#accepting = message.view.epoch
        this.#onAgreement(this.#self, message)
        break
      case 'refuse':
      case 'lead':
      case 'deny':
        this.#onAgreement(this.#self, message)
        break
      case 'snapshot':
        this.#trace.record('serve', { peer: to, position: message.base.position })
        break
    }
  }

  #onAgreement (by: MemberId, message: Message & { type: 'propose' | 'refuse' | 'promise' | 'accept' | 'accepted' | 'lead' | 'deny' }): void {
    switch (message.type) {
      case 'propose': {
        const { epoch, members, without, recover } = message
        this.#trace.record('propose', { epoch, by, members, without, recover })
        break
      }
      case 'promise': {
        const { epoch, end, installed, complete } = message
        this.#trace.record('promise', { epoch, by, end: end.position, installed, complete })
        break
      }
      case 'refuse':
      case 'accepted':
        this.#trace.record(message.type, { epoch: message.epoch, by })
        break
      case 'accept': {
        const { epoch, coordinator } = message.view
        this.#trace.record('accept', { epoch, by, coordinator, live: idsOf(message.view) })
        break
      }
      case 'lead':
        this.#trace.record('lead', { epoch: message.view.epoch, by, coordinator: message.view.coordinator, waitMs: message.waitMs })
        break
      case 'deny':
        this.#trace.record('deny', { id: message.id, by, why: message.why })
    }
  }

  #onPersist ({ cut, vow, accepted, truncate, reset, copied }: Persist): void {
    if (reset !== null) this.#trace.record('reset', { position: reset.base.position })
    if (cut !== null) this.#trace.record('cut', { ...cut })
    // The cluster that it belongs to may be noted in it later.
    if (vow !== null && vow.epoch > this.#vowed) {
      this.#vowed = vow.epoch
      this.#trace.record('vow', { epoch: vow.epoch, to: vow.to })
    }
    if (accepted !== null) this.#trace.record('accepted', { epoch: accepted.epoch, by: this.#self })
    if (truncate !== null) this.#trace.repeat('truncate', 'truncate', { position: truncate.position })
    if (copied) this.#trace.record('copied', {})
  }

  #setLease (lease: LeaseState): void {
    if (lease === this.#lease) return
    this.#lease = lease
    this.#trace.record('lease', { state: lease })
  }
}

function idsOf (view: View | null): MemberId[] {
  return view === null ? [] : view.live.map(({ id }) => id)
}
