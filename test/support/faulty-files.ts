import type { Random } from '../../lib/sim/random.ts'
import type { Files, WritableFile } from '../../lib/store/files.ts'

const SECTOR = 512

/** What may be in a new file where its own zeros have not arrived. */
const garbage = [0, 0, 1, 0x71, 0xff].map(byte => new Uint8Array(SECTOR).fill(byte))

/** A crash in the middle of things: nothing of this process goes on. */
export class Crash extends Error {}

/** What a file holds, as processes see it, and, where it differs, what a sector of it is on the disk. */
interface Content {
  bytes: Uint8Array
  /** How many there are on the disk, at least. */
  synced: number
  readonly unsynced: Map<number, Uint8Array>
  /** Those that the system takes for written after a sync that failed: no later one brings them to the disk. */
  readonly forsaken: Set<number>
}

/** A change of names that the disk need not have yet. */
interface Change {
  readonly from: string | null
  readonly to: string | null
  readonly content: Content
}

/**
 * A directory in memory that may be left at any moment. When a process is killed, what it has written stays, but need not be on the
 * disk. When the power is cut, any of the sectors that were not synced are there, and any of the changes of names.
 */
export class FaultyFiles implements Files {
  readonly #random: Random
  #names = new Map<string, Content>()
  /** The names on the disk. */
  #durable = new Map<string, Content>()
  #changes: Change[] = []
  /** Counts the processes; calls of an earlier one go on no more. */
  #process = 0
  /** After so many steps from now on there is a crash. */
  #left = Infinity
  #cut = false
  /** What a call that matches waits for, or fails with. */
  before: (call: string, name: string) => Promise<void> = async () => {}

  constructor (random: Random) {
    this.#random = random
  }

  get crashed (): boolean {
    return this.#left <= 0
  }

  /** The next crash: of the power, or only of the process. */
  crashAfter (steps: number, cut: boolean): void {
    this.#left = steps
    this.#cut = cut
  }

