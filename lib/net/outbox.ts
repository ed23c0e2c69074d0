import type { WireMessage } from '../wire/messages.ts'
import { ByteWriter } from '../wire/bytes.ts'
import { MESSAGES_MAX, writeMessage } from '../wire/messages.ts'
import { codes } from '../errors.ts'
import { fixedLimits } from '../limits.ts'
import type { Session } from './network.ts'

/** Frames end here, so that a vote never waits behind more than this in the same frame. */
const FRAME_BYTES = 256 * 1024

/** A peer that makes us answer and does not read the answers is disconnected at so many. */
const URGENT_MAX = fixedLimits.unreadMessages.value

/** Only the newest of these says anything: it takes the place of one that still waits. Who catches up waits for one answer at a time. */
const newest: ReadonlySet<WireMessage['type']> = new Set(['status', 'refuse', 'addresses', 'heartbeat', 'grant', 'fetched', 'chunk', 'snapshot', 'verifying', 'digest'])
/** These carry data. */
const bulky: ReadonlySet<WireMessage['type']> = new Set(['prepare', 'submit', 'withdraw', 'fetched', 'chunk'])

/**
 * What is to be sent to one peer. All messages of a turn share a frame. Those that carry data go behind all others:
 * votes and view messages never wait for them. Bounded by the windows of the core.
 */
export class Outbox {
  readonly #session: Session
  #urgent: WireMessage[] = []
  #bulk: WireMessage[] = []
  #paused = false

  constructor (session: Session) {
    this.#session = session
  }

  push (message: WireMessage): void {
    const isBulky = bulky.has(message.type)
    if (newest.has(message.type)) this.#forget(message.type)
    else if (!isBulky && this.#urgent.length >= URGENT_MAX) return this.#session.close(codes.queueFull)
    ;(isBulky ? this.#bulk : this.#urgent).push(message)
  }

  /** The transport takes more. */
  onDrain (): void {
    this.#paused = false
    this.flush()
  }

  /** The end of a turn. */
  flush (): void {
    while (!this.#paused && this.#urgent.length + this.#bulk.length > 0) {
      const writer = new ByteWriter(1024)
      this.#fill(writer, this.#urgent)
      this.#fill(writer, this.#bulk)
      this.#paused = !this.#session.send(writer.finish())
    }
  }

  #forget (type: WireMessage['type']): void {
    const isOther = (message: WireMessage): boolean => message.type !== type
    if (bulky.has(type)) this.#bulk = this.#bulk.filter(isOther)
    else this.#urgent = this.#urgent.filter(isOther)
  }

  #fill (writer: ByteWriter, messages: WireMessage[]): void {
    let used = 0
    while (used < messages.length && used < MESSAGES_MAX / 2 && writer.length < FRAME_BYTES) writeMessage(writer, messages[used++] as WireMessage)
    messages.splice(0, used)
  }
}
