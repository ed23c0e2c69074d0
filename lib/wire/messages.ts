import type { Message, RelayedMessage } from '../core/messages.ts'
import { denials } from '../core/messages.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { encodeGroup } from './group.ts'
import {
  DIGEST_BYTES_MAX, readAddresses, readChunk, readDenial, readFounding, readGroup, readGroups, readJoining, readKeys, readLeases, readName,
  readOutline, readProposed, readRemovals, readRows, readWrites, writeAddresses, writeChunk, writeFounding, writeGroups, writeJoining,
  writeKeys, writeLeases, writeName, writeOutline, writeRemovals, writeRows, writeWrites
} from './message-parts.ts'
import { readId, readOptionalView, readSortedIds, readView, writeId, writeIds, writeOptionalView, writeView } from './view.ts'

/** Addresses of the cluster that the sender knows. The shells exchange it; the core never sees it. */
export interface AddressesMessage {
  readonly type: 'addresses'
  readonly addresses: ReadonlyArray<{ readonly host: string, readonly port: number }>
}

export type WireMessage = Message | AddressesMessage

/** In one frame. */
export const MESSAGES_MAX = 10_000
// With room in each range for what may come.
const types = {
  // Agreement.
  status: 0x01,
  propose: 0x02,
  promise: 0x03,
  refuse: 0x04,
  accept: 0x05,
  accepted: 0x06,
  lead: 0x07,
  view: 0x08,
  deny: 0x09,
  // Following.
  follow: 0x11,
  sync: 0x12,
  prepare: 0x13,
  ack: 0x14,
  commit: 0x15,
  // Writes.
  open: 0x21,
  submit: 0x22,
  withdraw: 0x23,
  // Leases.
  heartbeat: 0x31,
  grant: 0x32,
  // Catching up.
  fetch: 0x41,
  fetched: 0x42,
  copy: 0x43,
  snapshot: 0x44,
  chunk: 0x45,
  verify: 0x46,
  verifying: 0x47,
  digest: 0x48,
  // Addresses.
  addresses: 0x51,
  // Observers.
  readIndex: 0x61,
  index: 0x62,
  relay: 0x63,
  unrelayed: 0x64
} as const satisfies Record<WireMessage['type'], number>

