import { Random } from './random.ts'

interface Event {
  readonly at: number
  /** Events at the same time happen in the order in which they were scheduled. */
  readonly order: number
  readonly label: string
  readonly run: () => void
}

/**
 * Virtual time and everything that happens in it. One event runs at a time, with all promises that it settles; nothing
 * else moves time. The same seed gives the same run.
 */
export class World {
  readonly random: Random
  /** Where `transcript` goes, line by line; null for speed. */
  onLine: ((line: string) => void) | null = null

  readonly #heap: Event[] = []
  #now = 0
  #orders = 0
  #stamps = 0
  #events = 0
  #hash = 0x811c9dc5

  constructor (seed: number) {
    this.random = new Random(seed)
  }

  /** Virtual milliseconds since the beginning. */
  get now (): number {
    return this.#now
  }

  /** How many events have happened. */
  get events (): number {
    return this.#events
  }

  /** A hash of everything that has happened: equal for equal runs. */
  get traceHash (): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** A number larger than all before: the one clock of a recorded history. */
  stamp (): number {
    return ++this.#stamps
  }

  /** Runs `fn` after `delayMs` of virtual time. */
  schedule (delayMs: number, label: string, run: () => void): void {
    this.#push({ at: this.#now + Math.max(0, delayMs), order: ++this.#orders, label, run })
  }

  /** A line of the transcript. */
  say (line: string): void {
    this.#mix(line)
    if (this.onLine !== null) this.onLine(`${this.#now.toFixed(3).padStart(12)}  ${line}`)
  }

  /** Runs events until `done()` or until `untilMs` of virtual time. Returns whether it is done. */
  async run (done: () => boolean, untilMs: number): Promise<boolean> {
    // What was called before may have scheduled nothing yet.
    await quiet()
    for (;;) {
      if (done()) return true
      const next = this.#heap[0]
      if (next === undefined || next.at > untilMs) {
        this.#now = Math.max(this.#now, untilMs)
        return false
      }
      this.#pop()
      this.#now = next.at
      this.#events++
      this.#mix(next.label)
      next.run()
      // All promises that this event has settled, and those that they settle, before the next.
      await quiet()
    }
  }

  #mix (text: string): void {
    let hash = this.#hash ^ Math.floor(this.#now * 1024)
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.#hash = hash
  }

  #push (event: Event): void {
    const heap = this.#heap
    let i = heap.push(event) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(event, heap[parent] as Event)) break
      heap[i] = heap[parent] as Event
      i = parent
    }
    heap[i] = event
  }

  #pop (): void {
    const heap = this.#heap
    const last = heap.pop() as Event
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++
      if (before(last, heap[child] as Event)) break
      heap[i] = heap[child] as Event
      i = child
    }
    heap[i] = last
  }
}

function before (a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** How many turns of the event loop's immediates are asked for at once: asking for one at a time costs a system call for each. */
const turnsAtOnce = 64
const onTurn: typeof setImmediate | typeof setTimeout = typeof setImmediate === 'function' ? setImmediate : setTimeout

let waiting: Array<() => void> = []
let turnsLeft = 0

/** Resolves when nothing is left to run in the queues of microtasks and ticks: they are emptied between any two turns. */
function quiet (): Promise<void> {
  return new Promise(resolve => {
    waiting.push(resolve)
    if (turnsLeft > 0) return
    turnsLeft = turnsAtOnce
    for (let i = 0; i < turnsAtOnce; i++) onTurn(turn)
  })
}

function turn (): void {
  turnsLeft--
  const resolves = waiting
  waiting = []
  for (const resolve of resolves) resolve()
}
