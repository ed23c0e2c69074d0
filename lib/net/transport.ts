import type { Duplex } from 'node:stream'

/**
 * Connects to an address. The stream carries bytes, and may be written to before it is connected. It is destroyed
 * when the connection is given up, also before.
 */
export type Transport = (port: number, host: string) => Duplex | Promise<Duplex>

/** A small frame must not wait for the acknowledgement of the one before it. */
export function setNoDelay (stream: Duplex): void {
  const socket = stream as Duplex & { setNoDelay? (on: boolean): void }
  socket.setNoDelay?.(true)
}

export function isConnecting (stream: Duplex): boolean {
  return (stream as Duplex & { connecting?: boolean }).connecting === true
}

export function assertStream (stream: unknown): asserts stream is Duplex {
  const { write, on, destroy } = (stream ?? {}) as Partial<Duplex>
  if (typeof write !== 'function' || typeof on !== 'function' || typeof destroy !== 'function') {
    throw new TypeError('The transport must return a duplex stream, or a promise of one')
  }
}
