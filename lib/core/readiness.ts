import type { Coordinator } from './coordinator.ts'
import type { MemberId } from './entry.ts'
import type { LeaseState } from './heartbeats.ts'
import type { Participant } from './participant.ts'
import type { View, Vow } from './view.ts'
import { isLive } from './view.ts'

/** What readiness depends on. */
export interface Standing {
  readonly self: MemberId
  readonly vow: Vow
  /** The newest view installed, and the newest known. */
  readonly view: View | null
  readonly known: View | null
  readonly intact: boolean
  readonly complete: boolean
  readonly seeded: boolean
  readonly minConsensus: number
  readonly agreement: { isUp (id: MemberId): boolean }
}

/** This node's data are at this moment those of the cluster: a prefix of the one order, of which nothing is missing. */
export function isReadable (node: Standing, lease: LeaseState): boolean {
  const { view } = node
  if (view === null || node.vow.epoch !== view.epoch || !isLive(view, node.self)) return false
  return node.intact && node.complete && (view.seeder === null || node.seeded) && (lease === 'free' || lease === 'valid')
}

/** It is in the view with its coordinator, and enough live members are connected. */
export function isInView (node: Standing, coordinator: Coordinator | null, participant: Participant | null): boolean {
  const view = coordinator?.view ?? (participant?.installed === true ? node.view : null)
  const live = view?.live.filter(({ id }) => id !== node.self && node.agreement.isUp(id)).length ?? 0
  return view !== null && Math.min(live, coordinator?.following ?? live) >= node.minConsensus
}

/** A witness has nothing to be read: it does its part while it is there. */
export function isWitnessing ({ self, known, agreement }: Standing): boolean {
  return known?.members.includes(self) === true && agreement.isUp(known.coordinator)
}
