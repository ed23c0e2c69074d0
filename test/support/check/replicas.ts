import type { Verdict } from './history.ts'

/** What one node holds. */
export interface Replica {
  name: string
  /** Data, in key order. */
  entries: ReadonlyArray<readonly [key: Uint8Array, value: Uint8Array]>
  /** Log records, by ascending position. One may begin later than another's: logs are truncated independently. */
  log?: ReadonlyArray<readonly [position: number, record: Uint8Array]>
}

/** Are all replicas byte-identical? Reports the first difference of each to the first replica. */
export function checkReplicas (replicas: readonly Replica[]): Verdict {
  const [first, ...others] = replicas
  if (first === undefined) return { verdict: 'ok', steps: 0 }

  const messages: string[] = []
  let steps = 0
  for (const other of others) {
    steps += first.entries.length
    const message = compareEntries(first, other) ?? compareLogs(first, other)
    if (message !== null) messages.push(message)
  }

  if (messages.length === 0) return { verdict: 'ok', steps }
  return { verdict: 'violation', problems: messages.map((message) => ({ rule: 'different-replicas', message, operations: [] })) }
}

function compareEntries (a: Replica, b: Replica): string | null {
  const length = Math.max(a.entries.length, b.entries.length)
  for (let i = 0; i < length; i++) {
    const left = a.entries[i]
    const right = b.entries[i]
    if (left !== undefined && right !== undefined && equal(left[0], right[0]) && equal(left[1], right[1])) continue
    return `Data differ at entry ${i}: ${a.name} has ${showEntry(left)}, ${b.name} has ${showEntry(right)}`
  }
  return null
}

function compareLogs (a: Replica, b: Replica): string | null {
  if (a.log === undefined || b.log === undefined) return null
  const ofB = new Map(b.log)
  const begin = Math.max(a.log[0]?.[0] ?? 0, b.log[0]?.[0] ?? 0)
  const positions = new Set([...a.log, ...b.log].map(([position]) => position).filter((position) => position >= begin))
  const ofA = new Map(a.log)

  for (const position of [...positions].sort((x, y) => x - y)) {
    const left = ofA.get(position)
    const right = ofB.get(position)
    if (left !== undefined && right !== undefined && equal(left, right)) continue
    return `Logs differ at position ${position}: ${a.name} has ${show(left)}, ${b.name} has ${show(right)}`
  }
  return null
}

function equal (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function showEntry (entry: readonly [Uint8Array, Uint8Array] | undefined): string {
  return entry === undefined ? 'nothing' : `${show(entry[0])} = ${show(entry[1])}`
}

function show (bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'nothing'
  const hex = Array.from(bytes.subarray(0, 32), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return bytes.length > 32 ? `0x${hex}… (${bytes.length} bytes)` : `0x${hex}`
}
