import type { Entry, Group } from '../../../lib/core/entry.ts'
import { LogTail } from '../../../lib/core/log-tail.ts'
import { bytes } from '../../support/core-cluster.ts'

/** A group of one epoch that ends at `last`, with as many writes as there are positions. */
export function group (epoch: number, first: number, last = first, size = 10): Group {
  const entries = Array.from({ length: last - first + 1 }, (_, i): Entry =>
    ({ kind: 'write', origin: 1, number: first + i, body: bytes('x'.repeat(size)), operations: [{ type: 'put', key: bytes('k') }] }))
  return { epoch, first, entries }
}

/** A log with these groups in memory. */
export function tailOf (...groups: Group[]): LogTail {
  const tail = new LogTail(0, [])
  for (const group of groups) tail.append(group)
  return tail
}
