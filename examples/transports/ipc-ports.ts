/** Ports over the channel between a process and one that it has forked: many streams share it. */
import type { ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'

/** Of one connection: whose end it came from, which number it has there, and what happens. */
interface Envelope {
  ipcPort: { id: number, mine: boolean, to?: string, message?: unknown, closed?: true }
}

/**
 * Emits `port` (port, to) when the other process opens one. The channel has to be made with `serialization: 'advanced'`, or
 * bytes would not stay bytes; it may carry other messages, too.
 */
export class IpcPorts extends EventEmitter {
  readonly #channel: ChildProcess | NodeJS.Process
  readonly #ports = new Map<string, IpcPort>()
  #last = 0

  /** Of a process that was forked, or, in that process itself, `process`. */
  constructor (channel: ChildProcess | NodeJS.Process) {
    super()
    this.#channel = channel
    channel.on('message', (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'ipcPort' in message) this.#onMessage(message as Envelope)
    })
    channel.on('disconnect', () => { for (const port of [...this.#ports.values()]) port.lose() })
    // One that cannot be sent to is about to be disconnected.
    channel.on('error', () => {})
  }

  /** Opens a port to whoever the other process takes for `to`. It is closed if that is nobody. */
  open (to: string): IpcPort {
    const id = ++this.#last
    this.#send({ id, mine: true, to })
    return this.#add(id, true)
  }

  #add (id: number, mine: boolean): IpcPort {
    const key = `${mine} ${id}`
    const port = new IpcPort((what) => {
      if ('closed' in what) this.#ports.delete(key)
      this.#send({ id, mine, ...what })
    })
    this.#ports.set(key, port)
    if (!this.#channel.connected) queueMicrotask(() => { port.lose() })
    return port
  }

  #onMessage ({ ipcPort: { id, mine, to, message, closed } }: Envelope): void {
    const key = `${!mine} ${id}`
    if (to !== undefined) {
      this.emit('port', this.#add(id, false), to)
    } else if (closed === true) {
      this.#ports.get(key)?.lose()
      this.#ports.delete(key)
    } else {
      this.#ports.get(key)?.take(message)
    }
  }

  #send (ipcPort: Envelope['ipcPort']): void {
    // The callback keeps it from throwing.
    if (this.#channel.connected) this.#channel.send?.({ ipcPort }, undefined, undefined, () => {})
  }
}

/** As much of a MessagePort as `messagePortStream()` uses. */
export class IpcPort extends EventTarget {
  readonly #send: (what: { message: unknown } | { closed: true }) => void
  /** What has come before the start. */
  #waiting: Event[] | null = []
  #closed = false

  constructor (send: (what: { message: unknown } | { closed: true }) => void) {
    super()
    this.#send = send
  }

  postMessage (message: unknown): void {
    if (!this.#closed) this.#send({ message })
  }

  start (): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const event of waiting) this.dispatchEvent(event)
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#send({ closed: true })
  }

  /** A message has come from the other side. */
  take (data: unknown): void {
    if (!this.#closed) this.#tell(new MessageEvent('message', { data }))
  }

  /** The other side is gone. */
  lose (): void {
    if (this.#closed) return
    this.#closed = true
    this.#tell(new Event('close'))
  }

  #tell (event: Event): void {
    if (this.#waiting === null) this.dispatchEvent(event)
    else this.#waiting.push(event)
  }
}

/** Passes on what comes to the one port to the other: so two children of one process can talk. */
export function joinPorts (a: IpcPort, b: IpcPort): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.addEventListener('message', (event) => { to.postMessage((event as MessageEvent).data) })
    from.addEventListener('close', () => { to.close() })
  }
  a.start()
  b.start()
}
