import type { ViewInfo } from '../events.ts'
import type { ReplicatorOptions } from '../options.ts'
import { DatabaseReplicator } from '../replicator.ts'
import type { DiskImage } from './disk.ts'
import { SimDisk } from './disk.ts'
import type { NetworkBehaviour } from './fabric.ts'
import { Fabric } from './fabric.ts'
import type { DiskBehaviour } from './disk-calls.ts'
import { goodDisk } from './disk-calls.ts'
import { SimLevel } from './level.ts'
import type { WallClock } from './process.ts'
import { SimProcess } from './process.ts'
import { World } from './world.ts'

/** Options of the replicator on one machine. */
export type MachineOptions = Omit<ReplicatorOptions, 'host' | 'port' | 'peers' | 'transport' | 'secret'>

export interface SimClusterOptions {
  /** Decides everything that happens. */
  seed: number
  /** The machines' names. Default: a, b, c. */
  names?: readonly string[]
  /** Options of every replicator; addresses are filled in. */
  replicator?: MachineOptions
  /** Options of single replicators, by the names of their machines. They go before those of all. */
  replicators?: Readonly<Record<string, MachineOptions>>
  /** The peers of single machines, by their names; one that does not exist never answers. Default: all know all that are there from the beginning. */
  peers?: Readonly<Record<string, readonly string[]>>
  network?: NetworkBehaviour
  disk?: Partial<DiskBehaviour>
  /** How much clocks may run too fast or too slow. Default 0: not at all. */
  driftMax?: number
}

/** A simulated machine: a disk that stays, and a process that comes and goes. */
export class SimMachine {
  readonly name: string
  readonly disk = new SimDisk()
  readonly behaviour: DiskBehaviour
  /** The names of the machines that the next start knows. */
  peers: readonly string[]
  /** Options of the next start. */
  options: MachineOptions
  /** Called with each error that a replicator on this machine emits. */
  onError: ((error: Error) => void) | null = null
  /** Called with each view that a replicator on this machine knows of. */
  onView: ((view: ViewInfo) => void) | null = null
  readonly #cluster: SimCluster
  readonly #wallClock: WallClock = { aheadMs: 0 }
  #process: SimProcess | null = null
  #db: SimLevel | null = null
  #replicator: DatabaseReplicator | null = null

  constructor (cluster: SimCluster, name: string, behaviour: DiskBehaviour, peers: readonly string[], options: MachineOptions) {
    this.#cluster = cluster
    this.name = name
    this.behaviour = behaviour
    this.peers = peers
    this.options = options
  }

  get up (): boolean {
    return this.#process !== null
  }

