import type { Traced } from './messages.ts'
import type { NodeProcess } from './node-process.ts'
import { formatTable } from './table.ts'

/** The last events of these nodes, in the order in which they happened: on one machine there is one clock. */
export async function describeTrace (nodes: readonly NodeProcess[], limit: number): Promise<{ table: string, text: string }> {
  const traces = await Promise.all(nodes.map(async (node) => {
    const events = await node.call('trace', [])
    return events.map(({ at, event, ...details }) => ({ at, row: [node.name, new Date(at).toISOString().slice(11, 23), event, describeDetails(details)] }))
  }))
  const events = traces.flat().sort((one, other) => one.at - other.at)
  const rows = events.slice(-limit).map(({ row }) => row)
  return {
    // Messages of errors may be long: a terminal gets what fits, a pipe everything.
    table: formatTable(['node', 'time (UTC)', 'event', 'what'], rows, process.stdout.columns || Infinity),
    text: rows.length === events.length ? `${rows.length} events` : `the last ${rows.length} of ${events.length} events`
  }
}

/** What is empty or false says nothing. */
function describeDetails (details: Omit<Traced, 'at' | 'event'>): string {
  return Object.entries(details).flatMap(([name, value]) => {
    const text = describeValue(value)
    return value === false || text === '' ? [] : [value === true ? name : `${name} ${text}`]
  }).join(', ')
}

function describeValue (value: unknown): string {
  if (Array.isArray(value)) return value.join(' ')
  if (typeof value === 'object' && value !== null) return Object.values(value).join(':')
  return value === null ? '' : String(value)
}
