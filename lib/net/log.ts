import createDebug from 'debug'

/** Connects, handshakes and closes, with their reasons. */
export const log = createDebug('quorum-level:net')
