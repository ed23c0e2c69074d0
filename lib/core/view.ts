import type { MemberId } from './entry.ts'

/**
 * Who takes part, and who leads, in one epoch. In this version all members are voters and live in every view;
 * `members` is what later versions split into voters and live members.
 */
export interface View {
  readonly epoch: number
  /** 32 hex digits, the same in every view of a cluster. */
  readonly cluster: string
  /** Sorted. */
  readonly members: readonly MemberId[]
  readonly coordinator: MemberId
  /** The start of the coordinator's process. Another start of it never leads in this epoch. */
  readonly coordinatorStart: number
  /** The founder whose data are written into the log before anything else, if founders' data differed. */
  readonly seeder: MemberId | null
}

/** A durable promise: nothing is done in epochs below `epoch` any more. */
export interface Vow {
  readonly epoch: number
  readonly to: MemberId
  /**
   * The founders of the cluster that it was given for. As long as no view is installed, no promise is given for any other
   * set: so there is never a second cluster with one of these founders.
   */
  readonly members: readonly MemberId[]
}

export const noVow: Vow = { epoch: 0, to: '', members: [] }

export function sameMembers (a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

/**
 * The commit point: what all live members have appended durably. `acknowledged` holds, for each member of the view,
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
