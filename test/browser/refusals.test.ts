import test from 'tape'
import { openMember, openPage, startBrowser } from './chromium.ts'
import { inPage, RemoteError } from './remote.ts'
import { serveSite } from './site.ts'

const timeout = 60_000

test('what a browser does not have is refused, in words that say what to do', { timeout }, async (t) => {
  const [url, browser] = await Promise.all([serveSite(t, 'esbuild'), startBrowser(t)])
  const open = async (peers: object[], isOnline = false) => {
    const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
    await openMember(page, { store: 'memory', location: '', options: { peers: peers as [] }, isOnline })
    return inPage(page)
  }

  for (const peer of [{ host: '127.0.0.1', port: 1 }, { dns: 'localhost', port: 1 }]) {
    const refusal = await open([peer]).then(() => null, (error: RemoteError) => error)
    t.equal(refusal?.code, 'LEVEL_NOT_SUPPORTED')
    t.match(refusal?.message ?? '', /the option 'transport' .* webSocketTransport\(\)/)
  }

  const resolver = await open([{ dns: 'localhost', port: 1 }], true)
  const resolved = await resolver.error()
  t.equal(resolved.code, 'LEVEL_NOT_SUPPORTED')
  t.match(resolved.message, /no entries with dns or srv/)

  const alone = await open([])
  await alone.put('a', '1')
  t.equal(await alone.get('a'), '1', 'alone it is a database like any other')
  try {
    await alone.listen(1)
    t.fail('it listens')
  } catch (error) {
    t.equal((error as RemoteError).code, 'LEVEL_NOT_SUPPORTED')
    t.match((error as RemoteError).message, /createServer\(\)/)
  }
  await alone.addPeer({ host: '127.0.0.1', port: 1 })
  const dialled = await alone.error()
  t.equal(dialled.code, 'LEVEL_NOT_SUPPORTED')
  t.match(dialled.message, /the option 'transport'/)
})
