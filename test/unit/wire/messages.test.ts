import test from 'tape'
import fc from 'fast-check'
import { describe } from '../../../lib/describe.ts'
import { readFrame } from '../../../lib/inbox.ts'
import type { Entry, Group, MemberId } from '../../../lib/core/entry.ts'
import { skipReasons } from '../../../lib/core/entry.ts'
import type { SkipReason } from '../../../lib/core/entry.ts'
import type { Denial, Founding, Joining, LogOutline, Removal, SubmittedWrite } from '../../../lib/core/messages.ts'
import { denials } from '../../../lib/core/messages.ts'
import type { Rejected } from '../../../lib/core/origins.ts'
import type { View } from '../../../lib/core/view.ts'
import { ByteWriter, compareBytes, WireError } from '../../../lib/wire/bytes.ts'
import type { WireMessage } from '../../../lib/wire/messages.ts'
import { readMessages, writeMessage } from '../../../lib/wire/messages.ts'
import type { Operation } from '../../../lib/wire/operations.ts'
import { encodeOperations } from '../../../lib/wire/operations.ts'
import { foundingOf, joiningOf, promiseOf, statusOf, viewOf } from '../../support/core-parts.ts'

const timeout = { timeout: 60_000 }

type Arbitraries = { [T in WireMessage['type']]: fc.Arbitrary<Extract<WireMessage, { type: T }>> }

const integer = fc.oneof(fc.nat(300), fc.maxSafeNat())
const positive = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 40 }))
const bytes = fc.uint8Array({ maxLength: 12 })
const id: fc.Arbitrary<MemberId> = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Buffer.from(b).toString('hex'))
const ids = fc.array(id, { maxLength: 5 })
const sortedIds = fc.uniqueArray(id, { maxLength: 5 }).map((all) => all.sort())
const digest = fc.constantFrom('', '0123456789abcdef', 'f'.repeat(64))
const name = fc.oneof(fc.constant({ position: 0, epoch: 0 }), fc.record({ position: positive, epoch: positive }))

// Of people, so with whatever letters they have.
const title = fc.string({ maxLength: 64, unit: 'grapheme' }).filter(text => text.length <= 64)

const view: fc.Arbitrary<View> = fc.record({
  epoch: positive,
  cluster: id,
  before: sortedIds,
  members: fc.uniqueArray(id, { minLength: 1, maxLength: 7 }).map((all) => all.sort()),
  coordinatorStart: integer
}).chain(({ members, ...rest }) => fc.record({
  names: fc.tuple(...members.map(() => title)),
  live: fc.subarray(members, { minLength: 1 }).chain((live) => fc.tuple(...live.map((id) => fc.record({ id: fc.constant(id), since: fc.integer({ min: 1, max: rest.epoch }) })))),
  // It may have left.
  seeder: fc.option(fc.oneof(id, fc.constantFrom(...members))),
  free: fc.boolean()
}).chain(({ names, live, seeder, free }) => fc.record({
  witnesses: fc.subarray(members.filter((id) => !live.some((member) => member.id === id))),
  coordinator: fc.constantFrom(...live.map(({ id }) => id))
}).map((more) => ({
  ...rest, ...more, members, names, live, seeder, leaseFree: free && live.length === members.length
}))))

const founding: fc.Arbitrary<Founding> = fc.record({
  name: title, witness: fc.boolean(), founders: integer, required: ids, unresolved: integer, data: digest, vowed: ids
})
const joining: fc.Arbitrary<Joining> = fc.record({ name: title, witness: fc.boolean(), replaces: fc.oneof(title, id) })
const removal: fc.Arbitrary<Removal> = fc.record({ id, force: fc.boolean() })

const outline: fc.Arbitrary<LogOutline> = fc.record({
  base: integer.map((base) => Math.min(base, 2 ** 50)),
  steps: fc.array(fc.tuple(positive, positive), { maxLength: 5 })
}).map(({ base, steps }) => {
  let last = { position: base, epoch: 0 }
  const runs = steps.map(([position, epoch]) => {
    last = { position: last.position + position, epoch: last.epoch + epoch }
    return last
  })
  return { base, runs }
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key: bytes, value: bytes }),
  fc.record({ type: fc.constant('del' as const), key: bytes })
)
const written = fc.array(operation, { maxLength: 4 }).map((operations) => ({ operations, body: encodeOperations(operations) }))

const keyed = fc.constantFrom('', 'k', 'k'.repeat(128))

