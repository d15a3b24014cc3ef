/** The first screen of the site, what other sites show of its pages, and its page for unknown addresses. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DIST, startChromium, startSite } from './site.ts'

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))

t.test('each page has an icon and preview tags with absolute addresses', async (t) => {
  const pages = globSync('*.html', { cwd: DIST })
  t.ok(pages.includes('settings.html'))
  for (const page of pages) {
    const html = readFileSync(join(DIST, page), 'utf8')
    if (html.includes('http-equiv="refresh"')) continue // leads from an old address to the new one
    const [, icon = ''] = /<link rel="icon" [^>]*href="\/([^"]+)"/.exec(html) ?? []
    t.ok(existsSync(join(DIST, icon)), `${page}: ${icon}`)
    const tags = new Map(
      Array.from(html.matchAll(/<meta property="([^"]+)" content="([^"]*)"/g), ([, name, content]) => [name, content]),
    )
    const { pathname, protocol } = new URL(tags.get('og:image') ?? '')
    t.equal(protocol, 'https:')
    t.ok(existsSync(join(DIST, pathname.split('/').at(-1) as string)), pathname)
    t.match(tags.get('og:url'), /^https:/)
    t.not(tags.get('og:title') ?? '', '', page)
    t.not(tags.get('og:description') ?? '', '', page)
  }
})

t.test('in Chromium', async (t) => {
  const site = await startSite()
  const browser = await startChromium()
  t.teardown(async () => {
    await browser.close()
    site.close()
  })

  for (const [width, height] of [
    [1280, 800],
    [390, 844],
  ] as const) {
    t.test(
      `the first screen at ${width} px has one sentence, the code, "Get started", the version and three figures`,
      async (t) => {
        const page = await browser.newPage({ viewport: { width, height } })
        await page.goto(site.address)
        const parts = {
          sentence: page.getByText('reports exactly the records that failed'),
          code: page.locator('.vp-doc div[class*="language-"]').first(),
          start: page.getByRole('link', { name: 'Get started' }),
          version: page.getByText(version, { exact: true }).first(),
          figure1: page.getByText('0 of 10,000', { exact: true }),
          figure2: page.getByText('$0.12', { exact: true }),
          figure3: page.locator('.vp-doc li').nth(2),
        }
        for (const [name, part] of Object.entries(parts)) {
          const box = await part.boundingBox()
          t.ok(box && box.y >= 0 && box.y + box.height <= height, `${name}: ${JSON.stringify(box)}`)
        }
        await parts.start.click()
        t.match(page.url(), /#start$/)
        await page.close()
      },
    )
  }

  t.test('an unknown address shows a page with links that work', async (t) => {
    const page = await browser.newPage()
    const response = await page.goto(`${site.address}/no-such-page`)
    t.equal(response?.status(), 404)
    t.equal(await page.locator('h1').textContent(), 'This page does not exist')
    const links = await page
      .locator('.not-found a')
      .evaluateAll((found) => found.map((a) => a.getAttribute('href') ?? ''))
    t.ok(links.length >= 4)
    for (const link of links.filter((link) => link.startsWith('/'))) {
      t.ok(existsSync(join(DIST, link === '/' ? 'index.html' : `${link}.html`)), link)
    }
  })

  t.test('the footer has the version of package.json, on pages with and without a sidebar', async (t) => {
    const page = await browser.newPage()
    for (const path of ['', 'settings']) {
      await page.goto(`${site.address}/${path}`)
      t.ok(await page.locator('.VPFooter').isVisible())
      t.match(await page.locator('.VPFooter').textContent(), `Version ${version}`)
    }
  })
})
