import type { Core } from './core/core.ts'
import type { Input } from './core/effects.ts'
import type { MemberId } from './core/entry.ts'
import type { Denial } from './core/messages.ts'
import type { View } from './core/view.ts'
import { isQuorum, nameOf, sameMembers } from './core/view.ts'
import type { Environment, Timer } from './env.ts'
import type { Outcome } from './errors.ts'
import { codes, ReplicatorError } from './errors.ts'
import { toHex } from './wire/hex.ts'

/** The node whose cluster is to change. */
export interface ChangesHost {
  readonly id: MemberId
  readonly core: Core | null
  readonly failure: ReplicatorError | null
  readonly stopping: boolean
  /** How many writes that were called here are not settled. */
  readonly waiting: number
  /** What keeps this node from being ready, for people; empty if nothing does. */
  readonly waitingFor: string
}

interface Wish {
  readonly resolve: () => void
  readonly reject: (error: ReplicatorError) => void
  readonly timer: Timer
}

/** Changes of the members that are called for here: what was asked, until it is done, denied, or has taken too long. */
export class Changes {
  /** This node is leaving. */
  leaving = false
  /** It is not needed any more. */
  #isOut = false
  readonly #host: ChangesHost
  readonly #env: Environment
  readonly #limitMs: number
  readonly #input: (input: Input) => void
  readonly #removals = new Map<MemberId, Wish[]>()
  #recovery: (Wish & { readonly members: readonly MemberId[], readonly from: string }) | null = null

  /** Who waits until no write of this node is waiting. */
  #settled: Array<() => void> = []

  constructor (host: ChangesHost, env: Environment, limitMs: number, input: (input: Input) => void) {
    this.#host = host
    this.#env = env
    this.#limitMs = limitMs
    this.#input = input
  }

