import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import type { Combination, Measurement } from '../../src/tune/figures/result.ts'
import { renderReport } from '../../src/tune/report/report.ts'
import { browser, texts } from '../support/browser.ts'
import { tuneResult } from '../support/tune-result.ts'

const PHONE = { viewport: { width: 360, height: 780 } }
const result = tuneResult()
const html = renderReport(result)

test('the report in Chromium', async (t) => {
  const open = await browser(t)
  const { page, address, requests, problems } = await open(html)

  t.test('requests nothing except itself, and has no error', async (t) => {
    t.equal(await page.locator('.chart svg').count(), 4)
    t.same(requests, [address])
    t.same(problems, [])
  })

  t.test('shows the numbers of the JSON in the table, cell by cell', async (t) => {
    const json = JSON.parse((await page.locator('#result').textContent()) ?? '')
    t.strictSame(json, JSON.parse(JSON.stringify(result)))
    const combinations: Combination[] = json.combinations
    await page.getByRole('heading', { name: 'All combinations' }).click()
    const rows = await page
      .getByRole('table', { name: 'Figures of each combination' })
      .locator('tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map(({ textContent }) => String(textContent).trim())))
    t.equal(rows.length, 40)
    for (const [index, figures] of rows.entries()) {
      const [memory, concurrency] = figures.map(numberIn)
      const combination = combinations.find(
        (combination) => combination.memory === memory && combination.concurrency === concurrency,
      )
      if (!combination) return t.fail(`row ${index} is not in the JSON`, { figures })
      const { goodput, failedShare, p50, p95, cpuPerRecord, peakMemory, peakDescriptors, costPerMillion, origin } =
        combination
      const expected = [goodput, failedShare * 100, p50, p95, cpuPerRecord, peakMemory, peakDescriptors, costPerMillion]
      t.same(
        expected.map((value, i) => isRounded(figures[i + 2], value)),
        Array(8).fill(true),
        figures.join(' '),
      )
      t.match(figures[10], new RegExp(`^[●✓○] ${origin}$`))
    }
    const notes = rows.map((figures) => figures[11]).filter((note) => note !== '')
    const overloaded = ['✕ reason 4', '✕ reason 5']
    t.same(notes, [
      ...['✕ reason 1', '✕ reason 2', '✕ reason 3'],
      ...['✕ reason 4', '✕ reason 3'],
      ...['★ recommended', ...overloaded],
      ...overloaded,
      ...overloaded,
    ])
    t.same(await texts(page, 'details ol li'), [
      'the process needs 131 MB, more than 80 % of the memory',
      'the process needs 168 MB, more than 80 % of the memory',
      'the process needs 263 MB, more than 80 % of the memory',
      '18.7 % of the records failed: Error: downstream returned 503',
      '56 % of the records failed: Error: downstream returned 503',
    ])
  })

  t.test('shows the measurements and why records failed', async (t) => {
    const rows = page.getByRole('table', { name: 'Measurements without a CPU limit' }).locator('tbody tr')
    const figures = await rows.evaluateAll((rows) =>
      rows.map((row) => [...row.children].map(({ textContent }) => String(textContent).trim())),
    )
    t.same(figures, [
      ['10', '246', '±4 %', '0 %', '12'],
      ['20', '489', '±4 %', '0 %', '12'],
      ['40', '962', '±4 %', '0 %', '12'],
      ['60', '1,403', '±4 %', '0 %', '12'],
      ['80', '1,812', '±4 %', '0.08 %', '12'],
      ['120', '1,705', '±4 %', '0.94 %', '12'],
      ['200', '1,298', '±7 %', '18.7 %', '40, the maximum'],
      ['400', '703', '–', '56 %', '40'],
    ])
    t.same(await texts(page, 'section:has(#curve-chart) li:not(.legend li)'), [
      '56 × Error: downstream returned 503 (concurrency 80, 120, 200, 400)',
    ])
  })

  t.test('shows the numbers of the JSON in the heat maps, cell by cell', async (t) => {
    for (const [chart, figureOf] of [
      ['goodput-chart', (combination: Combination) => combination.goodput],
      ['cost-chart', (combination: Combination) => combination.costPerMillion],
    ] as const) {
      // Rows of concurrencies and columns of memory sizes, each with a figure and its marks.
      const figures = await grid(page, `#${chart} .mark-text.role-mark:nth-child(4) text`)
      const marks = await grid(page, `#${chart} .mark-text.role-mark:nth-child(5) text`)
      const memories = (await texts(page, `#${chart} .role-axis-label text`)).map(numberIn)
      t.same(memories, [128, 256, 512, 1024, 1769, 10, 20, 40, 60, 80, 120, 200, 400])
      const expected = Map.groupBy(result.combinations, ({ concurrency }) => concurrency)
      t.equal(figures.length, expected.size)
      for (const [row, combinations] of [...expected.values()].entries()) {
        const shown = combinations.map((combination, column) =>
          isRounded(figures[row]?.[column], figureOf(combination)),
        )
        t.same(shown, Array(5).fill(true), `${chart}: ${figures[row]?.join(' ')}`)
      }
      t.same(marks, [
        ['○', '○', '○', '○', '●'],
        ['○', '○', '○', '○', '●'],
        ['○', '○', '✓', '○', '●'],
        ['○', '○', '★✓', '○', '●'],
        ['○', '○', '✓', '○', '●'],
        ['✕○', '○', '○', '○', '●'],
        ['✕○', '✕○', '✕○', '✕○', '✕●'],
        ['✕○', '✕○', '✕○', '✕○', '✕●'],
      ])
      t.equal(
        await page.locator(`#${chart} [stroke-dasharray]`).count(),
        11,
        'unusable combinations have a dashed outline',
      )
    }
  })

  t.test('draws the measurements as points of the curves, at the height of their values', async (t) => {
    const { measurements } = result
    for (const [chart, figureOf] of [
      ['curve-chart', (measurement: Measurement) => measurement.goodput],
      ['failed-chart', (measurement: Measurement) => measurement.failedShare],
    ] as const) {
      const points = await page.locator(`#${chart} .mark-symbol path`).evaluateAll((paths) =>
        paths.map((path) => {
          const { x, y, width, height } = path.getBoundingClientRect()
          return { x: x + width / 2, y: y + height / 2, fill: path.getAttribute('fill') }
        }),
      )
      t.equal(points.length, measurements.length)
      const lowest = measurements.toSorted((a, b) => figureOf(a) - figureOf(b))[0] as Measurement
      const highest = measurements.toSorted((a, b) => figureOf(b) - figureOf(a))[0] as Measurement
      const heightOf = (measurement: Measurement) => -(points[measurements.indexOf(measurement)]?.y ?? Number.NaN)
      for (const [index, measurement] of measurements.entries()) {
        const share = (figureOf(measurement) - figureOf(lowest)) / (figureOf(highest) - figureOf(lowest))
        const shown = (heightOf(measurement) - heightOf(lowest)) / (heightOf(highest) - heightOf(lowest))
        t.ok(Math.abs(share - shown) < 0.02, `${chart}, concurrency ${measurement.concurrency}: ${shown} of the height`)
        t.equal(points[index]?.fill, measurement.failedShare > 0.01 ? 'var(--bad)' : 'var(--accent)')
        if (index > 0) t.ok((points[index]?.x ?? 0) > (points[index - 1]?.x ?? 0))
      }
    }
  })

  t.test('the confidence intervals stay inside the plot, also if they are wide', async (t) => {
    const measurements = result.measurements.map((measurement) => ({ ...measurement, margin: 0.8 }))
    const { page } = await open(renderReport(tuneResult({ measurements })))
    const inside = await page.locator('#curve-chart svg').evaluate((svg) => {
      const plot = svg.querySelector('.root .background')?.getBoundingClientRect()
      return [...svg.querySelectorAll('.mark-rule.role-mark line')].map((line) => {
        const { top, bottom } = line.getBoundingClientRect()
        return plot !== undefined && top >= plot.top - 1 && bottom <= plot.bottom + 1
      })
    })
    t.same(inside, Array(8).fill(true))
  })

  t.test('the table of all combinations is collapsed, and its heading opens it', async (t) => {
    const { page } = await open(html)
    const table = page.getByRole('table', { name: 'Figures of each combination' })
    t.notOk(await table.isVisible())
    await page.getByRole('heading', { name: 'All combinations' }).click()
    t.ok(await table.isVisible())
  })

  t.test('a box above the recommendation has everything that makes the figures uncertain', async (t) => {
    t.equal(await page.locator('.warnings').count(), 0)
    const changed = tuneResult({
      uncertainty: '24 to 40 are equal.',
      incomplete: 'The run is incomplete: interrupted.',
    })
    const { page: uncertain } = await open(renderReport(changed))
    t.same(await texts(uncertain, 'main > section:first-child li'), [
      '24 to 40 are equal.',
      'The run is incomplete: interrupted.',
    ])
    t.equal(await uncertain.locator('main > section:nth-child(2) h2').textContent(), 'Recommendation')
  })

  t.test('on a wide screen, the recommendation uses the width of its card', async (t) => {
    const { page } = await open(html, { viewport: { width: 1280, height: 800 } })
    const used = await page.locator('.recommendation').evaluate((card) => {
      const { left, right } = card.getBoundingClientRect()
      const edges = [...card.querySelectorAll('p, dl > div')].map((element) => element.getBoundingClientRect())
      return (
        Math.max(...edges.map((edge) => edge.right)) - Math.min(...edges.map((edge) => edge.left)) >
        0.95 * (right - left)
      )
    })
    t.ok(used)
  })

  t.test('on a phone, a row of a table is at most two lines high', async (t) => {
    const { page } = await open(html, { viewport: { width: 390, height: 844 } })
    await page.getByRole('heading', { name: 'All combinations' }).click()
    const heights = await page
      .locator('tbody tr')
      .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height))
    t.equal(heights.length, 48)
    t.ok(Math.max(...heights) <= 60, `${Math.max(...heights)} px`)
  })

  t.test('describes each chart by its main finding', async (t) => {
    const charts = page.getByRole('img')
    t.same(await charts.evaluateAll((charts) => charts.map((chart) => chart.getAttribute('aria-label'))), [
      'Chart: Goodput',
      'Chart: Cost',
      'Chart: Goodput over concurrency',
    ])
    for (const [index, description] of [
      'The highest goodput is 1,812 records per second, with 1,769 MB and concurrency 80 (measured). 11 of 40 combinations cannot be used.',
      'The lowest cost is $0.122 per million messages, with 128 MB and concurrency 80 (predicted), and with 2 other combinations. 11 of 40 combinations cannot be used.',
      'Without a CPU limit, the highest goodput is 1,812 records per second, at concurrency 80. The largest share of failed records is 56 %, at concurrency 400.',
    ].entries()) {
      const id = await charts.nth(index).getAttribute('aria-describedby')
      t.equal(await page.locator(`#${id}`).textContent(), description)
    }
  })

  t.test('fits on a phone, and axe finds no problem, in light and in dark mode', async (t) => {
    // Fewer rows, because axe takes long for many elements.
    const combinations = result.combinations.filter(({ concurrency }) => concurrency === 60 || concurrency === 200)
    const { page, problems } = await open(renderReport(tuneResult({ combinations })), PHONE, axe.source)
    t.same(await clippedTexts(page), [])
    const colors = new Set<unknown>()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
      colors.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
      colors.add(await page.evaluate('getComputedStyle(document.querySelector(".chart text")).fill'))
      const { violations, passes } = (await page.evaluate('axe.run({ exclude: [".chart *"] })')) as axe.AxeResults
      t.ok(passes.some(({ id }) => id === 'color-contrast'))
      t.same(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
        [],
        colorScheme,
      )
    }
    t.equal(colors.size, 4, 'the page and the texts of the charts have different colours in each mode')
    t.same(problems, [])
  })

  t.test('fits on a printed page, in light colours', async (t) => {
    const paper = { width: 718, height: 1000 } // A4, without margins of 1 cm
    const { page } = await open(html, { viewport: paper, colorScheme: 'dark' })
    await page.emulateMedia({ media: 'print' })
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 718)
    t.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)')
    t.equal(await page.evaluate('getComputedStyle(document.querySelector(".chart text")).fill'), 'rgb(0, 0, 0)')
  })

  t.test('its content security policy blocks requests, and allows neither eval nor other scripts', async (t) => {
    const { page, problems } = await open(renderReport(tuneResult({ measurements: [], combinations: [] })))
    await page.evaluate(`new Promise((resolve) => {
      const image = new Image()
      image.onerror = resolve
      image.src = 'http://127.0.0.1:9/image.png'
    })`)
    t.ok(problems.some((problem) => problem.includes(`Content Security Policy directive: "default-src 'none'"`)))
    t.match(
      await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content'),
      /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'$/,
    )
  })

  for (const [name, changes, charts, description] of [
    [
      'no usable combination',
      {
        best: null,
        patch: null,
        combinations: result.combinations.map((combination) => ({
          ...combination,
          goodput: 0,
          failedShare: 1,
          costPerMillion: null,
          problem: 'no record succeeded',
        })),
      },
      4,
      'No combination can be used.',
    ],
    [
      'one memory size',
      { combinations: result.combinations.filter(({ memory }) => memory === 1769) },
      4,
      'The highest goodput is 1,812 records per second, with 1,769 MB and concurrency 80 (measured). 2 of 8 combinations cannot be used.',
    ],
    [
      'one concurrency',
      {
        combinations: result.combinations.filter(({ concurrency }) => concurrency === 60),
        measurements: result.measurements.filter(({ concurrency }) => concurrency === 60),
      },
      4,
      'The highest goodput is 1,403 records per second, with 1,024 MB and concurrency 60 (predicted), and with 1 other combination. Every combination can be used.',
    ],
    [
      'only predicted combinations',
      { combinations: result.combinations.filter(({ origin }) => origin === 'predicted') },
      4,
      'The highest goodput is 1,595 records per second, with 1,024 MB and concurrency 80 (predicted). 9 of 29 combinations cannot be used.',
    ],
    [
      'no combination',
      { measurements: [], combinations: [], best: null, patch: null, unknowns: [] },
      0,
      'No combination was tried.',
    ],
  ] as const) {
    t.test(`shows a result with ${name}`, async (t) => {
      const changed = tuneResult(changes)
      const { page, problems } = await open(renderReport(changed), PHONE)
      t.same(problems, [])
      t.equal(await page.locator('.chart svg').count(), charts)
      await page.getByRole('heading', { name: 'All combinations' }).click()
      t.equal(
        await page.getByRole('table', { name: 'Figures' }).locator('tbody tr').count(),
        changed.combinations.length,
      )
      t.equal(await page.locator('#goodput-description').textContent(), description)
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
      const settings = changed.patch ?? 'There are no settings, because there is no recommendation.'
      t.equal(await page.getByText(settings, { exact: true }).count(), 1)
    })
  }

  t.test('shows HTML in the texts of the result as text', async (t) => {
    const evil = `</script><!--<script>document.title = 'run'</script><img src=x onerror="document.title = 'run'">'"&amp;`
    const [combination] = result.combinations as [Combination]
    const [measurement] = result.measurements as [Measurement]
    const changed = tuneResult({
      handler: evil,
      recommendation: evil,
      uncertainty: evil,
      patch: evil,
      unknowns: [evil],
      measurements: [{ ...measurement, causes: { [evil]: 3 }, problem: evil }],
      combinations: [{ ...combination, problem: evil }],
    })
    const { page, requests, problems } = await open(renderReport(changed))
    t.equal(await page.title(), `Concurrency and memory for ${evil}`)
    for (const element of [
      'h1 code',
      '.warnings li',
      '.recommendation p',
      'pre',
      'details ol li',
      'main li:last-child',
    ]) {
      t.equal((await texts(page, element)).at(-1), evil, element)
    }
    const measured = 'section:has(#curve-chart) li:not(.legend li)'
    t.same(await texts(page, measured), [`3 × ${evil} (concurrency 10)`, `${evil} (concurrency 10)`])
    t.equal(await page.locator('script').count(), 2)
    t.equal(await page.locator('img').count(), 0)
    t.same(JSON.parse((await page.locator('#result').textContent()) ?? ''), JSON.parse(JSON.stringify(changed)))
    t.equal(requests.length, 1)
    t.same(problems, [])
  })
})

