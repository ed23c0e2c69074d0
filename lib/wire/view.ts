import { MEMBERS_MAX } from '../core/view.ts'
import type { LiveMember, View } from '../core/view.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { fromHex, toHex } from './hex.ts'

/** Of a name of up to 64 UTF-16 units. */
export const NAME_BYTES_MAX = 192

export function writeId (writer: ByteWriter, id: string): void {
  writer.raw(fromHex(id))
}

export function readId (reader: ByteReader): string {
  return toHex(reader.raw(16))
}

export function writeIds (writer: ByteWriter, ids: readonly string[]): void {
  writer.varint(ids.length)
  for (const id of ids) writeId(writer, id)
}

export function readIds (reader: ByteReader): string[] {
  const count = reader.count(16)
  if (count > MEMBERS_MAX) reader.fail('too many members')
  const ids: string[] = []
  for (let i = 0; i < count; i++) ids.push(readId(reader))
  return ids
}

/** Ids in ascending order, without repetition. */
export function readSortedIds (reader: ByteReader): string[] {
  const ids = readIds(reader)
  if (ids.some((id, i) => i > 0 && id <= (ids[i - 1] as string))) reader.fail('members out of order')
  return ids
}

/** An id that may be missing: the empty string. */
export function writeOptionalId (writer: ByteWriter, id: string): void {
  writer.flag(id !== '')
  if (id !== '') writeId(writer, id)
}

export function readOptionalId (reader: ByteReader): string {
  return reader.flag() ? readId(reader) : ''
}

export function writeView (writer: ByteWriter, view: View): void {
  writer.varint(view.epoch)
  writeId(writer, view.cluster)
  writeIds(writer, view.members)
  writeIds(writer, view.before)
  writeIds(writer, view.witnesses)
  for (const name of view.names) writer.text(name)
  writer.varint(view.live.length)
  for (const { id, since } of view.live) {
    writer.u8(view.members.indexOf(id))
    writer.varint(since)
  }
  writeId(writer, view.coordinator)
  writer.varint(view.coordinatorStart)
  writeOptionalId(writer, view.seeder ?? '')
  writer.flag(view.leaseFree)
}

export function readView (reader: ByteReader): View {
  const epoch = reader.varint()
  const cluster = readId(reader)
  const members = readSortedIds(reader)
  const before = readSortedIds(reader)
  const witnesses = readSortedIds(reader)
  const names = members.map(() => reader.text(NAME_BYTES_MAX))
  const live = readLive(reader, epoch, members)
  const coordinator = readId(reader)
  const coordinatorStart = reader.varint()
  const seeder = readOptionalId(reader)
  const leaseFree = reader.flag()

  if (epoch === 0 || !live.some(({ id }) => id === coordinator)) reader.fail('invalid view')
  if (!witnesses.every(id => members.includes(id)) || live.some(({ id }) => witnesses.includes(id))) reader.fail('invalid witnesses')
  if (leaseFree && live.length < members.length) reader.fail('free of leases without a member')
  return { epoch, cluster, members, before, witnesses, names, live, coordinator, coordinatorStart, seeder: seeder === '' ? null : seeder, leaseFree }
}

export function writeOptionalView (writer: ByteWriter, view: View | null): void {
  writer.flag(view !== null)
  if (view !== null) writeView(writer, view)
}

export function readOptionalView (reader: ByteReader): View | null {
  return reader.flag() ? readView(reader) : null
}

/** The live members, each by its place among the members: so that they are of them, and in their order. */
function readLive (reader: ByteReader, epoch: number, members: readonly string[]): LiveMember[] {
  const count = reader.count(2)
  if (count > members.length) reader.fail('more live members than members')
  const live: LiveMember[] = []
  for (let i = 0, previous = -1; i < count; i++) {
    const index = reader.u8()
    const since = reader.varint()
    const id = members[index]
    if (id === undefined || index <= previous) return reader.fail('live members out of order')
    if (since === 0 || since > epoch) reader.fail('live since an epoch that cannot be')
    live.push({ id, since })
    previous = index
  }
  return live
}
