import type { Group, LogName } from '../core/entry.ts'
import { emptyLog, lastPosition } from '../core/entry.ts'
import { assert } from '../errors.ts'
import { WireError } from '../wire/bytes.ts'
import { FormatError, decodeGroup, decodeGroupHeader, encodeGroup } from '../wire/group.ts'
import type { Files, WritableFile } from './files.ts'
import type { Block, BlockRecord, FileKind, Segment } from './segment.ts'
import {
  FIRST_BLOCK, SEGMENT_MAX, blockBytes, decodeSegment, encodeBlockHeader, encodeSegment, fileName, findBlock, isBeheaded, makeSegment,
  parseName, readBlocks
} from './segment.ts'

/** So many files are kept to be used again. */
const SPARES_MAX = 2
/** A segment that begins before it is needed is made smaller, unless there is a spare: somebody waits for it. */
const SMALL_BYTES = 256 * 1024
/** The size of a segment that is made for one large block is a multiple of this. */
const PAGE_BYTES = 4096
/** The index has a mark for about every so many bytes. */
const MARK_BYTES = 32_768
/** How much is read at once, at most, unless a block is larger. */
const WINDOW_BYTES = 1 << 20

/** A segment of this log that holds something, or the newest. */
interface Part {
  readonly segment: Segment
  /** Where some of its blocks are, in order. */
  readonly marks: Array<{ readonly first: number, readonly offset: number }>
  /** Where its blocks end. */
  offset: number
}

export interface FileLogOptions {
  /** The size of a segment. */
  readonly segmentBytes: number
  /** Unpredictable bytes. */
  randomBytes (length: number): Uint8Array
}

/**
 * A log of groups in files of its own, which are made before they are needed, and used again: to append is one synced write over
 * what is there. One call of `append`, `cut`, `truncate`, `begin` or `start` may be under way at a time, and any of `read`. After
 * an error of the former, all of them reject, for nobody knows what is on the disk. See `spec/log-files.md`.
 */
export class FileLog {
  readonly #files: Files
  readonly #options: FileLogOptions
  /** Each begins after the one before, in the middle of it if that was cut. The last one is written to. */
  #parts: Part[] = []
  /** Of what is durable. */
  #end: LogName = emptyLog
  /** Nothing up to here is needed. */
  #truncated = 0
  /** The newest segment; null before the start. */
  #file: WritableFile | null = null
  #recovered = false
  /** No file has this number, or a higher one. */
  #next = 1
  #spares: string[] = []
  #preparing = false
  /** Segments of the log before this one. */
  #before: Segment[] = []
  /** What nobody waits for, one after the other. */
  #background: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  /** Counts the new segments: with each, something may have left the log. */
  #changes = 0

  constructor (files: Files, options: FileLogOptions) {
    assert(options.segmentBytes > FIRST_BLOCK && options.segmentBytes <= SEGMENT_MAX, 'a segment of an impossible size')
    this.#files = files
    this.#options = options
  }

  /** Where the log begins. What was truncated may be there still. */
  get base (): LogName {
    return this.#parts[0]?.segment.base ?? emptyLog
  }

  get end (): LogName {
    return this.#end
  }

