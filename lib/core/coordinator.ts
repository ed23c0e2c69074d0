import type { Entry, Group, LogName, MemberId } from './entry.ts'
import { entryBytes, lastPosition } from './entry.ts'
import type { Host } from './host.ts'
import type { KeyTable } from './idempotency.ts'
import { digestOf } from './idempotency.ts'
import type { LogTail } from './log-tail.ts'
import type { LogOutline, Message } from './messages.ts'
import type { OriginRow, OriginTable } from './origins.ts'
import type { View } from './view.ts'
import { commitPoint, isLive } from './view.ts'

export interface CoordinatorLimits {
  /** A group takes entries up to this many bytes; a single larger entry makes a group of its own. */
  readonly groupBytesMax: number
  /** No group is formed while the entries that are not yet applied here take more than this. */
  readonly tailBytesMax: number
  /** How many entries may wait for a position. More come only from a peer that ignores its window. */
  readonly incomingMax: number
  readonly incomingBytesMax: number
  /** No body is larger: it would not fit into a frame. */
  readonly bodyBytesMax: number
}

/** How far a number may be above the highest one taken: more than any origin's window. */
export const NUMBERS_AHEAD_MAX = 65_536

export interface CoordinatorHost extends Host {
  /** This node's clock, in milliseconds. */
  readonly now: number
  /** Where the log was truncated. */
  readonly base: LogName
  /** Everything up to here is applied. */
  readonly applied: number
  readonly tail: LogTail
  /** There is a session with this node; with `start`: with that start of it. */
  isUp (node: MemberId, start?: number): boolean
  /** It is connected, and no member. */
  isObserver (node: MemberId): boolean
  /** Appends a group that this coordinator has made. */
  append (group: Group, then: () => void): void
  /** All live members of this view have everything up to here. */
  commit (position: number, view: View): void
}

/** How far one other member is. */
interface Follower {
  /**
   * 'away': no session. 'asked': the view is sent. 'loading': groups are being read from the log for it. 'waiting':
   * for its receipt of those. 'streaming': every group is sent as it is made.
   */
  state: 'away' | 'asked' | 'loading' | 'waiting' | 'streaming'
  /** The position to send next. */
  next: number
  /** It has installed the view. */
  installed: boolean
  /** The end that it acknowledged in this epoch after that: its vote. */
  vote: number
  /** The committed point that it was told last. */
  told: number
  /** The last position of a write of its own. */
  own: number
  /** Since when it owes an acknowledgement without a step forward; null if it owes none. */
  owesSince: number | null
  /** The end that it acknowledged last, as a vote or a receipt. */
  received: number
  /** This log does not reach back to what it needs. */
  lost: boolean
}

/**
 * Leads one epoch: gives positions, sends phase one, counts votes, tells phase two. Made when the view has been opened
 * durably, by the one process that may lead it. See `spec/protocol.md`, "A write".
 */
export class Coordinator {
  readonly view: View
  /** The end of the log with which the view was opened. */
  readonly openEnd: number

  readonly #host: CoordinatorHost
  readonly #limits: CoordinatorLimits
  /** The table of origins at the end of the log. */
  readonly #table: OriginTable
  /** The table of keys there. */
  readonly #keys: KeyTable
  readonly #followers = new Map<MemberId, Follower>()
  /** Taken, in this order, and without a position yet. Bounded by the windows of the origins. */
  #incoming: Entry[] = []
  #incomingBytes = 0
  /** The highest number taken of each origin, where it is above the table's. */
  readonly #taken = new Map<number, number>()
  #ownEnd: number
  /** Reached in this epoch. */
  #committed = 0
  /** Before that, a member that was excluded may still answer reads: nothing commits. */
  readonly #waitUntil: number
  /** The mark that ends a founder's data is in the log, or on its way there. */
  #seeded: boolean
  #deposed = false
  /** It is time to tell everybody what is committed. */
  #tells = false

  constructor (host: CoordinatorHost, view: View, table: OriginTable, keys: KeyTable, seeded: boolean, waitUntil: number, limits: CoordinatorLimits) {
    this.#host = host
    this.view = view
    this.#table = table
    this.#keys = keys
    this.#limits = limits
    this.#waitUntil = waitUntil
    this.#seeded = seeded
    this.openEnd = host.tail.end.position
    this.#ownEnd = this.openEnd
    for (const { id } of view.live) {
      if (id !== host.self) this.#followers.set(id, { state: 'away', next: 0, installed: false, vote: 0, told: 0, own: 0, owesSince: null, received: 0, lost: false })
    }
    this.#count()
  }

