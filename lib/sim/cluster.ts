import type { ReplicatorOptions } from '../options.ts'
import { DatabaseReplicator } from '../replicator.ts'
import { SimDisk } from './disk.ts'
import type { NetworkBehaviour } from './fabric.ts'
import { Fabric } from './fabric.ts'
import type { DiskBehaviour } from './level.ts'
import { goodDisk, SimLevel } from './level.ts'
import type { WallClock } from './process.ts'
import { SimProcess } from './process.ts'
import { World } from './world.ts'

type MachineOptions = Omit<ReplicatorOptions, 'host' | 'port' | 'peers' | 'transport'>

export interface SimClusterOptions {
  /** Decides everything that happens. */
  seed: number
  /** The machines' names. Default: a, b, c. */
  names?: readonly string[]
  /** Options of every replicator; addresses and peers are filled in: all know all. */
  replicator?: MachineOptions
  /** Options of single replicators, by the names of their machines. They go before those of all. */
  replicators?: Readonly<Record<string, MachineOptions>>
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
  /** Called with each error that a replicator on this machine emits. */
  onError: ((error: Error) => void) | null = null
  readonly #cluster: SimCluster
  readonly #wallClock: WallClock = { aheadMs: 0 }
  #process: SimProcess | null = null
  #db: SimLevel | null = null
  #replicator: DatabaseReplicator | null = null

  constructor (cluster: SimCluster, name: string, behaviour: DiskBehaviour) {
    this.#cluster = cluster
    this.name = name
    this.behaviour = behaviour
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
    const { world, fabric, options, names } = this.#cluster
    world.say(`${this.name} starts`)
    const drift = 1 + (world.random.next() * 2 - 1) * (options.driftMax ?? 0)
    const process = new SimProcess(world, this.name, drift, this.#wallClock)
    this.#process = process
    this.#db = new SimLevel(this.disk, process, world.random.fork(), this.behaviour)
    const peers = names.filter(name => name !== this.name).map(host => ({ host, port: 1 }))
    this.#replicator = new DatabaseReplicator(this.#db, { name: this.name, ...options.replicator, ...options.replicators?.[this.name], host: this.name, port: 1, peers }, {
      env: process,
      network: (settings) => fabric.plug(process, settings.failAfter, settings.failureTimeoutMs)
    })
    this.#replicator.on('ready', () => { world.say(`${this.name} is ready in epoch ${this.replicator.stats().epoch}`) })
    this.#replicator.on('notready', () => { world.say(`${this.name} is not ready`) })
    this.#replicator.on('error', (error) => {
      world.say(`${this.name} error: ${error.message}`)
      this.onError?.(error)
    })
  }

  /** The process is killed. What it has written stays. */
  kill (): void {
    this.#end(`${this.name} is killed`, false)
  }

  /**
   * The power is cut: of what was not synced, a suffix is lost. Nobody is told. With `tear`, the first batch that is lost
   * is lost only in part, and its last value is cut short: a store that breaks its promise of atomic batches. The next
   * start finds that, unless there was nothing to tear; `disk.mend()` removes the rest of the batch.
   */
  cutPower (tear = false): void {
    const { random } = this.#cluster.world
    const lost = this.disk.unsynced
    const kept = random.below(tear ? Math.max(1, lost) : lost + 1)
    this.#end(`${this.name} loses power, and ${lost - kept} of ${lost} unsynced writes`, true)
    this.disk.cutPower(kept, tear ? bytes => random.below(bytes) : null)
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

  #end (line: string, silently: boolean): void {
    if (this.#process === null) return
    this.#cluster.world.say(line)
    this.#process.kill()
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
  readonly names: readonly string[]
  readonly machines: readonly SimMachine[]

  constructor (options: SimClusterOptions) {
    this.options = options
    this.names = options.names ?? ['a', 'b', 'c']
    this.world = new World(options.seed)
    this.fabric = new Fabric(this.world, options.network)
    this.machines = this.names.map(name => new SimMachine(this, name, { ...goodDisk, ...options.disk }))
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
