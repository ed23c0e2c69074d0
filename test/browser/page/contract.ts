import { MemoryLevel } from 'memory-level'
import { messagePortStream } from 'quorum-level/transport/message-port'
import { suite } from 'quorum-level/transport/test'
import type { Assertions } from 'quorum-level/transport/test'

type Stream = ReturnType<typeof messagePortStream>

/** What every transport has to do, for MessagePorts in this page: by the names of the tests. */
export const contract = new Map<string, (t: Assertions) => Promise<void>>()

const listeners = new Map<number, (stream: Stream) => void>()
let last = 0

suite({
  test (name, _options, body) { contract.set(name, body) },
  async listen (onStream) {
    const port = ++last
    listeners.set(port, onStream)
    return { address: { host: 'page', port }, async close () { listeners.delete(port) } }
  },
  async transport (port) {
    const onStream = listeners.get(port)
    if (onStream === undefined) throw new Error(`Nobody listens at ${port}`)
    const { port1, port2 } = new MessageChannel()
    onStream(messagePortStream(port2))
    return messagePortStream(port1)
  },
  database: () => new MemoryLevel()
})

/** Resolves with what is wrong, in words. */
export async function runTest (name: string): Promise<string[]> {
  const wrong: string[] = []
  const teardowns: Array<() => void | Promise<void>> = []
  const body = contract.get(name)
  if (body === undefined) return ['there is no such test']
  await body({
    ok (value, message = 'should be truthy') { if (value !== true) wrong.push(message) },
    equal (actual, expected, message = 'should be equal') { if (actual !== expected) wrong.push(`${message}: ${String(actual)} is not ${String(expected)}`) },
    pass () {},
    teardown (fn) { teardowns.push(fn) }
  })
  for (const fn of teardowns) await fn()
  return wrong
}