  /** The database of the process that runs now. */
  get db (): SimLevel {
    if (this.#db === null) throw new Error(`${this.name} is down`)
    return this.#db
  }

  get replicator (): DatabaseReplicator {
    if (this.#replicator === null) throw new Error(`${this.name} is down`)
    return this.#replicator
  }

  get process (): SimProcess {
    if (this.#process === null) throw new Error(`${this.name} is down`)
    return this.#process
  }

  /** Starts a process with a replicator on this machine's disk. */
  start (): void {
    if (this.#process !== null) return
    const { world, fabric, options } = this.#cluster
    world.say(`${this.name} starts`)
    const drift = 1 + (world.random.next() * 2 - 1) * (options.driftMax ?? 0)
    const process = new SimProcess(world, this.name, drift, this.#wallClock)
    this.#process = process
    const db = this.#db = new SimLevel(this.disk, process, world.random.fork(), this.behaviour)
    const peers = this.peers.map(host => ({ host, port: 1 }))
    this.#replicator = new DatabaseReplicator(db, { name: this.name, ...this.options, host: this.name, port: 1, peers }, {
      env: process,
      files: () => async () => db.files,
      network: (settings) => fabric.plug(process, settings.failAfter, settings.failureTimeoutMs)
    })
    this.#replicator.on('ready', () => { world.say(`${this.name} is ready in epoch ${this.replicator.stats().epoch}`) })
    this.#replicator.on('notready', () => { world.say(`${this.name} is not ready`) })
    this.#replicator.on('view', view => this.onView?.(view))
    this.#replicator.on('error', (error) => {
      world.say(`${this.name} error: ${error.message}`)
      this.onError?.(error)
    })
  }

  /** The process is killed. What it has written stays, and of what it was about to write to files, perhaps the first part. */
  kill (): void {
    this.#end(`${this.name} is killed`, false)
  }

  /**
   * The power is cut: of what was not synced, a suffix is lost, and of files, any sectors. Nobody is told. With `tear`, the first batch that is lost
   * is lost only in part, and its last value is cut short: a store that breaks its promise of atomic batches. The next
   * start finds that, unless there was nothing to tear; `disk.mend()` removes the rest of the batch.
   */
  cutPower (tear = false): void {
    const { random } = this.#cluster.world
    const lost = this.disk.unsynced
    const kept = random.below(tear ? Math.max(1, lost) : lost + 1)
    this.#end(`${this.name} loses power, and ${lost - kept} of ${lost} unsynced writes`, true)
    this.disk.cutPower(kept, tear ? bytes => random.below(bytes) : null)
    const inFiles = this.disk.files.cutPower(random)
    if (inFiles > 0) this.#cluster.world.say(`the files of ${this.name} lose ${inFiles} unsynced sectors or names`)
    if (tear && this.disk.torn) this.#cluster.world.say(`the last write of ${this.name} is torn`)
  }

  /** The process stands still; the clocks run on. */
  pause (): void {
    if (this.#process === null) return
    this.#cluster.world.say(`${this.name} is paused`)
    this.#process.pause()
  }

  /** The machine stands still, and its monotonic clock with it, as a virtual machine's does; the wall clock runs on. */
  suspend (): void {
    if (this.#process === null) return
    this.#cluster.world.say(`${this.name} is suspended`)
    this.#process.suspend()
  }

  /** Somebody sets the wall clock forwards or, if `ms` is negative, back. */
  jumpClock (ms: number): void {
    this.#cluster.world.say(`the clock of ${this.name} jumps by ${ms} ms`)
    this.#wallClock.aheadMs += ms
  }

  resume (): void {
    if (this.#process === null) return
    this.#cluster.world.say(`${this.name} goes on`)
    this.#process.resume()
  }

  /** Leaves the cluster. The replicator is closed then; the process goes on until it is killed. */
  leave (options: { force?: boolean } = {}): Promise<void> {
    this.#cluster.world.say(`${this.name} is to leave`)
    return this.replicator.leave(options)
  }

  /** This machine has another removed, named by its name or id. */
  removePeer (member: string, options: { force?: boolean } = {}): Promise<void> {
    this.#cluster.world.say(`${this.name} is to remove ${member}`)
    return this.replicator.removePeer(member, options)
  }

  /** The last resort: to be called on each survivor. */
  recover (members: readonly string[]): Promise<{ cluster: string, epoch: number }> {
    this.#cluster.world.say(`${this.name} is to go on with ${members.join(', ')} alone`)
    return this.replicator.recover(members)
  }

  /** All that is on the disk, for `restore`, on this machine or another: then that runs with the identity of this one. */
  image (): DiskImage {
    return this.disk.image()
  }

  /** Puts the disk back to an image. The machine must be down. */
  restore (image: DiskImage): void {
    this.#exchange(`the disk of ${this.name} is put back to an image`, image)
  }

  /** The machine gets a new disk: what starts on it next is a new node. It must be down. */
  wipe (): void {
    this.#exchange(`${this.name} gets a new disk`, { store: [], files: [] })
  }

  #exchange (line: string, image: DiskImage): void {
    if (this.#process !== null) throw new Error(`${this.name} is up`)
    this.#cluster.world.say(line)
    this.disk.replace(image)
  }

  #end (line: string, silently: boolean): void {
    if (this.#process === null) return
    this.#cluster.world.say(line)
    this.#process.kill()
    this.disk.files.interrupt(this.#cluster.world.random)
    this.disk.forgetSpoiled()
    this.#cluster.fabric.unplug(this.name, silently)
    this.#process = null
    this.#db = null
    this.#replicator = null
  }
}

/** A whole cluster in one process and in virtual time, with the real replicators. */
export class SimCluster {
  readonly world: World
  readonly fabric: Fabric
  readonly options: SimClusterOptions
  readonly #machines: SimMachine[] = []

  constructor (options: SimClusterOptions) {
    this.options = options
    const names = options.names ?? ['a', 'b', 'c']
    this.world = new World(options.seed)
    this.fabric = new Fabric(this.world, options.network)
    for (const name of names) this.addMachine(name, options.peers?.[name] ?? names.filter(other => other !== name), options.replicators?.[name])
  }

  get machines (): readonly SimMachine[] {
    return this.#machines
  }

  get names (): readonly string[] {
    return this.#machines.map(({ name }) => name)
  }

  /** One more machine, which is down, and knows these; the others hear of it when it reaches one of them. `options` go before those of all. */
  addMachine (name: string, peers: readonly string[], options: MachineOptions = {}): SimMachine {
    if (this.names.includes(name)) throw new RangeError(`there is a machine ${name} already`)
    const machine = new SimMachine(this, name, { ...goodDisk, ...this.options.disk }, peers, { ...this.options.replicator, ...options })
    this.#machines.push(machine)
    return machine
  }

  machine (name: string): SimMachine {
    const found = this.machines.find(machine => machine.name === name)
    if (found === undefined) throw new RangeError(`no machine ${name}`)
    return found
  }

  /** Starts all machines that are down. */
  start (): this {
    for (const machine of this.machines) machine.start()
    return this
  }

  /** Every machine is up and its replicator is ready. */
  get ready (): boolean {
    return this.machines.every(machine => machine.up && machine.replicator.status === 'ready')
  }

  /** Nothing from `from` reaches `to`, until `heal()`. */
  cut (from: string, to: string): void {
    this.world.say(`nothing from ${from} reaches ${to}`)
    this.fabric.cut(from, to)
  }

  slow (from: string, to: string, factor: number): void {
    this.world.say(`${from} to ${to} is ${factor} times as slow`)
    this.fabric.slow(from, to, factor)
  }

  /** All connections between two machines are lost. */
  reset (a: string, b: string): void {
    this.world.say(`connections of ${a} and ${b} are reset`)
    this.fabric.reset(a, b)
  }

  heal (): void {
    this.world.say('the network is healed')
    this.fabric.heal()
  }

  /** Runs the world until `done()`, for at most `limitMs` of virtual time. Returns whether it is done. */
  run (done: () => boolean, limitMs: number): Promise<boolean> {
    return this.world.run(done, this.world.now + limitMs)
  }

  /** Runs the world until a promise settles, and returns what it gives. */
  async until<T> (promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false
    const watched = promise.finally(() => { settled = true })
    watched.catch(() => {})
    if (!await this.run(() => settled, limitMs)) throw new Error(`not settled within ${limitMs} ms of virtual time`)
    return await watched
  }
}
