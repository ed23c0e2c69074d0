import type { FileImage } from './file.ts'
import { SimFile } from './file.ts'
import type { Random } from './random.ts'

/** All that is in a directory. */
export type DirectoryImage = ReadonlyArray<readonly [name: string, file: FileImage]>

/** A file gets a name, changes it, or loses it. */
export interface NameChange {
  readonly file: SimFile
  readonly from: string | null
  readonly to: string | null
}

/** A change that a process has begun. When the process ends, nobody knows how far it got. */
export class PendingChange<T> {
  readonly #land: (part: number) => T
  #landed = false

  /** `land` makes the change, or so much of it. */
  constructor (land: (part: number) => T) {
    this.#land = land
  }

  land (part = 1): T {
    this.#landed = true
    return this.#land(part)
  }

  /** It comes to nothing, or to something, unless all of it is there already. */
  interrupt (random: Random): void {
    if (!this.#landed && random.chance(0.5)) this.land(random.chance(0.5) ? 1 : random.next())
  }
}

/**
 * The plain files on the disk of a simulated machine. What is written and synced stays. A process that is killed leaves what it has
 * written to the memory of the system, and perhaps the first part of what it was about to write; when the power is cut, each sector and
 * each change of names that is not on stable storage may be lost, and others stay.
 */
export class SimDirectory {
  #names = new Map<string, SimFile>()
  #stable = new Map<string, SimFile>()
  /** Changes of names that need not be on stable storage, in order. */
  #changes: NameChange[] = []
  readonly #pending = new Set<PendingChange<unknown>>()
  #written = 0
  /** Called when anything has changed, or become durable. */
  onChange: (() => void) | null = null

  /** As processes see them. */
  get names (): ReadonlyMap<string, SimFile> {
    return this.#names
  }

  /** As they are on stable storage, if a power cut takes all changes that it can. */
  get stable (): ReadonlyMap<string, SimFile> {
    return this.#stable
  }

  /** How many changes were ever made. */
  get written (): number {
    return this.#written
  }

  /** Everything at this moment: what a killed process leaves behind. */
  image (): DirectoryImage {
    return [...this.#names].map(([name, file]) => [name, file.image()])
  }

  /** Puts all files back to an image. All of it is on stable storage. */
  replace (image: DirectoryImage): void {
    this.#names = new Map(image.map(([name, file]) => [name, new SimFile(file, true)]))
    this.#stable = new Map(this.#names)
    this.#changes = []
    this.#pending.clear()
    this.onChange?.()
  }

  /** `end()` has to be called when it is over. */
  begin<T> (land: (part: number) => T): PendingChange<T> {
    const pending = new PendingChange((part) => {
      const landed = land(part)
      this.#written++
      this.onChange?.()
      return landed
    })
    this.#pending.add(pending)
    return pending
  }

  end (pending: PendingChange<unknown>): void {
    this.#pending.delete(pending)
  }

  /** For every process at once. */
  change (change: NameChange): NameChange {
    apply(this.#names, change)
    this.#changes.push(change)
    return change
  }

  /** A change is on stable storage. Those before it are, too, or only if they are of the same name. */
  settle (change: NameChange, all: boolean): void {
    const at = this.#changes.indexOf(change)
    const isBefore = all || this.#changes.slice(0, at).some(({ from, to }) => from === change.to || to === change.to)
    for (const each of isBefore ? this.#changes.splice(0, at + 1) : this.#changes.splice(at, 1)) apply(this.#stable, each)
    this.onChange?.()
  }

  /** The process that had something under way is no more. */
  interrupt (random: Random): void {
    for (const pending of this.#pending) pending.interrupt(random)
    this.#pending.clear()
  }

  /** The power is cut; nothing is under way any more. Returns how many sectors and changes of names are lost. */
  cutPower (random: Random): number {
    let lost = 0
    for (const change of this.#changes) {
      if (random.chance(0.5)) apply(this.#stable, change)
      else lost++
    }
    this.#changes = []
    this.#names = new Map(this.#stable)
    for (const file of this.#names.values()) lost += file.cutPower(random)
    this.onChange?.()
    return lost
  }
}

function apply (names: Map<string, SimFile>, { file, from, to }: NameChange): void {
  // If the change before it is lost, it may be another's by now.
  if (from !== null && names.get(from) === file) names.delete(from)
  if (to !== null) names.set(to, file)
}
