/** Of a sorted array: the smallest value that is at least as large as `percent` of them. NaN if there is none. */
export function percentile (sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * percent / 100) - 1)] ?? NaN
}

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}

/** The same figure in several runs. */
export interface Summary {
  median: number
  min: number
  max: number
}

/** Null if there are no values. */
export function summarize (values: readonly number[]): Summary | null {
  if (values.length === 0) return null
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}
