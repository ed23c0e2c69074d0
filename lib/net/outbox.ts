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
/** What is passed on for observers waits up to so much. */
const RELAYED_BYTES_MAX = fixedLimits.relayedBytes.value
/** Of a message that is passed on, beside the writes in it. */
const RELAY_BYTES = 100

/** Only the newest of these says anything: it takes the place of one that still waits. Who catches up waits for one answer at a time. */
const newest: ReadonlySet<WireMessage['type']> = new Set(['status', 'refuse', 'addresses', 'heartbeat', 'grant', 'fetched', 'chunk', 'snapshot', 'verifying', 'digest'])
/** These carry data. */
const bulky: ReadonlySet<WireMessage['type']> = new Set(['prepare', 'submit', 'withdraw', 'fetched', 'chunk', 'relay'])

/**
 * What is to be sent to one peer. All messages of a turn share a frame. Those that carry data go behind all others:
 * votes and view messages never wait for them. Bounded by the windows of the core.
 */
export class Outbox {
  readonly #session: Session
  #urgent: WireMessage[] = []
  #bulk: WireMessage[] = []
  #relayedBytes = 0
  #paused = false

  constructor (session: Session) {
    this.#session = session
  }

  /** Returns false for a message that is not taken. */
  push (message: WireMessage): boolean {
    const isBulky = bulky.has(message.type)
    if (message.type === 'relay') {
      const bytes = relayBytes(message)
      if (this.#relayedBytes + bytes > RELAYED_BYTES_MAX) return false
      this.#relayedBytes += bytes
    } else if (newest.has(message.type)) {
      this.#forget(message.type)
    } else if (!isBulky && this.#urgent.length >= URGENT_MAX) {
      this.#session.close(codes.queueFull)
      return false
    }
    ;(isBulky ? this.#bulk : this.#urgent).push(message)
    return true
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
    while (used < messages.length && used < MESSAGES_MAX / 2 && writer.length < FRAME_BYTES) {
      const message = messages[used++] as WireMessage
      if (message.type === 'relay') this.#relayedBytes -= relayBytes(message)
      writeMessage(writer, message)
    }
    messages.splice(0, used)
  }
}

function relayBytes ({ message }: WireMessage & { type: 'relay' }): number {
  if (message.type !== 'submit') return RELAY_BYTES
  return message.writes.reduce((bytes, { body }) => bytes + body.length, RELAY_BYTES)
}
