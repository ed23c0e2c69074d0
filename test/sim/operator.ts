import { codes } from '../../lib/errors.ts'
import type { DiskImage } from '../../lib/sim/disk.ts'
import type { MachineOptions, SimCluster, SimMachine } from '../../lib/sim/index.ts'
import { Random } from '../../lib/sim/random.ts'
import type { Nemesis } from './nemesis.ts'
import { isObserver } from './observers.ts'
import type { Population } from './population.ts'
import { identityOf, idOf, wasMember } from './population.ts'
import type { ChangeKind, SimSettings } from './settings.ts'
import { changeKinds } from './settings.ts'
import type { Workload } from './workload.ts'

const LOOK_MS = 100

/** What a call that changes the members may be told, if not that it is done. */
const answers: ReadonlySet<unknown> = new Set([
  codes.changeRefused, codes.timeout, codes.closed, codes.notMember, codes.storeFailed, codes.removed, codes.staleIdentity
])

/** How a node fails that has to be put right by a person. */
const humanCases: ReadonlySet<unknown> = new Set([codes.removed, codes.staleIdentity, codes.changeRefused, codes.nameTaken, codes.hasData])

/** The person who runs the cluster: has machines join, leave, be removed and replaced, at random moments, and now and then makes a mistake. */
export class Operator {
  readonly problems: string[] = []
  readonly done: Partial<Record<ChangeKind, number>> = {}
  readonly #cluster: SimCluster
  readonly #settings: SimSettings
  readonly #population: Population
  readonly #workload: Workload
  readonly #nemesis: Nemesis
  readonly #onAdded: (machine: SimMachine) => void
  readonly #random: Random
  /** Calls that are not settled, with the process that they were made to. */
  readonly #calls = new Map<object, { readonly machine: SimMachine, readonly replicator: SimMachine['replicator'] }>()
  readonly #images = new Map<SimMachine, DiskImage>()
  /** Whose disks are images of another's. */
  readonly #clones = new Set<SimMachine>()
  #active = true

  constructor (cluster: SimCluster, settings: SimSettings, parts: { population: Population, workload: Workload, nemesis: Nemesis, onAdded: (machine: SimMachine) => void }) {
    this.#cluster = cluster
    this.#settings = settings
    this.#population = parts.population
    this.#workload = parts.workload
    this.#nemesis = parts.nemesis
    this.#onAdded = parts.onAdded
    this.#random = new Random(settings.seed ^ 0x0be7)
  }

