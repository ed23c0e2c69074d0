import type { MemberId } from './entry.ts'

/** More members than anybody should have; a bound for views and their messages. */
export const MEMBERS_MAX = 64

export interface LiveMember {
  readonly id: MemberId
  /** The first epoch since which every view has this member live. */
  readonly since: number
}

/** Who takes part, and who leads, in one epoch. */
export interface View {
  readonly epoch: number
  /** 32 hex digits, the same in every view of a cluster. */
  readonly cluster: string
  /** All voters, sorted. */
  readonly members: readonly MemberId[]
  /**
   * The members of the last view before that was known to be chosen when this one was proposed. A view is chosen by a majority of
   * these and a majority of its own.
   */
  readonly before: readonly MemberId[]
  /** The members that only vote: they hold no data and are never live. Sorted. */
  readonly witnesses: readonly MemberId[]
  /** What people call the members, one for each, in their order; empty where a member has no name. */
  readonly names: readonly string[]
  /** Those that have to hold an entry before it is committed, sorted by id. */
  readonly live: readonly LiveMember[]
  readonly coordinator: MemberId
  /** The start of the coordinator's process. Another start of it never leads in this epoch. */
  readonly coordinatorStart: number
  /** The founder whose data are written into the log before anything else, if founders' data differed. */
  readonly seeder: MemberId | null
  /** All members are live, and none of them will go on without any other: so nobody needs a lease. */
  readonly leaseFree: boolean
}

/** A durable promise: nothing is done in epochs below `epoch` any more. */
export interface Vow {
  readonly epoch: number
  /** The proposer; empty if the epoch was learned from others. */
  readonly to: MemberId
  /**
   * The members of the view that was proposed. As long as this node belongs to no cluster, these are founders, and no promise is given
   * for any other set: so there is never a second cluster with one of these founders.
   */
  readonly members: readonly MemberId[]
  /** The cluster to which this node belongs, once there is one: it takes part in no other. Empty before. */
  readonly cluster: string
}

export const noVow: Vow = { epoch: 0, to: '', members: [], cluster: '' }

export function sameMembers (a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

export function majority (members: readonly MemberId[]): number {
  return Math.floor(members.length / 2) + 1
}

/** Whether these are a majority of the voters of a view; and, as long as it is not known to be chosen, of those before it. */
export function isQuorum (ids: readonly MemberId[], view: View, isChosen: boolean): boolean {
  const isMajority = (voters: readonly MemberId[]): boolean => voters.filter(id => ids.includes(id)).length >= majority(voters)
  return isMajority(view.members) && (isChosen || isMajority(view.before))
}

/** The members that hold the data. */
export function holders ({ members, witnesses }: Pick<View, 'members' | 'witnesses'>): MemberId[] {
  return members.filter(id => !witnesses.includes(id))
}

/** What people call a member; empty if it has no name, or is no member. */
export function nameOf ({ members, names }: View, id: MemberId): string {
  return names[members.indexOf(id)] ?? ''
}

/** The first epoch of the member's unbroken liveness in this view; null if it is not live. */
export function since (view: View, id: MemberId): number | null {
  return view.live.find(member => member.id === id)?.since ?? null
}

export function isLive (view: View, id: MemberId): boolean {
  return since(view, id) !== null
}

/**
 * The commit point: what all live members have appended durably. `acknowledged` holds, for each live member of the view,
 * the end that it acknowledged *in this epoch*, 0 before that, the coordinator's own included.
 */
export function commitPoint (acknowledged: Iterable<number>): number {
  let lowest = Number.MAX_SAFE_INTEGER
  let some = false
  for (const end of acknowledged) {
    some = true
    if (end < lowest) lowest = end
  }
  return some ? lowest : 0
}

/** The same members do the same in both. */
export function sameRoles (a: View, b: View): boolean {
  return a.leaseFree === b.leaseFree && sameMembers(a.members, b.members) && a.coordinator === b.coordinator && a.coordinatorStart === b.coordinatorStart &&
    sameMembers(a.live.map(({ id }) => id), b.live.map(({ id }) => id))
}
