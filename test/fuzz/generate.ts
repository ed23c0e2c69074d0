import type { CopyState } from '../../lib/core/effects.ts'
import type { Entry, Group, LogName } from '../../lib/core/entry.ts'
import { lastPosition, skipReasons } from '../../lib/core/entry.ts'
import type { SkipReason } from '../../lib/core/entry.ts'
import type { KeyRow } from '../../lib/core/idempotency.ts'
import type { Denial, Founding, Joining, LogOutline, Removal, SubmittedWrite } from '../../lib/core/messages.ts'
import { denials } from '../../lib/core/messages.ts'
import type { OriginRow } from '../../lib/core/origins.ts'
import type { View, Vow } from '../../lib/core/view.ts'
import { codes } from '../../lib/errors.ts'
import type { Random } from '../../lib/sim/random.ts'
import type { Auth, Challenge } from '../../lib/wire/auth.ts'
import { challengeBytes } from '../../lib/wire/auth.ts'
import { compareBytes } from '../../lib/wire/bytes.ts'
import type { Hello, Introduction, Verdict, Welcome } from '../../lib/wire/handshake.ts'
import { ownVersions, refusals } from '../../lib/wire/handshake.ts'
import { toHex } from '../../lib/wire/hex.ts'
import type { Address, Identity } from '../../lib/wire/identity.ts'
import type { WireMessage } from '../../lib/wire/messages.ts'
import type { Operation } from '../../lib/wire/operations.ts'
import { encodeOperations } from '../../lib/wire/operations.ts'
import { methods } from '../../lib/wire/rpc-frame.ts'
import type { RpcFrame } from '../../lib/wire/rpc-frame.ts'

type Makers = { readonly [T in WireMessage['type']]: () => Extract<WireMessage, { type: T }> }

/** What is there to lie about: the values that a cluster has at the moment. */
export interface World {
  ids: string[]
  clusters: string[]
  epochs: number[]
  positions: number[]
  starts: number[]
  origins: number[]
  views: View[]
}

export function emptyWorld (): World {
  return { ids: [], clusters: [], epochs: [1, 2, 3], positions: [0, 1, 2, 5], starts: [1, 2], origins: [1], views: [] }
}

/** Where encodings and comparisons change. */
export const edges: readonly number[] = [
  0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 4095, 4096, 4097, 16_383, 16_384, 65_535, 65_536, 1_000_000, 1_000_001,
  2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1
]

/** Makes whatever can be encoded: valid by itself, and mostly wrong for whoever gets it. */
export class Generator {
  readonly random: Random
  readonly world: World
  readonly messages: Makers

  constructor (random: Random, world: World = emptyWorld()) {
    this.random = random
    this.world = world
    this.messages = this.#makers()
  }

  message (): WireMessage {
    return this.messages[this.random.pick(Object.keys(this.messages) as Array<WireMessage['type']>)]()
  }

  // Values.

  flag (): boolean { return this.random.chance(0.5) }

  integer (): number {
    return this.random.chance(0.5) ? this.random.below(300) : this.random.pick(edges)
  }

  positive (): number { return Math.max(1, this.integer()) }