  /** Nothing that was asked for is unanswered. */
  get idle (): boolean {
    return ![...this.#calls.values()].some(({ machine, replicator }) => machine.up && machine.replicator === replicator)
  }

  start (): void {
    const { changes } = this.#settings
    if (changes === null) return
    this.#look()
    for (const kind of changeKinds) if (changes.rates[kind] > 0) this.#next(kind, changes.rates[kind])
  }

  /** Changes nothing more of itself; but finishes what was begun. */
  stop (): void {
    this.#active = false
    for (const machine of this.#population.those('back')) this.#retire(machine)
    // Whoever was told of the wrong founders is told of the right ones.
    const founders = this.#cluster.names.slice(0, this.#settings.nodes)
    for (const machine of this.#cluster.machines.slice(0, this.#settings.nodes)) {
      if (this.#settings.changes?.wrongPeers === 'nothing' || this.#population.newest !== null || this.#population.standing(machine) !== 'in') continue
      this.#nemesis.kill(machine)
      machine.peers = founders.filter(name => name !== machine.name)
    }
  }

  /** A machine has gone down: an image of it may be of use later. */
  onDown (machine: SimMachine): void {
    if (this.#settings.changes !== null && this.#population.standing(machine) === 'in' && this.#random.chance(0.5)) this.#images.set(machine, machine.image())
  }

  isBeyondRepair (machine: SimMachine): boolean {
    return this.#settings.changes !== null && humanCases.has(failureOf(machine))
  }

  /** A machine that knows one member joins; or, as long as there is no cluster, one founder. */
  join (options: MachineOptions = {}): SimMachine | null {
    // A newcomer could not tell a copy of a node from that node, if it met the copy first.
    if (this.#population.those('stale').length > 0) return null
    const machine = this.#free()
    if (machine === null) return null
    const { newest, members, cluster } = this.#population
    const known = newest === null ? this.#cluster.machines.slice(0, this.#settings.nodes) : members
    if (known.length === 0) return null
    // A founder's own data would become those of all.
    const owns = this.#random.chance(0.15) && newest !== null
    machine.wipe()
    machine.peers = [this.#random.pick(known).name]
    const { minConsensus } = this.#settings.changes ?? { minConsensus: null }
    machine.options = {
      ...this.#cluster.options.replicator,
      ...(minConsensus === null || options.role === 'witness' ? {} : { minConsensus }),
      ...(newest !== null && this.#random.chance(0.3) ? { cluster } : {}),
      ...(owns && options.role !== 'witness' ? { overwrite: true } : {}),
      ...options
    }
    // One key that the others write too, and one that only a copy takes away.
    if (machine.options.overwrite === true) machine.disk.sync(machine.disk.write(['k1', 'own'].map(key => ({ key, value: new TextEncoder().encode('own') }))))
    this.#population.set(machine, 'in')
    machine.start()
    return machine
  }

  /** Resolves with whether it did. */
  async leave (machine: SimMachine): Promise<boolean> {
    const id = idOf(machine.disk)
    this.#workload.leaving.add(machine)
    const left = await this.#call(machine, () => machine.leave(), () => {
      if (this.#population.isMember(id)) this.problems.push(`${machine.name} has left, and is a member`)
      this.#retire(machine)
    })
    if (!left && idOf(machine.disk) === id) this.#workload.leaving.delete(machine)
    return left
  }

  /** The machine gets a new disk, if the others can go on without it, and comes back as a new node in its place. */
  replace (machine: SimMachine): boolean {
    if (!this.#mayLose(machine)) return false
    this.#nemesis.kill(machine)
    this.#population.lose(machine)
    this.#renew(machine)
    return true
  }

  /** The disk is put back to an image: the node has to notice, and is then replaced. */
  putBack (machine: SimMachine, image: DiskImage): boolean {
    const { id, start } = identityOf(image)
    if (id === '' || id !== idOf(machine.disk) || !this.#population.isHarmless(image) || !this.#population.allHaveSeen(id, start, machine, this.#active) || !this.#mayLose(machine)) return false
    this.#nemesis.kill(machine)
    this.#population.lose(machine)
    machine.restore(image)
    this.#population.set(machine, 'stale')
    machine.start()
    return true
  }

  /** These alone go on, on the word of this person. Resolves with whether they do. */
  async recover (survivors: readonly SimMachine[]): Promise<boolean> {
    this.#population.recovered = true
    for (const machine of this.#population.those('in')) if (!survivors.includes(machine)) this.#population.set(machine, 'out')
    const ids = survivors.map(({ name, disk }) => this.#random.chance(0.5) ? name : idOf(disk))
    const all = await Promise.all(survivors.map(machine => this.#call(machine, async () => { await machine.recover(ids) }, () => {})))
    return all.every(done => done)
  }

  #next (kind: ChangeKind, rate: number): void {
    this.#cluster.world.schedule(this.#random.skewed(1, 4000 / rate), `change ${kind}`, () => {
      if (!this.#active) return
      if (this.#change(kind)) this.done[kind] = (this.done[kind] ?? 0) + 1
      this.#next(kind, rate)
    })
  }

  #change (kind: ChangeKind): boolean {
    const population = this.#population
    const random = this.#random
    // Before there is a cluster, nothing can be changed; and a founder that loses its disk takes the others with it.
    if (population.newest === null && !kind.startsWith('join')) return false
    const members = population.members.filter(machine => machine.up && machine.process.running)
    const [machine, other] = [pick(random, members), pick(random, members)]
    // Of those that live, enough have to stay for writes, whoever leaves just now.
    const staying = population.members.length - 1 - (population.those('dead').length > 0 ? this.#calls.size + (this.#settings.changes?.minConsensus ?? 0) : 0)

    switch (kind) {
      case 'join':
        return this.join() !== null
      case 'joinSeveral':
        return [this.join(), this.join(), this.join()].some(joined => joined !== null)
      case 'joinWitness':
        return (population.newest?.witnesses.length ?? 1) < 2 && this.join({ role: 'witness' }) !== null
      case 'leave':
      case 'leaveCoordinator': {
        const leaver = kind === 'leave' ? machine : members.find(({ disk }) => idOf(disk) === population.newest?.coordinator)
        if (leaver === undefined || staying < 1) return false
        void this.leave(leaver)
        return true
      }
      case 'remove': {
        // Rather one that does not answer.
        const isCutOff = ({ name }: SimMachine): boolean => members.filter(each => this.#cluster.fabric.isCut(name, each.name)).length * 2 >= members.length - 1
        const target = (random.chance(0.5) ? pick(random, members.filter(isCutOff)) : null) ?? machine
        if (target === undefined || other === undefined || target === other || staying < 1) return false
        void this.#remove(other, random.chance(0.5) ? target.name : idOf(target.disk), false)
        return true
      }
      case 'removeDead': {
        if (machine === undefined || this.#calls.size > 0 || !this.#mayLose(machine)) return false
        this.#nemesis.kill(machine)
        population.set(machine, 'dead')
        return true
      }
      case 'wipe': {
        const lost = pick(random, population.members)
        return lost !== undefined && this.replace(lost)
      }
      case 'oldImage': {
        const [put, image] = pick(random, [...this.#images].filter(([machine]) => population.members.includes(machine))) ?? []
        return put !== undefined && this.putBack(put, image as DiskImage)
      }
      case 'clone':
        return this.#clone()
      case 'comeBack': {
        const gone = pick(random, population.those('out').filter(wasMember))
        if (gone === undefined || population.those('stale').length > 0) return false
        population.set(gone, 'back')
        gone.start()
        return true
      }
      case 'move':
        this.#workload.favourite = pick(random, population.holders) ?? null
        return true
    }
  }

  /** Asks a machine to do something. Resolves with whether it does; never if it goes down before. */
  async #call (machine: SimMachine, ask: () => Promise<void>, then: () => void): Promise<boolean> {
    const call = {}
    const { replicator } = machine
    this.#calls.set(call, { machine, replicator })
    try {
      await ask()
      if (machine.up && machine.replicator === replicator) then()
      return true
    } catch (error) {
      const { code, message } = error as { code?: unknown, message: string }
      this.#cluster.world.say(`${machine.name} does not: ${message}`)
      if (!answers.has(code)) this.problems.push(`a change of the members on ${machine.name} is answered with ${String((error as Error).stack)}`)
      return false
    } finally {
      this.#calls.delete(call)
    }
  }

  async #remove (machine: SimMachine, member: string, force: boolean): Promise<boolean> {
    return await this.#call(machine, () => machine.removePeer(member, { force }), () => {
      if (this.#population.isMember(member)) this.problems.push(`${member} is removed, and is a member`)
    })
  }

  /** Runs a machine on an old image of another's disk. */
  #clone (): boolean {
    const [original, image] = pick(this.#random, [...this.#images].filter(([machine]) => this.#population.members.includes(machine))) ?? []
    if (original === undefined || image === undefined) return false
    const { id, start } = identityOf(image)
    if (id === '' || id !== idOf(original.disk) || !this.#population.isHarmless(image) || !this.#population.allHaveSeen(id, start, original)) return false
    // Two such, of two nodes, that nobody else has met yet would believe each other, and accuse both.
    if (this.#population.those('stale').some(({ disk }) => idOf(disk) !== id)) return false
    const machine = this.#free()
    if (machine === null) return false
    machine.options = { ...original.options }
    machine.peers = this.#population.those('in').map(({ name }) => name)
    machine.restore(image)
    this.#clones.add(machine)
    this.#population.set(machine, 'stale')
    machine.start()
    return true
  }

  /** A machine that takes no part, or one more. */
  #free (): SimMachine | null {
    const out = this.#population.those('out')
    const machines = this.#cluster.machines.filter(machine => !isObserver(machine))
    const most = Math.max(this.#settings.nodes, this.#settings.changes?.machinesMax ?? 0)
    if (out.length > 0 && (machines.length >= most || this.#random.chance(0.5))) return this.#random.pick(out)
    if (machines.length >= most) return null
    const machine = this.#cluster.addMachine('abcdefghijklm'[machines.length] as string, [])
    this.#onAdded(machine)
    return machine
  }

  #mayLose (machine: SimMachine): boolean {
    const { minConsensus } = this.#settings.changes ?? { minConsensus: null }
    const isMember = this.#population.members.includes(machine)
    return isMember && this.#population.those('dead', 'stale').length === 0 && this.#population.mayLose(machine, 1 + (minConsensus ?? 0))
  }

  /** The disk of the machine is nothing any more: it begins anew, in its own place. */
  #renew (machine: SimMachine): void {
    machine.wipe()
    this.#images.delete(machine)
    machine.peers = this.#population.those('in').filter(other => other !== machine).map(({ name }) => name)
    machine.options = { ...machine.options, replaces: machine.name }
    this.#population.set(machine, 'in')
    machine.start()
  }

  /** It is no member any more. */
  #retire (machine: SimMachine): void {
    this.#clones.delete(machine)
    this.#images.delete(machine)
    this.#nemesis.kill(machine)
    this.#population.set(machine, 'out')
  }

  /** It ran on a copy of another's disk, which is not to be started again. */
  #destroy (machine: SimMachine): void {
    this.#nemesis.kill(machine)
    machine.wipe()
    this.#retire(machine)
  }

  /** Looks after what is not as it should be. */
  #look (): void {
    for (const machine of this.#cluster.machines) {
      const standing = this.#population.standing(machine)
      if (machine.up) this.#attend(machine, standing)
      else if (standing === 'dead') this.#bury(machine)
    }
    this.#cluster.world.schedule(LOOK_MS, 'looks', () => { this.#look() })
  }

  #attend (machine: SimMachine, standing: string): void {
    if (standing === 'stale' && machine.replicator.status === 'ready') this.problems.push(`${machine.name} is ready with the disk of another time`)
    // A witness that has not heard of it yet does no harm: it has nothing to be read.
    if (standing === 'back' && machine.replicator.status === 'ready' && machine.replicator.stats().role !== 'witness') this.problems.push(`${machine.name} is ready, and was removed`)
    // Nobody is left that could tell it from the one whose disk it has.
    if (this.#clones.has(machine) && standing === 'stale' && this.#population.members.length < 2) return this.#destroy(machine)
    const { replaces, ...options } = machine.options
    switch (failureOf(machine) ?? this.#refusalOf(machine)) {
      case codes.removed:
        if (this.#population.isMember(idOf(machine.disk))) this.problems.push(`${machine.name} believes that it was removed`)
        return this.#retire(machine)
      case codes.staleIdentity:
        if (standing === 'stale') {
          if (this.#clones.has(machine)) return this.#destroy(machine)
          this.#nemesis.kill(machine)
          this.#renew(machine)
        } else if (standing === 'back') this.#retire(machine)
        // Those whose disks are put back, others look after.
        else if (standing !== 'observer' || (this.#settings.observers?.images ?? 0) === 0) this.problems.push(`${machine.name} believes that its disk is of another time`)
        return
      // Whose place it was to take is gone already; or still there.
      case codes.changeRefused:
      case codes.nameTaken:
        if (standing === 'observer') {
          this.problems.push(`${machine.name} observes, and is refused: ${String(machine.replicator.stats().lastError)}`)
          return this.#retire(machine)
        }
        this.#nemesis.kill(machine)
        machine.options = replaces === undefined ? { ...options, replaces: machine.name } : options
        machine.start()
        return
      case codes.hasData:
        this.#nemesis.kill(machine)
        machine.wipe()
        machine.start()
        return
    }
    const isLost = standing === 'in' || (standing === 'observer' && machine.replicator.status !== 'ready')
    if (isLost && this.#random.chance(0.05)) this.#helpFind(machine)
  }

  /** One on an old disk may know none of those that are members now: then it goes on looking, and only its errors tell a person why. */
  #refusalOf (machine: SimMachine): string | undefined {
    const isRefused = this.#population.standing(machine) === 'stale' && machine.replicator.trace().some(event => event.event === 'error' && event.code === codes.staleIdentity)
    return isRefused ? codes.staleIdentity : undefined
  }

  /** Whoever looks for a cluster where none is any more, is told of somebody else. */
  #helpFind (machine: SimMachine): void {
    const { members } = this.#population
    // Whoever is leaving may be about to hear that it has left.
    if (this.#workload.leaving.has(machine)) return
    if (members.length === 0 || this.#population.isMember(idOf(machine.disk)) || members.some(({ name }) => machine.peers.includes(name))) return
    this.#nemesis.kill(machine)
    machine.peers = [this.#random.pick(members).name]
    machine.start()
  }

  /** Has a dead one removed. */
  #bury (machine: SimMachine): void {
    const id = idOf(machine.disk)
    if (!this.#population.isMember(id)) {
      // Who was said to be gone for good has to be: it could go on reading.
      this.#population.lose(machine)
      machine.wipe()
      this.#retire(machine)
      return
    }
    const asked = pick(this.#random, this.#population.members.filter(other => other.up && other.process.running))
    if (asked !== undefined && this.#random.chance(0.1)) void this.#remove(asked, this.#random.chance(0.5) ? machine.name : id, this.#random.chance(0.8))
  }
}

function failureOf (machine: SimMachine): unknown {
  if (!machine.up || machine.replicator.status !== 'failed') return null
  return (machine.replicator.stats().lastError as { code?: unknown } | null)?.code
}

function pick<T> (random: Random, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : random.pick(items)
}
