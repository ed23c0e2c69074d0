import type { LogName } from '../../lib/core/entry.ts'
import { emptyLog } from '../../lib/core/entry.ts'
import type { DiskChange, SimDisk } from '../../lib/sim/disk.ts'
import { toBytes, toText } from '../../lib/sim/disk.ts'
import type { FileContent, SimFile } from '../../lib/sim/file.ts'
import { baseKey, decodeBase, decodeLogFile, logEnd, logFileKey, logKey, logStart, numberOf } from '../../lib/store/layout.ts'
import type { BlockRecord, Segment } from '../../lib/store/segment.ts'
import { FIRST_BLOCK, decodeBlock, decodeSegment, parseName } from '../../lib/store/segment.ts'
import { decodeGroupHeader } from '../../lib/wire/group.ts'

/** The record of a group, and the position at which that begins. */
export type LogRecord = readonly [first: number, record: Uint8Array]

/** The log of a machine, wherever it is. */
export interface LogView {
  readonly inFiles: boolean
  /** The log begins after this. */
  readonly base: LogName
  /** The record of the group that begins at this position. */
  get (first: number): Uint8Array | undefined
  /** Of groups that begin at or after a position and before another, in order. */
  range (from: number, to: number): LogRecord[]
}

const [base, file, first, beyond] = [baseKey, logFileKey, logStart, logEnd].map(toText) as [string, string, string, string]

/** As processes see it. */
export function logOf (disk: SimDisk): LogView {
  const id = disk.get(file)
  return id === undefined ? new StoredLog(disk, false) : new FiledLog(segmentsOf(disk.files.names, 'memory', decodeLogFile(id)))
}

/** As it is if a power cut takes all that it can. */
export function durableLogOf (disk: SimDisk): LogView {
  const id = disk.durable(file)
  return id === undefined ? new StoredLog(disk, true) : new FiledLog(segmentsOf(disk.files.stable, 'stable', decodeLogFile(id)))
}

/** Those that a batch of the store writes. */
export function recordsIn (changes: readonly DiskChange[]): LogRecord[] {
  const records: LogRecord[] = []
  for (const { key, value } of changes) if (value !== null && key >= first && key < beyond) records.push([numberOf(toBytes(key)), value])
  return records
}

/** A record of the store that belongs to its log, while the log is in files: nobody reads it. */
export function isIdle (disk: SimDisk, key: string): boolean {
  return disk.durable(file) !== undefined && key >= first && key < beyond
}

/** Those that were written to the files of a log since the last call with the same `seen`; or again, where a file was written anew. */
export function newRecords (disk: SimDisk, seen: WeakMap<object, number>): LogRecord[] {
  // A power cut may have torn the record that says where the log is.
  const id = disk.torn ? disk.durable(file) : disk.get(file)
  if (id === undefined) return []
  return segmentsOf(disk.files.names, 'memory', decodeLogFile(id)).flatMap((content) => {
    const { records } = content
    const found = records.slice(seen.get(content) ?? 0)
    seen.set(content, records.length)
    return found.map(({ first, record }) => [first, record] as const)
  })
}

/** The names of the files in which the log is. */
export function filesOf (disk: SimDisk): string[] {
  const id = disk.get(file)
  return id === undefined ? [] : segmentsOf(disk.files.names, 'memory', decodeLogFile(id)).map(({ segment }) => segment.name)
}

class StoredLog implements LogView {
  readonly inFiles = false
  readonly #disk: SimDisk
  readonly #get: (key: string) => Uint8Array | undefined

  constructor (disk: SimDisk, durable: boolean) {
    this.#disk = disk
    this.#get = key => durable ? disk.durable(key) : disk.get(key)
  }

  get base (): LogName {
    const record = this.#get(base)
    return record === undefined ? emptyLog : decodeBase(record)
  }

  get (first: number): Uint8Array | undefined {
    return this.#get(toText(logKey(first)))
  }

