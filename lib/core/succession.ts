import type { MemberId } from './entry.ts'
import { compareNames } from './entry.ts'
import type { PromiseMessage } from './messages.ts'
import type { View } from './view.ts'
import { majority, since } from './view.ts'

/** What a proposer has gathered for a new view. */
export interface Candidacy {
  readonly epoch: number
  readonly members: readonly MemberId[]
  /** For the first view. */
  readonly cluster: string
  readonly seeder: MemberId | null
  /** Not to be live, whatever they promise. */
  readonly without: readonly MemberId[]
  readonly promises: ReadonlyMap<MemberId, PromiseMessage>
  /** The start of each member that was asked. */
  readonly starts: ReadonlyMap<MemberId, number>
  readonly areConnected: (a: MemberId, b: MemberId) => boolean
}

export type Succession =
  | { readonly view: View, readonly waitMs: number }
  | { readonly view: null, readonly why: string }

/**
 * The view that follows from the promises of a majority. It goes on from the newest view that any of them has accepted, with
 * the log of a *survivor*: a member that was live without a break since before the newest view that it installed, and so holds
 * everything that was ever committed. See `spec/protocol.md`, "Succession".
 */
export function succeed (candidacy: Candidacy): Succession {
  const { epoch, members, promises, without } = candidacy
  const all = promises.size === members.length
  if (promises.size < majority(members)) return { view: null, why: 'waiting for a majority of the members' }

  let previous: View | null = null
  for (const { accepted } of promises.values()) {
    if (accepted !== null && accepted.epoch > (previous?.epoch ?? 0)) previous = accepted
  }
  if ((previous === null || previous.leaseFree) && !all) return { view: null, why: 'waiting for members to connect' }

  const strict = [...promises.values()].every(({ minConsensus }) => minConsensus >= members.length - 1)
  const eligible = [...promises.keys()].sort().filter(id => promise(candidacy, id).complete && !without.includes(id))
  const mayBeLive = (id: MemberId): boolean => previous === null || promise(candidacy, id).caughtUp || since(previous, id) !== null
  // Whom the coordinator's log does not reach back to could not follow.
  const canFollow = (id: MemberId, coordinator: MemberId): boolean => promise(candidacy, id).committed >= promise(candidacy, coordinator).base
  const liveUnder = (coordinator: MemberId): MemberId[] => eligible.filter(id => id === coordinator ||
    (mayBeLive(id) && canFollow(id, coordinator) && (strict || candidacy.areConnected(id, coordinator))))

  const survivors = eligible.filter(id => previous !== null && isSurvivor(promise(candidacy, id), since(previous, id)))
  let coordinator: MemberId | undefined
  if (survivors.length > 0) {
    // Any of them will do. The one that keeps most members, then the longest log; if all are equal, nothing moves.
    coordinator = best(survivors, (a, b) => liveUnder(a).length - liveUnder(b).length ||
      compareNames(promise(candidacy, a).end, promise(candidacy, b).end) ||
      Number(a === previous?.coordinator) - Number(b === previous?.coordinator))
  } else if (all) {
    // The first view; or none is sure to hold everything, but whatever any member has kept is here.
    coordinator = best(eligible, (a, b) => promise(candidacy, a).installed - promise(candidacy, b).installed ||
      compareNames(promise(candidacy, a).end, promise(candidacy, b).end))
  }
  if (coordinator === undefined) return { view: null, why: 'waiting for a member that is sure to hold everything' }

  const live = liveUnder(coordinator)
  const waits = [...promises.values()].flatMap(({ leases }) => leases)
    // Whoever has promised reads no more.
    .filter(({ holder }) => !promises.has(holder))
  return {
    waitMs: Math.max(0, ...waits.map(({ ms }) => ms)),
    view: {
      epoch,
      cluster: previous?.cluster ?? candidacy.cluster,
      members,
      live: live.map(id => ({ id, since: survivors.includes(id) && previous !== null ? since(previous, id) as number : epoch })),
      coordinator,
      coordinatorStart: candidacy.starts.get(coordinator) as number,
      seeder: previous === null ? candidacy.seeder : previous.seeder,
      leaseFree: strict && all && live.length === members.length
    }
  }
}

/** True if a member that makes this promise holds everything that was committed before. `from`: see `LiveMember.since`. */
export function isSurvivor ({ installed, intact, complete }: Pick<PromiseMessage, 'installed' | 'intact' | 'complete'>, from: number | null): boolean {
  return from !== null && intact && complete && installed >= from
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
