import type { MemberId } from './entry.ts'
import { compareNames } from './entry.ts'
import { LEASE_LEFT_MAX_MS } from './leases.ts'
import type { PromiseMessage } from './messages.ts'
import type { View } from './view.ts'
import { holders, isQuorum, majority, nameOf, since } from './view.ts'

/** Who the first members of a cluster are. */
export interface FoundingView {
  readonly cluster: string
  readonly members: readonly MemberId[]
  readonly witnesses: readonly MemberId[]
  readonly names: readonly string[]
  readonly seeder: MemberId | null
}

/** How the members shall differ from those of one view, which is chosen. */
export interface Change {
  /** The epoch of that view. */
  readonly of: number
  readonly add: ReadonlyArray<{ readonly id: MemberId, readonly name: string, readonly witness: boolean }>
  readonly remove: readonly MemberId[]
  /** Those of them that, on the word of a person, are down for good: nobody waits for their promise. */
  readonly forced: readonly MemberId[]
}

/** What a proposer has gathered for a new view. */
export interface Candidacy {
  readonly epoch: number
  /** For the first view; null once there is one. */
  readonly founding: FoundingView | null
  readonly change: Change | null
  /** On the word of a person, these go on as a new cluster; null if not. */
  readonly recovery: { readonly cluster: string, readonly members: readonly MemberId[] } | null
  /** Who should rather be the coordinator; null: nobody in particular. */
  readonly preferred: MemberId | null
  /** Not to be live, whatever they promise. */
  readonly without: readonly MemberId[]
  readonly promises: ReadonlyMap<MemberId, PromiseMessage>
  /** The start of each node that was asked. */
  readonly starts: ReadonlyMap<MemberId, number>
  readonly areConnected: (a: MemberId, b: MemberId) => boolean
}

export type Succession =
  | { readonly view: View, readonly waitMs: number }
  /** `previous`: the view from which to go on, if that is known. */
  | { readonly view: null, readonly why: string, readonly previous: View | null }

type Voters = Pick<View, 'cluster' | 'members' | 'before' | 'witnesses' | 'names' | 'seeder'>

/**
 * The view that follows from the promises of a majority. It goes on from the newest view that any of them has accepted, with
 * the log of a *survivor*: a member that was live without a break since before the newest view that it installed, and so holds
 * everything that was ever committed. See `spec/protocol.md`, "Succession".
 */
export function succeed (candidacy: Candidacy): Succession {
  const { epoch, promises, preferred, change } = candidacy
  const promised = [...promises.keys()].sort()
  const previous = newest(promises)
  const isChosen = previous !== null && [...promises.values()].some(({ known }) => known >= previous.epoch)
  const applied = change !== null && isChosen && previous.epoch === change.of ? change : null
  // Also where something else was accepted meanwhile: they are down all the same, and are removed next.
  const forced = change?.forced ?? []
  const none = (why: string): Succession => ({ view: null, why, previous })

  const next = votersAfter(candidacy, previous, isChosen, applied)
  if (next === null) return none('waiting for other founders')
  const all = next.members.every(id => promises.has(id))
  if (candidacy.recovery === null) {
    if (promised.filter(id => next.members.includes(id)).length < majority(next.members)) return none('waiting for a majority of the members')
    if (previous === null ? !all : !isQuorum(promised, previous, isChosen)) return none('waiting for a majority of the members')
    // Nobody reads in a view that its coordinator has not opened, and never will.
    const mayBeOpen = previous !== null && (promises.get(previous.coordinator)?.installed ?? Infinity) >= previous.epoch
    if (previous?.leaseFree === true && mayBeOpen && !has(promises, previous.members, forced)) return none('waiting for members to connect')
    // Whoever may read in the view before promises to stop; so no lease outlives the members that granted it.
    if (applied !== null && previous !== null && !(has(promises, previous.live.map(({ id }) => id), forced) && has(promises, applied.add.map(({ id }) => id), []))) return none('waiting for members to connect')
  } else if (!all) return none('waiting for members to connect')

  const data = holders(next)
  const strict = data.every(id => (promises.get(id)?.minConsensus ?? data.length) >= data.length - 1)
  const complete = data.filter(id => promises.get(id)?.complete === true)
  const eligible = complete.filter(id => !candidacy.without.includes(id))
  const mayBeLive = (id: MemberId): boolean => previous === null || promise(candidacy, id).caughtUp || since(previous, id) !== null
  // Whom the coordinator's log does not reach back to could not follow.
  const canFollow = (id: MemberId, coordinator: MemberId): boolean => promise(candidacy, id).committed >= promise(candidacy, coordinator).base
  const liveUnder = (coordinator: MemberId): MemberId[] => eligible.filter(id => id === coordinator ||
    (mayBeLive(id) && canFollow(id, coordinator) && (strict || candidacy.areConnected(id, coordinator))))

  const survivors = eligible.filter(id => previous !== null && isSurvivor(promise(candidacy, id), since(previous, id)))
  let coordinator: MemberId | undefined
  if (survivors.length > 0) {
    // Any of them will do. The one that keeps most members, and reaches most of them; then the longest log; if all are equal, nothing moves.
    const reach = (coordinator: MemberId): number => liveUnder(coordinator).filter(id => id === coordinator || candidacy.areConnected(id, coordinator)).length
    coordinator = best(survivors, (a, b) => liveUnder(a).length - liveUnder(b).length ||
      reach(a) - reach(b) ||
      Number(a === preferred) - Number(b === preferred) ||
      compareNames(promise(candidacy, a).end, promise(candidacy, b).end) ||
      Number(a === previous?.coordinator) - Number(b === previous?.coordinator))
  } else if (mayTakeAny(candidacy, previous)) {
    // The first view; or none is sure to hold everything, but whatever any member has kept is here: all that one knows to be committed, at least.
    const ahead = best(complete, (a, b) => promise(candidacy, a).committed - promise(candidacy, b).committed)
    const sure = eligible.filter(id => id === ahead || (ahead !== undefined && holdsAll(promise(candidacy, id), promise(candidacy, ahead))))
    coordinator = best(sure, (a, b) => promise(candidacy, a).installed - promise(candidacy, b).installed ||
      compareNames(promise(candidacy, a).end, promise(candidacy, b).end))
  }
  if (coordinator === undefined) return none('waiting for a member that is sure to hold everything')

  const live = liveUnder(coordinator)
  return {
    waitMs: waitFor(promises, previous),
    view: {
      epoch,
      ...next,
      live: live.map(id => ({ id, since: survivors.includes(id) && previous !== null ? since(previous, id) as number : epoch })),
      coordinator,
      coordinatorStart: candidacy.starts.get(coordinator) as number,
      leaseFree: strict && all && next.witnesses.length === 0 && live.length === next.members.length
    }
  }
}

