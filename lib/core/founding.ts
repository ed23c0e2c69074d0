import type { MemberId } from './entry.ts'
import type { Founding } from './messages.ts'
import { sameMembers } from './view.ts'

/** What a founder says of itself in its status. */
export interface FounderStatement extends Founding {
  readonly connected: readonly MemberId[]
  readonly minConsensus: number
}

export type FoundingDecision =
  /** Not yet; `why` is for people. */
  | { readonly found: false, readonly why: string }
  /** These founders hold different data, or have one name: somebody has to decide. */
  | { readonly found: false, readonly why: string, readonly conflict: 'names' | 'data' }
  | { readonly found: true, readonly members: readonly MemberId[], readonly witnesses: readonly MemberId[], readonly names: readonly string[], readonly seeder: MemberId | null }

/**
 * Who may found a cluster together: the largest set of nodes that are all connected with one another, whose configured
 * addresses all lead into the set, and which is large enough for the `minConsensus` of each. A node that is merely
 * connected, and whose own conditions are not met, does not hold up the others.
 */
export function decideFounding (self: MemberId, statements: ReadonlyMap<MemberId, FounderStatement>): FoundingDecision {
  const set = new Map(statements)

  // Vows bind: whoever has given one founds with these or with nobody.
  const vows = [...statements.values()].map(({ vowed }) => vowed).filter(({ length }) => length > 0)
  const bound = statements.get(self)?.vowed.length !== 0 ? statements.get(self)?.vowed : vows.find(vowed => vowed.includes(self))
  for (const [id, { vowed }] of statements) {
    if (bound !== undefined && !bound.includes(id)) set.delete(id)
    else if (vowed.length > 0 && (bound === undefined || !sameMembers(vowed, bound))) set.delete(id)
  }

  // Whoever lacks something cannot be a founder now, and neither can those that require it.
  for (let changed = true; changed;) {
    changed = false
    for (const [id, statement] of set) {
      const complete = (bound !== undefined && sameMembers(statement.vowed, bound)) || (statement.unresolved === 0 &&
        statement.required.every(required => set.has(required)) &&
        set.size > statement.minConsensus && set.size >= statement.founders)
      if (!complete || isStranger(id, statement, set)) {
        set.delete(id)
        changed = true
      }
    }
  }

  if (!set.has(self)) return { found: false, why: whatIsMissing(self, statements) }

  const members = [...set.keys()].sort()
  if (bound !== undefined && !sameMembers(members, bound)) return { found: false, why: 'waiting for the founders to which this node is bound by a vow' }
  for (const [id, statement] of set) {
    if (!members.every(other => other === id || statement.connected.includes(other))) {
      return { found: false, why: 'waiting for the founders to connect with one another' }
    }
  }

  const witnesses = members.filter(id => set.get(id)?.witness === true)
  if (witnesses.length === members.length) return { found: false, why: 'waiting for a member that is no witness' }
  const names = members.map(id => set.get(id)?.name ?? '')
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i)
  if (twice !== undefined) return { found: false, conflict: 'names', why: `two founding nodes have the name '${twice}'` }

  const withData = members.filter(id => set.get(id)?.data !== '')
  const digests = new Set(withData.map(id => set.get(id)?.data))
  if (digests.size > 1) {
    return { found: false, conflict: 'data', why: `${withData.length} founding nodes hold different data` }
  }

  // Data that all founders hold alike are where they should be. Else one of those that have them writes them into the log.
  const seeder = withData.length === members.length - witnesses.length ? null : withData[0] ?? null
  return { found: true, members, witnesses, names, seeder }
}

/** Whether a node agrees to be one of exactly these founders. */
export function mayFound (
  members: readonly MemberId[], { self, founding, minConsensus }: { self: MemberId, founding: Founding | null, minConsensus: number }, isUp: (id: MemberId) => boolean
): boolean {
  if (founding === null) return false
  // Bound is bound: what a founder lacks later, after a restart for example, does not matter any more.
  if (founding.vowed.length > 0) return sameMembers(founding.vowed, members)
  return members.includes(self) &&
    founding.unresolved === 0 &&
    founding.required.every(id => members.includes(id)) &&
    members.length > minConsensus && members.length >= founding.founders &&
    members.every(id => id === self || isUp(id))
}

/** Why this node is no founder yet, for people. */
function whatIsMissing (self: MemberId, statements: ReadonlyMap<MemberId, FounderStatement>): string {
  const own = statements.get(self)
  if (own === undefined || own.unresolved > 0 || own.required.some(id => !statements.has(id))) return 'waiting for configured peers'
  if (statements.size <= own.minConsensus) return `waiting for ${own.minConsensus} other nodes (minConsensus), of which ${statements.size - 1} are there`
  if (statements.size < own.founders) return `waiting for ${own.founders} founders, of which ${statements.size} are there`
  return 'waiting for other founders, which lack peers'
}

/** Nobody requires it, and it has not reached everybody: the others go on without it. */
function isStranger (id: MemberId, statement: FounderStatement, set: ReadonlyMap<MemberId, FounderStatement>): boolean {
  for (const [other, { required, vowed }] of set) {
    if (other !== id && (required.includes(id) || vowed.includes(id))) return false
  }
  return [...set.keys()].some(other => other !== id && !statement.connected.includes(other))
}
