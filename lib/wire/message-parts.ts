import type { Group, LogName } from '../core/entry.ts'
import { lastPosition } from '../core/entry.ts'
import type { Denial, Founding, Joining, LeaseLeft, LogOutline, Message, Removal, SubmissionKind, SubmittedWrite } from '../core/messages.ts'
import { denials, submissionKinds } from '../core/messages.ts'
import type { KeyRow } from '../core/idempotency.ts'
import type { OriginRow, Rejected } from '../core/origins.ts'
import { REJECTED_RUNS_MAX } from '../core/origins.ts'
import { MEMBERS_MAX } from '../core/view.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { compareBytes } from './bytes.ts'
import { decodeGroup, encodeGroup, readKey } from './group.ts'
import type { Address } from './identity.ts'
import type { Operation } from './operations.ts'
import { decodeOperations, OPERATIONS_MAX } from './operations.ts'
import { NAME_BYTES_MAX, readId, readIds, readOptionalId, writeId, writeIds, writeOptionalId } from './view.ts'

// What messages consist of. See `spec/wire.md`, "Messages".

type Chunk = Omit<Extract<Message, { type: 'chunk' }>, 'type'>

const ADDRESSES_MAX = 64
const HOST_BYTES_MAX = 255
/**
 * Of an outline. Far more epochs than a log keeps: where an outline is cut short, no common name may be found in it, and
 * its sender is told to cut its log back to the base, more than it has to.
 */
const RUNS_MAX = 4096
const ROWS_MAX = 1024
const KEYS_MAX = 65_536
/** The code of a submitted write that has a key. */
const KEYED = 3
const GROUPS_MAX = 10_000
export const DIGEST_BYTES_MAX = 64

export function writeName (writer: ByteWriter, name: LogName): void {
  writer.varint(name.position)
  writer.varint(name.epoch)
}

export function readName (reader: ByteReader): LogName {
  const name = { position: reader.varint(), epoch: reader.varint() }
  // The empty log has neither, an entry both.
  if ((name.position === 0) !== (name.epoch === 0)) reader.fail('invalid name')
  return name
}

export function writeFounding (writer: ByteWriter, founding: Founding): void {
  writer.text(founding.name)
  writer.flag(founding.witness)
  writer.varint(founding.founders)
  writeIds(writer, founding.required)
  writer.varint(founding.unresolved)
  writer.text(founding.data)
  writeIds(writer, founding.vowed)
}

export function readFounding (reader: ByteReader): Founding {
  return {
    name: reader.text(NAME_BYTES_MAX),
    witness: reader.flag(),
    founders: reader.varint(),
    required: readIds(reader),
    unresolved: reader.varint(),
    data: reader.text(DIGEST_BYTES_MAX),
    vowed: readIds(reader)
  }
}

export function writeJoining (writer: ByteWriter, joining: Joining): void {
  writer.text(joining.name)
  writer.flag(joining.witness)
  writer.text(joining.replaces)
}

export function readJoining (reader: ByteReader): Joining {
  return { name: reader.text(NAME_BYTES_MAX), witness: reader.flag(), replaces: reader.text(NAME_BYTES_MAX) }
}

export function writeRemovals (writer: ByteWriter, removals: readonly Removal[]): void {
  writer.varint(removals.length)
  for (const { id, force } of removals) {
    writeId(writer, id)
    writer.flag(force)
  }
}

export function readRemovals (reader: ByteReader): Removal[] {
  return readList(reader, 17, MEMBERS_MAX, 'removals', () => ({ id: readId(reader), force: reader.flag() }))
}

export function readDenial (reader: ByteReader): Denial {
  const number = reader.u8()
  const why = (Object.keys(denials) as Denial[]).find(why => denials[why] === number)
  return why ?? reader.fail('unknown denial')
}

/** The members, and those of them that the proposer means to exclude. */
export function readProposed (reader: ByteReader): { members: string[], without: string[] } {
  const members = readIds(reader)
  const without = readIds(reader)
  if (!without.every(id => members.includes(id))) reader.fail('without one that is no member')
  return { members, without }
}

export function writeLeases (writer: ByteWriter, leases: readonly LeaseLeft[]): void {
  writer.varint(leases.length)
  for (const { holder, ms } of leases) {
    writeOptionalId(writer, holder)
    writer.varint(ms)
  }
}

