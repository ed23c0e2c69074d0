import type { Duplex } from 'node:stream'
import type { Transport } from '../net/transport.ts'
import { MessageStream } from './message-stream.ts'

/** What is used of a WebSocket, be it a browser's, that of Node.js, or one of `ws`. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  /** Of a string, or of a `Uint8Array`. */
  send (data: any): void
  close (): void
  /** Where there is one, it closes at once; else whatever was sent goes out first. */
  terminate? (): void
  addEventListener (type: 'open' | 'message' | 'error' | 'close', listener: (event: any) => void): void
}

export interface WebSocketTransportOptions {
  /** The URL of the WebSocket server of the node at that address. Default: `ws://host:port`. */
  url?: ((port: number, host: string) => string) | undefined
  /** The class. Default: the global one, of browsers and of Node.js from version 22 on. */
  WebSocket?: (new (url: string) => WebSocketLike) | undefined
}

const CONNECTING = 0
const OPEN = 1

/**
 * For the option `transport`: dials over WebSockets. The other side is `webSocketStream()`.
 * Throws a `TypeError` if no class is given and there is no global one, and for a `url` that is no function.
 */
export function webSocketTransport (options: WebSocketTransportOptions = {}): Transport {
  const { url = defaultUrl, WebSocket = globalThis.WebSocket as WebSocketTransportOptions['WebSocket'] } = options
  if (typeof url !== 'function') throw new TypeError("The option 'url' must be a function of port and host that returns a URL")
  if (WebSocket === undefined) throw new TypeError("There is no global WebSocket here: the option 'WebSocket' must be a class, for example that of ws")
  return (port, host) => webSocketStream(new WebSocket(url(port, host)))
}

/**
 * A stream of bytes over a WebSocket, which nobody else must use. Both sides must be such streams. To be called before
 * the first message can arrive: for one that was accepted, when it is handed over. Fails if the socket is closed
 * before both sides have ended. No message has more than 64 KiB.
 */
export function webSocketStream (socket: WebSocketLike): Duplex {
  // Bytes are binary. Of text there is only the number of bytes taken. A WebSocket cannot be closed in one direction
  // alone; so a message without bytes is the end.
  const stream = new MessageStream({
    send (message) {
      socket.send(typeof message === 'number' ? String(message) : message ?? new Uint8Array(0))
    },
    close (isClean) {
      if (isClean || socket.terminate === undefined) socket.close()
      else socket.terminate()
    }
  })

  socket.binaryType = 'arraybuffer'
  socket.addEventListener('open', () => { stream.open() })
  socket.addEventListener('message', ({ data }) => { stream.receive(decode(data)) })
  // Stays for ever: a socket may fail while it is closed.
  socket.addEventListener('error', ({ error, message }) => {
    stream.lose(error instanceof Error ? error : new Error(message || 'The WebSocket failed'))
  })
  socket.addEventListener('close', ({ code }) => { stream.lose(new Error(`The WebSocket was closed (${code})`)) })

  if (socket.readyState === OPEN) stream.open()
  else if (socket.readyState !== CONNECTING) queueMicrotask(() => { stream.lose(new Error('The WebSocket is closed')) })
  return stream
}

function decode (data: unknown): unknown {
  if (data instanceof ArrayBuffer) return data.byteLength === 0 ? null : new Uint8Array(data)
  return typeof data === 'string' ? Number(data) : undefined
}

function defaultUrl (port: number, host: string): string {
  return `ws://${host.includes(':') ? `[${host}]` : host}:${port}`
}
