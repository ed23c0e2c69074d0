import { EPOCHS_AHEAD_MAX } from './core/acceptor.ts'
import { NUMBERS_AHEAD_MAX } from './core/coordinator.ts'
import { REJECTED_RUNS_MAX } from './core/origins.ts'
import { FETCH_BYTES, FETCH_GROUPS } from './core/source.ts'
import { MEMBERS_MAX } from './core/view.ts'
import type { ErrorCode } from './errors.ts'
import { codes } from './errors.ts'
import { ITEMS_MAX } from './wire/bytes.ts'
import { KEY_BYTES_MAX } from './wire/group.ts'
import { handshakeBytesMax } from './wire/handshake.ts'
import { MESSAGES_MAX } from './wire/messages.ts'
import { OPERATIONS_MAX } from './wire/operations.ts'

// Every bound of this package. What belongs to the protocol or to the wire format is defined there; the table in the README
// follows from this file, and a test holds the two together.

const KIB = 2 ** 10
const MIB = 2 ** 20

/** One bound. */
export interface Limit {
  /** What it bounds, for people. */
  readonly what: string
  readonly unit: 'bytes' | 'ms' | 'number'
  /** The bound; if an option sets it, the default. */
  readonly value: number
  /** What goes with that which is beyond: an error, or null where nothing fails. */
  readonly code: ErrorCode | 'RangeError' | 'TypeError' | null
  /** What happens beyond, as far as the error does not say it. */
  readonly beyond: string
}

/** One that the option of the same name sets, within bounds of its own. */
export interface OptionLimit extends Limit {
  readonly min: number
  readonly max: number
}

/** No write is larger, whatever the options say: it has to fit into a frame. */
export const WRITE_BYTES_LIMIT = 24 * MIB

const TIMER_MS_MAX = 2 ** 31 - 1

export const optionLimits = {
  keyBytesMax: {
    what: 'a key', unit: 'bytes', value: 64 * KIB, min: 1, max: MIB, code: codes.tooLarge, beyond: ''
  },
  valueBytesMax: {
    what: 'a value; unless set, as large as a write', unit: 'bytes', value: 16 * MIB, min: 1, max: WRITE_BYTES_LIMIT, code: codes.tooLarge, beyond: ''
  },
  writeBytesMax: {
    what: 'a write, a batch as a whole', unit: 'bytes', value: 16 * MIB, min: 64, max: WRITE_BYTES_LIMIT, code: codes.tooLarge, beyond: ''
  },
  queueMax: {
    what: 'writes that wait on a node, queued or undecided; and reads that wait', unit: 'number', value: 100_000, min: 1, max: 1e7, code: codes.queueFull, beyond: ''
  },
  queueBytesMax: {
    what: 'bytes of the writes that wait on a node; a single write may always', unit: 'bytes', value: 64 * MIB, min: 1, max: 2 ** 40, code: codes.queueFull, beyond: ''
  },
  writeTimeoutMs: {
    what: 'how long a write waits', unit: 'ms', value: 10_000, min: 1, max: TIMER_MS_MAX, code: codes.timeout, beyond: ''
  },
  readTimeoutMs: {
    what: 'how long a read waits', unit: 'ms', value: 10_000, min: 1, max: TIMER_MS_MAX, code: codes.timeout, beyond: 'or [`LEVEL_IN_DOUBT`](#level_in_doubt)'
  },
  failureTimeoutMs: {
    what: 'how long a peer may be silent', unit: 'ms', value: 5000, min: 10, max: 2 ** 28 - 1, code: codes.timeout, beyond: 'it is disconnected'
  },
  failAfter: {
    what: 'attempts in a row to reach a peer', unit: 'number', value: 16, min: 1, max: 1e9, code: codes.unreachable, beyond: 'if too few are left; dialling goes on'
  },
  observersMax: {
    what: 'observers that are connected to a node', unit: 'number', value: 100, min: 0, max: 10_000, code: codes.queueFull, beyond: 'the observer tries again'
  },
  traceMax: {
    what: 'events that `trace()` gives', unit: 'number', value: 512, min: 0, max: 65_536, code: null, beyond: 'the oldest is forgotten'
  },
  logBytesMax: {
    what: 'the log, beside what live members have not applied', unit: 'bytes', value: 256 * MIB, min: 64 * KIB, max: 2 ** 50, code: null, beyond: 'whoever has missed more gets a copy'
  }
} as const satisfies Record<string, OptionLimit>

