/** A page that does what the test tells it: `open` a member, of its own or in a worker, and `call` methods of it. */
import { contract, runTest } from './contract.ts'
import { answer, failureOf } from './member.ts'
import type { Member, MemberMethod, Reply } from './member.ts'
import { openMember, peek } from './open.ts'
import type { Configuration } from './open.ts'
import { Hub } from './hub.ts'

export interface Harness {
  open (configuration: Configuration): Promise<Reply>
  /** In a worker. The one in the page can be reached from there as `page`, the one there from here as `worker`. */
  openInWorker (configuration: Configuration): Promise<void>
  call (method: MemberMethod, args: unknown[]): Promise<Reply>
  callWorker (method: MemberMethod, args: unknown[]): Promise<Reply>
  /** From now on, other tabs can reach the member of this one under this name, and the other way round. */
  joinTabs (name: string): void
  peek (location: string, key: string): Promise<string | null>
  /** The names of the tests for transports. */
  tests (): string[]
  /** Has one run here. Resolves with what is wrong. */
  runTest (name: string): Promise<string[]>
}

declare global {
  var harness: Harness
}

let member: Member | undefined
let worker: Worker | undefined
let hub: Hub | undefined
let last = 0

globalThis.harness = {
  async open (configuration) {
    try {
      member = openMember(configuration, connect)
      return { value: null }
    } catch (error) {
      return { failure: failureOf(error as Error) }
    }
  },
  async openInWorker (configuration) {
    worker = new Worker('./worker.js', { type: 'module' })
    worker.addEventListener('message', ({ data, ports: [port] }) => { if (data === 'connect' && port !== undefined) accept(port) })
    worker.postMessage({ open: configuration })
  },
  call: (method, args) => answer(member, method, args),
  callWorker: (method, args) => new Promise((resolve) => {
    const id = ++last
    const onMessage = ({ data }: MessageEvent) => {
      if (data.id !== id) return
      worker?.removeEventListener('message', onMessage)
      resolve(data.reply)
    }
    worker?.addEventListener('message', onMessage)
    worker?.postMessage({ id, method, args })
  }),
  joinTabs (name) {
    hub = new Hub(name, accept)
  },
  peek,
  tests: () => [...contract.keys()],
  runTest
}

function connect (name: string): MessagePort {
  if (hub !== undefined) return hub.connect(name)
  const { port1, port2 } = new MessageChannel()
  if (worker === undefined) port2.close()
  else worker.postMessage('connect', [port2])
  return port1
}

function accept (port: MessagePort): void {
  if (member === undefined) port.close()
  else member.acceptPort(port)
}
