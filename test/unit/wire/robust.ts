import fc from 'fast-check'
import { WireError } from '../../../lib/wire/bytes.ts'

/** Whatever bytes there are, each of these decoders gives a value, or throws a WireError. */
export function assertRobust (bytes: fc.Arbitrary<Uint8Array>, decoders: ReadonlyArray<(bytes: Uint8Array) => unknown>): void {
  fc.assert(fc.property(fc.oneof(bytes, fc.uint8Array({ maxLength: 100 })), (bytes) => {
    for (const decode of decoders) {
      try {
        decode(bytes)
      } catch (err) {
        if (!(err instanceof WireError)) return false
      }
    }
    return true
  }), { numRuns: 2000 })
}