export function readLeases (reader: ByteReader): LeaseLeft[] {
  return readList(reader, 2, 2 * MEMBERS_MAX, 'leases', () => ({ holder: readOptionalId(reader), ms: reader.varint() }))
}

export function writeOutline (writer: ByteWriter, { base, runs }: LogOutline): void {
  writer.varint(base)
  writer.varint(runs.length)
  for (const run of runs) writeName(writer, run)
}

export function readOutline (reader: ByteReader): LogOutline {
  const base = reader.varint()
  const count = reader.count(2)
  if (count > RUNS_MAX) reader.fail('too many runs')
  const runs: LogName[] = []
  for (let i = 0, previous = { position: base, epoch: 0 }; i < count; i++) {
    const run = readName(reader)
    if (run.position <= previous.position || run.epoch <= previous.epoch) reader.fail('runs out of order')
    runs.push(run)
    previous = run
  }
  return { base, runs }
}

export function readGroup (reader: ByteReader): Group {
  return decodeGroup(reader.bytes(), reader)
}

export function writeGroups (writer: ByteWriter, groups: readonly Group[]): void {
  writer.varint(groups.length)
  for (const group of groups) writer.bytes(encodeGroup(group))
}

/** The smallest group that there can be has 11 bytes, and one for their number. */
export function readGroups (reader: ByteReader): Group[] {
  const count = reader.count(12)
  if (count > GROUPS_MAX) reader.fail('too many groups')
  const groups: Group[] = []
  for (let i = 0; i < count; i++) {
    const group = readGroup(reader)
    const previous = groups[i - 1]
    if (previous !== undefined && (group.first !== lastPosition(previous) + 1 || group.epoch < previous.epoch)) {
      reader.fail('groups that do not follow one another')
    }
    groups.push(group)
  }
  return groups
}

export function writeRows (writer: ByteWriter, rows: ReadonlyArray<readonly [number, OriginRow]>): void {
  writer.varint(rows.length)
  for (const [id, row] of rows) {
    writer.varint(id)
    writeRow(writer, row)
  }
}

/** Of the table of origins, without its id. */
export function writeRow (writer: ByteWriter, row: OriginRow): void {
  writeId(writer, row.node)
  writer.flag(row.observer === true)
  writer.varint(row.start)
  writer.varint(row.highest)
  writer.varint(row.last)
  writeRejected(writer, row.rejected)
}

export function readRow (reader: ByteReader): OriginRow {
  const node = readId(reader)
  const observer = reader.flag() ? { observer: true } as const : {}
  const row = { node, ...observer, start: reader.varint(), highest: reader.varint(), last: reader.varint() }
  const rejected = readRejected(reader, row.highest)
  return rejected === null ? row : { ...row, rejected }
}

export function readRows (reader: ByteReader): Array<[number, OriginRow]> {
  const count = reader.count(23)
  if (count > ROWS_MAX) reader.fail('too many origins')
  const rows: Array<[number, OriginRow]> = []
  for (let i = 0, previous = 0; i < count; i++) {
    const id = reader.varint()
    const row = readRow(reader)
    // An id is the position of the first entry of its origin.
    if (id <= previous || row.last < id) reader.fail('origins out of order')
    rows.push([id, row])
    previous = id
  }
  return rows
}

/** Runs as the gaps between them, and their lengths. */
function writeRejected (writer: ByteWriter, { runs, forgotten }: Rejected = { runs: [], forgotten: 0 }): void {
  writer.varint(forgotten)
  writer.varint(runs.length / 2)
  runs.forEach((number, i) => { writer.varint(number - (runs[i - 1] ?? forgotten)) })
}

/** Null if all of the numbers, `highest` being the last, have taken effect. */
function readRejected (reader: ByteReader, highest: number): Rejected | null {
  const forgotten = reader.varint()
  const count = reader.count(2)
  if (count > REJECTED_RUNS_MAX) reader.fail('too many runs')
  const runs: number[] = []
  let last = forgotten
  for (let i = 0; i < 2 * count; i++) {
    const gap = reader.varint()
    // One number may be a run; two runs have a number between them.
    if (gap < (i % 2 === 1 ? 0 : i === 0 ? 1 : 2)) reader.fail('runs out of order')
    runs.push(last += gap)
  }
  if (last > highest) reader.fail('a run beyond the highest number')
  return count === 0 && forgotten === 0 ? null : { runs, forgotten }
}

