import axe from 'axe-core'
import { test } from 'tap'
import { renderPage } from '../../src/tune/page.ts'
import { browser, texts } from '../support/browser.ts'
import { measurement } from '../support/combinations.ts'
import { tuneResult } from '../support/tune-result.ts'

const page = renderPage(tuneResult())

test('the page has tiles, the recommendation, its settings and the failures, and is small', async (t) => {
  for (const text of [
    '<dt>Memory</dt><dd>256 MB</dd>',
    '<dt>Concurrency</dt><dd>40</dd>',
    '<dt>Records per second</dt><dd>1,849</dd>',
    '<dt>Per million messages</dt><dd>$0.0847</dd>',
    '<dt>Failed records</dt><dd>0 %</dd>',
    'BOUNDED_SQS_BATCH_CONCURRENCY: 40\nVisibilityTimeout: 185 # or more',
    '<li>Concurrency 79: 1,870 of 10,000 records failed: Error: downstream returned 503</li>',
    'POWERTOOLS_IDEMPOTENCY_DISABLED=true',
    'These values are a first guess. Confirm the memory size on AWS, with AWS Lambda Power Tuning.',
  ]) {
    t.match(page, text)
  }
  t.ok(Buffer.byteLength(page) < 150_000, `${Buffer.byteLength(page)} bytes`)
  t.notMatch(page, '<script')
})

test('texts of the handler cannot add HTML', async (t) => {
  const causes = { '<img src=x onerror=alert(1)>': 5 }
  const bad = renderPage(
    tuneResult({ handler: '<b>', measurements: [measurement({ failedShare: 0.005, causes }), measurement()] }),
  )
  t.notMatch(bad, /<img|<b>/)
  t.match(bad, '&#60;img src=x onerror=alert(1)&#62;')
})

test('the recommendation is marked in the chart, the bars and the heat map, and what failed is crossed out', async (t) => {
  t.equal(page.match(/class="ring"/g)?.length, 1)
  t.equal(page.match(/class="point"/g)?.length, 4)
  t.match(page, /<text class="bad"[^>]*>✕<\/text>/)
  t.match(page, /<th scope="row">256 MB<\/th><td><span class="bar" style="width: \d+%"><\/span> \$0\.0847 ★<\/td>/)
  t.match(page, /<td class="recommended" style="--share: \d+%">1,849 ★<\/td>/)
  t.equal(page.match(/<td class="unusable"/g)?.length, 6, '79 with each memory size, and 50 with 128 MB')
})

test('a slow or fast round does not stretch the axis', async (t) => {
  const points = (html: string) => html.match(/<polyline[^>]*>/)?.[0]
  const usual = [measurement({ concurrency: 10 }), measurement()]
  const wide = [measurement({ concurrency: 10 }), measurement({ lowest: 1, highest: 99_999 })]
  const [first, second] = [usual, wide].map((measurements) => renderPage(tuneResult({ measurements })))
  t.equal(points(second ?? ''), points(first ?? ''))
  const heights = [...(second ?? '').matchAll(/class="range"[^>]* y1="([\d.]+)" y2="([\d.]+)"/g)].flat()
  t.equal(heights.at(-1), '14', 'the top of the chart')
})

test('a line that the chart cuts has a sign, which the caption explains', async (t) => {
  const signs = (highest: number) => {
    const measurements = [measurement({ concurrency: 10 }), measurement({ lowest: 1, highest })]
    const html = renderPage(tuneResult({ measurements }))
    return [html.match(/<text class="cut"[^>]*>▲<\/text>/g)?.length ?? 0, /fastest round(.*?)\. ○/.exec(html)?.[1]]
  }
  t.strictSame(signs(99_999), [1, ', or ends at ▲ if the fastest is above the axis'])
  t.strictSame(signs(1081), [1, ', or ends at ▲ if the fastest is above the axis'], 'the axis ends at 1,080')
  t.strictSame(signs(1080), [0, ''])
})

test('a page without measurements, with one, and with one at which nothing succeeded', async (t) => {
  for (const measurements of [[], [measurement()], [measurement({ goodput: 0, failedShare: 1 })]]) {
    t.notMatch(renderPage(tuneResult({ measurements })), /NaN|undefined|Infinity/)
  }
})

test('the page in Chromium, in light and dark, on a phone', async (t) => {
  const open = await browser(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      const opened = await open(page, { colorScheme, viewport: { width, height: 800 }, bypassCSP: true })
      t.strictSame([opened.requests, opened.problems], [[opened.address], []])
      t.equal(
        await opened.page.evaluate('document.documentElement.scrollWidth'),
        width,
        'nothing is wider than the page',
      )
      await opened.page.evaluate(axe.source)
      const { violations } = (await opened.page.evaluate('axe.run()')) as axe.AxeResults
      t.strictSame(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
      )
      t.equal((await texts(opened.page, 'h2')).length, 5)
    }
  }
})