export const fixedLimits = {
  operations: {
    what: 'operations of a write', unit: 'number', value: OPERATIONS_MAX, code: codes.tooLarge, beyond: ''
  },
  clearKeys: {
    what: 'keys in one batch of `clear()`', unit: 'number', value: 1000, code: null, beyond: 'the next batch'
  },
  clearBytes: {
    what: 'bytes of the keys of such a batch', unit: 'bytes', value: MIB, code: null, beyond: 'the next batch'
  },
  members: {
    what: 'members, witnesses included; so `founders`, too, and one more than `minConsensus`', unit: 'number', value: MEMBERS_MAX, code: codes.changeRefused, beyond: 'or a `TypeError`'
  },
  peers: {
    what: 'entries of `peers`', unit: 'number', value: MEMBERS_MAX - 1, code: 'TypeError', beyond: ''
  },
  addresses: {
    what: 'addresses that a node knows', unit: 'number', value: MEMBERS_MAX, code: 'RangeError', beyond: 'for `addPeer()`; those that were only heard of leave'
  },
  nameChars: {
    what: 'characters of a `name`', unit: 'number', value: 64, code: 'TypeError', beyond: ''
  },
  hostChars: {
    what: 'characters of a `host`', unit: 'number', value: 255, code: 'TypeError', beyond: ''
  },
  dnsChars: {
    what: 'characters of a name in `dns` or `srv`', unit: 'number', value: 253, code: 'TypeError', beyond: ''
  },
  sessions: {
    what: 'peers that are connected, beside members', unit: 'number', value: MEMBERS_MAX - 1, code: codes.queueFull, beyond: 'the peer tries again'
  },
  sightings: {
    what: 'peers whose starts a node remembers, to know copied disks', unit: 'number', value: 256, code: null, beyond: 'the oldest is forgotten'
  },
  windowWrites: {
    what: 'writes of a node that are sent and undecided', unit: 'number', value: 4096, code: null, beyond: 'the others queue'
  },
  windowBytes: {
    what: 'bytes of these writes, and one write more', unit: 'bytes', value: 8 * MIB, code: null, beyond: 'the others queue'
  },
  observerWindowWrites: {
    what: 'writes of an observer that are sent and undecided', unit: 'number', value: 256, code: null, beyond: 'the others queue'
  },
  observerWindowBytes: {
    what: 'bytes of these writes, and one write more', unit: 'bytes', value: MIB / 2, code: null, beyond: 'the others queue'
  },
  observerWriteBytes: {
    what: 'a write of an observer, if `writeBytesMax` is not less', unit: 'bytes', value: MIB, code: codes.tooLarge, beyond: ''
  },
  submitBytes: {
    what: 'writes in one message to the coordinator, or one larger write', unit: 'bytes', value: MIB, code: null, beyond: 'the next message'
  },
  groupBytes: {
    what: 'a group of the log, or one larger write', unit: 'bytes', value: MIB, code: null, beyond: 'the next group'
  },
  tailBytes: {
    what: 'entries that are not applied yet: and one group more on the coordinator, twice that on the others', unit: 'bytes', value: 32 * MIB, code: null, beyond: 'writes wait for the applying'
  },
  applyBytes: {
    what: 'what is applied at once, or one larger group', unit: 'bytes', value: 4 * MIB, code: null, beyond: 'the next batch'
  },
  unsyncedBytes: {
    what: 'what may be applied and not synced, at most a quarter of the log', unit: 'bytes', value: 4 * MIB, code: null, beyond: 'a sync'
  },
  incoming: {
    what: 'submissions of all nodes without a position, on the coordinator', unit: 'number', value: MEMBERS_MAX * 4096, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  incomingBytes: {
    what: 'bytes of these submissions, and one message more', unit: 'bytes', value: MEMBERS_MAX * 8 * MIB, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  numbersAhead: {
    what: 'how far the numbers of a peer\'s writes may run ahead', unit: 'number', value: NUMBERS_AHEAD_MAX, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  epochsAhead: {
    what: 'how far the epochs of a peer may run ahead', unit: 'number', value: EPOCHS_AHEAD_MAX, code: codes.protocol, beyond: 'it is not followed, or disconnected'
  },
  origins: {
    what: 'starts of members whose writes are told apart, and as many of observers', unit: 'number', value: 256, code: null, beyond: 'the one that has not written for longest begins anew'
  },
  rejectedRuns: {
    what: 'runs of rejected writes that are told apart, for each start of a node', unit: 'number', value: REJECTED_RUNS_MAX, code: null, beyond: 'the oldest is forgotten'
  },
  keyBytes: {
    what: 'an `idempotencyKey`', unit: 'bytes', value: KEY_BYTES_MAX, code: codes.tooLarge, beyond: ''
  },
  keys: {
    what: 'idempotency keys that are remembered', unit: 'number', value: 16_384, code: null, beyond: 'the oldest is forgotten'
  },
  withdrawMs: {
    what: 'how long before its time-out a write without a position is withdrawn, at most a quarter of it', unit: 'ms', value: 2000, code: codes.timeout, beyond: ''
  },
  frameBytes: {
    what: 'a frame', unit: 'bytes', value: 32 * MIB, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  strangerFrameBytes: {
    what: 'a frame of a peer that is no member', unit: 'bytes', value: 2 * MIB, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  messages: {
    what: 'messages in a frame', unit: 'number', value: MESSAGES_MAX, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  items: {
    what: 'items of all lists in a frame', unit: 'number', value: ITEMS_MAX, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  handshakes: {
    what: 'connections in the handshake', unit: 'number', value: 256, code: codes.queueFull, beyond: 'the oldest makes room; the peer tries again'
  },
  handshakeBytes: {
    what: 'a message of the handshake', unit: 'bytes', value: handshakeBytesMax, code: codes.protocol, beyond: 'the peer is disconnected'
  },
  handshakeMs: {
    what: 'how long a handshake takes', unit: 'ms', value: 5000, code: codes.timeout, beyond: 'the peer tries again'
  },
  dialMs: {
    what: 'how long it takes to connect', unit: 'ms', value: 5000, code: codes.timeout, beyond: 'another attempt'
  },
  reconnectMinMs: {
    what: 'the pause before the second attempt to connect', unit: 'ms', value: 100, code: null, beyond: 'each is twice as long as the one before'
  },
  reconnectMaxMs: {
    what: 'the longest pause between attempts', unit: 'ms', value: 5000, code: null, beyond: 'all others are as long'
  },
  unreadReplies: {
    what: 'answers that a peer does not read', unit: 'number', value: 1000, code: codes.queueFull, beyond: 'the peer is disconnected'
  },
  unreadMessages: {
    what: 'messages that wait for a peer, beside those that have a window', unit: 'number', value: 10_000, code: codes.queueFull, beyond: 'the peer is disconnected'
  },
  fetchBytes: {
    what: 'what a member gets of the log at once, and one group more', unit: 'bytes', value: FETCH_BYTES, code: null, beyond: 'the next message'
  },
  fetchGroups: {
    what: 'groups of the log that a member gets at once', unit: 'number', value: FETCH_GROUPS, code: null, beyond: 'the next message'
  },
  chunkBytes: {
    what: 'a piece of a copy, or one larger entry', unit: 'bytes', value: MIB, code: null, beyond: 'the next piece'
  },
  loadBytes: {
    what: 'what is read of the log at once for a member that is behind', unit: 'bytes', value: MIB, code: null, beyond: 'the next read'
  }
} as const satisfies Record<string, Limit>
