import { EPOCHS_AHEAD_MAX } from './core/acceptor.ts'
import { NUMBERS_AHEAD_MAX } from './core/coordinator.ts'
import { REJECTED_RUNS_MAX } from './core/origins.ts'
import { FETCH_BYTES, FETCH_GROUPS } from './core/source.ts'
import { MEMBERS_MAX } from './core/view.ts'
import { ITEMS_MAX } from './wire/bytes.ts'
import { KEY_BYTES_MAX } from './wire/group.ts'
import { handshakeBytesMax } from './wire/handshake.ts'
import { MESSAGES_MAX } from './wire/messages.ts'
import { OPERATIONS_MAX } from './wire/operations.ts'

// Every bound of this package. What belongs to the protocol or to the wire format is defined there; the table in the README
// follows from this file, and a test holds the two together. The comment of each says what is bounded | what happens beyond.
// These words are comments so that browsers need not load them.

const KIB = 2 ** 10
const MIB = 2 ** 20

/** One bound. */
export interface Limit {
  /** If an option sets it, the default. Bytes or milliseconds where the name ends with that, perhaps with `Max` behind. */
  readonly value: number
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
  /** a key | LEVEL_TOO_LARGE */
  keyBytesMax: { value: 64 * KIB, min: 1, max: MIB },
  /** a value; unless set, as large as a write | LEVEL_TOO_LARGE */
  valueBytesMax: { value: 16 * MIB, min: 1, max: WRITE_BYTES_LIMIT },
  /** a write, a batch as a whole | LEVEL_TOO_LARGE */
  writeBytesMax: { value: 16 * MIB, min: 64, max: WRITE_BYTES_LIMIT },
  /** writes that wait on a node, queued or undecided; and reads that wait | LEVEL_QUEUE_FULL */
  queueMax: { value: 100_000, min: 1, max: 1e7 },
  /** bytes of the writes that wait on a node; a single write may always | LEVEL_QUEUE_FULL */
  queueBytesMax: { value: 64 * MIB, min: 1, max: 2 ** 40 },
  /** how long a write waits | LEVEL_TIMEOUT */
  writeTimeoutMs: { value: 10_000, min: 1, max: TIMER_MS_MAX },
  /** how long a read waits | LEVEL_TIMEOUT or LEVEL_IN_DOUBT */
  readTimeoutMs: { value: 10_000, min: 1, max: TIMER_MS_MAX },
  /** how long a peer may be silent | LEVEL_TIMEOUT, it is disconnected */
  failureTimeoutMs: { value: 5000, min: 10, max: 2 ** 28 - 1 },
  /** attempts in a row to reach a peer | LEVEL_CONSENSUS_UNREACHABLE, if too few are left; dialling goes on */
  failAfter: { value: 16, min: 1, max: 1e9 },
  /** observers that are connected to a node | LEVEL_QUEUE_FULL, the observer tries again */
  observersMax: { value: 100, min: 0, max: 10_000 },
  /** events that `trace()` gives | the oldest is forgotten */
  traceMax: { value: 512, min: 0, max: 65_536 },
  /** the log, beside what live members have not applied | whoever has missed more gets a copy */
  logBytesMax: { value: 256 * MIB, min: 64 * KIB, max: 2 ** 50 }
} as const satisfies Record<string, OptionLimit>