  range (from: number, to: number): LogRecord[] {
    const keys = this.#disk.range(toText(logKey(from)), to === Infinity ? beyond : toText(logKey(to))).map(([key]) => key)
    return keys.flatMap((key) => {
      const record = this.#get(key)
      return record === undefined ? [] : [[numberOf(toBytes(key)), record] as const]
    })
  }
}

class FiledLog implements LogView {
  readonly inFiles = true
  readonly #segments: readonly SegmentContent[]

  constructor (segments: readonly SegmentContent[]) {
    this.#segments = segments
  }

  get base (): LogName {
    return this.#segments[0]?.segment.base ?? emptyLog
  }

  get (first: number): Uint8Array | undefined {
    return this.range(first, first + 1)[0]?.[1]
  }

  range (from: number, to: number): LogRecord[] {
    return this.#segments.flatMap(({ records }, i) => {
      const end = Math.min(to - 1, this.#segments[i + 1]?.segment.base.position ?? Infinity)
      const found: LogRecord[] = []
      for (let at = indexOf(records, from); at < records.length; at++) {
        const { first, record } = records[at] as BlockRecord
        if (first > end) break
        found.push([first, record])
      }
      return found
    })
  }
}

/** What has been found in a file so far. */
interface SegmentContent {
  readonly segment: Segment
  readonly records: BlockRecord[]
  /** That of `FileContent`, when the first of this was found. */
  readonly rewrites: number
  /** Up to where, and the log up to there. */
  offset: number
  end: LogName
}

const contents = new WeakMap<FileContent, SegmentContent>()

/** The segments of a log, the oldest first; none, if one is missing. */
function segmentsOf (files: ReadonlyMap<string, SimFile>, side: 'memory' | 'stable', id: string): SegmentContent[] {
  const found = new Map<number, SegmentContent>()
  for (const [name, file] of files) {
    const { sequence = 0, kind } = parseName(name) ?? {}
    const content = kind === 'log' ? read(file[side], sequence) : null
    if (content?.segment.id === id) found.set(sequence, content)
  }
  const newest = found.get(Math.max(...found.keys()))
  const segments: SegmentContent[] = []
  for (let next = newest; next !== undefined; next = found.get(next.segment.previous)) {
    segments.unshift(next)
    if (next.segment.sequence === newest?.segment.oldest) return segments
  }
  return []
}

/** Goes on where it stopped the last time. Null if it is no segment. */
function read (file: FileContent, sequence: number): SegmentContent | null {
  let content = contents.get(file)
  if (content === undefined || content.rewrites !== file.rewrites || content.segment.sequence !== sequence) {
    const segment = decodeSegment(file.read(0, FIRST_BLOCK), sequence)
    if (segment === null) return null
    content = { segment, records: [], rewrites: file.rewrites, offset: FIRST_BLOCK, end: segment.base }
    contents.set(file, content)
  }
  while (readBlock(file, content));
  return content
}

function readBlock (file: FileContent, content: SegmentContent): boolean {
  const { segment, offset } = content
  let block = decodeBlock(new Uint8Array(0), segment, offset)
  while (typeof block === 'number') {
    const bytes = file.read(offset, block)
    if (bytes.length < block) return false
    block = decodeBlock(bytes, segment, offset)
  }
  if (block === null) return false
  let { end } = content
  for (const { first, record } of block.records) {
    try {
      const header = decodeGroupHeader(record)
      if (first !== end.position + 1 || header.first !== first || header.epoch < end.epoch) return false
      end = { position: first + header.count - 1, epoch: header.epoch }
    } catch {
      return false
    }
  }
  content.records.push(...block.records)
  content.offset += block.length
  content.end = end
  return true
}

/** Of the first record that begins there or later. */
function indexOf (records: readonly BlockRecord[], first: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((records[middle] as BlockRecord).first < first) low = middle + 1
    else high = middle
  }
  return low
}
