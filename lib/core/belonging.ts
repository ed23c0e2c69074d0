import { EPOCHS_AHEAD_MAX } from './acceptor.ts'
import type { CoreConfig, Recovered } from './config.ts'
import type { Effect } from './effects.ts'
import type { LogName, MemberId } from './entry.ts'
import type { Founding, Joining, Removal } from './messages.ts'
import { ALL_OTHERS } from './messages.ts'
import type { View, Vow } from './view.ts'
import { holders, isLive, sameMembers } from './view.ts'

interface BelongingHost {
  readonly self: MemberId
  readonly base: LogName
  readonly applied: number
  /** A copy is not under way. */
  readonly complete: boolean
  emit (effect: Effect): void
}

/** Where a node belongs: its promise, the views that it knows, whether it founds, joins, is a member, or is none any more. */
export class Belonging {
  vow: Vow
  /** The newest view accepted. */
  accepted: View | null
  /** The newest view installed. */
  view: View | null
  /** The newest view known to be chosen. */
  known: View | null
  /** Whose removal was asked for here. */
  removing: readonly Removal[] = []
  /** On the word of a person, this node would go on with these alone. */
  recovering: readonly MemberId[] = []
  /** What that cluster would be called. */
  recoveryCluster = ''
  /** This node has joined a cluster, and its own data, if any, are nothing to that: it begins with a copy. */
  mustCopy = false
  /** The cluster goes on without this node for good. */
  removed = false
  #told = false
  readonly #host: BelongingHost
  readonly #config: CoreConfig
  /** A digest of what it holds as long as it belongs to no cluster. */
  readonly #data: string
  #required: readonly MemberId[] = []
  #unresolved: number

  constructor (host: BelongingHost, config: CoreConfig, recovered: Recovered, unresolved: number) {
    this.#host = host
    this.#config = config
    this.vow = recovered.vow
    this.accepted = recovered.accepted
    this.view = this.known = recovered.view
    this.#data = recovered.data
    this.#unresolved = unresolved
  }

  /** The cluster that this node belongs to; empty if to none, or if it is just leaving one for another. */
  get cluster (): string {
    const { known, vow } = this
    if (known === null) return vow.cluster
    return vow.cluster === '' || vow.cluster === known.cluster ? known.cluster : ''
  }

  get isPromised (): boolean {
    return this.vow.epoch > (this.known?.epoch ?? 0)
  }

  /** The newest view goes on without this node, which shall be live again. */
  get isBehind (): boolean {
    return this.known !== null && !isLive(this.known, this.#host.self) && !this.#config.witness && !this.removed
  }

  /** How many peers must hold a write that is called here. */
  get minConsensus (): number {
    return this.#config.minConsensus ?? (this.known === null ? this.#required.length + this.#unresolved : holders(this.known).length - 1)
  }

  /** The same, as the others are told. */
  get statedMinConsensus (): number {
    if (this.known === null) return this.minConsensus
    return this.#config.witness ? ALL_OTHERS : this.#config.minConsensus ?? ALL_OTHERS
  }

  get newestAccepted (): View | null {
    return [this.accepted, this.view, this.known].reduce((a, b) => (b?.epoch ?? 0) > (a?.epoch ?? 0) ? b : a)
  }

  get founding (): Founding | null {
    const vowed = this.vow.members
    if (this.known !== null || this.vow.cluster !== '' || !(this.#config.mayFound || vowed.length > 0)) return null
    const { name, witness, founders } = this.#config
    return { name, witness, founders, required: this.#required, unresolved: this.#unresolved, data: this.#data, vowed }
  }

  get joining (): Joining | null {
    if (this.known === null || this.known.members.includes(this.#host.self) || this.removed || this.#config.observer) return null
    const { name, witness, replaces } = this.#config
    return { name, witness, replaces }
  }

  onPeers (required: readonly MemberId[], unresolved: number): void {
    this.#required = required
    this.#unresolved = unresolved
  }

  onRemove (id: MemberId, force: boolean, wanted: boolean): void {
    // What a person has said once, a second call without it does not take back.
    const isForced = force || this.removing.some(removal => removal.id === id && removal.force)
    this.removing = [...this.removing.filter(removal => removal.id !== id), ...wanted ? [{ id, force: isForced }] : []]
  }

  /** Returns whether something that was asked for is done. */
  forgetDone (): boolean {
    const { known, removing } = this
    if (known === null) return false
    this.removing = removing.filter(({ id }) => known.members.includes(id))
    return this.removing.length < removing.length
  }

  /** It is removed, and enough of the others go on without it. Else they might need it, to learn that they do not need it. */
  tellRemoved (): void {
    if (this.#told) return
    this.#told = true
    this.#host.emit({ type: 'removed' })
  }

  /** A view was chosen. Returns false if it is none for this node. */
  learn (view: View): boolean {
    const before = this.known
    // Nobody can have reached it: see the same rule for promises.
    if (view.epoch > this.vow.epoch + EPOCHS_AHEAD_MAX) return false
    if (before === null ? !this.#mayBelong(view) : !this.#follows(before, view)) return false
    this.known = view
    if (before?.cluster !== view.cluster) this.recovering = []
    this.#check(before, view)
    return true
  }

  /** Whether a node that knows no view yet may belong to the cluster of this one. */
  #mayBelong (view: View): boolean {
    const { cluster, members } = this.vow
    if (cluster !== '') return view.cluster === cluster
    if (this.#config.cluster !== '' && view.cluster !== this.#config.cluster) return false
    if (view.members.includes(this.#host.self)) return true
    // Bound to others by a vow; until one of them belongs to this cluster: then that vow can come to nothing any more.
    if (members.length > 0 && !members.some(id => view.members.includes(id))) return false
    const brings = this.#data !== '' && (this.#config.witness || !this.#config.overwrite)
    if (brings) this.#host.emit({ type: 'refused', why: 'hasData' })
    return !brings
  }

  #follows (before: View, view: View): boolean {
    if (before.epoch >= view.epoch) return false
    return view.cluster === before.cluster || view.cluster === this.vow.cluster ||
      (this.recovering.length > 0 && sameMembers(this.recovering, view.members))
  }

  #check (before: View | null, view: View): void {
    const { self, complete, applied, base } = this.#host
    const { witness, observer } = this.#config
    if (view.members.includes(self)) {
      if (view.witnesses.includes(self) !== witness || observer) this.#host.emit({ type: 'refused', why: 'role' })
    } else if (this.view?.members.includes(self) === true || before?.members.includes(self) === true) {
      this.removed = true
    } else if (!witness && complete && applied === 0 && base.position === 0 && !(this.vow.to !== '' && this.vow.cluster === view.cluster)) {
      // Whoever has promised to join has its copy already, also one of nothing.
      this.mustCopy = true
    }
  }
}
