/** The part of the data that an observer holds: all keys that begin with these bytes, at least one. */
export type Part = Uint8Array

export function samePart (a: Part | null, b: Part | null): boolean {
  return a?.join() === b?.join()
}

export function isInPart (part: Part | null, key: Uint8Array): boolean {
  return part === null || comparePart(part, key) === 0
}

/** A copy of the part begins after this key. */
export function beforePart (part: Part): Uint8Array {
  return part.subarray(0, -1)
}

/** Neither this key nor any after it is in the part. */
export function isBeyondPart (part: Part, key: Uint8Array): boolean {
  return comparePart(part, key) < 0
}

/** Above 0 if the key comes before the part, below if after. */
function comparePart (part: Part, key: Uint8Array): number {
  for (let i = 0; i < part.length; i++) {
    const difference = (part[i] as number) - (key[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}
