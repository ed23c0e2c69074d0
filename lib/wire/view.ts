import type { View } from '../core/view.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { fromHex, toHex } from './hex.ts'

/** More members than anybody should have; a bound for decoders. */
export const MEMBERS_MAX = 64

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

/** An id that may be missing: the empty string. */
export function writeOptionalId (writer: ByteWriter, id: string): void {
  writer.u8(id === '' ? 0 : 1)
  if (id !== '') writeId(writer, id)
}

export function readOptionalId (reader: ByteReader): string {
  const present = reader.u8()
  if (present > 1) reader.fail('invalid flag')
  return present === 1 ? readId(reader) : ''
}

export function writeView (writer: ByteWriter, view: View): void {
  writer.varint(view.epoch)
  writeId(writer, view.cluster)
  writeIds(writer, view.members)
  writeId(writer, view.coordinator)
  writer.varint(view.coordinatorStart)
  writeOptionalId(writer, view.seeder ?? '')
}

export function readView (reader: ByteReader): View {
  const epoch = reader.varint()
  const cluster = readId(reader)
  const members = readIds(reader)
  const coordinator = readId(reader)
  const coordinatorStart = reader.varint()
  const seeder = readOptionalId(reader)

  if (epoch === 0 || !members.includes(coordinator)) reader.fail('invalid view')
  if (members.some((id, i) => i > 0 && id <= (members[i - 1] as string))) reader.fail('members out of order')
  return { epoch, cluster, members, coordinator, coordinatorStart, seeder: seeder === '' ? null : seeder }
}
