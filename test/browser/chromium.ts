import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'
import type { Lifetime } from '../support/cluster/cluster.ts'
import { valueOf } from './remote.ts'
import type { Configuration } from './page/open.ts'
import type {} from './page/page.ts'

const run = promisify(execFile)

// It is not to ask the network for anything.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A browser with storage of its own, until the test is over. */
export async function startBrowser (lifetime: Lifetime): Promise<BrowserContext> {
  await run(process.execPath, ['scripts/install-chromium.js'])
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args })
  lifetime.teardown(async () => { await browser.close() })
  return await browser.newContext()
}

/** What goes wrong in the page, and nobody catches, fails the test. */
export async function openPage (context: BrowserContext, url: string, onError: (error: Error) => void): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', onError)
  await page.goto(url)
  await page.waitForFunction(() => 'harness' in globalThis)
  return page
}

export async function openMember (page: Page, configuration: Configuration): Promise<void> {
  valueOf(await page.evaluate((configuration) => harness.open(configuration), configuration))
}