  /** The process ends here, if it has not ended yet, and another begins. */
  async restart (): Promise<void> {
    this.#process++
    // What it had under way ends before that.
    await new Promise<void>((resolve) => { setImmediate(resolve) })
    if (this.#cut && this.crashed) this.cutPower()
    this.#left = Infinity
  }

  cutPower (): void {
    for (const change of this.#changes) if (this.#random.chance(0.5)) apply(this.#durable, change)
    this.#changes = []
    this.#names = new Map(this.#durable)
    for (const content of this.#names.values()) this.#lose(content)
  }

  /** A sync has failed: the system takes for written what is not on the disk, or has forgotten it. */
  failSync (): void {
    for (const content of this.#names.values()) {
      for (const [at, before] of content.unsynced) {
        if (this.#random.chance(0.5)) content.forsaken.add(at)
        else if (this.#random.chance(0.5)) {
          content.bytes.set(before.subarray(0, content.bytes.length - at), at)
          content.unsynced.delete(at)
          content.forsaken.delete(at)
        }
      }
    }
  }

  /** The bytes of a file, to be looked at or damaged. */
  peek (name: string): Uint8Array {
    return this.#content(name).bytes
  }

  put (name: string, bytes: Uint8Array): void {
    const content = { bytes, synced: bytes.length, unsynced: new Map(), forsaken: new Set<number>() }
    this.#names.set(name, content)
    this.#durable.set(name, content)
  }

  delete (name: string): void {
    this.#names.delete(name)
    this.#durable.delete(name)
  }

  /** All that is there now, as a directory of its own that does not fail. */
  copy (): FaultyFiles {
    const files = new FaultyFiles(this.#random)
    for (const [name, { bytes }] of this.#names) files.put(name, bytes.slice())
    return files
  }

  async list (): Promise<string[]> {
    await this.#call('list', '')
    return [...this.#names.keys()]
  }

  async size (name: string): Promise<number> {
    await this.#call('size', name)
    return this.#content(name).bytes.length
  }

  async read (name: string, position: number, length: number): Promise<Uint8Array> {
    await this.#call('read', name)
    const content = this.#content(name)
    const process = this.#process
    const bytes = new Uint8Array(Math.max(0, Math.min(length, content.bytes.length - position)))
    // Not all at once: what is written meanwhile may be there, or not.
    const half = this.#random.below(bytes.length + 1)
    bytes.set(content.bytes.subarray(position, position + half))
    await this.#step(process)
    bytes.set(content.bytes.subarray(position + half, position + bytes.length), half)
    return bytes
  }

  async create (name: string, bytes: number): Promise<void> {
    const process = this.#process
    await this.#call('create', name)
    if (this.#names.has(name)) throw new Error(`${name} is there already`)
    const content: Content = { bytes: new Uint8Array(0), synced: 0, unsynced: new Map(), forsaken: new Set() }
    this.#change({ from: null, to: name, content })
    await this.#step(process)
    for (const size of [this.#random.below(bytes), bytes]) {
      const grown = new Uint8Array(size)
      grown.set(content.bytes)
      for (let at = sectorOf(content.bytes.length); at < size; at += SECTOR) content.unsynced.set(at, this.#random.pick(garbage))
      content.bytes = grown
      await this.#step(process)
    }
    toDisk(content)
    await this.#syncNames(process)
  }

  async rename (from: string, to: string): Promise<void> {
    const process = this.#process
    await this.#call('rename', from)
    if (this.#names.has(to)) throw new Error(`${to} is there already`)
    this.#change({ from, to, content: this.#content(from) })
    await this.#syncNames(process)
  }

  async remove (name: string): Promise<void> {
    await this.#call('remove', name)
    const content = this.#names.get(name)
    if (content !== undefined) this.#change({ from: name, to: null, content })
  }

  async open (name: string): Promise<WritableFile> {
    await this.#call('open', name)
    const content = this.#content(name)
    let busy = false
    const alone = async (call: string, work: (process: number) => Promise<void>) => {
      if (busy) throw new Error(`${call} of ${name} while another call is under way`)
      busy = true
      const process = this.#process
      try {
        await this.#call(call, name)
        await work(process)
      } finally {
        busy = false
      }
    }
    return {
      write: (chunks, position) => alone('write', process => this.#write(content, chunks, position, process)),
      sync: () => alone('sync', async (process) => {
        await this.#step(process)
        for (const at of content.unsynced.keys()) if (!content.forsaken.has(at)) content.unsynced.delete(at)
        content.synced = content.bytes.length
      }),
      close: () => alone('close', async () => {})
    }
  }

  async removeDirectory (): Promise<void> {
    await this.#call('removeDirectory', '')
  }

  async #write (content: Content, chunks: readonly Uint8Array[], position: number, process: number): Promise<void> {
    const bytes = Buffer.concat(chunks)
    if (position + bytes.length > content.bytes.length) throw new Error('a write beyond the end of the file')
    const half = this.#random.below(bytes.length + 1)
    for (const [from, to] of [[0, half], [half, bytes.length]] as const) {
      for (let at = sectorOf(position + from); at < position + to; at += SECTOR) {
        if (!content.unsynced.has(at)) content.unsynced.set(at, content.bytes.slice(at, at + SECTOR))
        content.forsaken.delete(at)
      }
      content.bytes.set(bytes.subarray(from, to), position + from)
      await this.#step(process)
    }
    for (let at = sectorOf(position); at < position + bytes.length; at += SECTOR) content.unsynced.delete(at)
  }

  #content (name: string): Content {
    const content = this.#names.get(name)
    if (content === undefined) throw Object.assign(new Error(`${name} is not there`), { code: 'ENOENT' })
    return content
  }

  #change (change: Change): void {
    apply(this.#names, change)
    this.#changes.push(change)
  }

  async #syncNames (process: number): Promise<void> {
    await this.#step(process)
    for (const change of this.#changes.splice(0)) apply(this.#durable, change)
  }

  /** Of what was not synced, any part is there; of a file that was growing, also what was on the disk at that place before. */
  #lose (content: Content): void {
    for (const [at, before] of content.unsynced) {
      if (this.#random.chance(0.5)) content.bytes.set(before.subarray(0, content.bytes.length - at), at)
    }
    content.bytes = content.bytes.slice(0, content.synced + this.#random.below(content.bytes.length - content.synced + 1))
    toDisk(content)
  }

  async #call (call: string, name: string): Promise<void> {
    const process = this.#process
    await this.before(call, name)
    await this.#step(process)
  }

  /** Others may go on meanwhile. */
  async #step (process: number): Promise<void> {
    if (process === this.#process) this.#left--
    for (let turns = this.#random.below(4); turns > 0; turns--) await undefined
    if (this.crashed || process !== this.#process) throw new Crash('the process is no more')
  }
}

function apply (names: Map<string, Content>, { from, to, content }: Change): void {
  if (from !== null && names.get(from) === content) names.delete(from)
  if (to !== null) names.set(to, content)
}

function toDisk (content: Content): void {
  content.unsynced.clear()
  content.forsaken.clear()
  content.synced = content.bytes.length
}

function sectorOf (position: number): number {
  return position - position % SECTOR
}