  /**
   * What the log with this id holds, in order. Throws a WireError if that is damaged, after what is before the damage. Writes
   * nothing, so nothing of it is sure to stay until `start()` has resolved.
   */
  async * recover (id: string): AsyncGenerator<Array<readonly [first: number, record: Uint8Array]>> {
    this.#recovered = false
    const chain = await this.#chain(id)
    this.#parts = chain.map(segment => ({ segment, marks: [], offset: FIRST_BLOCK }))
    this.#end = this.base
    for (const [i, part] of this.#parts.entries()) yield * this.#recoverPart(part, chain[i + 1]?.base ?? null)
    this.#truncated = this.base.position
    this.#recovered = true
  }

  /**
   * Makes durable what was recovered, and begins a new segment behind it, unless the log has just begun. Removes the files of all
   * other logs: the id of this one is noted durably by now.
   */
  async start (): Promise<void> {
    await this.#attempt(async () => {
      assert(this.#recovered, 'the log was neither recovered nor begun')
      const newest = this.#newest.segment
      await this.#background
      await this.#adoptSpares()
      if (this.#file === null) {
        await this.#rewrite(this.#newest)
        await this.#beginSegment(newest.id, this.#end, this.#parts, 0)
      }
      this.forget()
      await this.#background
      const kept = this.#parts.map(({ segment }) => segment.name)
      for (const { name } of await this.#list('log')) if (!kept.includes(name)) await this.#files.remove(name)
      this.#check()
    })
  }

  /** A new log without entries. The files of the one before stay until `forget()`, or the next start. */
  async begin (id: string, base: LogName): Promise<void> {
    await this.#attempt(async () => {
      await this.#list('log')
      const before = this.#parts.map(({ segment }) => segment)
      await this.#beginSegment(id, base, [], 0)
      this.#before.push(...before)
      this.#truncated = base.position
      this.#recovered = true
    })
  }

  /** The id of this log is noted durably: nobody will ask for the one before. */
  forget (): void {
    this.#free(this.#before.splice(0))
  }

  async append (groups: readonly Group[]): Promise<void> {
    if (groups.length > 0) await this.#attempt(() => this.#append(groups))
  }

  /** What is after `to`, the name of a group's end, is no more when this has resolved. */
  async cut (to: LogName): Promise<void> {
    await this.#attempt(async () => {
      assert(to.position >= this.#truncated && to.position <= this.#end.position, 'what is not in the log cannot be cut')
      // On the disk, it could not be told from damage.
      assert(await this.#epochOf(to.position) === to.epoch, 'the log can be cut at the end of a group only')
      if (to.position < this.#end.position) await this.#goOn(to)
    })
  }

  /**
   * The log is not needed up to here. A segment of which nothing is needed goes when a later one begins, and says so. If there are
   * two, one begins now.
   */
  async truncate (position: number): Promise<void> {
    await this.#attempt(async () => {
      assert(position <= this.#end.position, 'what was not appended cannot be truncated')
      this.#truncated = Math.max(this.#truncated, position)
      const needless = this.#parts.filter((_, i) => (this.#parts[i + 1]?.segment.base.position ?? Infinity) <= this.#truncated)
      if (needless.length > 1) await this.#goOn(this.#end)
    })
  }

  /**
   * Groups in order, beginning with the one that starts at or after a position, until they take `bytesMax` bytes (at least one).
   * They follow one on another, and were in the log together at some time of the call. Throws a WireError if they are damaged.
   */
  async read (from: number, bytesMax: number): Promise<Group[]> {
    for (;;) {
      const changes = this.#changes
      try {
        return await this.#read(from, bytesMax)
      } catch (error) {
        // Otherwise, a file may be used for something else by now.
        if (changes === this.#changes) throw error
      }
    }
  }

  /** Nothing is under way any more, and no file open. */
  async close (): Promise<void> {
    await this.#background
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  /** Deletes all files of all logs in the directory. */
  async destroy (): Promise<void> {
    await this.close()
    for (const kind of ['log', 'spare'] as const) for (const { name } of await this.#list(kind)) await this.#files.remove(name)
    await this.#files.removeDirectory()
  }

  get #newest (): Part {
    const part = this.#parts[this.#parts.length - 1]
    assert(part, 'there is no log')
    return part
  }

  async #attempt (work: () => Promise<void>): Promise<void> {
    try {
      this.#check()
      await work()
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  #check (): void {
    if (this.#failure !== null) throw this.#failure.error
  }

  #later (work: () => Promise<void>): void {
    this.#background = this.#background.then(work).catch((error: unknown) => { this.#failure ??= { error } })
  }

  async #append (groups: readonly Group[]): Promise<void> {
    const end = follow(this.#end, groups)
    const records = groups.map(encodeGroup)
    const bytes = blockBytes(records)
    if (this.#newest.offset + bytes > this.#newest.segment.size) await this.#goOn(this.#end, bytes)

    const part = this.#newest
    const header = encodeBlockHeader(part.segment, part.offset, groups, records)
    assert(this.#file, 'the log has not started')
    await this.#file.write([header, ...records], part.offset)
    mark(part, (groups[0] as Group).first)
    part.offset += bytes
    this.#end = end
    const isHalfFull = part.offset - FIRST_BLOCK > (part.segment.size - FIRST_BLOCK) / 2
    if (isHalfFull && this.#spares.length === 0 && !this.#preparing) this.#prepare()
  }

  async #read (from: number, bytesMax: number): Promise<Group[]> {
    const groups: Group[] = []
    const end = this.#end.position
    if (from > end) return groups
    const parts = this.#parts.slice(Math.max(0, this.#partOf(from)))
    let bytes = 0
    for (const [i, part] of parts.entries()) {
      for await (const records of this.#recordsOf(part, from, parts[i + 1]?.segment.base.position ?? end, bytesMax)) {
        for (const { first, record } of records) {
          if (first < from) continue
          groups.push(decodeGroup(record))
          bytes += record.length
          if (bytes >= bytesMax) return groups
        }
      }
    }
    return groups
  }

  /** Of the group that ends at this position; null if none does. */
  async #epochOf (position: number): Promise<number | null> {
    const part = this.#parts[this.#partOf(position)]
    if (part === undefined) return position === this.base.position ? this.base.epoch : null
    for await (const records of this.#recordsOf(part, position, position, 0)) {
      for (const { first, count, record } of records) if (first + count - 1 === position) return decodeGroupHeader(record).epoch
    }
    return null
  }

  /** The index of the segment that has this position; -1 if it is before all of them. */
  #partOf (position: number): number {
    let index = this.#parts.length - 1
    while (index >= 0 && (this.#parts[index] as Part).segment.base.position >= position) index--
    return index
  }

  /** What a segment holds up to the group that has `through`, beginning at `from` or soon before. */
  async * #recordsOf ({ segment, marks }: Part, from: number, through: number, bytesMax: number): AsyncGenerator<BlockRecord[]> {
    let { first: next, offset } = marks[0] ?? { first: segment.base.position + 1, offset: FIRST_BLOCK }
    for (const mark of marks) if (mark.first <= from) ({ first: next, offset } = mark)
    if (next > through) return

    const windowBytes = Math.min(Math.max(bytesMax, 0) + 2 * MARK_BYTES, WINDOW_BYTES)
    for await (const blocks of readBlocks(this.#files, segment, offset, windowBytes)) {
      const all = blocks.flatMap(({ records }) => records)
      if (all[0]?.first !== next) break
      yield all.filter(({ first }) => first <= through)
      const last = all[all.length - 1] as BlockRecord
      next = last.first + last.count
      if (next > through) return
    }
    throw damaged(segment, next)
  }

  /** The segments of the log with this id, the oldest first. */
  async #chain (id: string): Promise<Segment[]> {
    const found = new Map<number, Segment | null>()
    for (const { name, sequence } of await this.#list('log')) found.set(sequence, decodeSegment(await this.#files.read(name, 0, FIRST_BLOCK), sequence))
    const ours = [...found.values()].filter(segment => segment?.id === id) as Segment[]
    const newest = ours.reduce<Segment | null>((a, b) => a !== null && a.sequence > b.sequence ? a : b, null)
    if (newest === null) throw new WireError(`there is no file of log ${id}`)

    const chain = [newest]
    for (let first = newest; first.sequence !== newest.oldest;) {
      const before = found.get(first.previous)
      if (before?.id !== id || before.base.position >= first.base.position) throw new WireError(`${fileName(first.previous, 'log')} is missing or damaged`)
      chain.unshift(before)
      first = before
    }
    for (const { name, size } of chain) if (await this.#files.size(name) < size) throw new WireError(`${name} is cut short`)
    for (const [sequence, segment] of found) {
      // A file that was being made has no header yet, but no block either.
      if (segment === null && sequence > newest.sequence && await isBeheaded(this.#files, id, sequence)) throw new WireError(`${fileName(sequence, 'log')} has lost its header`)
    }
    return chain
  }

  /** What a segment adds to the log, up to where the next one begins. */
  async * #recoverPart (part: Part, next: LogName | null): AsyncGenerator<Array<readonly [first: number, record: Uint8Array]>> {
    const { segment } = part
    for await (const blocks of readBlocks(this.#files, segment, FIRST_BLOCK, WINDOW_BYTES)) {
      const found: Array<readonly [first: number, record: Uint8Array]> = []
      let error: unknown = null
      let goesOn = true
      try {
        for (let i = 0; goesOn && i < blocks.length; i++) goesOn = this.#recoverBlock(part, blocks[i] as Block, next, found)
      } catch (cause) {
        error = cause
      }
      if (found.length > 0) yield found
      if (error !== null) throw error
      if (!goesOn) break
    }

    if (next !== null) {
      if (this.#end.position !== next.position || this.#end.epoch !== next.epoch) throw damaged(segment, this.#end.position + 1)
    } else if (await findBlock(this.#files, segment, part.offset + 1) !== null) throw damaged(segment, this.#end.position + 1)
  }

  /** Whether another block may follow. One that is not whole is not taken, and it depends on what follows what that means. */
  #recoverBlock (part: Part, { offset, length, records }: Block, next: LogName | null, found: Array<readonly [first: number, record: Uint8Array]>): boolean {
    const headers = decodeHeaders(records)
    if (headers === null) return false
    for (const [i, { first, count, epoch }] of headers.entries()) {
      if (this.#end.position === next?.position) return false
      const { record } = records[i] as BlockRecord
      if (first !== this.#end.position + 1 || epoch < this.#end.epoch) throw damaged(part.segment, this.#end.position + 1)
      if (i === 0) mark(part, first)
      found.push([first, record])
      this.#end = { position: first + count - 1, epoch }
    }
    part.offset = offset + length
    return this.#end.position !== next?.position
  }

  /** In a new segment, in which there is room for so many bytes. */
  async #goOn (base: LogName, bytes = 0): Promise<void> {
    assert(this.#file, 'the log has not started')
    await this.#beginSegment(this.#newest.segment.id, base, this.#parts, bytes)
  }

  /**
   * A new segment behind `base`, which goes on from these. What they have after it is void. Those that have nothing before it, or
   * nothing that is needed, are no part of the log any more.
   */
  async #beginSegment (id: string, base: LogName, parts: readonly Part[], bytes: number): Promise<void> {
    const kept = parts.filter(({ segment }) => segment.base.position < base.position)
    while (kept.length > 0 && (kept[1]?.segment.base ?? base).position <= this.#truncated) kept.shift()
    const sequence = this.#next++
    const segment = makeSegment({
      id,
      sequence,
      previous: kept[kept.length - 1]?.segment.sequence ?? 0,
      oldest: kept[0]?.segment.sequence ?? sequence,
      base,
      size: this.#sizeFor(bytes),
      salt: this.#options.randomBytes(8)
    })
    assert(segment.size <= SEGMENT_MAX, 'too much is appended at once')
    const file = await this.#makeFile(segment)

    const previous = this.#file
    if (previous !== null) this.#later(() => previous.close())
    this.#file = file
    this.#parts = [...kept, { segment, marks: [], offset: FIRST_BLOCK }]
    this.#end = base
    this.#changes++
    this.#free(parts.filter(part => !kept.includes(part)).map(part => part.segment))
  }

  /** Of a segment whose first block takes so many bytes; 0 if none is waiting. */
  #sizeFor (bytes: number): number {
    if (bytes === 0 && this.#spares.length === 0) return Math.min(this.#options.segmentBytes, SMALL_BYTES)
    const size = Math.ceil((FIRST_BLOCK + bytes) / PAGE_BYTES) * PAGE_BYTES
    return FIRST_BLOCK + bytes > this.#options.segmentBytes ? size : this.#options.segmentBytes
  }

  /** Durable, with its header. */
  async #makeFile (segment: Segment): Promise<WritableFile> {
    const isUsual = segment.size === this.#options.segmentBytes
    // One may just be on its way.
    if (isUsual && this.#spares.length === 0) await this.#background
    const spare = isUsual ? this.#spares.shift() : undefined
    if (spare !== undefined) await this.#files.rename(spare, segment.name)
    else await this.#files.create(segment.name, segment.size)

    const file = await this.#files.open(segment.name)
    try {
      await file.write([encodeSegment(segment)], 0)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * A killed process may have left in the memory of the system what is not on the disk. Nor need a sync bring it there, if one has
   * failed before: systems take for written what they could not write. So all that was recovered is written again.
   */
  async #rewrite ({ segment, offset }: Part): Promise<void> {
    const { name } = segment
    const file = await this.#files.open(name)
    try {
      await file.write([encodeSegment(segment)], 0)
      for (let at = FIRST_BLOCK; at < offset; at += WINDOW_BYTES) {
        await file.write([await this.#files.read(name, at, Math.min(WINDOW_BYTES, offset - at))], at)
      }
    } finally {
      await file.close()
    }

    // The memory of the system may have been given up meanwhile, and then something else was read.
    let end = FIRST_BLOCK
    for await (const blocks of readBlocks(this.#files, segment, FIRST_BLOCK, WINDOW_BYTES)) {
      for (const { length, records } of blocks) {
        if (end < offset && decodeHeaders(records) !== null) end += length
      }
    }
    if (end !== offset) throw new Error(`${name} has changed since it was read`)
  }

  async #sync (name: string): Promise<void> {
    const file = await this.#files.open(name)
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Spares of an earlier start. They, too, may be only in the memory of the system; whatever they hold is written over. */
  async #adoptSpares (): Promise<void> {
    for (const { name } of await this.#list('spare')) {
      if (this.#spares.includes(name)) continue
      if (this.#spares.length < SPARES_MAX && await this.#files.size(name) === this.#options.segmentBytes) {
        await this.#sync(name)
        this.#spares.push(name)
      } else await this.#files.remove(name)
    }
  }

  /** So that no append waits for it. */
  #prepare (): void {
    this.#preparing = true
    this.#later(async () => {
      const name = fileName(this.#next++, 'spare')
      if (this.#spares.length === 0) {
        await this.#files.create(name, this.#options.segmentBytes)
        this.#spares.push(name)
      }
      this.#preparing = false
    })
  }

  /** Nothing durable says that these are needed. */
  #free (segments: readonly Segment[]): void {
    for (const { name, sequence, size } of segments) {
      this.#later(async () => {
        if (size !== this.#options.segmentBytes || this.#spares.length >= SPARES_MAX) return await this.#files.remove(name)
        const spare = fileName(sequence, 'spare')
        await this.#files.rename(name, spare)
        this.#spares.push(spare)
      })
    }
  }

  /** All files of a kind, that are a log's by their names. */
  async #list (kind: FileKind): Promise<Array<{ readonly name: string, readonly sequence: number }>> {
    const files = (await this.#files.list()).map(name => ({ name, ...parseName(name) }))
    for (const { sequence = 0 } of files) this.#next = Math.max(this.#next, sequence + 1)
    return files.filter(file => file.kind === kind).map(({ name, sequence = 0 }) => ({ name, sequence }))
  }
}

/** The end of the log with these groups; they have to go on where it ends. */
function follow (end: LogName, groups: readonly Group[]): LogName {
  for (const group of groups) {
    assert(group.first === end.position + 1 && group.epoch >= end.epoch, 'the log does not go on with this group')
    end = { position: lastPosition(group), epoch: group.epoch }
  }
  return end
}

function mark ({ marks, offset }: Part, first: number): void {
  const last = marks[marks.length - 1]
  if (last === undefined || offset - last.offset >= MARK_BYTES) marks.push({ first, offset })
}

/** Null if a record is not what was written. */
function decodeHeaders (records: readonly BlockRecord[]): Array<ReturnType<typeof decodeGroupHeader>> | null {
  try {
    return records.map(({ record }) => decodeGroupHeader(record))
  } catch (error) {
    // Which format it has, the header of the block has confirmed.
    if (error instanceof FormatError || !(error instanceof WireError)) throw error
    return null
  }
}

function damaged ({ name }: Segment, position: number): WireError {
  return new WireError(`${name} is damaged at position ${position}`)
}