const submitted: fc.Arbitrary<SubmittedWrite> = fc.oneof(
  fc.tuple(written, keyed).map(([write, key]) => ({ ...write, kind: 'write' as const, key })),
  written.map(write => ({ ...write, kind: 'seed' as const, key: '' })),
  fc.constant({ operations: [], body: encodeOperations([]), kind: 'seeded' as const, key: '' })
)

const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.tuple(written, integer, integer, keyed).map(([write, origin, number, key]) => ({ kind: 'write' as const, origin, number, ...write, key })),
  fc.record({ kind: fc.constant('skip' as const), origin: integer, number: integer, reason: fc.constantFrom(...Object.keys(skipReasons) as SkipReason[]) }),
  fc.record({ kind: fc.constant('open' as const), node: id, start: integer }),
  fc.record({ kind: fc.constant('seeded' as const), origin: integer, number: integer })
)
const entries = fc.array(entry, { minLength: 1, maxLength: 4 })
const group: fc.Arbitrary<Group> = fc.record({ epoch: positive, first: positive, entries })

const groups: fc.Arbitrary<Group[]> = fc.tuple(positive, positive, fc.array(fc.tuple(fc.nat(2), entries), { maxLength: 4 })).map(([first, epoch, parts]) => parts.map(([step, entries]) => {
  const group = { epoch: epoch += step, first, entries }
  first += entries.length
  return group
}))

const rows = fc.array(fc.tuple(positive, id, integer, integer, fc.nat(1000)), { maxLength: 4 }).map((all) => {
  let last = 0
  return all.map(([step, node, start, highest, more]) => {
    last += step
    const rejected = rejectedUpTo(highest)
    return [last, { node, start, highest, last: last + more, ...(rejected === null ? {} : { rejected }) }] as const
  })
})

/** Some runs, or none. */
function rejectedUpTo (highest: number): Rejected | null {
  if (highest < 20) return null
  return highest % 3 === 0 ? { runs: [highest - 12, highest - 12, highest - 4, highest], forgotten: 0 } : { runs: highest % 3 === 1 ? [] : [highest, highest], forgotten: highest - 1 }
}

const keys = fc.array(fc.tuple(positive, fc.constantFrom('k', 'k'.repeat(128)), fc.nat(0xffffffff)), { maxLength: 4 }).map((all) => {
  let last = 0
  return all.map(([step, key, digest]) => {
    last += step
    return [last, { key, digest }] as const
  })
})

const range = fc.uniqueArray(bytes, { minLength: 1, maxLength: 8, comparator: (a, b) => compareBytes(a, b) === 0 })
  .map((keys) => keys.sort(compareBytes))

const chunk = fc.record({ keys: range, value: bytes, high: integer, isLast: fc.boolean(), withThrough: fc.boolean() })
  .map(({ keys, value, high, isLast, withThrough }): Extract<WireMessage, { type: 'chunk' }> => {
    const [after = new Uint8Array(0), ...rest] = keys
    const through = isLast ? null : rest[rest.length - 1] ?? Uint8Array.of(...after, 0)
    const inside = isLast || withThrough ? rest : rest.slice(0, -1)
    // The empty key is after the empty one, at the beginning.
    const found = after.byteLength === 0 && withThrough ? [after, ...inside] : inside
    return { type: 'chunk', after, through, applied: high, high, left: high, entries: found.map((key) => [key, value] as const) }
  })

const open = fc.record({ type: fc.constant('open'), epoch: integer, start: integer })
const submit = fc.record({ type: fc.constant('submit'), epoch: integer, origin: integer, first: integer, writes: fc.array(submitted, { maxLength: 4 }) })
const withdraw = fc.record({ type: fc.constant('withdraw'), epoch: integer, origin: integer, number: integer })

