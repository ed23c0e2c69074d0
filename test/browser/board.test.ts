import { once } from 'node:events'
import test from 'tape'
import type { BrowserContext, WebSocketRoute } from 'playwright-core'
import { WebSocket } from 'ws'
import { Board, names, Tab } from './board.ts'
import { startBrowser } from './chromium.ts'

const timeout = 180_000

/** On a busy machine, nobody is to be taken for dead. */
const patient = ['--failure-timeout', '4000']

test('what anybody changes appears in all tabs, and is on all servers', { timeout }, async (t) => {
  const [board, browser] = await Promise.all([Board.start(t, patient), startBrowser(t)])
  const fail = (error: Error) => { t.fail(error.stack) }
  const one = await Tab.open(browser, board.urls.a, fail)
  // Two of the same site, and so beside each other in IndexedDB, and one of another.
  const others = await Promise.all([board.urls.a, board.urls.b].map((url) => Tab.open(browser, url, fail)))
  const two = others[1] as Tab
  const both = async (...cards: string[]) => {
    for (const tab of [one, ...others]) await tab.shows(cards)
    t.deepEqual(await one.cards(), cards, cards.join(', '))
  }

  await one.add(0, 'Milk')
  await both('To do: Milk')
  await two.add(0, 'Bread')
  await both('To do: Milk', 'To do: Bread')

  await two.page.locator('textarea').first().press('End')
  await two.page.keyboard.type(' and honey')
  await both('To do: Milk and honey', 'To do: Bread')

  // An edit in one and a move in another, at the same time.
  await Promise.all([
    one.part('Move “Milk and honey”: arrow keys, or drag').press('ArrowRight'),
    two.page.keyboard.type('!')
  ])
  await both('To do: Bread', 'Doing: Milk and honey!')
  // The caret is still in the card that was moved.
  await two.page.keyboard.type('!')
  await both('To do: Bread', 'Doing: Milk and honey!!')

  await two.part('“Bread” is done').check()
  await both('Doing: Milk and honey!!', 'Done: Bread')

  await one.add(2, 'Salt')
  await both('Doing: Milk and honey!!', 'Done: Bread', 'Done: Salt')
  await one.part('Move “Salt”: arrow keys, or drag').dragTo(one.page.locator('#board section:nth-child(1) h2'))
  await both('To do: Salt', 'Doing: Milk and honey!!', 'Done: Bread')

  await two.part('Delete “Bread”').click()
  await both('To do: Salt', 'Doing: Milk and honey!!')

  for (const tab of [one, two]) t.deepEqual([...new Set(await tab.states())], ['committed'])
  for (const name of names) t.deepEqual(await board.cards(name), await one.cards(), `${name} holds that`)
  t.deepEqual(await board.run('check'), ['check: all servers hold the same'])
})

test('a page of somebody else cannot connect', { timeout }, async (t) => {
  const { urls: { a: url, b } } = await Board.start(t, patient)
  for (const [origin, code] of [['http://example.com', 401], [new URL(b).origin, 101], [undefined, 101]] as const) {
    const socket = new WebSocket(url.replace('http', 'ws'), origin === undefined ? {} : { origin })
    const answer = await Promise.race([once(socket, 'upgrade'), once(socket, 'unexpected-response').then(([, response]) => [response])])
    t.equal(answer[0].statusCode, code, origin ?? 'a node')
    socket.on('error', () => {}).terminate()
  }
})

test('the coordinator is killed, and comes back', { timeout }, async (t) => {
  const [board, browser] = await Promise.all([Board.start(t, [...patient, '--write-timeout', '60000']), startBrowser(t)])
  const fail = (error: Error) => { t.fail(error.stack) }
  const first = await Tab.open(browser, board.urls.a, fail)
  const killed = await first.coordinator()
  const [other, another] = names.filter((name) => name !== killed) as [typeof killed, typeof killed]
  // Its page is kept by the service worker.
  const tab = await Tab.open(browser, board.urls[killed], fail)
  await tab.page.evaluate(async () => { await navigator.serviceWorker.ready })
  await tab.add(0, 'before')
  await tab.outcome('before', 'committed')

  await board.run(`kill ${killed}`)
  await tab.server(killed, 'not connected')
  await tab.add(1, 'during')
  await tab.outcome('during', 'committed')
  await first.shows(['To do: before', 'Doing: during'])
  t.not(await tab.coordinator(), killed, 'the page names another one')
  t.deepEqual(await board.cards(other), await first.cards(), 'the others hold it')
  t.deepEqual(await board.cards(another), await first.cards())

  await tab.page.reload()
  await tab.shows(['To do: before', 'Doing: during'])
  await tab.ready()
  await tab.add(1, 'after a reload')
  await tab.outcome('after a reload', 'committed')

  // It waits for a connection, as long as it may.
  await tab.page.locator('#plug').click()
  for (const name of names) await tab.server(name, 'not connected')
  await tab.add(2, 'queued')
  await tab.outcome('queued', 'pending')
  await tab.shows(['To do: before', 'Doing: during', 'Doing: after a reload', 'Done: queued'])
  t.deepEqual(await board.cards(other), ['To do: before', 'Doing: during', 'Doing: after a reload'], 'and is on no server')
  await tab.page.locator('#plug').click()
  await tab.outcome('queued', 'committed')

  await board.restart(killed)
  await tab.page.waitForSelector(`[data-server="${killed}"][data-state=live]`)
  t.deepEqual(await board.cards(killed), await tab.cards(), 'it has what it has missed')
  t.deepEqual(await board.run('check'), ['check: all servers hold the same'])
})

