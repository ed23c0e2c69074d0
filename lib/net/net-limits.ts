import { fixedLimits, optionLimits } from '../limits.ts'
import type { NetLimits } from './context.ts'

const defaults: NetLimits = {
  frameBytesMax: fixedLimits.frameBytes.value,
  heartbeatMs: 1000,
  failureTimeoutMs: optionLimits.failureTimeoutMs.value,
  handshakeTimeoutMs: fixedLimits.handshakeMs.value,
  dialTimeoutMs: fixedLimits.dialMs.value,
  // Twice what all other members can have at a time, so that they do not push out each other.
  handshakesMax: fixedLimits.handshakes.value,
  reconnectMinMs: fixedLimits.reconnectMinMs.value,
  reconnectMaxMs: fixedLimits.reconnectMaxMs.value,
  failAfter: optionLimits.failAfter.value
}

// Far below what makes Node's timers fire at once, as they are also given multiples.
const timerMsMax = 0x0fffffff

/** The limits that the user gave, and the defaults. Throws a TypeError on what cannot be meant. */
export function netLimits (options: Partial<NetLimits>): NetLimits {
  const limits = { ...defaults }
  for (const name of Object.keys(defaults) as Array<keyof NetLimits>) {
    const value = options[name]
    if (value === undefined) continue
    const max = name === 'failAfter' ? Infinity : name === 'frameBytesMax' ? 0xffffff00 : timerMsMax
    if (typeof value !== 'number' || !(value >= 1 && value <= max) || (value % 1 !== 0 && value !== Infinity)) {
      throw new TypeError(`The ${name} option must be an integer from 1 to ${max}`)
    }
    limits[name] = value
  }
  return limits
}
