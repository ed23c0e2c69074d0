import type { Duplex } from 'node:stream'
import type { TransportTestOptions } from '../../../lib/transport/test.ts'

/** What the suite wants, for connections that are pairs of streams in this process. */
export function memoryTransport (pair: () => [Duplex, Duplex] | Promise<[Duplex, Duplex]>): Pick<TransportTestOptions, 'listen' | 'transport'> {
  const listeners = new Map<number, (stream: Duplex) => void>()
  let last = 0
  return {
    async listen (onStream) {
      const port = ++last
      listeners.set(port, onStream)
      return { address: { host: 'memory', port }, async close () { listeners.delete(port) } }
    },
    async transport (port) {
      const onStream = listeners.get(port)
      if (onStream === undefined) throw new Error(`Nobody listens at ${port}`)
      const [dialled, accepted] = await pair()
      onStream(accepted)
      return dialled
    }
  }
}
