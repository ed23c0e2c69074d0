import type { MemberId } from './entry.ts'
import type { Denial, Joining, Message, Removal } from './messages.ts'
import { ALL_OTHERS } from './messages.ts'
import type { Peers } from './peers.ts'
import type { Change } from './succession.ts'
import type { View } from './view.ts'
import { holders, isLive, majority, MEMBERS_MAX, nameOf, since } from './view.ts'

interface MembershipHost {
  readonly self: MemberId
  readonly now: number
  readonly leads: boolean
  readonly settled: boolean
  readonly removing: readonly Removal[]
  readonly testimony: { readonly minConsensus: number, readonly installed: number }
  send (to: MemberId, message: Message): void
}

/**
 * How the members of a cluster are to change, from what the nodes that are connected ask for: to join, to leave, to remove one. The
 * coordinator decides; only where it is the one that is gone for good, and nobody can be excluded, any member does. See
 * `spec/protocol.md`, "Changing members".
 */
export class Membership {
  readonly #host: MembershipHost
  readonly #peers: Peers
  /** Whoever is to be replaced has so long to be missed. */
  readonly #patienceMs: number
  /** Since when each node asks. */
  readonly #since = new Map<MemberId, number>()
  /** What was denied to whom since it asked: once is enough. */
  readonly #denied = new Map<MemberId, Set<string>>()

  constructor (host: MembershipHost, peers: Peers, failureTimeoutMs: number) {
    this.#host = host
    this.#peers = peers
    this.#patienceMs = 2 * failureTimeoutMs
  }

  onUp (peer: MemberId, now: number): void {
    this.#since.set(peer, now)
    this.#denied.delete(peer)
  }

  forget (peer: MemberId): void {
    this.#since.delete(peer)
    this.#denied.delete(peer)
  }

  /** It may ask for something else now. */
  onStatus (peer: MemberId): void {
    this.#denied.delete(peer)
  }

