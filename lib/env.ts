/**
 * Everything that the replicator takes from the outside world beside its store and its network.
 * A simulator passes its own, with a virtual clock and seeded randomness.
 */
export interface Environment {
  /** Monotonic milliseconds. */
  now (): number
  /** The wall clock, in milliseconds; it may jump. */
  wall (): number
  /** Calls `fn` once, not before `delayMs` milliseconds. Keeps the process alive until then. */
  setTimer (fn: () => void, delayMs: number): Timer
  /** Calls `fn` when the current turn of the event loop is over. */
  nextTurn (fn: () => void): void
  /** Unpredictable bytes, for ids. */
  randomBytes (length: number): Uint8Array
}

export interface Timer {
  cancel (): void
}

const nextTurn: (fn: () => void) => void = typeof setImmediate === 'function'
  ? (fn) => { setImmediate(fn) }
  : viaMessageChannel()

export const realEnvironment: Environment = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer (fn, delayMs) {
    const timer = setTimeout(fn, delayMs)
    return { cancel () { clearTimeout(timer) } }
  },
  nextTurn,
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length))
}

// Browsers have no setImmediate, and their setTimeout waits 4 ms when nested.
function viaMessageChannel (): (fn: () => void) => void {
  if (typeof MessageChannel !== 'function') return (fn) => { setTimeout(fn, 0) }

  const queue: Array<() => void> = []
  const channel = new MessageChannel()
  channel.port1.onmessage = () => queue.shift()?.()

  return (fn) => {
    queue.push(fn)
    channel.port2.postMessage(null)
  }
}