const arbitraries: Arbitraries = {
  status: fc.record({
    type: fc.constant('status'),
    promised: integer,
    view: fc.option(view),
    installed: integer,
    connected: sortedIds,
    minConsensus: integer,
    caughtUp: fc.boolean(),
    fit: fc.boolean(),
    founding: fc.option(founding),
    joining: fc.option(joining),
    removing: fc.array(removal, { maxLength: 4 }),
    recovering: sortedIds
  }),
  propose: fc.record({ epoch: integer, known: integer, cluster: id, members: sortedIds, recover: fc.boolean() }).chain((rest) =>
    fc.subarray(rest.members).map((without) => ({ type: 'propose', ...rest, without }))),
  promise: fc.record({
    type: fc.constant('promise'),
    epoch: integer,
    accepted: fc.option(view),
    known: integer,
    installed: integer,
    intact: fc.boolean(),
    complete: fc.boolean(),
    caughtUp: fc.boolean(),
    minConsensus: integer,
    end: name,
    base: integer,
    committed: integer,
    leases: fc.array(fc.record({ holder: fc.oneof(id, fc.constant('')), ms: integer }), { maxLength: 4 })
  }),
  refuse: fc.record({ type: fc.constant('refuse'), epoch: integer }),
  accept: fc.record({ type: fc.constant('accept'), view }),
  accepted: fc.record({ type: fc.constant('accepted'), epoch: integer }),
  lead: fc.record({ type: fc.constant('lead'), view, waitMs: integer }),
  view: fc.record({ type: fc.constant('view'), view }),
  deny: fc.record({ type: fc.constant('deny'), id, why: fc.constantFrom(...Object.keys(denials) as Denial[]) }),
  follow: fc.record({ type: fc.constant('follow'), epoch: integer, outline, intact: fc.boolean() }),
  sync: fc.record({ type: fc.constant('sync'), epoch: integer, common: integer, commonEpoch: integer, openEnd: integer, end: integer }),
  prepare: fc.record({ type: fc.constant('prepare'), epoch: integer, committed: integer, group }),
  ack: fc.record({ type: fc.constant('ack'), epoch: integer, end: integer, installed: fc.boolean() }),
  commit: fc.record({ type: fc.constant('commit'), epoch: integer, committed: integer }),
  open,
  submit,
  withdraw,
  heartbeat: fc.record({ type: fc.constant('heartbeat'), epoch: integer, sent: integer, applied: integer }),
  grant: fc.record({ type: fc.constant('grant'), epoch: integer, sent: integer }),
  fetch: fc.record({ type: fc.constant('fetch'), outline }),
  fetched: fc.record({ type: fc.constant('fetched'), common: integer, commonEpoch: integer, committed: integer, truncated: fc.boolean(), groups }),
  copy: fc.record({ type: fc.constant('copy'), after: fc.option(bytes), applied: integer }),
  snapshot: fc.record({ type: fc.constant('snapshot'), base: name, seeded: fc.boolean(), rows, keys }),
  chunk,
  verify: fc.record({ type: fc.constant('verify'), applied: integer }),
  verifying: fc.record({ type: fc.constant('verifying'), position: integer }),
  digest: fc.record({ type: fc.constant('digest'), position: integer, digest }),
  addresses: fc.record({
    type: fc.constant('addresses'),
    addresses: fc.array(fc.record({ host: fc.string({ minLength: 1, maxLength: 20 }), port: fc.integer({ min: 1, max: 65535 }) }), { maxLength: 4 })
  }),
  readIndex: fc.record({ type: fc.constant('readIndex'), number: integer }),
  index: fc.record({ type: fc.constant('index'), number: integer, position: integer }),
  relay: fc.record({ type: fc.constant('relay'), node: id, start: integer, message: fc.oneof(open, submit, withdraw) }),
  unrelayed: fc.record({ type: fc.constant('unrelayed'), node: id })
}

const all = Object.values(arbitraries) as Array<fc.Arbitrary<WireMessage>>
const frame = fc.array(fc.oneof(...all), { minLength: 1, maxLength: 3 })

for (const [type, arbitrary] of Object.entries(arbitraries) as Array<[string, fc.Arbitrary<WireMessage>]>) {
  test(`messages: round trip of ${type}`, timeout, async (t) => {
    fc.assert(fc.property(arbitrary, (message) => {
      const [decoded, ...others] = readMessages(encode([message]))
      return others.length === 0 && decoded !== undefined && same(decoded, message) && describe(decoded) !== ''
    }), { numRuns: 200 })
    t.pass('what is decoded is what was encoded')
  })
}

test('messages: several share a frame', timeout, async (t) => {
  fc.assert(fc.property(frame, (messages) => same(readMessages(encode(messages)), messages)), { numRuns: 300 })
  t.pass('in order')
})

test('messages: one that is cut short is refused at every length', timeout, async (t) => {
  fc.assert(fc.property(fc.oneof(...all), (message) => {
    const sound = encode([message])
    for (let length = 1; length < sound.byteLength; length++) {
      if (!refuses(sound.subarray(0, length))) return false
    }
    return true
  }), { numRuns: 300 })
  t.pass('a WireError for each')
})

// Numbers and flags have one encoding each, and so have lists: what is accepted at all is what the encoder makes of it. So no two
// nodes can see different things in the same bytes, or the same in different ones.
test('messages: bytes that were changed, or are random, are refused, or are the encoding of what they give', timeout, async (t) => {
  const changed = fc.tuple(frame, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 })).map(([messages, changes]) => {
    const bytes = Uint8Array.from(encode(messages))
    for (const [at, byte] of changes) bytes[at % bytes.byteLength] = byte
    return bytes
  })
  let accepted = 0
  fc.assert(fc.property(fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }) }), (bytes) => {
    let messages
    try {
      messages = readMessages(bytes)
    } catch (err) {
      return err instanceof WireError
    }
    accepted++
    return Buffer.compare(encode(messages), bytes) === 0
  }), { numRuns: 5000 })
  t.ok(accepted > 100, `${accepted} were accepted`)
})

