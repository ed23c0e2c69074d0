/** The suite for transports finds what is wrong with one. */
import { Duplex } from 'node:stream'
import { MemoryLevel } from 'memory-level'
import test from 'tape'
import { duplexPair, PairEnd } from '../../../lib/net/duplex-pair.ts'
import { suite } from '../../../lib/transport/test.ts'
import type { Assertions, TransportTestOptions } from '../../../lib/transport/test.ts'
import { memoryTransport } from './memory-transport.ts'

type Callback = (error?: Error | null) => void
type Body = (t: Assertions) => Promise<void>
type Parts = Pick<TransportTestOptions, 'listen' | 'transport'>

const common = { database: () => new MemoryLevel(), bufferBytesMax: 1024 * 1024 }

/** A body that hangs has found something, too; those of a healthy transport end long before. */
const hangMs = 500

suite({ test, name: 'a pair in memory', ...memoryTransport(duplexPair), ...common })

class Counting extends PairEnd {
  count = 0

  /** Whether this is the chunk to do something wrong with. */
  isChosen (): boolean {
    return ++this.count % 10 === 0
  }
}

const broken: Array<[string, () => Parts, RegExp]> = [
  ['reorders', ends(class extends Counting {
    held: Uint8Array | null = null

    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      if (this.held === null && this.isChosen()) {
        this.held = chunk
        return callback()
      }
      super._write(chunk, encoding, callback)
      if (this.held !== null) this.other.push(this.held)
      this.held = null
    }
  }), /in order/],

  ['drops', ends(class extends Counting {
    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      if (this.isChosen()) callback()
      else super._write(chunk, encoding, callback)
    }
  }), /in order/],

  ['repeats', ends(class extends Counting {
    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      if (this.isChosen()) this.other.push(chunk)
      super._write(chunk, encoding, callback)
    }
  }), /each once/],

  ['changes a byte', ends(class extends Counting {
    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      const changed = Uint8Array.from(chunk)
      if (this.isChosen() && changed.length > 0) changed[changed.length - 1]! ^= 1
      super._write(changed, encoding, callback)
    }
  }), /in order/],

  ['has text for bytes', ends(class extends PairEnd {
    override receive (chunk: Uint8Array, callback: Callback): void {
      this.setEncoding('latin1')
      super.receive(chunk, callback)
    }
  }), /in order/],

  ['takes a chunk without bytes for the end', ends(class extends PairEnd {
    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      if (chunk.length === 0) this.other.push(null)
      super._write(chunk, encoding, callback)
    }
  }), /without bytes is nothing, by the side that dialled/],

  ['never tells to wait', ends(class extends PairEnd {
    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      this.other.push(chunk)
      callback()
    }
  }), /told to wait.* accepted/],

  ['never lets go on', ends(class extends PairEnd {
    override _read (): void {}
  }), /told to wait.* dialled/],

  ['never ends', ends(class extends PairEnd {
    override _final (callback: Callback): void { callback() }
  }), /an end comes after all.* dialled/],

  ['forgets the last bytes when it ends', ends(class extends PairEnd {
    held: Uint8Array = new Uint8Array(0)

    override _write (chunk: Uint8Array, encoding: string, callback: Callback): void {
      const { held } = this
      this.held = chunk
      if (held.length > 0) super._write(held, encoding, callback)
      else callback()
    }
  }), /an end comes after all.* accepted/],

  ['stays open after both ends', ends(class extends PairEnd {
    constructor () {
      super({ autoDestroy: false })
    }
  }), /an end comes after all.* dialled/],

  ['keeps a destroy to itself', ends(class extends PairEnd {
    override _destroy (error: Error | null, callback: Callback): void { callback(error) }
  }), /other side notices a destroy, by the side that accepted/],

  ['keeps a destroy with an error to itself', ends(class extends PairEnd {
    override _destroy (error: Error | null, callback: Callback): void {
      if (error === null) super._destroy(error, callback)
      else callback(error)
    }
  }), /notices a destroy with an error.* dialled/],

  ['keeps a destroy to itself while somebody writes', ends(class extends PairEnd {
    override _destroy (error: Error | null, callback: Callback): void {
      if (this.other.writableLength === 0) super._destroy(error, callback)
      else callback(error)
    }
  }), /who waits to write.* dialled/],

  ['throws once it is destroyed', ends(class extends PairEnd {
    override end (): this {
      if (this.destroyed) throw new Error('it is destroyed')
      return super.end()
    }
  }), /does no harm.* accepted/],

  ['is silent if nobody is there', () => {
    const { listen, transport } = memoryTransport(duplexPair)
    return { listen, transport: async (port, host) => await Promise.resolve(transport(port, host)).catch(() => new Duplex({ read () {}, write () {} })) }
  }, /nobody is there/],

  ['cannot be destroyed early', () => {
    const { listen, transport } = memoryTransport(() => duplexPair(class extends PairEnd {
      isConnected = false

      override receive (chunk: Uint8Array, callback: Callback): void {
        this.isConnected = true
        super.receive(chunk, callback)
      }

      override _destroy (error: Error | null, callback: Callback): void {
        if (this.isConnected) super._destroy(error, callback)
      }
    }))
    return { listen, transport }
  }, /before it is connected/],

  ['mixes connections', () => {
    const ends: PairEnd[] = []
    return memoryTransport(() => {
      const pair = duplexPair()
      ends.push(pair[1] as PairEnd)
      if (ends.length === 2) [ends[0]!.other, ends[1]!.other] = [ends[1]!.other, ends[0]!.other]
      return pair
    })
  }, /many/],

  ['connects one time only', () => {
    const { listen, transport } = memoryTransport(duplexPair)
    const dialled = new Set<number>()
    return {
      listen,
      async transport (port, host) {
        if (dialled.has(port)) throw new Error('once is enough')
        dialled.add(port)
        return await transport(port, host)
      }
    }
  }, /connect again/]
]

test('a broken transport does not pass', { timeout: 120_000 }, async (t) => {
  for (const [what, parts, finder] of broken) {
    const bodies: Array<[string, Body]> = []
    suite({ test: (name, _options, body) => { bodies.push([name, body]) }, ...parts(), ...common })
    const found = bodies.filter(([name]) => finder.test(name))
    t.ok(found.length > 0, `there is ${finder.source}`)
    for (const [name, body] of found) t.ok(await failureOf(body), `${what}: ${name}`)
  }
})

function ends (Class: new () => PairEnd): () => Parts {
  return () => memoryTransport(() => duplexPair(Class))
}

/** What a body has against a transport, or null. */
async function failureOf (body: Body): Promise<string | null> {
  const teardowns: Array<() => void | Promise<void>> = []
  const outcome = body({
    ok (value, message) { if (value !== true) throw new Error(`not ok: ${message}`) },
    equal (actual, expected) { if (actual !== expected) throw new Error(`${String(actual)} is not ${String(expected)}`) },
    pass () {},
    teardown (fn) { teardowns.push(fn) }
  }).then(() => null, (err: Error) => err.message)
  const hanging = new Promise<string>((resolve) => { setTimeout(() => { resolve('it hangs') }, hangMs) })
  const failure = await Promise.race([outcome, hanging])
  for (const fn of teardowns) await fn()
  return failure
}
