import test from 'tape'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/bytes.ts'
import { decodeRpcFrame, encodeRpcHeader, isReply, methods, rpcHeaderBytesMax, rpcIdMax, rpcPayload } from '../../../lib/wire/rpc-frame.ts'
import type { RpcFrame } from '../../../lib/wire/rpc-frame.ts'

function encode (frame: RpcFrame): Uint8Array {
  return Uint8Array.from([...encodeRpcHeader(frame), ...rpcPayload(frame)])
}

const timeout = { timeout: 30000 }
const payload = fc.uint8Array({ minLength: 1, maxLength: 50 })
const id = fc.integer({ min: 1, max: rpcIdMax })
const call = fc.tuple(fc.constantFrom(...methods), fc.tuple(payload), fc.oneof(id, fc.constant(-1)))
const reply = fc.tuple(fc.tuple(fc.constant(null), payload), id)

test('rpc frame: round trip', timeout, async (t) => {
  fc.assert(fc.property(fc.oneof(call, reply), (frame) => {
    if (encodeRpcHeader(frame).byteLength > rpcHeaderBytesMax) return false
    const decoded = decodeRpcFrame(encode(frame))
    return JSON.stringify(decoded, plain) === JSON.stringify(frame, plain)
  }))
  t.pass()
})

test('rpc frame: whatever is decoded is safe for rpc-stream, the rest is a WireError', timeout, async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
    let frame
    try {
      frame = decodeRpcFrame(bytes)
    } catch (err) {
      return err instanceof WireError
    }
    if (isReply(frame)) {
      const [args, id] = frame
      return args.length === 2 && args[0] === null && args[1] instanceof Uint8Array && id >= 1 && id <= rpcIdMax
    }
    const [name, args, id] = frame
    return methods.includes(name) && args.length === 1 && args[0] instanceof Uint8Array &&
      Number.isInteger(id) && (id === -1 || (id >= 1 && id <= rpcIdMax))
  }), { numRuns: 5000 })
  t.pass()
})

test('rpc frame: refuses', timeout, async (t) => {
  const refused: Array<[string, number[]]> = [
    ['nothing', []],
    ['no id', [3]],
    ['unknown method', [methods.length + 1, 0, 1]],
    ['unknown method', [255, 0, 1]],
    ['reply to nothing', [0, 0, 1]],
    ['an id that rpc-stream takes for none', [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]],
    ['an empty frame', [methods.indexOf('frame') + 1, 0]]
  ]
  for (const [what, bytes] of refused) t.throws(() => decodeRpcFrame(Uint8Array.from(bytes)), WireError, what)
})

function plain (_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value
}