  /** How many others follow and have installed the view. */
  get following (): number {
    let following = 0
    for (const { state, installed } of this.#followers.values()) if (state === 'streaming' && installed) following++
    return following
  }

  /** No member that was excluded can have a lease any more. */
  get waited (): boolean {
    return this.#host.now >= this.#waitUntil
  }

  /** True while every live member follows: only then are new entries made. */
  get complete (): boolean {
    return this.following === this.#followers.size
  }

  /** Members that can never follow in this epoch. */
  get lost (): MemberId[] {
    return [...this.#followers].filter(([, { lost }]) => lost).map(([id]) => id)
  }

  /** Members that have owed an acknowledgement for longer than this, in milliseconds, while this node has done its own part. */
  stalled (ms: number): MemberId[] {
    if (this.#ownEnd < this.#host.tail.end.position) return []
    return [...this.#followers]
      .filter(([, { owesSince }]) => owesSince !== null && this.#host.now - owesSince > ms)
      .map(([id]) => id)
  }

  /** This node has promised a later epoch: nothing commits from votes any more. */
  depose (): void {
    this.#deposed = true
  }

  onUp (peer: MemberId): void {
    // Whoever is not live learns from it that it is not.
    this.#host.send(peer, { type: 'view', view: this.view })
    const follower = this.#followers.get(peer)
    if (follower === undefined) return
    follower.state = 'asked'
    follower.told = 0
    follower.owesSince ??= this.#host.now
  }

  onDown (peer: MemberId): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined) return
    follower.state = 'away'
    // Coming and going is no way to keep up: only acknowledging something new is.
    follower.owesSince ??= this.#host.now
  }

  /** This process has not run for a while: what the others owe may be here, unread. */
  forgive (): void {
    for (const follower of this.#followers.values()) if (follower.owesSince !== null) follower.owesSince = this.#host.now
  }

  /** The wait for leases may be over. */
  onTick (): void {
    this.#tells = true
    this.#count()
  }

  /** `intact`: the peer says that its log holds all that it has ever acknowledged. `applied`: so far it had once applied it, durably. */
  onFollow (peer: MemberId, outline: LogOutline, intact: boolean, applied: number): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined || follower.state !== 'asked') return
    const end = outline.runs[outline.runs.length - 1]?.position ?? outline.base
    if (intact && end < Math.max(follower.vote, applied)) {
      follower.lost = true
      this.#host.send(peer, { type: 'deny', id: peer, why: 'stale' })
      return
    }

    const common = this.#host.tail.common(outline)
    // Nobody can tell how much more is common, and the rest could not be sent.
    follower.lost = common < this.#host.base.position
    if (follower.lost) return
    const { epoch: commonEpoch } = this.#host.tail.nameAt(common)
    this.#host.send(peer, { type: 'sync', epoch: this.view.epoch, common, commonEpoch, openEnd: this.openEnd, end: this.#host.tail.end.position })
    follower.next = common + 1
    this.#feed(peer, follower)
  }

  onLoaded (peer: MemberId, from: number, groups: readonly Group[]): void {
    const follower = this.#followers.get(peer)
    if (follower?.state !== 'loading' || follower.next !== from) return
    // The log may have been truncated beyond it.
    follower.lost = groups[0]?.first !== from
    if (follower.lost) return
    for (const group of groups) {
      // What was read may have been cut since, and made anew.
      if (this.#host.tail.holds(group)) this.#prepare(peer, follower, group)
      else break
    }
    // The next chunk goes out when this one has arrived.
    follower.state = 'waiting'
  }

  onAck (peer: MemberId, end: number, installed: boolean): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined || follower.state === 'away' || follower.state === 'asked') return
    if (end > this.#host.tail.end.position) {
      this.#host.emit({ type: 'disconnect', peer, reason: 'acknowledges what was never sent' })
      return
    }

    if (end > follower.received || installed !== follower.installed) follower.owesSince = this.#host.now
    follower.received = Math.max(follower.received, end)
    if (follower.state === 'waiting' && end >= follower.next - 1) this.#feed(peer, follower)
    if (!installed) return

    follower.installed = true
    if (end > follower.vote) {
      follower.vote = end
      this.#count()
    }
    if (follower.vote === this.#host.tail.end.position) follower.owesSince = null
  }

  /** `start` is that of the session. */
  onOpen (node: MemberId, start: number, observer: boolean): void {
    if (this.#table.find(node, start) !== undefined) return
    // One for each node: that of an earlier start is nobody's any more.
    const other = this.#incoming.findIndex(entry => entry.kind === 'open' && entry.node === node)
    const { start: newest = 0 } = (this.#incoming[other] ?? {}) as Partial<Entry & { kind: 'open' }>
    if (start < newest) return
    this.#incoming.splice(other === -1 ? this.#incoming.length : other, 1, { kind: 'open', node, start, ...observer ? { observer } : {} })
  }

  /**
   * What an observer has sent to a member, which passes it on. Each of the two sessions may lose the end of what went over it, and go on: a
   * number after one that is missing would be the end of that one, so it is not taken, and comes again.
   */
  onRelay (via: MemberId, { node, start, message }: Message & { type: 'relay' }): void {
    // A member has a session of its own, or is not there.
    if (this.view.members.includes(node)) return
    if (message.type === 'open') return this.onOpen(node, start, true)
    const row = this.#table.get(message.origin)
    if (row?.node === node && row.start === start) {
      const number = message.type === 'submit' ? message.first : message.number
      if (number > this.#highest(message.origin) + 1) return this.#refuse(node, via, 'leaves out a number')
    } else if (message.type === 'submit') {
      // Of an earlier start, only a question means anything.
      return
    }
    if (message.type === 'submit') this.onSubmit(node, message, via)
    else this.onWithdraw(node, message.origin, message.number, via)
  }

  /** `via`: who passes it on, if it is not the node itself. */
  onSubmit (node: MemberId, message: Message & { type: 'submit' }, via = node): void {
    const row = this.#table.get(message.origin)
    if (row === undefined || row.node !== node) return

    if (this.#isFull(via !== node)) return this.#refuse(node, via, 'submits more than its window')
    if (message.first + message.writes.length - 1 > this.#highest(message.origin) + NUMBERS_AHEAD_MAX ||
      message.writes.some(({ body }) => body.length > this.#limits.bodyBytesMax)) {
      return this.#refuse(node, via, 'submits what no origin would')
    }

    let number = message.first - 1
    for (const { body, operations, kind, key = '' } of message.writes) {
      number++
      // Before a founder's data are in the log, nothing else enters it; afterwards they are data of the past.
      if (!this.#seeded && (kind === 'write' || node !== this.view.seeder)) return
      // At most once: a number at or below the highest is in the log already, or never will be.
      if (number <= this.#highest(message.origin)) continue
      this.#taken.set(message.origin, number)
      const origin = message.origin
      this.#incomingBytes += body.length
      if (kind !== 'write' && this.#seeded) {
        this.#incoming.push({ kind: 'skip', origin, number, reason: 'seeded' })
      } else if (kind === 'seeded') {
        this.#seeded = true
        this.#incoming.push({ kind: 'seeded', origin, number })
      } else {
        this.#incoming.push({ kind: 'write', origin, number, body, operations, key })
      }
    }
  }

  onWithdraw (node: MemberId, origin: number, number: number, via = node): void {
    const row = this.#table.get(origin)
    if (row === undefined) return
    const isAbsurd = number > this.#highest(origin) + NUMBERS_AHEAD_MAX
    // Who asks what became of the write of another may have misspelt its id.
    if (row.node !== node && (isAbsurd || !this.#isOver(row))) return
    if (this.#isFull(via !== node) || isAbsurd) return this.#refuse(node, via, 'withdraws what no origin would')

    const skip: Entry = { kind: 'skip', origin, number, reason: 'withdrawn' }
    const index = this.#incoming.findIndex(entry => entry.kind === 'write' && entry.origin === origin && entry.number === number)
    if (index !== -1) {
      this.#incoming[index] = skip
    } else if (number > this.#highest(origin)) {
      this.#taken.set(origin, number)
      this.#incoming.push(skip)
    }
  }

  /**
   * The end of a turn: what came in forms groups; who was not told the committed point by one is told it now. Where no caller of its own
   * waits for that, it is told when all is applied here: then callers here may have written again, and a group has told it.
   */
  flush (last: boolean): void {
    if (!last && this.#incoming.length > 0 && this.complete) this.#formGroups()

    const tellsAll = last || this.#tells || this.#host.applied >= this.#committed
    this.#tells = false
    for (const [peer, follower] of this.#followers) {
      if (follower.state === 'streaming' && follower.told < this.#committed && (tellsAll || follower.own > follower.told)) {
        follower.told = this.#committed
        this.#host.send(peer, { type: 'commit', epoch: this.view.epoch, committed: this.#committed })
      }
    }
  }

  /** What is relayed shall not take the place of those who are connected: this node cannot end the session of an observer that is greedy. */
  #isFull (isRelayed: boolean): boolean {
    const share = isRelayed ? 0.5 : 1
    return this.#incoming.length > share * this.#limits.incomingMax || this.#incomingBytes > share * this.#limits.incomingBytesMax
  }

  #refuse (node: MemberId, via: MemberId, reason: string): void {
    if (via === node) this.#host.emit({ type: 'disconnect', peer: node, reason })
    else this.#host.send(via, { type: 'unrelayed', node })
  }

  /** This start of that node is not live, and whatever it submits again goes by the log. */
  #isOver ({ node, start }: OriginRow): boolean {
    if (node === this.#host.self) return start !== this.#host.start
    if (this.#host.isObserver(node)) return !this.#host.isUp(node, start)
    return !isLive(this.view, node) || (this.#host.isUp(node) && !this.#host.isUp(node, start))
  }

  /** A write under a key that the log has already becomes a skip. */
  #once (entry: Entry): Entry {
    if (entry.kind !== 'write' || entry.key === undefined || entry.key === '') return entry
    const { origin, number, key, body } = entry
    const first = this.#keys.get(key)
    return first === undefined ? entry : { kind: 'skip', origin, number, reason: first.digest === digestOf(body) ? 'repeated' : 'differs' }
  }

  #highest (origin: number): number {
    return this.#taken.get(origin) ?? this.#table.get(origin)?.highest ?? 0
  }

  #formGroups (): void {
    const { tail } = this.#host
    let used = 0

    while (used < this.#incoming.length && tail.bytes < this.#limits.tailBytesMax) {
      const first = tail.end.position + 1
      const entries: Entry[] = []
      let bytes = 0

      for (; used < this.#incoming.length; used++) {
        const entry = this.#once(this.#incoming[used] as Entry)
        bytes += entryBytes(entry)
        if (bytes > this.#limits.groupBytesMax && entries.length > 0) break
        const node = entry.kind === 'open' ? entry.node : this.#table.get(entry.origin)?.node
        // An id may have left the table since its number was taken.
        if (node === undefined) continue
        const follower = this.#followers.get(node)
        if (follower !== undefined) follower.own = first + entries.length
        this.#table.take(first + entries.length, entry)
        this.#keys.take(first + entries.length, entry)
        entries.push(entry)
      }

      if (entries.length > 0) this.#append({ epoch: this.view.epoch, first, entries })
    }

    this.#incoming = this.#incoming.slice(used)
    this.#incomingBytes = this.#incoming.reduce((bytes, entry) => bytes + (entry.kind === 'write' ? entry.body.length : 0), 0)
    if (this.#incoming.length === 0) this.#taken.clear()
  }

  #append (group: Group): void {
    const end = lastPosition(group)
    this.#host.append(group, () => {
      this.#ownEnd = end
      this.#count()
    })
    for (const [peer, follower] of this.#followers) {
      if (follower.state === 'streaming') this.#prepare(peer, follower, group)
    }
  }

  #prepare (peer: MemberId, follower: Follower, group: Group): void {
    follower.next = lastPosition(group) + 1
    follower.told = this.#committed
    follower.owesSince ??= this.#host.now
    this.#host.send(peer, { type: 'prepare', epoch: this.view.epoch, committed: this.#committed, group })
  }

  /** Sends a follower what it lacks: from memory, or else from the log on disk. */
  #feed (peer: MemberId, follower: Follower): void {
    const { tail } = this.#host
    if (follower.next <= tail.base) {
      follower.state = 'loading'
      this.#host.emit({ type: 'load', to: peer, from: follower.next })
      return
    }
    tail.visit(follower.next - 1, (group) => {
      this.#prepare(peer, follower, group)
      return true
    })
    follower.state = 'streaming'
  }

  #count (): void {
    if (this.#deposed || this.#host.now < this.#waitUntil) return
    const votes = [this.#ownEnd]
    for (const follower of this.#followers.values()) votes.push(follower.vote)
    const committed = commitPoint(votes)
    if (committed <= this.#committed) return
    this.#committed = committed
    this.#host.commit(committed, this.view)
  }
}