/** Appends one message to a frame. See `spec/wire.md`, "Messages". */
export function writeMessage (writer: ByteWriter, message: WireMessage): void {
  writer.u8(types[message.type])
  switch (message.type) {
    case 'status':
      writer.varint(message.promised)
      writeOptionalView(writer, message.view)
      writer.varint(message.installed)
      writeIds(writer, message.connected)
      writer.varint(message.minConsensus)
      writer.flag(message.caughtUp)
      writer.flag(message.fit)
      writer.flag(message.founding !== null)
      if (message.founding !== null) writeFounding(writer, message.founding)
      writer.flag(message.joining !== null)
      if (message.joining !== null) writeJoining(writer, message.joining)
      writeRemovals(writer, message.removing)
      writeIds(writer, message.recovering)
      break
    case 'propose':
      writer.varint(message.epoch)
      writer.varint(message.known)
      writeId(writer, message.cluster)
      writeIds(writer, message.members)
      writeIds(writer, message.without)
      writer.flag(message.recover)
      break
    case 'promise':
      writer.varint(message.epoch)
      writeOptionalView(writer, message.accepted)
      writer.varint(message.known)
      writer.varint(message.installed)
      writer.flag(message.intact)
      writer.flag(message.complete)
      writer.flag(message.caughtUp)
      writer.varint(message.minConsensus)
      writeName(writer, message.end)
      writer.varint(message.base)
      writer.varint(message.committed)
      writeLeases(writer, message.leases)
      break
    case 'refuse':
    case 'accepted':
      writer.varint(message.epoch)
      break
    case 'accept':
    case 'view':
      writeView(writer, message.view)
      break
    case 'lead':
      writeView(writer, message.view)
      writer.varint(message.waitMs)
      break
    case 'deny':
      writeId(writer, message.id)
      writer.u8(denials[message.why])
      break
    case 'follow':
      writer.varint(message.epoch)
      writeOutline(writer, message.outline)
      writer.flag(message.intact)
      break
    case 'sync':
      writer.varint(message.epoch)
      writer.varint(message.common)
      writer.varint(message.commonEpoch)
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
      writer.flag(message.installed)
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
      writeWrites(writer, message.writes)
      break
    case 'withdraw':
      writer.varint(message.epoch)
      writer.varint(message.origin)
      writer.varint(message.number)
      break
    case 'heartbeat':
      writer.varint(message.epoch)
      writer.varint(message.sent)
      writer.varint(message.applied)
      break
    case 'grant':
      writer.varint(message.epoch)
      writer.varint(message.sent)
      break
    case 'fetch':
      writeOutline(writer, message.outline)
      break
    case 'fetched':
      writer.varint(message.common)
      writer.varint(message.commonEpoch)
      writer.varint(message.committed)
      writer.flag(message.truncated)
      writeGroups(writer, message.groups)
      break
    case 'copy':
      writer.optionalBytes(message.after)
      writer.varint(message.applied)
      break
    case 'snapshot':
      writeName(writer, message.base)
      writer.flag(message.seeded)
      writeRows(writer, message.rows)
      writeKeys(writer, message.keys)
      break
    case 'chunk':
      writeChunk(writer, message)
      break
    case 'verify':
      writer.varint(message.applied)
      break
    case 'verifying':
      writer.varint(message.position)
      break
    case 'digest':
      writer.varint(message.position)
      writer.text(message.digest)
      break
    case 'addresses':
      writeAddresses(writer, message.addresses)
      break
    case 'readIndex':
      writer.varint(message.number)
      break
    case 'index':
      writer.varint(message.number)
      writer.varint(message.position)
      break
    case 'relay':
      writeId(writer, message.node)
      writer.varint(message.start)
      writeMessage(writer, message.message)
      break
    case 'unrelayed':
      writeId(writer, message.node)
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
        view: readOptionalView(reader),
        installed: reader.varint(),
        connected: readSortedIds(reader),
        minConsensus: reader.varint(),
        caughtUp: reader.flag(),
        fit: reader.flag(),
        founding: reader.flag() ? readFounding(reader) : null,
        joining: reader.flag() ? readJoining(reader) : null,
        removing: readRemovals(reader),
        recovering: readSortedIds(reader)
      }
    case types.propose:
      return { type: 'propose', epoch: reader.varint(), known: reader.varint(), cluster: readId(reader), ...readProposed(reader), recover: reader.flag() }
    case types.promise:
      return {
        type: 'promise',
        epoch: reader.varint(),
        accepted: readOptionalView(reader),
        known: reader.varint(),
        installed: reader.varint(),
        intact: reader.flag(),
        complete: reader.flag(),
        caughtUp: reader.flag(),
        minConsensus: reader.varint(),
        end: readName(reader),
        base: reader.varint(),
        committed: reader.varint(),
        leases: readLeases(reader)
      }
    case types.refuse:
      return { type: 'refuse', epoch: reader.varint() }
    case types.accept:
      return { type: 'accept', view: readView(reader) }
    case types.accepted:
      return { type: 'accepted', epoch: reader.varint() }
    case types.lead:
      return { type: 'lead', view: readView(reader), waitMs: reader.varint() }
    case types.view:
      return { type: 'view', view: readView(reader) }
    case types.deny:
      return { type: 'deny', id: readId(reader), why: readDenial(reader) }
    case types.follow:
      return { type: 'follow', epoch: reader.varint(), outline: readOutline(reader), intact: reader.flag() }
    case types.sync:
      return { type: 'sync', epoch: reader.varint(), common: reader.varint(), commonEpoch: reader.varint(), openEnd: reader.varint(), end: reader.varint() }
    case types.prepare:
      return { type: 'prepare', epoch: reader.varint(), committed: reader.varint(), group: readGroup(reader) }
    case types.ack:
      return { type: 'ack', epoch: reader.varint(), end: reader.varint(), installed: reader.flag() }
    case types.commit:
      return { type: 'commit', epoch: reader.varint(), committed: reader.varint() }
    case types.open:
    case types.submit:
    case types.withdraw:
      return readWriting(reader, type)
    case types.heartbeat:
      return { type: 'heartbeat', epoch: reader.varint(), sent: reader.varint(), applied: reader.varint() }
    case types.grant:
      return { type: 'grant', epoch: reader.varint(), sent: reader.varint() }
    case types.fetch:
      return { type: 'fetch', outline: readOutline(reader) }
    case types.fetched:
      return { type: 'fetched', common: reader.varint(), commonEpoch: reader.varint(), committed: reader.varint(), truncated: reader.flag(), groups: readGroups(reader) }
    case types.copy:
      return { type: 'copy', after: reader.optionalBytes(), applied: reader.varint() }
    case types.snapshot:
      return { type: 'snapshot', base: readName(reader), seeded: reader.flag(), rows: readRows(reader), keys: readKeys(reader) }
    case types.chunk:
      return { type: 'chunk', ...readChunk(reader) }
    case types.verify:
      return { type: 'verify', applied: reader.varint() }
    case types.verifying:
      return { type: 'verifying', position: reader.varint() }
    case types.digest:
      return { type: 'digest', position: reader.varint(), digest: reader.text(DIGEST_BYTES_MAX) }
    case types.addresses:
      return { type: 'addresses', addresses: readAddresses(reader) }
    case types.readIndex:
      return { type: 'readIndex', number: reader.varint() }
    case types.index:
      return { type: 'index', number: reader.varint(), position: reader.varint() }
    case types.relay:
      return { type: 'relay', node: readId(reader), start: reader.varint(), message: readWriting(reader, reader.u8()) }
    case types.unrelayed:
      return { type: 'unrelayed', node: readId(reader) }
    default:
      return reader.fail('unknown message type')
  }
}

/** What an origin says, to the coordinator or to whoever passes it on. */
function readWriting (reader: ByteReader, type: number): RelayedMessage {
  switch (type) {
    case types.open:
      return { type: 'open', epoch: reader.varint(), start: reader.varint() }
    case types.submit:
      return { type: 'submit', epoch: reader.varint(), origin: reader.varint(), first: reader.varint(), writes: readWrites(reader) }
    case types.withdraw:
      return { type: 'withdraw', epoch: reader.varint(), origin: reader.varint(), number: reader.varint() }
    default:
      return reader.fail('not to be passed on')
  }
}
