import type { Group, LogName } from '../core/entry.ts'
import type { Founding, LogOutline, Message, SubmissionKind, SubmittedWrite } from '../core/messages.ts'
import { submissionKinds } from '../core/messages.ts'
import type { Operation } from './operations.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { decodeGroup, encodeGroup } from './group.ts'
import { decodeOperations } from './operations.ts'
import { readId, readIds, readOptionalId, readView, writeId, writeIds, writeOptionalId, writeView } from './view.ts'

/** Addresses of the cluster that the sender knows. The shells exchange it; the core never sees it. */
export interface AddressesMessage {
  readonly type: 'addresses'
  readonly addresses: ReadonlyArray<{ readonly host: string, readonly port: number }>
}

export type WireMessage = Message | AddressesMessage

/** In one frame. */
export const MESSAGES_MAX = 10_000
const ADDRESSES_MAX = 64
const HOST_BYTES_MAX = 255
const RUNS_MAX = 64
const DATA_DIGEST_MAX = 64

const types = {
  status: 1,
  propose: 2,
  promise: 3,
  refuse: 4,
  lead: 5,
  view: 6,
  follow: 7,
  sync: 8,
  prepare: 9,
  ack: 10,
  commit: 11,
  open: 12,
  submit: 13,
  withdraw: 14,
  addresses: 15
} as const satisfies Record<WireMessage['type'], number>

/** Appends one message to a frame. See `spec/wire.md`, "Messages". */
export function writeMessage (writer: ByteWriter, message: WireMessage): void {
  writer.u8(types[message.type])
  switch (message.type) {
    case 'status':
      writer.varint(message.promised)
      writer.varint(message.epoch)
      writeOptionalId(writer, message.coordinator)
      writer.varint(message.coordinatorStart)
      writer.u8(message.founding === null ? 0 : 1)
      if (message.founding !== null) writeFounding(writer, message.founding)
      break
    case 'propose':
      writer.varint(message.epoch)
      writeId(writer, message.cluster)
      writeIds(writer, message.members)
      break
    case 'promise':
      writer.varint(message.epoch)
      writeName(writer, message.end)
      break
    case 'refuse':
      writer.varint(message.epoch)
      break
    case 'lead':
    case 'view':
      writeView(writer, message.view)
      break
    case 'follow':
      writer.varint(message.epoch)
      writer.varint(message.outline.base)
      writer.varint(message.outline.runs.length)
      for (const run of message.outline.runs) writeName(writer, run)
      break
    case 'sync':
      writer.varint(message.epoch)
      writer.varint(message.common)
      writer.varint(message.openEnd)
      writer.varint(message.end)
      break
    case 'prepare':
      writer.varint(message.epoch)
      writer.varint(message.committed)
      writer.bytes(encodeGroup(message.group))
      break
    case 'ack':
      writer.varint(message.epoch)
      writer.varint(message.end)
      writer.u8(message.installed ? 1 : 0)
      break
    case 'commit':
      writer.varint(message.epoch)
      writer.varint(message.committed)
      break
    case 'open':
      writer.varint(message.epoch)
      writer.varint(message.start)
      break
    case 'submit':
      writer.varint(message.epoch)
      writer.varint(message.origin)
      writer.varint(message.first)
      writer.varint(message.writes.length)
      for (const { kind, body } of message.writes) {
        writer.u8(submissionKinds[kind])
        writer.bytes(body)
      }
      break
    case 'withdraw':
      writer.varint(message.epoch)
      writer.varint(message.origin)
      writer.varint(message.number)
      break
    case 'addresses':
      writer.varint(message.addresses.length)
      for (const { host, port } of message.addresses) {
        writer.text(host)
        writer.varint(port)
      }
      break
    default:
      message satisfies never
  }
}

/** Decodes the messages of one frame. Bodies are views on it. Throws a WireError unless all of it is valid. */
export function readMessages (frame: Uint8Array): WireMessage[] {
  const reader = new ByteReader(frame)
  const messages: WireMessage[] = []
  while (reader.remaining > 0) {
    if (messages.length === MESSAGES_MAX) reader.fail('too many messages')
    messages.push(readMessage(reader))
  }
  return messages
}

