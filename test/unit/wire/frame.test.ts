import test from 'tape'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/bytes.ts'
import { FrameDecoder, frameHeaderBytes, writeFrameHeader } from '../../../lib/wire/frame.ts'

function frame (payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(frameHeaderBytes + payload.byteLength)
  writeFrameHeader(bytes, payload.byteLength)
  bytes.set(payload, frameHeaderBytes)
  return bytes
}

function drain (decoder: FrameDecoder): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let next = decoder.next(); next !== null; next = decoder.next()) frames.push(next)
  return frames
}

const timeout = { timeout: 30000 }

test('frame: header is the length in big-endian', timeout, async (t) => {
  const header = new Uint8Array(frameHeaderBytes)
  writeFrameHeader(header, 0xfedcba98)
  t.same([...header], [0xfe, 0xdc, 0xba, 0x98])
})

test('frame: any chunking gives the same frames', timeout, async (t) => {
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 }),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
    (payloads, sizes) => {
      const bytes = Buffer.concat(payloads.map(frame))
      const decoder = new FrameDecoder(300)
      const decoded: Uint8Array[] = []
      for (let at = 0, i = 0; at < bytes.byteLength; i++) {
        const size = sizes[i % sizes.length] as number
        decoder.push(bytes.subarray(at, at += size))
        decoded.push(...drain(decoder))
      }
      return decoder.buffered === 0 && decoded.length === payloads.length &&
        decoded.every((got, i) => Buffer.compare(got, payloads[i] as Uint8Array) === 0)
    }
  ))
  t.pass('all chunkings')
})

test('frame: byte by byte', timeout, async (t) => {
  const payload = new Uint8Array(200_000).map((_, i) => i * 7)
  const decoder = new FrameDecoder(payload.byteLength)
  for (const byte of frame(payload)) decoder.push(Uint8Array.of(byte))
  const [got] = drain(decoder)
  t.ok(got !== undefined && Buffer.compare(got, payload) === 0)
  t.is(decoder.buffered, 0)
})

test('frame: is a view on the chunk that contains it', timeout, async (t) => {
  const chunk = Buffer.concat([frame(Uint8Array.of(1)), frame(Uint8Array.of(2, 3))])
  const decoder = new FrameDecoder(10)
  decoder.push(chunk)
  const frames = drain(decoder)
  t.same(frames.map((f) => [...f]), [[1], [2, 3]])
  t.ok(frames.every((f) => f.buffer === chunk.buffer), 'no copy')
})

test('frame: limit is checked when the length is known', timeout, async (t) => {
  const decoder = new FrameDecoder(10)
  decoder.push(Uint8Array.of(0, 0, 0))
  t.is(decoder.next(), null)
  decoder.push(Uint8Array.of(11))
  t.throws(() => decoder.next(), WireError)
})

test('frame: largest length is not taken for a negative one', timeout, async (t) => {
  const decoder = new FrameDecoder(10)
  decoder.push(Uint8Array.of(255, 255, 255, 255))
  t.throws(() => decoder.next(), WireError)
})

test('frame: length zero is refused', timeout, async (t) => {
  const decoder = new FrameDecoder(10)
  decoder.push(Uint8Array.of(0, 0, 0, 0))
  t.throws(() => decoder.next(), WireError)
})

test('frame: limit may change between two frames', timeout, async (t) => {
  const decoder = new FrameDecoder(2)
  decoder.push(Buffer.concat([frame(Uint8Array.of(1, 1)), frame(new Uint8Array(3))]))
  t.is(decoder.next()?.byteLength, 2)
  decoder.limit = 3
  t.is(decoder.next()?.byteLength, 3)
})
