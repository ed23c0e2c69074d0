import type { Page } from 'playwright-core'
import test from 'tape'
import { openMember, openPage, startBrowser } from './chromium.ts'
import type { Configuration } from './page/open.ts'
import { inPage, inWorker } from './remote.ts'
import { startServers } from './servers.ts'
import { serveSite } from './site.ts'

const timeout = 120_000
const failureTimeoutMs = 2000

test('a page and its worker are two members over a MessagePort', { timeout }, async (t) => {
  const [url, browser] = await Promise.all([serveSite(t, 'esbuild'), startBrowser(t)])
  const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
  const configure = (name: string, peer: string): Configuration => ({
    store: 'memory',
    location: '',
    options: { name, host: name, port: 1, peers: [{ host: peer, port: 1 }] },
    isOnline: true
  })
  await openMember(page, configure('page', 'worker'))
  await page.evaluate((configuration) => harness.openInWorker(configuration), configure('worker', 'page'))
  const [one, other] = [inPage(page), inWorker(page)]

  await one.put('a', '1')
  t.equal(await other.get('a'), '1')
  const large = 'x'.repeat(3_000_000)
  await other.put('b', large)
  t.equal(await one.get('b'), large)
  await Promise.all([one, other].map(async (each, i) => {
    for (let n = 0; n < 100; n++) await each.put(`key ${n % 10}`, `${i} ${n}`)
  }))
  t.deepEqual(await one.entries(), await other.entries(), 'both have the same')
  t.equal((await one.stats()).members.length, 2)
})

test('two tabs and a server: one tab may be closed, and come back', { timeout }, async (t) => {
  const [url, browser, [server]] = await Promise.all([serveSite(t, 'esbuild'), startBrowser(t), startServers(t, ['server'], { failureTimeoutMs })])
  if (server === undefined) throw new Error('There is no server')
  const open = async (name: string, other: string): Promise<Page> => {
    const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
    await page.evaluate((name) => { harness.joinTabs(name) }, name)
    await openMember(page, {
      store: 'indexeddb',
      location: name,
      options: { name, host: name, port: 1, peers: [server.address, { host: other, port: 1 }], minConsensus: 1, failureTimeoutMs },
      isOnline: true
    })
    return page
  }

  const [left, right] = await Promise.all([open('left', 'right'), open('right', 'left')])
  const [one, other] = [inPage(left), inPage(right)]
  await Promise.all([one.ready(), other.ready()])
  await one.put('a', '1')
  await other.put('b', '2')
  t.deepEqual([await other.get('a'), await one.get('b'), await server.member.get('b')], ['1', '2', '2'])
  const { members, peers } = await one.stats()
  t.equal(members.length, 3)
  t.deepEqual(peers.map(({ name, connected }) => [name, connected]).sort(), [['right', true], ['server', true]], 'each is connected with both others')

  await right.close()
  await one.put('c', '3')
  t.equal(await server.member.get('c'), '3', 'writes go on without it')
  const again = inPage(await open('right', 'left'))
  t.deepEqual([await again.get('b'), await again.get('c')], ['2', '3'], 'and it catches up when it is back')
  t.equal((await again.stats()).start, 2)
})