  /** Null if nothing is asked for that is possible now. `isLeft`: the view is not led any more. */
  change (known: View, isLeft: boolean, isReachable: (id: MemberId) => boolean): Change | null {
    const { leads, settled, self } = this.#host
    if (leads ? !settled : !(known.leaseFree && isLive(known, self))) return null
    const removals = this.#removals(known, isReachable)
    // Without a coordinator, nothing else is changed than that some are gone without whom there can be none, and others take their place.
    if (!leads) for (const id of removals.keys()) if (isReachable(id)) removals.delete(id)
    const add = this.#later(known, removals, this.#additions(known, removals, isReachable), isReachable)
    if (removals.size === 0 && add.length === 0) return null
    // Whoever is connected is not down, whatever a person says: it may read, so its promise is waited for.
    const forced = [...removals].filter(([id, force]) => force && isLive(known, id) && !this.#isUp(id)).map(([id]) => id)
    if (!leads && (forced.length === 0 || !(isLeft || known.coordinator === self))) return null
    // Whoever is live has to promise; if one does not come, it is excluded first.
    if (!known.live.every(({ id }) => isReachable(id) || forced.includes(id))) return null
    return { of: known.epoch, add, remove: [...removals.keys()].sort(), forced }
  }

  /** The same members, without those of the live ones that are not there, and will never be again, as a person says; null if there are none. */
  without (view: View): Change | null {
    const statuses = [...this.#peers.statuses]
    const asked = [this.#host, ...statuses.filter(([peer]) => view.members.includes(peer)).map(([, status]) => status)]
    const said = asked.flatMap(({ removing }) => removing.filter(({ force }) => force).map(({ id }) => id))
    const replaced = statuses.flatMap(([, { joining }]) => joining === null ? [] : [memberOf(view, joining.replaces)])
    const forced = view.live.map(({ id }) => id).filter(id => !this.#isUp(id) && (said.includes(id) || replaced.includes(id)))
    return forced.length === 0 ? null : { of: 0, add: [], remove: [], forced }
  }

  /** Who is to be removed, and whether a person says that it is down. */
  #removals (known: View, isReachable: (id: MemberId) => boolean): Map<MemberId, boolean> {
    const { self, removing } = this.#host
    const removals = new Map<MemberId, boolean>()
    const asked: Array<[MemberId, readonly Removal[]]> = [[self, removing]]
    for (const [peer, status] of this.#peers.statuses) if (known.members.includes(peer)) asked.push([peer, status.removing])

    for (const [asker, wishes] of asked) {
      for (const { id, force } of wishes) {
        if (!known.members.includes(id) || removals.get(id) === true) continue
        const why = this.#whyNot(known, [...removals.keys(), id], id, force)
        if (why !== null) this.#deny(asker, id, why)
        else if (this.#mayGo(known, id, isReachable) && this.#canSpare(known, [...removals.keys(), id], force || !isLive(known, id), isReachable)) removals.set(id, force)
      }
    }
    return removals
  }

  /** Whoever is live and does not answer is excluded first; or it is down for good, where nobody can be excluded. */
  #mayGo (known: View, id: MemberId, isReachable: (id: MemberId) => boolean): boolean {
    return !isLive(known, id) || isReachable(id) || known.leaseFree
  }

  /** Without these, there is a majority at this moment, and a member that has everything; and, unless with `fewer`, as many live ones as are asked for. */
  #canSpare (known: View, gone: readonly MemberId[], fewer: boolean, isReachable: (id: MemberId) => boolean): boolean {
    const { self } = this.#host
    const left = known.members.filter(id => !gone.includes(id))
    const live = known.live.map(({ id }) => id).filter(id => left.includes(id))
    const sure = this.#sure(known, gone)
    // One more disk can be lost at any time, as before; unless there is only one.
    const enough = fewer ? 1 : Math.min(2, live.length)
    // Those who follow the one that goes have to follow one another: else the next view leaves some of them behind.
    const isTogether = !gone.includes(self) || live.every((a, i) => live.slice(i + 1).every(b => this.#peers.areConnected(a, b, self)))
    const others = left.filter(id => !known.witnesses.includes(id)).length - 1
    return left.filter(isReachable).length >= majority(left) && sure >= enough && (fewer || (isTogether && !this.#asksForMore(live, live.length, others)))
  }

  /** How many of the live members but these are sure to hold everything. */
  #sure (known: View, gone: readonly MemberId[]): number {
    const { self, testimony } = this.#host
    const installed = (id: MemberId): number => id === self ? testimony.installed : this.#peers.status(id)?.installed ?? 0
    return known.live.filter(({ id }) => !gone.includes(id) && installed(id) >= (since(known, id) ?? Infinity)).length
  }

  /**
   * Where a single member would be left that is sure to hold everything, those that go wait until those that come are sure as well.
   * Then nobody comes under the name of one that stays, or beyond the bound.
   */
  #later (known: View, removals: Map<MemberId, boolean>, add: Change['add'], isReachable: (id: MemberId) => boolean): Change['add'] {
    const going = [...removals.keys()].filter(id => isLive(known, id) && isReachable(id))
    if (this.#sure(known, [...removals.keys()]) > 1) return add
    const coming = add.filter(({ name }) => name === '' || !going.some(id => nameOf(known, id) === name))
    if (!coming.some(({ witness }) => !witness) || known.members.length + coming.length > MEMBERS_MAX) return add
    for (const id of going) removals.delete(id)
    return coming
  }

  /** One of these asks for more holders than there are. `others`: how many it means that asks for all others. */
  #asksForMore (members: readonly MemberId[], count: number, others: number): boolean {
    return members.some(member => {
      const m = member === this.#host.self ? this.#host.testimony.minConsensus : this.#peers.status(member)?.minConsensus ?? 0
      return (m === ALL_OTHERS ? others : m) > count - 1
    })
  }

  /** Why `id` cannot be removed together with the others of `gone`. */
  #whyNot (known: View, gone: readonly MemberId[], id: MemberId, force: boolean): Denial | null {
    if (!known.live.some(member => !gone.includes(member.id))) return 'last'
    if (force) return null
    if (known.leaseFree && !this.#isUp(id)) return 'down'
    const left = holders(known).filter(member => !gone.includes(member))
    return !known.witnesses.includes(id) && this.#asksForMore(left, left.length, left.length - 1) ? 'consensus' : null
  }

  /** Who joins; adds those whose places they take to the removals. */
  #additions (known: View, removals: Map<MemberId, boolean>, isReachable: (id: MemberId) => boolean): Array<Change['add'][number]> {
    const add: Array<Change['add'][number]> = []
    const replacedHere = new Set<MemberId>()
    // Nobody has to reach those that go at the same time.
    const replacedNow = [...this.#peers.statuses].flatMap(([, { joining }]) => joining === null ? [] : [memberOf(known, joining.replaces)])
    const leaving = [...removals.keys(), ...replacedNow.filter(id => id !== '' && !this.#peers.isUp(id))]
    for (const [id, { joining, caughtUp, connected }] of this.#peers.statuses) {
      if (joining === null || known.members.includes(id) || !isReachable(id) || !(this.#host.leads || joining.replaces !== '')) continue
      const replaced = joining.replaces === '' ? null : memberOf(known, joining.replaces)
      const why = this.#whyNotJoin(known, id, joining, replaced, [...removals.keys()], add)
      if (why !== null) {
        this.#deny(id, id, why)
        continue
      }
      if (!joining.witness && !(caughtUp && known.live.every(member => member.id === this.#host.self || leaving.includes(member.id) || connected.includes(member.id)))) continue
      if (replaced !== null) {
        // Of two that take the place of one, the second finds nobody in it.
        if (this.#isUp(replaced) || replacedHere.has(replaced) || !this.#mayGo(known, replaced, isReachable)) continue
        replacedHere.add(replaced)
        removals.set(replaced, true)
      }
      add.push({ id, name: joining.name, witness: joining.witness })
    }
    return add
  }

  #whyNotJoin (known: View, id: MemberId, joining: Joining, replaced: MemberId | '' | null, removed: readonly MemberId[], add: ReadonlyArray<Change['add'][number]>): Denial | null {
    if (replaced === '') return 'unknown'
    if (replaced !== null && this.#isUp(replaced) && this.#host.now - (this.#since.get(id) ?? 0) > this.#patienceMs) return 'alive'
    const isTaken = (name: string): boolean => name !== '' && name === joining.name
    const stay = known.members.filter(member => member !== replaced && !removed.includes(member))
    if (stay.some(member => isTaken(nameOf(known, member))) || add.some(({ name }) => isTaken(name))) return 'name'
    return stay.length + add.length >= MEMBERS_MAX ? 'full' : null
  }

  /** It is there, for all that is known: this node itself in any case. */
  #isUp (id: MemberId): boolean {
    return id === this.#host.self || this.#peers.isUp(id)
  }

  #deny (to: MemberId, id: MemberId, why: Denial): void {
    if (!this.#host.leads) return
    const denied = this.#denied.get(to) ?? new Set()
    this.#denied.set(to, denied)
    if (denied.has(`${id} ${why}`)) return
    denied.add(`${id} ${why}`)
    this.#host.send(to, { type: 'deny', id, why })
  }
}

/** By its id, else by its name; empty if there is none. */
function memberOf (view: View, name: string): MemberId | '' {
  if (name === '' || view.members.includes(name)) return name
  return view.members.find(member => nameOf(view, member) === name) ?? ''
}
