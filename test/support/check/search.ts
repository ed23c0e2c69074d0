/**
 * The search for an order: Wing and Gong's algorithm with Lowe's memory of the configurations that were seen ("Testing
 * for linearizability", 2016), for a map of keys to values that are written once each.
 *
 * A *version* is one value of one key, as a number; the absence of a key is a version, too, and the only one that several
 * calls may write. A version is *dead* when no read that is still to be placed saw it: which dead version a key has makes
 * no difference for the rest. Three consequences keep the search narrow:
 * - a read that agrees with the state is placed at once: any order in which it comes later stays valid if it comes now;
 * - so is a write that replaces dead versions by dead versions;
 * - a write that replaces a version that some read still needs, and that nobody will write again, is a dead end.
 */

export interface SearchCall {
  invoked: number
  /** Infinity: never has to be placed before anything else. */
  completed: number
  required: boolean
  /** Versions that must be current. */
  reads: readonly number[]
  /** Versions that become current, of different keys. */
  writes: readonly number[]
}

export interface SearchProblem {
  calls: readonly SearchCall[]
  /** The key of each version. */
  keyOf: readonly number[]
  /** The version of each key at the beginning. */
  initial: readonly number[]
}

/** Where the search came furthest before it failed. Calls are given by their index. */
export interface Stuck {
  placed: number
  /** The last calls placed, oldest first. */
  last: number[]
  /** The calls of which one would have to be placed next. */
  next: number[]
  /** Calls that are still to be placed and saw what would have to be replaced now. */
  waiting: number[]
  /** The version of each key there. */
  state: number[]
}

export type SearchResult =
  | { verdict: 'ok', steps: number, order: number[] }
  | { verdict: 'violation', steps: number, stuck: Stuck }
  | { verdict: 'undecided', steps: number }

const BLOCKED = 0
const FREE = 1
const CHOICE = 2

interface Queue {
  calls: number[]
  /** All calls before this one are placed. */
  first: number
}

interface Frame {
  call: number
  choices: number[]
  tried: number
  furthestBefore: number
}

