import type { Duplex } from 'node:stream'
import { duplexPair } from './duplex-pair.ts'

type Source = NodeJS.EventEmitter & { destroy? (): void }

/**
 * A stream for the user to pipe to and from a connection, and the end that belongs to us.
 *
 * pipe() does not tell when its source fails or is closed without an end, and does not close
 * the source when its destination is gone; so both are done here.
 */
export function serverStream (): { outer: Duplex, inner: Duplex } {
  const [outer, inner] = duplexPair()

  outer.on('error', () => {})
  outer.on('pipe', (source: Source) => {
    const onGone = () => { if (!outer.writableEnded) outer.destroy() }
    source.on('error', onGone)
    source.on('close', onGone)
    outer.once('unpipe', onGone)
    outer.once('close', () => source.destroy?.())
  })

  return { outer, inner }
}