  /** One of these, one beside it, or anything. */
  near (values: readonly number[]): number {
    if (values.length === 0 || this.random.chance(0.15)) return this.integer()
    const value = this.random.pick(values)
    return this.random.chance(0.6) ? value : Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, value + this.random.pick([-2, -1, 1, 2, 1000, 1_000_000, 1_000_001])))
  }

  epoch (): number { return this.near(this.world.epochs) }
  position (): number { return this.near(this.world.positions) }
  start (): number { return this.near(this.world.starts) }
  origin (): number { return this.near(this.world.origins) }

  bytes (max = 12): Uint8Array {
    return Uint8Array.from({ length: this.random.below(max + 1) }, () => this.random.pick([0, 1, 0x61, 0x7f, 0x80, 0xff, this.random.below(256)]))
  }

  hex (bytes: number): string {
    return toHex(Uint8Array.from({ length: bytes }, () => this.random.below(256)))
  }

  id (): string {
    return this.world.ids.length > 0 && this.random.chance(0.8) ? this.random.pick(this.world.ids) : this.hex(16)
  }

  ids (max = 5): string[] {
    return Array.from({ length: this.random.below(max + 1) }, () => this.id())
  }

  sortedIds (max = 5): string[] {
    return [...new Set(this.ids(max))].sort()
  }

  cluster (): string {
    return this.world.clusters.length > 0 && this.random.chance(0.8) ? this.random.pick(this.world.clusters) : this.hex(16)
  }

  text (max: number): string {
    const length = this.random.pick([0, 1, 3, max, this.random.below(max + 1)])
    return Array.from({ length }, () => this.random.pick(['a', 'z', '\u0000', '0', '~'])).join('')
  }

  /** Of people. */
  title (): string {
    return this.random.chance(0.1) ? '\u00e9\u4e2d\ud83d\ude00' : this.text(20)
  }

  subset<T> (items: readonly T[]): T[] {
    return items.filter(() => this.flag())
  }

  list<T> (make: (i: number) => T, max = 4): T[] {
    return Array.from({ length: this.random.below(max + 1) }, (_, i) => make(i))
  }

  // What messages consist of.

  name (): LogName {
    const position = this.position()
    return position === 0 ? { position: 0, epoch: 0 } : { position, epoch: Math.max(1, this.epoch()) }
  }

  view (): View {
    if (this.world.views.length > 0 && this.random.chance(0.5)) return this.#changedView(this.random.pick(this.world.views))
    const members = this.sortedIds()
    if (members.length === 0) members.push(this.hex(16))
    const epoch = Math.max(1, this.epoch())
    const some = this.subset(members)
    const ids = some.length === 0 ? [members[0] as string] : some
    const live = ids.map(id => ({ id, since: this.random.chance(0.5) ? epoch : 1 + this.random.below(Math.min(epoch, 1000)) }))
    return {
      epoch,
      cluster: this.cluster(),
      members,
      before: this.sortedIds(),
      witnesses: this.subset(members.filter(id => !ids.includes(id))),
      names: members.map(() => this.title()),
      live,
      coordinator: this.random.pick(ids),
      coordinatorStart: this.start(),
      seeder: this.random.chance(0.2) ? this.id() : null,
      leaseFree: live.length === members.length && this.flag()
    }
  }

  /** One that is known, with a lie or two. */
  #changedView (view: View): View {
    const { random } = this
    const changes: Array<() => Partial<View>> = [
      () => ({ epoch: Math.max(this.near([view.epoch]), ...view.live.map(({ since }) => since)) }),
      () => ({ coordinator: random.pick(view.live).id }),
      () => ({ coordinatorStart: this.start() }),
      () => ({ before: this.sortedIds() }),
      () => ({ cluster: this.cluster() }),
      () => ({ leaseFree: view.live.length === view.members.length && this.flag() }),
      () => ({ seeder: this.random.chance(0.5) ? this.id() : null }),
      () => ({ names: view.members.map(() => this.title()) })
    ]
    return { ...view, ...random.pick(changes)(), ...random.pick(changes)() }
  }

  optionalView (): View | null { return this.random.chance(0.3) ? null : this.view() }

  founding (): Founding {
    return {
      name: this.title(),
      witness: this.flag(),
      founders: this.integer(),
      required: this.ids(),
      unresolved: this.integer(),
      data: this.random.pick(['', '0123456789abcdef', this.text(64)]),
      vowed: this.ids()
    }
  }

  joining (): Joining {
    return { name: this.title(), witness: this.flag(), replaces: this.random.pick(['', this.id(), this.title()]) }
  }

  removal (): Removal { return { id: this.id(), force: this.flag() } }

  outline (): LogOutline {
    const base = Math.min(this.position(), 2 ** 50)
    let last: LogName = { position: base, epoch: 0 }
    const runs = this.list(() => {
      last = { position: last.position + Math.min(this.positive(), 2 ** 48), epoch: last.epoch + Math.min(this.positive(), 2 ** 48) }
      return last
    })
    return { base, runs }
  }

  operations (): Operation[] {
    return this.list(() => this.flag() ? { type: 'put', key: this.bytes(), value: this.bytes() } : { type: 'del', key: this.bytes() })
  }

  #body (): { body: Uint8Array, operations: Operation[] } {
    const operations = this.operations()
    return { body: encodeOperations(operations), operations }
  }

  /** Under which a write may be repeated. */
  key (): string { return this.random.chance(0.7) ? '' : this.random.pick(['k', 'again', this.text(40)]) }

  write (): SubmittedWrite {
    if (this.random.chance(0.2)) return { body: encodeOperations([]), operations: [], kind: 'seeded', key: '' }
    if (this.random.chance(0.2)) return { ...this.#body(), kind: 'seed', key: '' }
    return { ...this.#body(), kind: 'write', key: this.key() }
  }

  entry (): Entry {
    const origin = this.origin()
    const number = this.near([1, 2, 3])
    switch (this.random.below(4)) {
      case 0: return { kind: 'skip', origin, number, reason: this.random.pick(Object.keys(skipReasons) as SkipReason[]) }
      case 1: return { kind: 'open', node: this.id(), start: this.start() }
      case 2: return { kind: 'seeded', origin, number }
      default: return { kind: 'write', origin, number, ...this.#body(), key: this.key() }
    }
  }

  group (first = Math.min(this.positionAfter(), 2 ** 53 - 10), epoch = Math.max(1, this.epoch())): Group {
    return { epoch, first, entries: [this.entry(), ...this.list(() => this.entry(), 3)] }
  }

  positionAfter (): number { return Math.max(1, this.position() + (this.flag() ? 1 : 0)) }

  groups (first = this.positionAfter(), epoch = Math.max(1, this.epoch())): Group[] {
    let next = Math.min(first, 2 ** 52)
    let last = Math.min(epoch, 2 ** 52)
    return this.list(() => {
      const group = this.group(next, last += this.random.below(2))
      next = lastPosition(group) + 1
      return group
    })
  }

  row (id: number): OriginRow {
    const highest = this.near([1, 2, 100])
    const row = { node: this.id(), start: this.start(), highest, last: Math.max(id, Math.min(id + this.integer(), 2 ** 53 - 1)) }
    if (highest < 20 || this.random.chance(0.5)) return row
    return { ...row, rejected: { runs: [3, 3, 6, 9], forgotten: this.random.below(2) } }
  }

  rows (): Array<[number, OriginRow]> {
    let id = 0
    return this.list(() => {
      id += 1 + this.random.below(9)
      return [id, this.row(id)]
    })
  }

  keyRow (): KeyRow { return { key: `k${this.text(20)}`, digest: this.random.below(2 ** 32) } }

  keyRows (): Array<[number, KeyRow]> {
    let position = 0
    return this.list(() => {
      position += 1 + this.random.below(9)
      return [position, this.keyRow()]
    })
  }

  chunk (): Omit<Extract<WireMessage, { type: 'chunk' }>, 'type'> {
    const keys = this.list(() => this.bytes(), 6).sort(compareBytes).filter((key, i, all) => i === 0 || compareBytes(key, all[i - 1] as Uint8Array) > 0)
    const after = this.flag() ? new Uint8Array(0) : keys.shift() ?? new Uint8Array(0)
    const last = keys[keys.length - 1]
    const through = this.flag() || last === undefined || last.length === 0 ? null : last
    return { after, through, applied: this.position(), high: this.position(), left: this.integer(), entries: keys.map(key => [key, this.bytes()] as const) }
  }

  address (): Address {
    return { host: this.random.pick(['127.0.0.1', 'h', this.text(20) || 'h']), port: this.random.pick([1, 66, 65_535]) }
  }

  // Handshake.

  identity (): Identity {
    return {
      id: this.id(),
      start: this.start(),
      history: [this.hex(8), ...this.list(() => this.hex(8), 7)],
      cluster: this.random.chance(0.3) ? '' : this.cluster(),
      address: this.flag() ? this.address() : null,
      name: this.title(),
      observer: this.flag()
    }
  }

  introduction (): Introduction { return { instance: this.hex(8), identity: this.identity() } }

  auth (): Auth {
    if (this.random.chance(0.1)) return { versions: { min: 2, max: 3 }, nonce: null }
    return { versions: { min: 1, max: this.positive() }, nonce: this.hex(challengeBytes) }
  }

  challenge (): Challenge {
    if (this.flag()) return { versions: ownVersions, version: 1, code: null, nonce: this.hex(challengeBytes) }
    return { versions: ownVersions, version: 0, code: codes.version, nonce: null }
  }

  hello (): Hello {
    if (this.random.chance(0.1)) return { versions: { min: 2, max: Math.max(2, this.integer()) }, body: null }
    return { versions: { min: 1, max: this.positive() }, body: { ...this.introduction(), dialled: this.address() } }
  }

  welcome (): Welcome {
    if (this.random.chance(0.1)) return { versions: { min: 2, max: 3 }, version: 0, code: codes.version, body: null }
    return { versions: ownVersions, version: 1, code: this.code(), body: this.introduction() }
  }

  verdict (): Verdict { return { code: this.code(), order: this.integer() } }

  code (): Verdict['code'] { return this.flag() ? null : this.random.pick(refusals) }

  rpcFrame (): RpcFrame {
    const payload = Uint8Array.of(this.random.below(256), ...this.bytes(30))
    const id = Math.min(this.positive(), 0xfffffffe)
    return this.flag() ? [[null, payload], id] : [this.random.pick(methods), [payload], this.flag() ? -1 : id]
  }

  // Records.

  vow (): Vow {
    return { epoch: this.epoch(), to: this.flag() ? '' : this.id(), members: this.ids(), cluster: this.flag() ? '' : this.cluster() }
  }

  copyState (): CopyState { return { after: this.flag() ? null : this.bytes(), high: this.position() } }

  // Messages, one of each type.

  #makers (): Makers {
    return {
      status: () => ({
        type: 'status',
        promised: this.epoch(),
        view: this.optionalView(),
        installed: this.epoch(),
        connected: this.sortedIds(),
        minConsensus: this.near([0, 1, 64]),
        caughtUp: this.flag(),
        fit: this.random.chance(0.8),
        founding: this.random.chance(0.3) ? this.founding() : null,
        joining: this.random.chance(0.3) ? this.joining() : null,
        removing: this.list(() => this.removal()),
        recovering: this.random.chance(0.2) ? this.sortedIds() : []
      }),
      propose: () => {
        const members = this.ids()
        return { type: 'propose', epoch: this.epoch(), known: this.epoch(), cluster: this.cluster(), members, without: this.subset(members), recover: this.random.chance(0.2) }
      },
      promise: () => ({
        type: 'promise',
        epoch: this.epoch(),
        accepted: this.optionalView(),
        known: this.epoch(),
        installed: this.epoch(),
        intact: this.flag(),
        complete: this.flag(),
        caughtUp: this.flag(),
        minConsensus: this.near([0, 1, 64]),
        end: this.name(),
        base: this.position(),
        committed: this.position(),
        leases: this.list(() => ({ holder: this.flag() ? '' : this.id(), ms: this.integer() }))
      }),
      refuse: () => ({ type: 'refuse', epoch: this.epoch() }),
      accept: () => ({ type: 'accept', view: this.view() }),
      accepted: () => ({ type: 'accepted', epoch: this.epoch() }),
      lead: () => ({ type: 'lead', view: this.view(), waitMs: this.integer() }),
      view: () => ({ type: 'view', view: this.view() }),
      deny: () => ({ type: 'deny', id: this.id(), why: this.random.pick(Object.keys(denials) as Denial[]) }),
      follow: () => ({ type: 'follow', epoch: this.epoch(), outline: this.outline(), intact: this.flag() }),
      sync: () => ({ type: 'sync', epoch: this.epoch(), common: this.position(), commonEpoch: this.epoch(), openEnd: this.position(), end: this.position() }),
      prepare: () => ({ type: 'prepare', epoch: this.epoch(), committed: this.position(), group: this.group() }),
      ack: () => ({ type: 'ack', epoch: this.epoch(), end: this.position(), installed: this.flag() }),
      commit: () => ({ type: 'commit', epoch: this.epoch(), committed: this.position() }),
      open: () => ({ type: 'open', epoch: this.epoch(), start: this.start() }),
      submit: () => ({ type: 'submit', epoch: this.epoch(), origin: this.origin(), first: this.near([1, 2, 3]), writes: this.list(() => this.write()) }),
      withdraw: () => ({ type: 'withdraw', epoch: this.epoch(), origin: this.origin(), number: this.near([1, 2, 3]) }),
      heartbeat: () => ({ type: 'heartbeat', epoch: this.epoch(), sent: this.integer(), applied: this.position() }),
      grant: () => ({ type: 'grant', epoch: this.epoch(), sent: this.integer() }),
      fetch: () => ({ type: 'fetch', outline: this.outline() }),
      fetched: () => {
        const common = this.position()
        return { type: 'fetched', common, commonEpoch: this.epoch(), committed: this.position(), truncated: this.random.chance(0.2), groups: this.groups(common + 1) }
      },
      copy: () => ({ type: 'copy', after: this.flag() ? null : this.bytes(), applied: this.position() }),
      snapshot: () => ({ type: 'snapshot', base: this.name(), seeded: this.flag(), rows: this.rows(), keys: this.keyRows() }),
      chunk: () => ({ type: 'chunk', ...this.chunk() }),
      verify: () => ({ type: 'verify', applied: this.position() }),
      verifying: () => ({ type: 'verifying', position: this.position() }),
      digest: () => ({ type: 'digest', position: this.position(), digest: this.text(64) }),
      addresses: () => ({ type: 'addresses', addresses: this.list(() => this.address()) }),
      readIndex: () => ({ type: 'readIndex', number: this.position() }),
      index: () => ({ type: 'index', number: this.position(), position: this.position() }),
      relay: () => ({ type: 'relay', node: this.id(), start: this.start(), message: this.random.pick([this.messages.open, this.messages.submit, this.messages.withdraw])() }),
      unrelayed: () => ({ type: 'unrelayed', node: this.id() })
    }
  }
}