function numberIn(text: string | undefined): number {
  return Number(text?.replaceAll(/[$%, ]/g, '') || Number.NaN)
}

/** Whether the text shows the value with at least three digits. */
function isRounded(text: string | undefined, value: number | null): boolean {
  if (value === null) return text === '–'
  return Math.abs(numberIn(text) - value) <= Math.abs(value) * 0.005
}

/** The texts of the charts that are not completely inside their chart. */
async function clippedTexts(page: Page): Promise<string[]> {
  const charts = await page.locator('.chart svg').all()
  const clipped = await Promise.all(
    charts.map((chart) =>
      chart.evaluate((svg) => {
        const outer = svg.getBoundingClientRect()
        const texts = [...svg.querySelectorAll('text')].filter((text) => {
          const { left, right, top, bottom } = text.getBoundingClientRect()
          return left < outer.left - 1 || right > outer.right + 1 || top < outer.top - 1 || bottom > outer.bottom + 1
        })
        return texts.map((text) => String(text.textContent))
      }),
    ),
  )
  return clipped.flat()
}

/** The texts of elements by their position: rows from top to bottom, and each from left to right. */
async function grid(page: Page, selector: string): Promise<string[][]> {
  const elements = await page.locator(selector).evaluateAll((elements) =>
    elements.map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect()
      return { text: element.textContent ?? '', x: Math.round(x + width / 2), y: Math.round(y + height / 2) }
    }),
  )
  const rows = Map.groupBy(
    elements.toSorted((a, b) => a.y - b.y),
    ({ y }) => y,
  )
  return [...rows.values()].map((row) => row.toSorted((a, b) => a.x - b.x).map(({ text }) => text))
}