export function writeKeys (writer: ByteWriter, keys: ReadonlyArray<readonly [number, KeyRow]>): void {
  writer.varint(keys.length)
  for (const [position, { key, digest }] of keys) {
    writer.varint(position)
    writer.text(key)
    writer.u32(digest)
  }
}

export function readKeys (reader: ByteReader): Array<[number, KeyRow]> {
  const count = reader.count(7)
  if (count > KEYS_MAX) reader.fail('too many keys')
  const keys: Array<[number, KeyRow]> = []
  for (let i = 0, previous = 0; i < count; i++) {
    const position = reader.varint()
    if (position <= previous) reader.fail('keys out of order')
    keys.push([position, { key: readKey(reader), digest: reader.u32() }])
    previous = position
  }
  return keys
}

export function writeChunk (writer: ByteWriter, { after, through, applied, high, left, entries }: Chunk): void {
  writer.bytes(after)
  writer.optionalBytes(through)
  writer.varint(applied)
  writer.varint(high)
  writer.varint(left)
  writer.varint(entries.length)
  for (const [key, value] of entries) {
    writer.bytes(key)
    writer.bytes(value)
  }
}

export function readChunk (reader: ByteReader): Chunk {
  const after = reader.bytes()
  const through = reader.optionalBytes()
  const applied = reader.varint()
  const high = reader.varint()
  const left = reader.varint()
  if (through !== null && compareBytes(through, after) <= 0) reader.fail('an empty range of keys')

  const count = reader.count(2)
  // Small ones take more memory decoded than encoded, as operations do.
  if (count > OPERATIONS_MAX) reader.fail('too many entries')
  const entries: Array<[Uint8Array, Uint8Array]> = []
  let previous = after
  for (let i = 0; i < count; i++) {
    const key = reader.bytes()
    // Nothing comes before the empty key, so after it, at the beginning, means with it.
    const isFirstOfAll = i === 0 && key.length === 0 && after.length === 0
    if (!isFirstOfAll && compareBytes(key, previous) <= 0) reader.fail('keys out of order')
    entries.push([key, reader.bytes()])
    previous = key
  }
  if (through !== null && compareBytes(previous, through) > 0) reader.fail('keys beyond the range')
  return { after, through, applied, high, left, entries }
}

export function writeWrites (writer: ByteWriter, writes: readonly SubmittedWrite[]): void {
  writer.varint(writes.length)
  for (const { kind, body, key = '' } of writes) {
    writer.u8(key === '' ? submissionKinds[kind] : KEYED)
    if (key !== '') writer.text(key)
    writer.bytes(body)
  }
}

export function readWrites (reader: ByteReader): SubmittedWrite[] {
  const count = reader.count(2)
  const writes: SubmittedWrite[] = []
  for (let i = 0; i < count; i++) {
    const code = reader.u8()
    const kind = code === KEYED ? 'write' : kindOf(reader, code)
    const key = code === KEYED ? readKey(reader) : ''
    const body = reader.bytes()
    const operations: Operation[] = decodeOperations(body, reader)
    if (kind === 'seeded' && operations.length > 0) reader.fail('a mark with operations')
    writes.push({ body, operations, kind, key })
  }
  return writes
}

function kindOf (reader: ByteReader, code: number): SubmissionKind {
  for (const kind of Object.keys(submissionKinds) as SubmissionKind[]) {
    if (submissionKinds[kind] === code) return kind
  }
  return reader.fail('unknown kind of submission')
}

export function writeAddresses (writer: ByteWriter, addresses: ReadonlyArray<Readonly<Address>>): void {
  writer.varint(addresses.length)
  for (const { host, port } of addresses) {
    writer.text(host)
    writer.varint(port)
  }
}

export function readAddresses (reader: ByteReader): Address[] {
  const count = reader.count(2)
  if (count > ADDRESSES_MAX) reader.fail('too many addresses')
  const addresses: Address[] = []
  for (let i = 0; i < count; i++) {
    const host = reader.text(HOST_BYTES_MAX)
    const port = reader.varint()
    if (host === '' || port < 1 || port > 65535) reader.fail('invalid address')
    addresses.push({ host, port })
  }
  return addresses
}

function readList<Item> (reader: ByteReader, itemBytesMin: number, max: number, what: string, read: () => Item): Item[] {
  const count = reader.count(itemBytesMin)
  if (count > max) reader.fail(`too many ${what}`)
  return Array.from({ length: count }, read)
}
