import test from 'tape'
import { openMember, openPage, startBrowser } from './chromium.ts'
import type { Configuration } from './page/open.ts'
import { inPage } from './remote.ts'
import { startServers } from './servers.ts'
import type { Server } from './servers.ts'
import { serveSite } from './site.ts'

const timeout = 120_000
const shared = { minConsensus: 1, failureTimeoutMs: 2000 }

function configure (store: Configuration['store'], servers: Server[]): Configuration {
  const peers = servers.map(({ address }) => address)
  return { store, location: 'data', options: { name: 'page', peers, ...shared }, isOnline: true }
}

test('a page is a member beside two servers, in memory, bundled by esbuild', { timeout }, async (t) => {
  const [url, browser, servers] = await Promise.all([serveSite(t, 'esbuild'), startBrowser(t), startServers(t, ['s', 't'], shared)])
  const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
  await openMember(page, configure('memory', servers))
  const member = inPage(page)
  const [s, u] = servers.map(({ member }) => member) as [typeof member, typeof member]

  await member.put('from the page', 'é'.repeat(100_000))
  t.equal(await s.get('from the page'), 'é'.repeat(100_000))
  t.equal(await u.get('from the page'), 'é'.repeat(100_000))
  await s.put('from a server', '1')
  t.equal(await member.get('from a server'), '1')
  await Promise.all([member, s, u].map(async (each, i) => {
    for (let n = 0; n < 50; n++) await each.put(`key ${n % 10}`, `${i} ${n}`)
  }))
  const entries = await member.entries()
  t.equal(entries.length, 12)
  t.deepEqual([await s.entries(), await u.entries()], [entries, entries], 'all have the same')

  const { role, status, members } = await member.stats()
  t.deepEqual([role, status, members.length], ['member', 'ready', 3])

  await page.close()
  await u.put('after the page', '2')
  t.equal(await s.get('after the page'), '2', 'the servers go on without it')
})

test('a page with IndexedDB is the same member after a reload, bundled by Vite', { timeout }, async (t) => {
  const [url, browser, servers] = await Promise.all([serveSite(t, 'vite'), startBrowser(t), startServers(t, ['s', 't'], shared)])
  const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
  const configuration = configure('indexeddb', servers)
  const [s, u] = servers.map(({ member }) => member) as [Server['member'], Server['member']]
  const member = inPage(page)
  await openMember(page, configuration)
  await s.put('a', '1')
  await member.put('b', '2')
  t.deepEqual([await member.get('a'), await s.get('b'), await u.get('b')], ['1', '2', '2'])
  const before = await member.stats()
  t.equal(before.logPlace, 'store')

  await page.reload()
  await u.put('c', '3')
  t.equal(await page.evaluate(() => harness.peek('data', 'b')), '2', 'it is in IndexedDB')
  t.equal(await page.evaluate(() => harness.peek('data', 'c')), null, 'and what was written meanwhile is not')

  await openMember(page, configuration)
  t.equal(await member.get('c'), '3', 'it gets what it has missed')
  await member.put('d', '4')
  t.deepEqual([await s.get('d'), await u.get('d')], ['4', '4'])
  const after = await member.stats()
  t.deepEqual([after.id, after.start, after.members.length], [before.id, before.start + 1, 3])
})
