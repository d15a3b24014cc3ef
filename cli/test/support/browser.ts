import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { folder } from './runs.ts'

/** Debian's Chromium, which .ci/chromium installs. CHROMIUM can name another one. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Milliseconds. Longer than Playwright's 30 s, because a machine can be ten times slower while other work runs. */
const TIMEOUT = 300_000

/**
 * Starts Chromium. The function that it returns opens a page without network, and collects everything that the page
 * requests and everything that goes wrong in it. `scripts` run before those of the page.
 */
export async function browser(t: Test) {
  if (!existsSync(executablePath)) {
    throw new Error(
      `expected Chromium at ${executablePath}: run .ci/chromium, or set CHROMIUM to the path of another one`,
    )
  }
  // Without a sandbox, since Chromium's sandbox does not work for root, which containers often use.
  const chrome = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: TIMEOUT })
  t.teardown(() => chrome.close())
  return async (html: string, options: BrowserContextOptions = {}, ...scripts: string[]) => {
    const file = join(folder(t), 'page.html')
    writeFileSync(file, html)
    const context = await chrome.newContext({ ...options, offline: true })
    context.setDefaultTimeout(TIMEOUT)
    const page = await context.newPage()
    const address = pathToFileURL(file).href
    const requests: string[] = []
    const problems: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    page.on('requestfailed', (request) => problems.push(`request failed: ${request.url()}`))
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => problems.push(`console: ${message.text()}`))
    for (const content of scripts) await page.addInitScript({ content })
    await page.goto(address)
    return { page, address, requests, problems }
  }
}

/** The texts of the elements, without the spaces around them. */
export async function texts(page: Page, selector: string): Promise<string[]> {
  return (await page.locator(selector).allTextContents()).map((text) => text.replaceAll(/\s+/g, ' ').trim())
}
