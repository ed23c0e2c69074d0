import type { Random } from './random.ts'

/** What a disk writes as a whole or not at all. */
export const SECTOR_BYTES = 512

/** All that is in a file. Sectors that nobody has written to are zeros. */
export interface FileImage {
  readonly size: number
  readonly sectors: ReadonlyMap<number, Uint8Array>
}

/** What is in a file, as processes see it or as it is on stable storage. */
export class FileContent implements FileImage {
  size: number
  readonly sectors: Map<number, Uint8Array>
  /** Counts what was not written behind what was written last: whoever has read the file from its beginning may have to begin anew. */
  rewrites = 0
  #end = 0

  constructor ({ size, sectors }: FileImage) {
    this.size = size
    this.sectors = new Map(sectors)
  }

  /** Fewer bytes at the end of the file. */
  read (position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - position)))
    for (let sector = sectorOf(position); sector * SECTOR_BYTES < position + bytes.length; sector++) {
      const found = this.sectors.get(sector)
      if (found === undefined) continue
      const at = sector * SECTOR_BYTES - position
      bytes.set(found.subarray(Math.max(0, -at), bytes.length - at), Math.max(0, at))
    }
    return bytes
  }

  /** So much was written. */
  onWritten (position: number, length: number): void {
    if (position < this.#end) this.rewrites++
    this.#end = position + length
  }
}

/**
 * A file on a simulated disk. What processes see need not be on stable storage: until it is, a power cut may leave, of each sector, any
 * content that it has had since.
 */
export class SimFile {
  readonly memory: FileContent
  readonly stable: FileContent
  /** What else than `stable` says may be on the disk, for each sector that was written to, oldest first. */
  readonly #unsynced = new Map<number, Uint8Array[]>()
  /** Sectors that the system takes for written after a sync that failed: no later one brings them to the disk, unless they are written again. */
  readonly #forsaken = new Set<number>()

  /** `stable`: all of it is on stable storage. */
  constructor (image: FileImage, stable: boolean) {
    this.memory = new FileContent(image)
    this.stable = new FileContent(stable ? image : { size: 0, sectors: new Map() })
  }

  /** Sectors are replaced, never changed, so that images can share them. */
  write (position: number, bytes: Uint8Array): void {
    const { sectors } = this.memory
    for (let sector = sectorOf(position); sector * SECTOR_BYTES < position + bytes.length; sector++) {
      const content = new Uint8Array(SECTOR_BYTES)
      content.set(sectors.get(sector) ?? content)
      const at = sector * SECTOR_BYTES - position
      content.set(bytes.subarray(Math.max(0, at), at + SECTOR_BYTES), Math.max(0, -at))
      sectors.set(sector, content)
      const versions = this.#unsynced.get(sector)
      if (versions === undefined) this.#unsynced.set(sector, [content])
      else versions.push(content)
      this.#forsaken.delete(sector)
    }
    this.memory.onWritten(position, bytes.length)
  }

  /** The sectors of this place are on stable storage. */
  settle (position: number, length: number): void {
    for (let sector = sectorOf(position); sector * SECTOR_BYTES < position + length; sector++) this.#settle(sector)
    this.stable.onWritten(position, length)
  }

  /** All of it is on stable storage. */
  sync (): void {
    for (const sector of this.#unsynced.keys()) if (!this.#forsaken.has(sector)) this.#settle(sector)
    this.stable.size = this.memory.size
    this.stable.rewrites++
  }

  /**
   * A sync has failed. Each sector that it should have brought to the disk may wait for the next one, or be taken for written, or be gone
   * from the memory of the system, too, which holds what is on the disk again.
   */
  failSync (random: Random, position = 0, length = this.memory.size): void {
    for (const sector of [...this.#unsynced.keys()]) {
      if (sector < sectorOf(position) || sector * SECTOR_BYTES >= position + length) continue
      const fate = random.below(3)
      if (fate === 1) this.#forsaken.add(sector)
      if (fate !== 2) continue
      this.#restore(sector, this.stable.sectors.get(sector))
      this.#unsynced.delete(sector)
      this.#forsaken.delete(sector)
    }
    this.memory.rewrites++
  }

  /** The power is cut. Returns how many sectors have lost what was in them last. */
  cutPower (random: Random): number {
    let lost = 0
    for (const [sector, versions] of this.#unsynced) {
      const kept = random.below(versions.length + 1)
      if (kept < versions.length) lost++
      this.#restore(sector, versions[kept - 1] ?? this.stable.sectors.get(sector))
    }
    this.#forsaken.clear()
    if (this.stable.size < this.memory.size) this.memory.size = this.stable.size + random.below(this.memory.size - this.stable.size + 1)
    if (this.#unsynced.size > 0) this.memory.rewrites++
    this.sync()
    return lost
  }

  /** As processes see it now. */
  image (): FileImage {
    return { size: this.memory.size, sectors: new Map(this.memory.sectors) }
  }

  #restore (sector: number, content: Uint8Array | undefined): void {
    if (content === undefined) this.memory.sectors.delete(sector)
    else this.memory.sectors.set(sector, content)
  }

  #settle (sector: number): void {
    const content = this.memory.sectors.get(sector)
    if (content === undefined) this.stable.sectors.delete(sector)
    else this.stable.sectors.set(sector, content)
    this.#unsynced.delete(sector)
  }
}

function sectorOf (position: number): number {
  return Math.floor(position / SECTOR_BYTES)
}
