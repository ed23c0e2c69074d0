import type { Duplex } from 'node:stream'
import type { Transport } from '../net/transport.ts'
import { MessageStream } from './message-stream.ts'

/** What is used of a MessagePort, be it a browser's or one of `node:worker_threads`. */
export interface MessagePortLike {
  /** Messages are numbers, strings, null, and `Uint8Array`s whose memory is handed over. */
  postMessage (message: any, transfer: any[]): void
  start (): void
  close (): void
  addEventListener (type: 'message' | 'messageerror' | 'close', listener: (event: any) => void): void
}

/** The last message of one that was destroyed: not every browser tells a port that the other one was closed. */
const destroyed = 'destroyed'

/**
 * For the option `transport`: dials over MessagePorts. `connect` gives a port whose other end the node at that address has
 * got, or will get, for `messagePortStream()`. It rejects or throws if there is no such node.
 */
export function messagePortTransport (connect: (port: number, host: string) => MessagePortLike | Promise<MessagePortLike>): Transport {
  return async (port, host) => messagePortStream(await connect(port, host))
}

/**
 * A stream of bytes over a MessagePort, which nobody else must use. Both sides must be such streams. Fails if the
 * other one is destroyed, or if the port is closed, before both sides have ended. Where ports have no `close` event, it does
 * not notice that a worker or a tab was killed.
 */
export function messagePortStream (port: MessagePortLike): Duplex {
  const stream = new MessageStream({
    send (message) { port.postMessage(message, message instanceof Uint8Array ? [message.buffer] : []) },
    close (isClean) {
      if (!isClean) port.postMessage(destroyed, [])
      port.close()
    }
  })

  port.addEventListener('message', ({ data }) => {
    if (data === destroyed) stream.lose(new Error('The other end of the MessagePort was destroyed'))
    else stream.receive(data)
  })
  port.addEventListener('messageerror', () => { stream.destroy(new Error('A message of the MessagePort cannot be read')) })
  port.addEventListener('close', () => { stream.lose(new Error('The MessagePort was closed')) })
  port.start()
  stream.open()
  return stream
}
