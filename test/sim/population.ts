import type { ViewInfo } from '../../lib/events.ts'
import type { DiskChange, DiskImage } from '../../lib/sim/disk.ts'
import { SimDisk, toText } from '../../lib/sim/disk.ts'
import type { SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { acceptedKey, appliedKey, decodeApplied, decodeIdentity, decodeSighting, decodeView, identityKey, sightingKey, viewKey } from '../../lib/store/layout.ts'
import type { View } from '../../lib/core/view.ts'
import { majority } from '../../lib/core/view.ts'
import { isObserver } from './observers.ts'
import { canGoOn } from './survivors.ts'

/** What a person wants of a machine. */
export type Standing =
  /** It is a member, or is to become one. */
  | 'in'
  /** It is no member, and does not run. */
  | 'out'
  /** It is no member any more, and was started again as if it were. */
  | 'back'
  /** It runs on an old image or on a copy of another's disk. */
  | 'stale'
  /** It will never run again, and is to be removed. */
  | 'dead'
  /** It follows, and is no member. */
  | 'observer'

/** A disk, and whose it is, or was. */
export interface Holder {
  readonly name: string
  readonly disk: SimDisk
}

interface Known {
  readonly at: number
  readonly members: readonly string[]
  readonly witnesses: readonly string[]
  readonly live: number
}

const [identity, installed, accepted, applied] = [identityKey, viewKey, acceptedKey, appliedKey].map(toText) as [string, string, string, string]

/** Who is there: which machines are to be members, which are, and which views there were. */
export class Population {
  readonly problems: string[] = []
  /** The newest view that anybody has told of. */
  newest: ViewInfo | null = null
  /** The id of the cluster; empty as long as there is none. */
  cluster = ''
  /** Whose data went through the log at the beginning. */
  seeder: string | null = null
  /** A person has declared a minority to be the cluster: so there may be a second one. */
  recovered = false
  readonly #cluster: SimCluster
  readonly #standings = new Map<SimMachine, Standing>()
  /** What machines knew, and when. */
  readonly #known = new Map<SimMachine, Known[]>()
  /** Disks that are lost, as they were. */
  readonly #lost: Holder[] = []
  readonly #clusters = new Set<string>()
  /** What was chosen in each epoch. */
  readonly #views = new Map<number, string>()

  constructor (cluster: SimCluster) {
    this.#cluster = cluster
    for (const machine of cluster.machines) this.#standings.set(machine, isObserver(machine) ? 'observer' : 'in')
  }

  standing (machine: SimMachine): Standing {
    return this.#standings.get(machine) ?? 'out'
  }

  set (machine: SimMachine, standing: Standing): void {
    if (this.standing(machine) === standing) return
    this.#cluster.world.say(`${machine.name} is now ${standing}`)
    this.#standings.set(machine, standing)
  }

  those (...standings: Standing[]): SimMachine[] {
    return this.#cluster.machines.filter(machine => standings.includes(this.standing(machine)))
  }

  mayRun (machine: SimMachine): boolean {
    return !['out', 'dead'].includes(this.standing(machine))
  }

  /** The machines of the newest view. */
  get members (): SimMachine[] {
    return this.those('in').filter(machine => this.newest?.members.includes(idOf(machine.disk)) === true)
  }

  /** Those of them that hold the data. */
  get holders (): SimMachine[] {
    return this.members.filter(machine => this.newest?.witnesses.includes(idOf(machine.disk)) === false)
  }

  isMember (id: string): boolean {
    return this.newest?.members.includes(id) === true
  }

  /** Everybody is what a person wants. */
  get isSettled (): boolean {
    const ids = this.those('in').map(({ disk }) => idOf(disk))
    return this.newest !== null && this.newest.members.length === ids.length && ids.every(id => this.isMember(id)) && this.those('back', 'stale', 'dead').length === 0
  }

  onView (machine: SimMachine, view: ViewInfo): void {
    this.#note(machine, view)
    this.#agree(view.epoch, JSON.stringify([view.members, view.witnesses, view.live, view.coordinator]))
    if (view.epoch <= (this.newest?.epoch ?? 0)) return
    this.newest = view
    this.#cluster.world.say(`view ${view.epoch}: members ${this.#names(view.members)}; live ${this.#names(view.live)}; ${this.#names([view.coordinator])} leads`)
  }

  onBatch (machine: SimMachine, changes: readonly DiskChange[]): void {
    for (const { key, value } of changes) {
      if (value === null) continue
      if (key === installed) {
        const { cluster, names, seeder } = decodeView(value)
        if (names.some((name, i) => name !== '' && names.indexOf(name) !== i)) this.problems.push(`two members have one name: ${names.join(', ')}`)
        this.#clusters.add(cluster)
        this.cluster = cluster
        this.seeder = seeder
        if (this.#clusters.size > 1 && !this.recovered) this.problems.push(`${machine.name} belongs to a second cluster, ${cluster}`)
      }
      // A process begins with what is on its disk.
      const view = key === identity ? viewOf(machine.disk, installed) : null
      if (view !== null) this.#note(machine, view)
    }
  }

  /** The least number of other members with the data, by what this machine has known since then. */
  leastOthers (machine: SimMachine, since: number): number {
    return Math.min(...this.#knownSince(machine, since).map(({ members, witnesses }) => members.length - witnesses.length - 1))
  }

  /** The least number of live members, by what anybody has known since then. */
  leastLive (since: number): number {
    return Math.min(...[...this.#known.keys()].flatMap(machine => this.#knownSince(machine, since)).map(({ live }) => live))
  }

  /** The disks, also those that are lost, of all that were members with the data, by what this machine has known since then. */
  holdersSince (machine: SimMachine, since: number): Holder[] {
    // An observer gets what was committed in whichever view, and may hear of that later.
    const knowing = isObserver(machine) ? [...this.#known.keys()] : [machine]
    const ids = new Set(knowing.flatMap(other => this.#knownSince(other, since)).flatMap(({ members, witnesses }) => members.filter(id => !witnesses.includes(id))))
    return [...this.#cluster.machines.filter(other => this.standing(other) !== 'stale'), ...this.#lost].filter(({ disk }) => ids.has(idOf(disk)))
  }

  /** Whether the others can go on without this disk, and those that are lost already, as far as the disks show. */
  mayLose (machine: SimMachine, holdersMin: number): boolean {
    const rest = this.those('in').filter(other => other !== machine)
    return this.#canGoOn(rest, [...rest, machine, ...this.those('dead'), ...this.#lost], holdersMin)
  }

  /** Whether they still can: the newest view may have been chosen in the very moment in which a disk was lost. */
  get canGoOn (): boolean {
    const rest = this.those('in')
    return this.#canGoOn(rest, [...rest, ...this.those('dead'), ...this.#lost], 1)
  }

  /** The disk of a machine is about to be lost. */
  lose (machine: SimMachine): void {
    const disk = new SimDisk()
    disk.replace(machine.image())
    this.#lost.push({ name: `the old disk of ${machine.name}`, disk })
  }

  /**
   * Everybody else who may ever be asked has seen a start of this node that is later than this one: so another with that number is refused.
   * What was seen is not synced, so it counts only when something else was, as long as the power may be cut.
   */
  allHaveSeen (id: string, start: number, but: SimMachine, mayCut = true): boolean {
    return this.those('in', 'dead', 'back', 'observer').every((machine) => {
      if (machine === but) return true
      const key = toText(sightingKey(id))
      const seen = mayCut ? machine.disk.durable(key) : machine.disk.get(key)
      return seen !== undefined && decodeSighting(seen).start > start
    })
  }

  /** Whoever runs on this image needs another, who has seen more of it, before it answers anything. */
  isHarmless (image: DiskImage): boolean {
    return [installed, accepted].every((key) => {
      const record = image.store.find(([other]) => other === key)
      const view = record === undefined ? null : decodeView(record[1])
      return view !== null && view.members.length > 1 && !view.leaseFree
    })
  }

  #canGoOn (rest: readonly SimMachine[], all: readonly Holder[], holdersMin: number): boolean {
    const old = rest.filter(({ disk }) => viewOf(disk, installed) !== null)
    if (old.length === 0 || !canGoOn(old, all)) return false
    const ids = rest.map(({ disk }) => idOf(disk))
    const newest = Math.max(0, ...all.map(({ disk }) => viewOf(disk, installed)?.epoch ?? 0))
    const candidates = all.flatMap(({ disk }) => [viewOf(disk, installed), viewOf(disk, accepted)]).filter((view): view is View => view !== null && view.epoch >= newest)
    const isMajority = (voters: readonly string[]): boolean => voters.filter(id => ids.includes(id)).length >= majority(voters)
    // What a founder has brought along is on its own disk alone, until it is in the data of all.
    const isSeeded = ({ disk }: Holder): boolean => {
      const record = disk.durable(applied)
      return record !== undefined && decodeApplied(record).seeded
    }
    return candidates.every(({ members, before, witnesses, seeder, live }) => (seeder === null || live.every(({ id }) => all.some(holder => idOf(holder.disk) === id && isSeeded(holder)))) && isMajority(members) && isMajority(before) &&
      members.filter(id => ids.includes(id) && !witnesses.includes(id)).length >= holdersMin)
  }

  /** For people. Of nodes whose disks are gone, only ids are left. */
  #names (ids: readonly string[]): string {
    const nameOf = (id: string): string => this.#cluster.machines.find(({ disk }) => idOf(disk) === id)?.name ?? id.slice(0, 8)
    return ids.map(nameOf).join(' ')
  }

  #agree (epoch: number, view: string): void {
    const before = this.#views.get(epoch)
    if (before === undefined) this.#views.set(epoch, view)
    else if (before !== view) this.problems.push(`two views are chosen in epoch ${epoch}: ${before} and ${view}`)
  }

  #note (machine: SimMachine, { members, witnesses, live }: Pick<View | ViewInfo, 'members' | 'witnesses' | 'live'>): void {
    const notes = this.#known.get(machine) ?? []
    notes.push({ at: this.#cluster.world.stamp(), members, witnesses, live: live.length })
    this.#known.set(machine, notes)
  }

  #knownSince (machine: SimMachine, since: number): Known[] {
    const notes = this.#known.get(machine) ?? []
    const first = notes.findIndex(({ at }) => at > since)
    return notes.slice(Math.max(0, (first === -1 ? notes.length : first) - 1))
  }
}

/** Of the node on this disk; empty if there is none. */
export function idOf (disk: SimDisk): string {
  const record = disk.get(identity)
  return record === undefined ? '' : decodeIdentity(record).id
}

/** Of the node on a disk, as an image has it: who it is, and how often it was started. */
export function identityOf (image: DiskImage): { id: string, start: number } {
  const record = image.store.find(([key]) => key === identity)
  return record === undefined ? { id: '', start: 0 } : decodeIdentity(record[1])
}

/** It has installed a view, and so knows that it was one. */
export function wasMember ({ disk }: SimMachine): boolean {
  return viewOf(disk, installed) !== null
}

function viewOf (disk: SimDisk, key: string): View | null {
  const record = disk.get(key)
  return record === undefined ? null : decodeView(record)
}