/** True if a member that makes this promise holds everything that was committed before. `from`: see `LiveMember.since`. */
export function isSurvivor ({ installed, intact, complete }: Pick<PromiseMessage, 'installed' | 'intact' | 'complete'>, from: number | null): boolean {
  return from !== null && intact && complete && installed >= from
}

/** The log of one holds what the other knows to be committed: both have been in the same epoch, or it has got that by a view that is as new. */
function holdsAll ({ end, installed }: PromiseMessage, other: PromiseMessage): boolean {
  return end.position >= other.committed && (end.epoch === other.end.epoch || installed >= other.known)
}

/** Nobody is sure to hold everything, and whatever anybody has kept is here; or a person says that there is no more. */
function mayTakeAny ({ promises, recovery }: Candidacy, previous: View | null): boolean {
  if (previous === null || recovery !== null) return true
  return has(promises, previous.members, []) && ![...promises].some(([id, promise]) => isSurvivor(promise, since(previous, id)))
}

/**
 * Who votes in the new view. The members differ only from those of a view that is known to be chosen: see `spec/protocol.md`,
 * "Changing members". Null if there is nothing to found.
 */
function votersAfter (candidacy: Candidacy, previous: View | null, isChosen: boolean, change: Change | null): Voters | null {
  const { founding, recovery } = candidacy
  if (previous === null) {
    if (founding === null) return null
    const { cluster, members, witnesses, names, seeder } = founding
    return { cluster, members, before: members, witnesses, names, seeder }
  }
  const { cluster, seeder } = previous
  if (recovery !== null) {
    return { cluster: recovery.cluster, before: recovery.members, seeder, ...among(previous, recovery.members) }
  }
  const before = isChosen ? previous.members : previous.before
  if (change === null) return { cluster, before, seeder, ...among(previous, previous.members) }
  const added = (id: MemberId): Change['add'][number] | undefined => change.add.find(joiner => joiner.id === id)
  const members = [...previous.members.filter(id => !change.remove.includes(id)), ...change.add.map(({ id }) => id)].sort()
  return {
    cluster,
    before,
    seeder,
    members,
    witnesses: members.filter(id => added(id)?.witness ?? previous.witnesses.includes(id)),
    names: members.map(id => added(id)?.name ?? nameOf(previous, id))
  }
}

function among (view: View, members: readonly MemberId[]): Pick<View, 'members' | 'witnesses' | 'names'> {
  return { members, witnesses: view.witnesses.filter(id => members.includes(id)), names: members.map(id => nameOf(view, id)) }
}

/** How long a lease may last that somebody holds who has not promised. Whoever has promised reads no more. */
function waitFor (promises: ReadonlyMap<MemberId, PromiseMessage>, previous: View | null): number {
  const someoneMay = previous !== null && ![...previous.members, ...previous.before].every(id => promises.has(id))
  const waits = [...promises.values()].flatMap(({ leases }) => leases)
    .filter(({ holder }) => holder === '' ? someoneMay : !promises.has(holder))
  // Whoever says more lies, and shall not stop the cluster by it.
  return Math.min(LEASE_LEFT_MAX_MS, Math.max(0, ...waits.map(({ ms }) => ms)))
}

function newest (promises: ReadonlyMap<MemberId, PromiseMessage>): View | null {
  let newest: View | null = null
  for (const { accepted } of promises.values()) {
    if (accepted !== null && accepted.epoch > (newest?.epoch ?? 0)) newest = accepted
  }
  return newest
}

function has (promises: ReadonlyMap<MemberId, PromiseMessage>, ids: readonly MemberId[], but: readonly MemberId[]): boolean {
  return ids.every(id => promises.has(id) || but.includes(id))
}

function promise ({ promises }: Candidacy, id: MemberId): PromiseMessage {
  return promises.get(id) as PromiseMessage
}

/** The first of those that are not less than any other. */
function best (ids: readonly MemberId[], compare: (a: MemberId, b: MemberId) => number): MemberId | undefined {
  let found = ids[0]
  for (const id of ids) if (found !== undefined && compare(id, found) > 0) found = id
  return found
}
