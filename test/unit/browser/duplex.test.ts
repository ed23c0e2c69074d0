import fc from 'fast-check'
import { Duplex as NodeDuplex } from 'node:stream'
import test from 'tape'
import { Duplex } from '../../../lib/browser/duplex.ts'

const timeout = 60_000
const highWaterMark = 8

type Callback = (error?: Error | null) => void
type Stream = Duplex & Partial<Record<'finish', () => void>>

/** What a stream is asked to do, one step at a time. */
type Step =
  | { do: 'write' | 'push', bytes: number }
  | { do: 'end' | 'pushEnd' | 'written' | 'failWrite' | 'finalled' | 'cork' | 'uncork' | 'pause' | 'resume' | 'listen' | 'pipe' | 'drain' | 'destroy' | 'fail' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('write' as const, 'push' as const), bytes: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('written' as const, 'listen' as const, 'finalled' as const, 'resume' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('cork' as const, 'uncork' as const, 'pause' as const, 'end' as const, 'pushEnd' as const, 'pipe' as const, 'drain' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('failWrite' as const, 'destroy' as const, 'fail' as const) }) }
)

/** Does the steps with a stream that is derived from one of the two classes, and notes all that it says and calls, turn by turn. */
async function run (Base: typeof Duplex, steps: readonly Step[], { allowHalfOpen = true, vectored = false } = {}): Promise<string[]> {
  const log: string[] = []
  // Who of two streams is first in a turn does not matter.
  const sinkLog: string[] = []
  let written: Callback | null = null
  let finalled: Callback | null = null
  let isPiped = false
  let filled = 0
  let count = 0
  const bytes = (length: number) => new Uint8Array(length).fill(++filled)

  class Probe extends Base {
    override _read (): void {}
    override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
      log.push(`_write ${chunk.join()}`)
      written = callback
    }

    override _final (callback: Callback): void {
      log.push('_final')
      finalled = callback
    }

    override _destroy (error: Error | null, callback: Callback): void {
      log.push(`_destroy ${nameOf(error)}`)
      const held = written
      written = null
      callback(error)
      held?.(error)
    }
  }
  if (vectored) {
    Object.assign(Probe.prototype, {
      _writev (this: Probe, chunks: Array<{ chunk: Uint8Array }>, callback: Callback) {
        log.push(`_writev ${chunks.map(({ chunk }) => chunk.join()).join(' ')}`)
        written = callback
      }
    })
  }

  /** One that is full at once, until it is drained. */
  class Sink extends NodeDuplex {
    onDrain: Callback | null = null
    override _read (): void {}
    override _write (chunk: Uint8Array, _encoding: string, callback: Callback): void {
      sinkLog.push(`sink got ${chunk.join()}`)
      this.onDrain = callback
    }
  }

  const stream: Stream = new Probe({ highWaterMark, allowHalfOpen })
  const sink = new Sink({ writableHighWaterMark: 4 })
  sink.on('pipe', () => { isPiped = true }).on('unpipe', () => { isPiped = false })
  for (const event of ['pipe', 'unpipe', 'finish']) sink.on(event, () => { sinkLog.push(`sink: ${event}`) })
  for (const event of ['end', 'drain', 'finish', 'close']) stream.on(event, () => { log.push(event) })
  stream.on('error', (error: Error) => { log.push(`error ${nameOf(error)}`) })

  for (const step of steps) {
    const { do: action } = step
    if (action === 'write') {
      const id = ++count
      log.push(`write ${stream.write(bytes(step.bytes), (error?: Error | null) => { log.push(`written ${id} ${error != null}`) })}`)
    } else if (action === 'push') {
      log.push(`push ${stream.push(bytes(step.bytes))}`)
    } else if (action === 'pushEnd') {
      stream.push(null)
    } else if (action === 'written' || action === 'failWrite') {
      const callback = written as Callback | null
      written = null
      callback?.(action === 'written' ? null : new Error('write'))
    } else if (action === 'finalled') {
      const callback = finalled as Callback | null
      finalled = null
      callback?.()
    } else if (action === 'listen') {
      stream.on('data', (chunk: Uint8Array) => { log.push(`data ${chunk.join()}`) })
    } else if (action === 'drain') {
      const { onDrain } = sink
      sink.onDrain = null
      onDrain?.()
    } else if (action === 'pipe') {
      if (isPiped) stream.unpipe(sink)
      else stream.pipe(sink)
    } else if (action === 'destroy' || action === 'fail') {
      stream.destroy(action === 'destroy' ? undefined : new Error('destroyed'))
    } else {
      stream[action]()
    }
    await new Promise(resolve => { setImmediate(resolve) })
    log.push(...sinkLog.splice(0), `- ${action} ${stream.writableLength} ${stream.writableNeedDrain} ${stream.writableEnded} ${stream.writableFinished} ${stream.readableEnded} ${stream.destroyed} ${stream.closed} ${stream.writable}`)
  }
  return log
}

/** Of those that a stream makes itself, the words do not matter. */
function nameOf (error: Error | null): string {
  return error === null ? '' : ['write', 'destroyed'].includes(error.message) ? error.message : 'its own'
}

for (const vectored of [false, true]) {
  test(`the stream for browsers does what that of Node.js does, ${vectored ? 'all writes at once' : 'one write at a time'}`, { timeout }, async (t) => {
    const compare = async (steps: Step[], allowHalfOpen: boolean) => {
      const ours = await run(Duplex, steps, { allowHalfOpen, vectored })
      const theirs = await run(NodeDuplex as unknown as typeof Duplex, steps, { allowHalfOpen, vectored })
      return [ours.join('\n'), theirs.join('\n')] as const
    }
    const result = await fc.check(fc.asyncProperty(fc.array(step, { maxLength: 24 }), fc.boolean(), async (...example) => {
      const [ours, theirs] = await compare(...example)
      return ours === theirs
    }), { numRuns: 2000 })
    const [ours, theirs] = await compare(...result.counterexample ?? [[], true])
    t.equal(ours, theirs, `2,000 ways to use it, with the seed ${result.seed}`)
    t.notOk(result.failed)
  })
}