export const fixedLimits = {
  /** operations of a write | LEVEL_TOO_LARGE */
  operations: { value: OPERATIONS_MAX },
  /** keys in one batch of `clear()` | the next batch */
  clearKeys: { value: 1000 },
  /** bytes of the keys of such a batch | the next batch */
  clearBytes: { value: MIB },
  /** members, witnesses included; so `founders`, too, and one more than `minConsensus` | LEVEL_CHANGE_REFUSED or a TypeError */
  members: { value: MEMBERS_MAX },
  /** entries of `peers` | TypeError */
  peers: { value: MEMBERS_MAX - 1 },
  /** addresses that a node knows | RangeError, for `addPeer()`; those that were only heard of leave */
  addresses: { value: MEMBERS_MAX },
  /** characters of a `name` | TypeError */
  nameChars: { value: 64 },
  /** characters of a `host` | TypeError */
  hostChars: { value: 255 },
  /** characters of a name in `dns` or `srv` | TypeError */
  dnsChars: { value: 253 },
  /** peers that are connected, beside members | LEVEL_QUEUE_FULL, the peer tries again */
  sessions: { value: MEMBERS_MAX - 1 },
  /** peers whose starts a node remembers, to know copied disks | the oldest is forgotten */
  sightings: { value: 256 },
  /** writes of a node that are sent and undecided | the others queue */
  windowWrites: { value: 4096 },
  /** bytes of these writes, and one write more | the others queue */
  windowBytes: { value: 8 * MIB },
  /** writes of an observer that are sent and undecided | the others queue */
  observerWindowWrites: { value: 256 },
  /** bytes of these writes, and one write more | the others queue */
  observerWindowBytes: { value: MIB / 2 },
  /** a write of an observer, if `writeBytesMax` is not less | LEVEL_TOO_LARGE */
  observerWriteBytes: { value: MIB },
  /** writes in one message to the coordinator, or one larger write | the next message */
  submitBytes: { value: MIB },
  /** a group of the log, or one larger write | the next group */
  groupBytes: { value: MIB },
  /** entries that are not applied yet: and one group more on the coordinator, twice that on the others | writes wait for the applying */
  tailBytes: { value: 32 * MIB },
  /** what is applied at once, or one larger group | the next batch */
  applyBytes: { value: 4 * MIB },
  /** what may be applied and not synced, at most a quarter of the log | a sync */
  unsyncedBytes: { value: 4 * MIB },
  /** submissions of all nodes without a position, on the coordinator | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  incoming: { value: MEMBERS_MAX * 4096 },
  /** bytes of these submissions, and one message more | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  incomingBytes: { value: MEMBERS_MAX * 8 * MIB },
  /** bytes of what a member passes on for observers, and has not sent | the observer is disconnected, and connects again */
  relayedBytes: { value: 8 * MIB },
  /** how far the numbers of a peer's writes may run ahead | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  numbersAhead: { value: NUMBERS_AHEAD_MAX },
  /** how far the epochs of a peer may run ahead | LEVEL_PROTOCOL_ERROR, it is not followed, or disconnected */
  epochsAhead: { value: EPOCHS_AHEAD_MAX },
  /** starts of members whose writes are told apart, and as many of observers | the one that has not written for longest begins anew */
  origins: { value: 256 },
  /** runs of rejected writes that are told apart, for each start of a node | the oldest is forgotten */
  rejectedRuns: { value: REJECTED_RUNS_MAX },
  /** an `idempotencyKey` | LEVEL_TOO_LARGE */
  keyBytes: { value: KEY_BYTES_MAX },
  /** idempotency keys that are remembered | the oldest is forgotten */
  keys: { value: 16_384 },
  /** how long before its time-out a write without a position is withdrawn, at most a quarter of it | LEVEL_TIMEOUT */
  withdrawMs: { value: 2000 },
  /** a frame | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  frameBytes: { value: 32 * MIB },
  /** a frame of a peer that is no member | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  strangerFrameBytes: { value: 2 * MIB },
  /** messages in a frame | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  messages: { value: MESSAGES_MAX },
  /** items of all lists in a frame | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  items: { value: ITEMS_MAX },
  /** connections in the handshake | LEVEL_QUEUE_FULL, the oldest makes room; the peer tries again */
  handshakes: { value: 256 },
  /** a message of the handshake | LEVEL_PROTOCOL_ERROR, the peer is disconnected */
  handshakeBytes: { value: handshakeBytesMax },
  /** how long a handshake takes | LEVEL_TIMEOUT, the peer tries again */
  handshakeMs: { value: 5000 },
  /** how long it takes to connect | LEVEL_TIMEOUT, another attempt */
  dialMs: { value: 5000 },
  /** the pause before the second attempt to connect | each is twice as long as the one before */
  reconnectMinMs: { value: 100 },
  /** the longest pause between attempts | all others are as long */
  reconnectMaxMs: { value: 5000 },
  /** answers that a peer does not read | LEVEL_QUEUE_FULL, the peer is disconnected */
  unreadReplies: { value: 1000 },
  /** messages that wait for a peer, beside those that have a window | LEVEL_QUEUE_FULL, the peer is disconnected */
  unreadMessages: { value: 10_000 },
  /** what a member gets of the log at once, and one group more | the next message */
  fetchBytes: { value: FETCH_BYTES },
  /** groups of the log that a member gets at once | the next message */
  fetchGroups: { value: FETCH_GROUPS },
  /** a piece of a copy, or one larger entry | the next piece */
  chunkBytes: { value: MIB },
  /** what is read of the log at once for a member that is behind | the next read */
  loadBytes: { value: MIB }
} as const satisfies Record<string, Limit>
