/** The built site on a server of this machine, and its pages in Chromium. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

export const DIST = join(import.meta.dirname, '../../docs/.vitepress/dist')

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.woff2': 'font/woff2',
}

/** Serves the site as GitHub Pages does: an address without an extension is an HTML file. */
export async function startSite() {
  const server = createServer(({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://site.test')
    const path = pathname.endsWith('/') ? `${pathname}index.html` : extname(pathname) ? pathname : `${pathname}.html`
    try {
      const content = readFileSync(join(DIST, path))
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream').end(content)
    } catch {
      response.writeHead(404, { 'content-type': 'text/html' }).end(readFileSync(join(DIST, '404.html')))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Without a sandbox, since Chromium's sandbox does not work for root, which containers often use. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds serious or critical, with the first elements. */
export async function seriousProblems(page: Page): Promise<unknown> {
  await page.evaluate(axe)
  return page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))]))`)
}

/**
 * The path and the anchor of the first results of a search, such as `/options#concurrency`. The page shows the site.
 * `look` is called while the box is open.
 */
export async function search(page: Page, words: string, look?: () => Promise<void>): Promise<string[]> {
  await page.keyboard.press('Escape')
  await page.evaluate('sessionStorage.clear()') // or the box begins with the words before, and their results
  await page.locator('.DocSearch-Button').first().click()
  await page.locator('#localsearch-input').fill(words)
  await page.waitForFunction(
    `document.querySelector('.VPLocalSearchBox .results a.result, .VPLocalSearchBox .no-results') !== null`,
  )
  const links = await page
    .locator('.VPLocalSearchBox a.result')
    .evaluateAll((found) => found.map((a) => a.getAttribute('href') ?? ''))
  await look?.()
  await page.keyboard.press('Escape')
  return links.slice(0, 3)
}