export function search (problem: SearchProblem, budget: number): SearchResult {
  const { calls, keyOf } = problem
  const state = [...problem.initial]
  const { next, previous, callAt, entryOf, returnOf, end } = timeline(calls)
  const placed = new Uint8Array(calls.length)
  const readers = new Int32Array(keyOf.length)
  const writers = new Int32Array(keyOf.length)
  let remaining = 0

  // The same as lists: the readers by the end, the writers by the beginning of their time.
  const readersOf: Queue[] = keyOf.map(() => ({ calls: [], first: 0 }))
  const writersOf: Queue[] = keyOf.map(() => ({ calls: [], first: 0 }))
  calls.forEach((call, index) => {
    for (const version of call.reads) {
      readers[version]!++
      readersOf[version]!.calls.push(index)
    }
    for (const version of call.writes) {
      writers[version]!++
      writersOf[version]!.calls.push(index)
    }
    if (call.required) remaining++
  })
  for (const list of readersOf) list.calls.sort((a, b) => calls[a]!.completed - calls[b]!.completed)
  for (const list of writersOf) list.calls.sort((a, b) => calls[a]!.invoked - calls[b]!.invoked)

  const seen = new Set<string>()
  const stack: Frame[] = []
  const replaced: number[] = []
  let furthest = 0
  let steps = 0
  let stuck: Stuck = { placed: -1, last: [], next: [], waiting: [], state: [] }

  while (remaining > 0) {
    if (++steps > budget) return { verdict: 'undecided', steps }

    let free = -1
    const choices: number[] = []
    // Until the first return, any call may be next: nothing that is left ended before it began.
    for (let entry = next[0]!; entry !== end && callAt[entry]! >= 0; entry = next[entry]!) {
      const call = callAt[entry]!
      const kind = classify(calls[call]!)
      if (kind === FREE) {
        free = call
        break
      }
      if (kind === CHOICE) choices.push(call)
    }

    if (free >= 0) {
      const frame = { call: free, choices: [], tried: 0, furthestBefore: furthest }
      place(free)
      stack.push(frame)
      continue
    }

    choices.sort((a, b) => calls[a]!.completed - calls[b]!.completed)
    let frame: Frame | undefined = { call: -1, choices, tried: 0, furthestBefore: furthest }
    if (tryNext(frame)) continue

    if (stack.length > stuck.placed) stuck = describeStuck()

    for (;;) {
      frame = stack.pop()
      if (frame === undefined) return { verdict: 'violation', steps, stuck }
      remove(frame)
      if (++steps > budget) return { verdict: 'undecided', steps }
      if (tryNext(frame)) break
    }
  }

  return { verdict: 'ok', steps, order: stack.map((frame) => frame.call) }

  function classify (call: SearchCall): number {
    for (const version of call.reads) if (state[keyOf[version]!] !== version) return BLOCKED
    if (call.writes.length === 0) return FREE

    for (const version of call.reads) readers[version]!--
    let kind = FREE
    let useful = false
    for (const version of call.writes) {
      const old = state[keyOf[version]!]!
      if (old !== version) {
        useful = true
        if (readers[old]! > 0) {
          if (!returnsInTime(old)) {
            kind = BLOCKED
            break
          }
          kind = CHOICE
        }
      }
      if (readers[version]! > 0) kind = CHOICE
    }
    for (const version of call.reads) readers[version]!++

    // What may as well never happen is placed only where it makes a difference.
    if (!call.required && (kind === FREE || !useful)) return BLOCKED
    return kind
  }

  // Can this version, if it is replaced now, become current again before the first of its readers has to be placed?
  function returnsInTime (version: number): boolean {
    if (writers[version] === 0) return false
    const writer = calls[firstUnplaced(writersOf[version]!)]
    const reader = calls[firstUnplaced(readersOf[version]!)]
    return writer !== undefined && reader !== undefined && writer.invoked <= reader.completed
  }

  function firstUnplaced (list: Queue): number {
    while (placed[list.calls[list.first]!] === 1) list.first++
    return list.calls[list.first] ?? -1
  }

  function tryNext (frame: Frame): boolean {
    while (frame.tried < frame.choices.length) {
      const call = frame.choices[frame.tried++]!
      place(call)
      const configuration = fingerprint()
      if (!seen.has(configuration)) {
        seen.add(configuration)
        frame.call = call
        stack.push(frame)
        return true
      }
      frame.call = call
      remove(frame)
    }
    return false
  }

  function place (index: number): void {
    const call = calls[index]!
    placed[index] = 1
    for (const version of call.reads) readers[version]!--
    for (const version of call.writes) {
      writers[version]!--
      replaced.push(state[keyOf[version]!]!)
      state[keyOf[version]!] = version
    }
    if (call.required) remaining--
    unlink(entryOf[index]!)
    if (returnOf[index]! >= 0) unlink(returnOf[index]!)
    furthest = Math.max(furthest, entryOf[index]!)
  }

  function remove (frame: Frame): void {
    const index = frame.call
    const call = calls[index]!
    furthest = frame.furthestBefore
    if (returnOf[index]! >= 0) relink(returnOf[index]!)
    relink(entryOf[index]!)
    if (call.required) remaining++
    for (let i = call.writes.length - 1; i >= 0; i--) {
      const version = call.writes[i]!
      state[keyOf[version]!] = replaced.pop()!
      writers[version]!++
      writersOf[version]!.first = 0
    }
    for (const version of call.reads) {
      readers[version]!++
      readersOf[version]!.first = 0
    }
    placed[index] = 0
  }

  function unlink (entry: number): void {
    next[previous[entry]!] = next[entry]!
    previous[next[entry]!] = previous[entry]!
  }

  function relink (entry: number): void {
    next[previous[entry]!] = entry
    previous[next[entry]!] = entry
  }

  // The set of placed calls is told by the last of them in time and those before it that are missing: these are few.
  function fingerprint (): string {
    let text = `${furthest}`
    for (let entry = next[0]!; entry < furthest; entry = next[entry]!) text += `,${entry}`
    text += '|'
    for (const version of state) text += readers[version]! > 0 ? `${version},` : ','
    return text
  }

  function describeStuck (): Stuck {
    const candidates: number[] = []
    let entry = next[0]!
    for (; entry !== end && callAt[entry]! >= 0; entry = next[entry]!) candidates.push(callAt[entry]!)
    const waiting = state.flatMap((version) => {
      return readersOf[version]!.calls.filter((call) => placed[call] === 0 && !candidates.includes(call)).slice(0, 2)
    })
    return { placed: stack.length, last: stack.slice(-8).map((frame) => frame.call), next: candidates, waiting, state: [...state] }
  }
}

/** Calls and returns as one list in order of time, doubly linked. At the same time calls come first: they overlap. */
function timeline (calls: readonly SearchCall[]): {
  next: Int32Array
  previous: Int32Array
  callAt: Int32Array
  entryOf: Int32Array
  returnOf: Int32Array
  end: number
} {
  const events: Array<{ time: number, call: number, isReturn: boolean }> = []
  calls.forEach(({ invoked, completed }, call) => {
    events.push({ time: invoked, call, isReturn: false })
    if (completed !== Infinity) events.push({ time: completed, call, isReturn: true })
  })
  events.sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn))

  const end = events.length + 1
  const next = Int32Array.from({ length: end + 1 }, (_, i) => i + 1)
  const previous = Int32Array.from({ length: end + 1 }, (_, i) => i - 1)
  const callAt = new Int32Array(end + 1).fill(-1)
  const entryOf = new Int32Array(calls.length)
  const returnOf = new Int32Array(calls.length).fill(-1)

  events.forEach(({ call, isReturn }, i) => {
    if (isReturn) returnOf[call] = i + 1
    else {
      callAt[i + 1] = call
      entryOf[call] = i + 1
    }
  })
  return { next, previous, callAt, entryOf, returnOf, end }
}