test('messages: lists are bounded', timeout, async (t) => {
  const status = statusOf()
  const propose = { type: 'propose', epoch: 1, known: 0, cluster: idOf(1), without: [], recover: false } as const
  const promise = promiseOf({ accepted: null })
  const named = (length: number): View => viewOf({ cluster: idOf(9), members: [idOf(1)], names: ['x'.repeat(length)] })
  const many = (count: number) => Array.from({ length: count }, (_, i) => i + 1)
  const skip: Entry = { kind: 'skip', origin: 1, number: 1, reason: 'withdrawn' }
  const write = { operations: [], body: encodeOperations([]) }
  const row = (id: number) => [id, { node: idOf(1), start: 1, highest: 0, last: id }] as const

  const bounds: Array<[string, number, (count: number) => WireMessage]> = [
    ['sessions', 64, (count) => ({ ...status, connected: many(count).map(idOf) })],
    ['members', 64, (count) => ({ ...propose, members: many(count).map(idOf) })],
    ['leases', 128, (count) => ({ ...promise, leases: many(count).map((i) => ({ holder: idOf(i), ms: i })) })],
    ['removals', 64, (count) => ({ ...status, removing: many(count).map((i) => ({ id: idOf(i), force: true })) })],
    ['survivors', 64, (count) => ({ ...status, recovering: many(count).map(idOf) })],
    ['members of a view', 64, (count) => ({ type: 'view', view: viewOf({ cluster: idOf(9), members: many(count).map(idOf), before: [] }) })],
    ['members before a view', 64, (count) => ({ type: 'view', view: { ...named(0), before: many(count).map(idOf) } })],
    ['bytes of a name', 192, (count) => ({ type: 'view', view: named(count) })],
    ['bytes of the name of a founder', 192, (count) => ({ ...status, founding: foundingOf({ name: 'x'.repeat(count) }) })],
    ['bytes of the name of who joins', 192, (count) => ({ ...status, joining: joiningOf({ name: 'x'.repeat(count) }) })],
    ['bytes of the name of who is replaced', 192, (count) => ({ ...status, joining: joiningOf({ replaces: 'x'.repeat(count) }) })],
    ['runs', 4096, (count) => ({ type: 'fetch', outline: { base: 0, runs: many(count).map((i) => ({ position: i, epoch: i })) } })],
    ['groups', 10_000, (count) => ({ type: 'fetched', common: 0, commonEpoch: 0, committed: count, truncated: false, groups: many(count).map((first) => ({ epoch: 1, first, entries: [skip] })) })],
    ['origins', 1024, (count) => ({ type: 'snapshot', base: { position: count, epoch: 1 }, seeded: false, rows: many(count).map(row), keys: [] })],
    ['keys', 65_536, (count) => ({ type: 'snapshot', base: { position: count, epoch: 1 }, seeded: false, rows: [], keys: many(count).map((i) => [i, { key: 'k', digest: i }] as const) })],
    ['bytes of a key', 128, (count) => ({ type: 'prepare', epoch: 1, committed: 0, group: { epoch: 1, first: 1, entries: [{ kind: 'write', origin: 1, number: 1, ...write, key: 'x'.repeat(count) }] } })],
    ['runs of rejected numbers', 64, (count) => ({ type: 'snapshot', base: { position: 1, epoch: 1 }, seeded: false, rows: [[1, { node: idOf(1), start: 1, highest: 1000, last: 1, rejected: { runs: many(count).flatMap((i) => [3 * i, 3 * i + 1]), forgotten: 0 } }]], keys: [] })]
  ]
  for (const [what, max, make] of bounds) {
    t.ok(same(readMessages(encode([make(max)])), [make(max)]), `${max} ${what}`)
    t.throws(() => readMessages(encode([make(max + 1)])), WireError, `${max + 1} ${what}`)
  }
})

