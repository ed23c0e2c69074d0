export interface Scale {
  /** Where a value is drawn. */
  (value: number): number
  /** Round values that surround all others, the first and the last included. */
  ticks: number[]
}

const steps = [1, 2, 5]

/** Logarithmic. `values` are positive; they end up between `from` and `to`. */
export function logScale (values: readonly number[], from: number, to: number): Scale {
  const ticks = roundValues(Math.min(...values), Math.max(...values))
  const [low, high] = [Math.log(ticks[0]!), Math.log(ticks.at(-1)!)]
  return Object.assign((value: number) => from + (Math.log(value) - low) / (high - low) * (to - from), { ticks })
}

/** 1, 2, 5, 10, 20 ...: at least two, from the last that is not above `min` to the first that is not below `max`. */
function roundValues (min: number, max: number): number[] {
  const all: number[] = []
  for (let exponent = Math.floor(Math.log10(min)) - 1; exponent <= Math.ceil(Math.log10(max)) + 1; exponent++) {
    // Not multiplied by a negative power of ten: 5 times 0.1 to the third is not 0.005.
    for (const step of steps) all.push(Number(`${step}e${exponent}`))
  }
  const first = all.findIndex((value) => value > min) - 1
  return all.slice(first, Math.max(all.findIndex((value) => value >= max), first + 1) + 1)
}