  /**
   * Leaves the cluster: takes no new writes, waits for those that were called before, and has itself removed. If that fails, it
   * goes on as before.
   */
  async leave (force: boolean): Promise<void> {
    const { core, id } = this.#host
    // Removed already, it stays until the others go on without it; and if they do, it has left.
    const isRemoved = core?.known?.members.includes(id) === false && core.joining === null
    if (!isRemoved && this.#member().known?.members.length === 1) throw refused('This node is the last of its cluster: close it instead')
    this.leaving = true
    try {
      if (this.#host.waiting > 0) await new Promise<void>(resolve => { this.#settled.push(resolve) })
      // They also settle where this node stops.
      this.#assertRunning()
      if (!this.#isOut) await this.#remove(this.#host.id, force)
    } finally {
      this.leaving = false
    }
  }

  /** `member`: its id or name. Resolves when the cluster goes on without it, and its disk is not needed any more. */
  async remove (member: string, force: boolean): Promise<void> {
    const core = this.#member()
    const id = idOf(core, member)
    if (id === this.#host.id) throw refused('A node does not remove itself: let it leave()')
    const { members, before } = core.known as View
    // It may be gone already, or have joined a moment ago.
    if (!members.includes(id) && (!before.includes(id) || core.agreement.isInstalled)) throw refused(`There is no member of the name or id '${member}', for all that this node knows`)
    await this.#remove(id, force)
  }

  /** Last resort: these members, named by ids or names, go on as a new cluster. The same has to be called on each of them. */
  async recover (members: readonly string[]): Promise<void> {
    const core = this.#member()
    const { known } = core
    const ids = [...new Set(members.map(member => idOf(core, member)))].sort()
    if (known === null || !ids.includes(this.#host.id) || !ids.every(id => known.members.includes(id))) {
      throw refused('The survivors must be members of the cluster, and this node one of them')
    }
    if (ids.every(id => known.witnesses.includes(id))) throw refused('None of the survivors holds the data')
    // A witness is ready beside a coordinator that has no majority.
    if (core.ready && (this.#hasMajority || !known.witnesses.includes(this.#host.id))) throw refused('The cluster works: there is nothing to recover')
    const connected = known.members.find(id => core.connected.includes(id) && !ids.includes(id))
    if (connected !== undefined) throw refused(`Member ${textOf(known, connected)} is connected: it is a survivor, too`)
    await this.#recover(ids, known.cluster)
  }

  /** What was asked for may be done: called after each step of the core. */
  observe (): void {
    if (this.#host.waiting === 0) for (const resolve of this.#settled.splice(0)) resolve()
    const { core } = this.#host
    const known = core?.known ?? null
    if (known === null) return
    for (const id of [...this.#removals.keys()]) {
      // Whoever hears that it is done throws its disk away: that must not be needed any more, whoever of the others is restarted.
      if (id !== this.#host.id && !known.members.includes(id) && core?.agreement.isInstalled === true) for (const { resolve } of this.#take(id)) resolve()
    }
    const recovery = this.#recovery
    if (recovery !== null && known.cluster !== recovery.from && sameMembers(known.members, recovery.members)) {
      this.#recovery = null
      recovery.timer.cancel()
      recovery.resolve()
    }
  }

  /** This node is no member any more, and the others know it. Returns whether it is what was asked for here. */
  onRemoved (): boolean {
    this.#isOut = true
    for (const { resolve } of this.#take(this.#host.id)) resolve()
    return this.leaving
  }

  /** Returns whether anybody has asked for this removal. */
  onDenied (id: MemberId, why: Denial): boolean {
    const wishes = this.#take(id)
    for (const { reject } of wishes) reject(why === 'down' ? this.#downError() : deniedError(why))
    return wishes.length > 0
  }

  rejectAll (error: ReplicatorError): void {
    for (const id of [...this.#removals.keys()]) for (const { reject } of this.#take(id)) reject(error)
    this.#recovery?.timer.cancel()
    this.#recovery?.reject(error)
    this.#recovery = null
  }

  #remove (id: MemberId, force: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const wish: Wish = {
        resolve,
        reject,
        timer: this.#env.setTimer(() => {
          const error = this.#lateError(id, force)
          const others = (this.#removals.get(id) ?? []).filter(other => other !== wish)
          if (others.length > 0) this.#removals.set(id, others)
          else {
            this.#removals.delete(id)
            this.#input({ type: 'remove', id, force, wanted: false })
          }
          reject(error)
        }, this.#limitMs)
      }
      this.#removals.set(id, [...this.#removals.get(id) ?? [], wish])
      this.#input({ type: 'remove', id, force, wanted: true })
    })
  }

  /** What to tell whoever has waited long enough for this removal. */
  #lateError (id: MemberId, force: boolean): ReplicatorError {
    const { known, connected } = this.#host.core ?? {}
    const isSelf = id === this.#host.id
    const missing = this.#missing(isSelf ? '' : id)
    if (known?.members.includes(id) === false) {
      return new ReplicatorError(codes.timeout, isSelf
        ? `This node was removed, but not enough of the others have said that they go on without it: it stays until they do${missing}`
        : `The member was removed, but not enough of the others have said that they go on without it: keep its disk until another call says that there is no such member${missing}`)
    }
    // Without a coordinator, nobody else says so.
    if (!force && known?.leaseFree === true && connected?.includes(id) === false && !isSelf) return this.#downError()
    const advice = isSelf || this.#hasMajority ? 'It may still be: see stats().members' : tooFew
    return new ReplicatorError(codes.timeout, `${isSelf ? 'This node' : 'The member'} was not removed within ${this.#limitMs} ms${missing}. ${advice}`)
  }

  /** A person's word is no help where nobody is left to agree. */
  #downError (): ReplicatorError {
    return this.#hasMajority ? deniedError('down') : refused(`The member cannot be asked${this.#missing('')}. ${tooFew}`)
  }

  /** A majority of the members is there, this node included. */
  get #hasMajority (): boolean {
    const { core, id } = this.#host
    return core?.known != null && isQuorum([id, ...core.connected], core.known, true)
  }

  /** Who or what a change waits for, beside this member, to be appended to a message. */
  #missing (but: MemberId): string {
    const { core, waitingFor, id: self } = this.#host
    if (waitingFor !== '') return ` (${waitingFor})`
    const known = core?.known ?? null
    const away = known?.members.filter(id => id !== self && id !== but && core?.connected.includes(id) === false).map(id => textOf(known, id)) ?? []
    return away.length === 0 ? '' : ` (not connected: ${away.join(', ')})`
  }

  #recover (members: readonly MemberId[], from: string): Promise<void> {
    this.#recovery?.timer.cancel()
    this.#recovery?.reject(refused('recover() was called again'))
    return new Promise((resolve, reject) => {
      const timer = this.#env.setTimer(() => {
        const { waitingFor } = this.#host
        this.#recovery = null
        this.#input({ type: 'recover', members: [], cluster: '' })
        reject(new ReplicatorError(codes.timeout, `The survivors have not found together within ${this.#limitMs} ms${waitingFor === '' ? '' : ` (${waitingFor})`}: recover() has to be called on each of them, with the same members`))
      }, this.#limitMs)
      this.#recovery = { members, from, resolve, reject, timer }
      this.#input({ type: 'recover', members, cluster: toHex(this.#env.randomBytes(16)) })
    })
  }

  #member (): Core {
    this.#assertRunning()
    const { core, id } = this.#host
    if (core?.known?.members.includes(id) !== true) throw new ReplicatorError(codes.notMember, 'This node is no member of a cluster (yet): wait for ready(); an observer never is one')
    return core
  }

  #assertRunning (): void {
    const { failure, stopping } = this.#host
    if (failure !== null) throw failure
    if (stopping) throw new ReplicatorError(codes.closed, 'The replicator was closed')
  }

  #take (id: MemberId): Wish[] {
    const wishes = this.#removals.get(id) ?? []
    this.#removals.delete(id)
    for (const { timer } of wishes) timer.cancel()
    return wishes
  }
}

/** As people call it. */
function textOf (view: View, id: MemberId): string {
  const name = nameOf(view, id)
  return name === '' ? id : name
}

/**
 * Of a member's id, else of its name; or the text itself. Also of one that was removed, as long as this node has not installed that. A name may
 * be the id of another member: then it is that one's.
 */
function idOf ({ known, view }: Core, member: string): MemberId {
  const views = [known, view].filter(view => view !== null)
  if (views.some(({ members }) => members.includes(member))) return member
  for (const { names, members } of views) {
    const index = names.indexOf(member)
    if (index !== -1) return members[index] as MemberId
  }
  return member
}

function refused (message: string): ReplicatorError {
  return new ReplicatorError(codes.changeRefused, message)
}

const tooFew = 'Those that are up are no majority of the members, and cannot go on without the others. Bring some of these back; if they are gone for good, call recover() on those that are left'

const reasons: Readonly<Record<Denial, string>> = {
  name: "Another member has the name of this node. If that one is gone for good, take its place with the option 'replaces'; else choose another name",
  alive: "The member that this node was to replace is alive: let it leave(), or leave the option 'replaces' out",
  unknown: "There is no member of the name or id that the option 'replaces' gives: leave it out to join beside the others",
  full: 'The cluster has as many members as there can be',
  last: 'No live member with the data would be left',
  consensus: "Fewer members would be left than the minConsensus of one of them asks for: set that lower first, or say 'force'",
  down: "The member cannot be asked, and in this cluster nobody goes on without anybody: if it is down for good, say 'force'",
  stale: 'The log of this node lacks what it has acknowledged: an old copy of its disk has been put in place. Delete its database, and let it join as a new node'
}

export function deniedError (why: Denial): ReplicatorError {
  const code = why === 'name' ? codes.nameTaken : why === 'stale' ? codes.staleIdentity : codes.changeRefused
  return new ReplicatorError(code, reasons[why])
}

export function removedError (): ReplicatorError {
  return new ReplicatorError(codes.removed, 'This node was removed from its cluster. To let it join again, as a new node, release({ purge: true, force: true }) it, and delete its data')
}

/** This node cannot belong to the cluster that it has reached. */
export function reachedError (why: 'hasData' | 'role', role: 'member' | 'witness' | 'observer'): ReplicatorError {
  const isWitness = role === 'witness'
  if (why === 'role') {
    // Only as what it is can it leave.
    const [is, was] = role === 'observer' ? ['a member', "'member' (or 'witness', if it was one)"] : isWitness ? ['no witness', "'member'"] : ['a witness', "'witness'"]
    return refused(`This node is ${is} of its cluster. To change that, start it again as role: ${was}, let it leave, and begin with an empty database`)
  }
  return new ReplicatorError(codes.hasData, isWitness
    ? 'A witness holds no data, and this database has some: give it an empty one'
    : 'This node has reached a cluster, and its database holds data of its own: join with an empty one, or say overwrite: true, and they are deleted')
}

/** Founders contradict one another. */
export function conflictError (of: 'names' | 'data', why: string): ReplicatorError {
  return of === 'names'
    ? new ReplicatorError(codes.nameTaken, `No cluster can be formed: ${why}. Give each a name of its own`)
    : new ReplicatorError(codes.dataConflict, `No cluster can be formed: ${why}. Decide whose data are right, and start the other nodes with empty databases`)
}

/** What an observer holds, it holds for ever. */
export function partError (): ReplicatorError {
  return refused("The database of this node was that of an observer, and holds another part of the data than the option 'sublevel' says (all of it, where that is left out). That cannot be changed: begin with an empty one")
}

export function witnessError (outcome?: Outcome): ReplicatorError {
  return new ReplicatorError(codes.witness, 'A witness holds no data: read and write on another node', outcome === undefined ? {} : { outcome })
}