function readMessage (reader: ByteReader): WireMessage {
  const type = reader.u8()
  switch (type) {
    case types.status:
      return {
        type: 'status',
        promised: reader.varint(),
        epoch: reader.varint(),
        coordinator: readOptionalId(reader),
        coordinatorStart: reader.varint(),
        founding: readFlag(reader) ? readFounding(reader) : null
      }
    case types.propose:
      return { type: 'propose', epoch: reader.varint(), cluster: readId(reader), members: readIds(reader) }
    case types.promise:
      return { type: 'promise', epoch: reader.varint(), end: readName(reader) }
    case types.refuse:
      return { type: 'refuse', epoch: reader.varint() }
    case types.lead:
      return { type: 'lead', view: readView(reader) }
    case types.view:
      return { type: 'view', view: readView(reader) }
    case types.follow:
      return { type: 'follow', epoch: reader.varint(), outline: readOutline(reader) }
    case types.sync:
      return { type: 'sync', epoch: reader.varint(), common: reader.varint(), openEnd: reader.varint(), end: reader.varint() }
    case types.prepare:
      return { type: 'prepare', epoch: reader.varint(), committed: reader.varint(), group: readGroup(reader) }
    case types.ack:
      return { type: 'ack', epoch: reader.varint(), end: reader.varint(), installed: readFlag(reader) }
    case types.commit:
      return { type: 'commit', epoch: reader.varint(), committed: reader.varint() }
    case types.open:
      return { type: 'open', epoch: reader.varint(), start: reader.varint() }
    case types.submit:
      return { type: 'submit', epoch: reader.varint(), origin: reader.varint(), first: reader.varint(), writes: readWrites(reader) }
    case types.withdraw:
      return { type: 'withdraw', epoch: reader.varint(), origin: reader.varint(), number: reader.varint() }
    case types.addresses:
      return { type: 'addresses', addresses: readAddresses(reader) }
    default:
      return reader.fail('unknown message type')
  }
}

function writeName (writer: ByteWriter, name: LogName): void {
  writer.varint(name.position)
  writer.varint(name.epoch)
}

function readName (reader: ByteReader): LogName {
  return { position: reader.varint(), epoch: reader.varint() }
}

function readFlag (reader: ByteReader): boolean {
  const flag = reader.u8()
  if (flag > 1) reader.fail('invalid flag')
  return flag === 1
}

function writeFounding (writer: ByteWriter, founding: Founding): void {
  writer.varint(founding.minConsensus)
  writeIds(writer, founding.required)
  writer.varint(founding.unresolved)
  writeIds(writer, founding.connected)
  writer.text(founding.data)
  writeIds(writer, founding.vowed)
}

function readFounding (reader: ByteReader): Founding {
  return {
    minConsensus: reader.varint(),
    required: readIds(reader),
    unresolved: reader.varint(),
    connected: readIds(reader),
    data: reader.text(DATA_DIGEST_MAX),
    vowed: readIds(reader)
  }
}

function readOutline (reader: ByteReader): LogOutline {
  const base = reader.varint()
  const count = reader.count(2)
  if (count > RUNS_MAX) reader.fail('too many runs')
  const runs: LogName[] = []
  for (let i = 0; i < count; i++) {
    const run = readName(reader)
    const previous = runs[i - 1]
    if (previous !== undefined && (run.position <= previous.position || run.epoch <= previous.epoch)) reader.fail('runs out of order')
    runs.push(run)
  }
  return { base, runs }
}

function readGroup (reader: ByteReader): Group {
  return decodeGroup(reader.bytes())
}

function readWrites (reader: ByteReader): SubmittedWrite[] {
  const count = reader.count(2)
  const writes: SubmittedWrite[] = []
  for (let i = 0; i < count; i++) {
    const kind = readKind(reader)
    const body = reader.bytes()
    const operations: Operation[] = decodeOperations(body)
    if (kind === 'seeded' && operations.length > 0) reader.fail('a mark with operations')
    writes.push({ body, operations, kind })
  }
  return writes
}

function readKind (reader: ByteReader): SubmissionKind {
  const code = reader.u8()
  for (const kind of Object.keys(submissionKinds) as SubmissionKind[]) {
    if (submissionKinds[kind] === code) return kind
  }
  return reader.fail('unknown kind of submission')
}

function readAddresses (reader: ByteReader): Array<{ host: string, port: number }> {
  const count = reader.count(2)
  if (count > ADDRESSES_MAX) reader.fail('too many addresses')
  const addresses: Array<{ host: string, port: number }> = []
  for (let i = 0; i < count; i++) {
    const host = reader.text(HOST_BYTES_MAX)
    const port = reader.varint()
    if (host === '' || port < 1 || port > 65535) reader.fail('invalid address')
    addresses.push({ host, port })
  }
  return addresses
}