test('a tab that is offline shows its copy, and tells that its writes were refused', { timeout }, async (t) => {
  const [board, browser] = await Promise.all([Board.start(t, [...patient, '--write-timeout', '4000']), startBrowser(t)])
  const fail = (error: Error) => { t.fail(error.stack) }
  const tab = await Tab.open(browser, board.urls.a, fail)
  await tab.page.evaluate(async () => { await navigator.serviceWorker.ready })
  await tab.add(0, 'Milk')
  await tab.outcome('Milk', 'committed')
  const elsewhere = await Tab.open(await browser.browser()?.newContext() as BrowserContext, board.urls.b, fail)
  await elsewhere.shows(['To do: Milk'])

  await browser.setOffline(true)
  for (const name of names) await tab.server(name, 'not connected')
  await tab.add(0, 'Bread')
  t.match(await tab.outcome('Bread', 'aborted'), /LEVEL_TIMEOUT/)
  await tab.shows(['To do: Milk'])
  await tab.page.locator('textarea').first().fill('Milk and honey')
  t.match(await tab.outcome('Milk and honey', 'aborted'), /LEVEL_TIMEOUT/)
  await tab.shows(['To do: Milk'])
  await elsewhere.add(1, 'Salt')
  await elsewhere.outcome('Salt', 'committed')
  for (const name of names) t.deepEqual(await board.cards(name), ['To do: Milk', 'Doing: Salt'], `${name} has neither`)

  await browser.setOffline(false)
  await tab.shows(['To do: Milk', 'Doing: Salt'])
  await tab.ready()
  await tab.page.locator('#writes li', { hasText: 'Bread' }).getByText('Try again').click()
  await tab.outcome('Bread', 'committed')
  await elsewhere.shows(['To do: Milk', 'To do: Bread', 'Doing: Salt'])
  for (const name of names) t.deepEqual(await board.cards(name), ['To do: Milk', 'To do: Bread', 'Doing: Salt'])

  await browser.setOffline(true)
  await elsewhere.part('Delete “Salt”').click()
  await elsewhere.shows(['To do: Milk', 'To do: Bread'])
  await tab.page.reload()
  await tab.shows(['To do: Milk', 'To do: Bread', 'Doing: Salt'])
  for (const name of names) await tab.server(name, 'not connected')
  t.deepEqual(await tab.cards(), ['To do: Milk', 'To do: Bread', 'Doing: Salt'], 'it shows what is in IndexedDB')
  await browser.setOffline(false)
  await tab.shows(['To do: Milk', 'To do: Bread'])
})

test('what became of a write that is unknown, the page finds out', { timeout }, async (t) => {
  const [board, browser] = await Promise.all([Board.start(t, [...patient, '--write-timeout', '4000']), startBrowser(t)])
  const wires = new Wires()
  await browser.routeWebSocket(/^ws:/, (socket) => { wires.add(socket) })
  const tab = await Tab.open(browser, board.urls.a, (error) => { t.fail(error.stack) })

  // From its first one on, it sends writes without asking before.
  await tab.add(0, 'Milk')
  await tab.outcome('Milk', 'committed')

  wires.lost = 'answers'
  await tab.add(0, 'without an answer')
  await tab.outcome('without an answer', 'unknown')
  await wires.mend()
  t.match(await tab.outcome('without an answer', 'committed'), /as the servers say now/)
  for (const name of names) t.deepEqual(await board.cards(name), ['To do: Milk', 'To do: without an answer'], `${name} holds it`)
  await tab.shows(['To do: Milk', 'To do: without an answer'])
  await tab.ready()

  wires.lost = 'questions'
  await tab.add(0, 'lost on the way')
  await tab.outcome('lost on the way', 'unknown')
  await wires.mend()
  t.match(await tab.outcome('lost on the way', 'aborted'), /as the servers say now/)
  for (const name of names) t.deepEqual(await board.cards(name), ['To do: Milk', 'To do: without an answer'], `${name} does not hold it`)
  t.deepEqual(await tab.cards(), ['To do: Milk', 'To do: without an answer'])
})

/** The connections of a tab. What is lost on one may have been in the midst of something, so it is of no use any more. */
class Wires {
  lost: 'nothing' | 'answers' | 'questions' = 'nothing'
  readonly #open = new Set<WebSocketRoute>()

  add (socket: WebSocketRoute): void {
    const server = socket.connectToServer()
    this.#open.add(socket)
    socket.onMessage((message) => { if (this.lost !== 'questions') server.send(message) })
    server.onMessage((message) => { if (this.lost !== 'answers') socket.send(message) })
  }

  async mend (): Promise<void> {
    const lost = [...this.#open]
    this.#open.clear()
    await Promise.all(lost.map(async (socket) => { await socket.close() }))
    this.lost = 'nothing'
  }
}
