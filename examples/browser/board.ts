/**
 * What the board is in the database. The text of a card and its place are entries of their own, so that an edit in one tab and
 * a move in another do not undo each other: of two writes of the same entry, the later one counts.
 */

export const columns = ['To do', 'Doing', 'Done'] as const

export interface Place {
  /** An index of `columns`. */
  column: number
  /** Cards of a column are in the order of their ranks. */
  rank: number
}

export interface Card extends Place {
  id: string
  text: string
}

export type Operation =
  | { type: 'put', key: string, value: string }
  | { type: 'del', key: string }

/** By their keys. */
export type Entries = ReadonlyMap<string, string>

const textKey = (id: string) => `card!${id}!text`
const placeKey = (id: string) => `card!${id}!place`

export function add (id: string, text: string, { column, rank }: Place): Operation[] {
  return [...edit(id, text), ...move(id, { column, rank })]
}

export function edit (id: string, text: string): Operation[] {
  return [{ type: 'put', key: textKey(id), value: text }]
}

export function move (id: string, { column, rank }: Place): Operation[] {
  return [{ type: 'put', key: placeKey(id), value: JSON.stringify({ column, rank }) }]
}

export function remove (id: string): Operation[] {
  return [{ type: 'del', key: textKey(id) }, { type: 'del', key: placeKey(id) }]
}

/** What is used of the database. */
export interface Readable {
  iterator (range: { gte: string, lt: string }): { all (): Promise<Array<[string, string]>> }
}

export async function readEntries (db: Readable): Promise<Entries> {
  return new Map(await db.iterator({ gte: 'card!', lt: 'card"' }).all())
}

/** As they will be when these are written. */
export function withOperations (entries: Entries, operations: Iterable<Operation>): Entries {
  const result = new Map(entries)
  for (const operation of operations) {
    if (operation.type === 'put') result.set(operation.key, operation.value)
    else result.delete(operation.key)
  }
  return result
}

/** Those of each column, in their order. */
export function cardsOf (entries: Entries): Card[][] {
  const cards: Card[][] = columns.map(() => [])
  for (const [key, value] of entries) {
    const [, id = '', what] = key.split('!')
    const text = entries.get(textKey(id))
    // One of the two alone is what is left of a card that was deleted while somebody else has changed it.
    if (what !== 'place' || text === undefined) continue
    const { column, rank } = JSON.parse(value) as Place
    cards[column]?.push({ id, text, column, rank })
  }
  for (const column of cards) column.sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1))
  return cards
}

/** A rank for a card that is to come at this index of the cards. */
export function rankAt (cards: readonly Card[], index: number): number {
  const before = cards[index - 1]?.rank
  const after = cards[index]?.rank
  if (before === undefined) return after === undefined ? 0 : after - 1
  return after === undefined ? before + 1 : (before + after) / 2
}
