import { pipeline } from 'node:stream'
import type { Duplex } from 'node:stream'

/** Passes on everything between two streams: an end is an end, and if the one is destroyed, so is the other. */
export function relay (a: Duplex, b: Duplex): void {
  pipeline(a, b, a, () => {
    a.destroy()
    b.destroy()
  })
}
