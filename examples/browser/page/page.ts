/** A tab: a node that is no member of the cluster, with a copy of the board in IndexedDB that follows it. */
import { BrowserLevel } from 'browser-level'
import { Replicator } from 'quorum-level'
import { add, cardsOf, columns, edit, move, rankAt, readEntries, remove, withOperations, type Card, type Entries } from '../board.ts'
import { BoardView } from './board-view.ts'
import { byId } from './dom.ts'
import { ownDatabase } from './own-database.ts'
import { Plug } from './plug.ts'
import { StatusView } from './status-view.ts'
import { Writes } from './writes.ts'
import { WritesView } from './writes-view.ts'

/** There is no event for what others have written: how much is applied tells. */
const pollMs = 100

const name = await ownDatabase()
const db = new BrowserLevel<string, string>(name)
const plug = new Plug()
const { servers, failureTimeoutMs, writeTimeoutMs } = CONFIGURATION
const replicator = Replicator(db, {
  role: 'observer',
  name,
  peers: servers.map(({ host, port }) => ({ host, port })),
  transport: plug.transport,
  failureTimeoutMs,
  writeTimeoutMs
})

let entries: Entries = new Map()
let cards: Card[][] = []
let isReading = false
let isOutdated = false

const writes = new Writes(replicator, () => {
  writesView.show()
  void refresh()
})
const writesView = new WritesView(byId('writes'), writes)
const statusView = new StatusView()

const boardView = new BoardView(byId('board'), {
  add (column, text) {
    const id = crypto.randomUUID()
    const inColumn = cards[column] ?? []
    void writes.write('add', id, text, add(id, text, { column, rank: rankAt(inColumn, inColumn.length) }))
  },
  edit ({ id }, text) {
    void writes.edit(id, text, edit(id, text))
  },
  move ({ id, text }, column, index) {
    const others = (cards[column] ?? []).filter((card) => card.id !== id)
    void writes.write('move', id, text, move(id, { column, rank: rankAt(others, index) }))
    byId('announcement').textContent = `“${text}” is now in ${columns[column]}, ${index + 1} of ${others.length + 1}`
  },
  remove ({ id, text }) {
    void writes.write('delete', id, text, remove(id))
  }
})

/** Shows what the copy of this tab holds, and over it what this tab writes. */
async function refresh (): Promise<void> {
  isOutdated = true
  if (isReading) return
  isReading = true
  while (isOutdated) {
    isOutdated = false
    // What settles while it reads may or may not be in what it reads.
    const before = writes.pending
    try {
      entries = await readEntries(db)
    } catch {
      // There is no copy yet. As soon as there is, it is applied.
    }
    const pending = [...writes.list].reverse().filter((write) => write.state === 'pending' || before.includes(write))
    cards = cardsOf(withOperations(entries, pending.flatMap(({ operations }) => operations)))
    boardView.show(cards, (card) => writes.latest(card))
  }
  isReading = false
}

let applied = -1
function poll (): void {
  const stats = replicator.stats()
  statusView.show(stats, plug.isOut)
  if (stats.applied === applied) return
  applied = stats.applied
  void refresh()
}
setInterval(poll, pollMs)
poll()

byId('plug').addEventListener('click', () => {
  if (plug.isOut) plug.putIn()
  else plug.pull()
  poll()
})

// What is pending would go on without anybody to tell.
addEventListener('beforeunload', (event) => { if (writes.pending.length > 0) event.preventDefault() })

void navigator.serviceWorker?.register('/service-worker.js', { type: 'module' })
