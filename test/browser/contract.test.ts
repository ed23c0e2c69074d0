import test from 'tape'
import { openPage, startBrowser } from './chromium.ts'
import { serveSite } from './site.ts'

const timeout = 120_000

test('the streams of a page do what every transport has to', { timeout }, async (t) => {
  const [url, browser] = await Promise.all([serveSite(t, 'esbuild'), startBrowser(t)])
  const page = await openPage(browser, url, (error) => { t.fail(error.stack) })
  const names = await page.evaluate(() => harness.tests())
  t.ok(names.length > 10, `${names.length} tests`)
  for (const name of names) t.deepEqual(await page.evaluate((name) => harness.runTest(name), name), [], name)
})