// A count that no list could live up to must not cost memory: the answer comes before anything is set aside.
test('messages: a count beyond the end of the frame is refused', timeout, async (t) => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
  const heads: Array<[string, number[]]> = [
    ['an outline', [0x41, 0]],
    ['groups', [0x42, 0, 0, 0]],
    ['origins', [0x44, 0, 0, 0]],
    ['keys', [0x44, 0, 0, 0, 0]],
    ['entries', [0x45, 0, 0, 0]],
    ['a key', [0x43, 1]],
    ['a digest', [0x48, 0]],
    ['members', [0x02, 1, 0, ...new Array<number>(16).fill(1)]]
  ]
  for (const [what, head] of heads) t.throws(() => readMessages(Uint8Array.from([...head, ...huge])), WireError, what)
})

test('messages: nothing reaches into the reserved key space', timeout, async (t) => {
  const reserved = new Uint8Array(9).fill(0xff)
  const last = new Uint8Array(7).fill(0xff)
  const none = new Uint8Array(0)
  const operations = (key: Uint8Array): Operation[] => [{ type: 'put', key: Uint8Array.of(1), value: none }, { type: 'del', key }]
  const write = (key: Uint8Array) => ({ operations: operations(key), body: encodeOperations(operations(key)), key: '' })
  const group = (key: Uint8Array, first = 1): Group => ({ epoch: 1, first, entries: [{ kind: 'write', origin: 1, number: 1, ...write(key) }] })
  const chunk = { type: 'chunk', after: none, through: null, applied: 1, high: 1, left: 0, entries: [] } as const

  const makers: Array<[string, (key: Uint8Array) => WireMessage]> = [
    ['submit', (key) => ({ type: 'submit', epoch: 1, origin: 1, first: 1, writes: [{ ...write(key), kind: 'write' }] })],
    ['prepare', (key) => ({ type: 'prepare', epoch: 1, committed: 0, group: group(key) })],
    ['fetched', (key) => ({ type: 'fetched', common: 0, commonEpoch: 0, committed: 2, truncated: false, groups: [group(none), group(key, 2)] })],
    ['copy', (key) => ({ type: 'copy', after: key, applied: 0 })],
    ['chunk, after', (key) => ({ ...chunk, after: key })],
    ['chunk, through', (key) => ({ ...chunk, through: key })],
    ['chunk, an entry', (key) => ({ ...chunk, entries: [[Uint8Array.of(1), none], [key, none]] })]
  ]
  for (const [what, make] of makers) {
    t.ok(same(readFrame(encode([make(last)])), [make(last)]), `${what}: the last key that is the user's`)
    t.throws(() => readFrame(encode([make(reserved)])), WireError, `${what}: a reserved key`)
  }
})

test('messages: a description names no key', timeout, async (t) => {
  const key = Buffer.from('secret')
  t.is(describe({ type: 'copy', after: null, applied: 0 }), 'copy')
  t.is(describe({ type: 'copy', after: key, applied: 5 }), 'copy after a key of 6 bytes, at 5')
  t.is(describe({ type: 'chunk', after: key, through: null, applied: 5, high: 5, left: 0, entries: [[Buffer.from('secret2'), key]] }), 'chunk of 1 entries, high 5, the last')
  t.is(describe({ type: 'fetch', outline: { base: 4, runs: [] } }), 'fetch from 5 or later')
  t.is(describe({ type: 'fetched', common: 4, commonEpoch: 0, committed: 9, truncated: true, groups: [] }), 'fetched nothing after 4: truncated')
  const entry: Entry = { kind: 'open', node: idOf(1), start: 1 }
  t.is(describe({ type: 'fetched', common: 4, commonEpoch: 1, committed: 9, truncated: false, groups: [{ epoch: 1, first: 5, entries: [entry, entry] }] }), 'fetched 5..6 after 4, committed 9')
})

function encode (messages: readonly WireMessage[]): Uint8Array {
  const writer = new ByteWriter()
  for (const message of messages) writeMessage(writer, withoutRecords(message))
  return writer.finish()
}

/** A decoded group keeps its record, which would be written as it is. */
function withoutRecords (message: WireMessage): WireMessage {
  const bare = ({ epoch, first, entries }: Group): Group => ({ epoch, first, entries })
  if (message.type === 'prepare') return { ...message, group: bare(message.group) }
  return message.type === 'fetched' ? { ...message, groups: message.groups.map(bare) } : message
}

function refuses (bytes: Uint8Array): boolean {
  try {
    readMessages(bytes)
    return false
  } catch (err) {
    return err instanceof WireError
  }
}

function idOf (number: number): MemberId {
  return number.toString(16).padStart(32, '0')
}

/** Equal but for the order of their fields and the records of groups. */
function same (a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const names = (value: object) => Object.keys(value).filter((name) => name !== 'record').sort()
  const [left, right] = [names(a), names(b)]
  return left.length === right.length && left.every((name, i) => name === right[i] &&
    same((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]))
}
