import type { SimMachine } from '../../lib/sim/index.ts'
import type { KeyRange } from '../support/check/history.ts'
import type { SimSettings } from './settings.ts'

/** The sublevel to which some observers keep, and how its keys begin. */
export const SUBLEVEL = 'p'
const PREFIX = '!p!'
/** Behind all of them. */
const BEYOND = '!p"'

/** What all keys of the data begin with that a machine holds: nothing, if it holds all. */
export function partOf ({ options }: SimMachine): string {
  return options.sublevel === undefined ? '' : PREFIX
}

/** The keys that clients use: where some hold a part, in it, behind it and before it. */
export function keysOf ({ keys, observers }: SimSettings): string[] {
  const prefixes = observers !== null && observers.partial > 0 ? [PREFIX, '', '!a!'] : ['']
  return Array.from({ length: keys }, (_, i) => `${prefixes[i % prefixes.length] as string}k${i}`)
}

/** As much of a range as is in the part that a machine holds. */
export function withinPart (machine: SimMachine, range: KeyRange): KeyRange {
  if (partOf(machine) === '') return range
  const { gte = PREFIX, lt = BEYOND } = range
  return { ...range, gte: gte > PREFIX ? gte : PREFIX, lt: lt < BEYOND ? lt : BEYOND }
}
