/** The page "Which settings?" in Chromium: its form, its result, its table. */
import t from 'tap'
import { CASE_ROWS } from '../../docs/.vitepress/settings/cases.ts'
import { recommend } from '../../docs/.vitepress/settings/recommend.ts'
import { codeFor, FORMATS, type Format } from '../../docs/.vitepress/settings/templates.ts'
import { INITIAL, toQuery, type Workload } from '../../docs/.vitepress/settings/workload.ts'
import { seriousProblems, startChromium, startSite } from './site.ts'

const site = await startSite()
const browser = await startChromium()
t.teardown(async () => {
  await browser.close()
  site.close()
})

async function open(path = 'settings') {
  const page = await browser.newPage()
  // Scripts run only when they have loaded.
  await page.goto(`${site.address}/${path}`, { waitUntil: 'networkidle' })
  return page
}

t.test('without JavaScript, there is a table of six typical cases, and no form', async (t) => {
  const page = await browser.newPage({ javaScriptEnabled: false })
  await page.goto(`${site.address}/settings`)
  t.equal(await page.locator('.calculator').isVisible(), false)
  const rows = await page
    .locator('.cases tbody tr')
    .evaluateAll((found) =>
      found.map((row) => Array.from(row.querySelectorAll('td'), ({ textContent }) => textContent)),
    )
  t.strictSame(
    rows,
    CASE_ROWS.map(({ cells }) => cells),
  )
  t.ok(await page.locator('.cases').isVisible())
  await page.close()
})

t.test('the table is also in the Markdown for programs', async (t) => {
  const text = await (await fetch(`${site.address}/settings.md`)).text()
  t.match(text, `| ${CASE_ROWS[0]?.name} (${CASE_ROWS[0]?.description}) | 100 | 100 | 5 s |`)
  t.notMatch(text, '<Settings')
})

t.test('an address shows its workload, and each change is in the address', async (t) => {
  const workload: Workload = { ...INITIAL, rate: 20, limitKind: 'calls per second', limit: 30 }
  const page = await open(`settings${toQuery(workload)}`)
  t.equal(await page.getByLabel('Messages per second').inputValue(), '20')
  t.equal(await page.getByLabel('Limit of the downstream').inputValue(), 'calls per second')
  t.equal(await page.getByLabel('Limit: calls per second').inputValue(), '30')
  const { concurrency } = recommend(workload).settings
  t.match(await page.locator('.rows').textContent(), new RegExp(`^concurrency${concurrency}\\D`))

  await page.getByLabel('Messages per second').fill('25')
  await page.waitForURL(`${site.address}/settings${toQuery({ ...workload, rate: 25 })}`)
  const link = page.getByRole('link', { name: 'Link to this result' })
  t.equal(await link.getAttribute('href'), toQuery({ ...workload, rate: 25 }))
  await page.close()
})

t.test('a wrong input is named, and the last result stays', async (t) => {
  const page = await open()
  const before = await page.locator('.rows').textContent()
  await page.getByLabel('Timeout').fill('901')
  t.equal(await page.locator('#timeout-problem').textContent(), 'Enter a whole number from 1 to 900.')
  t.equal(await page.getByLabel('Timeout').getAttribute('aria-invalid'), 'true')
  t.equal(await page.locator('.rows').textContent(), before)
  t.equal(await page.locator('.caption').first().textContent(), 'Estimated for the last valid input')
  await page.getByLabel('Timeout').fill('')
  t.equal(await page.locator('#timeout-problem').textContent(), 'Enter a whole number from 1 to 900.')
  await page.getByLabel('Timeout').fill('120')
  t.equal(await page.locator('#timeout-problem').textContent(), '')
  t.match(await page.locator('.rows').textContent(), /VisibilityTimeout\s*725/)
  await page.close()
})

t.test('with the keyboard alone: the formats of the code, and the button that copies', async (t) => {
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  await page.goto(`${site.address}/settings`, { waitUntil: 'networkidle' })
  await page.locator('#backlog').focus()
  const { settings } = recommend(INITIAL)
  await page.keyboard.press('Tab') // the format that is chosen
  for (const format of ['cdk', 'terraform', 'handler', 'sam'] satisfies Format[]) {
    await page.keyboard.press('ArrowRight')
    t.equal(await page.locator('.code code').textContent(), codeFor(format, settings), FORMATS[format])
  }
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  t.equal(await page.evaluate<string>('navigator.clipboard.readText()'), codeFor('sam', settings))
  await context.close()
})

t.test('problems and wrong inputs are readable in both schemes', async (t) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme })
    await page.goto(`${site.address}/settings?limitKind=calls+at+once&limit=1`, { waitUntil: 'networkidle' })
    t.match(await page.locator('.result > .problem').first().textContent(), /^The queue grows: /)
    await page.getByLabel('Timeout').fill('0')
    t.strictSame(await seriousProblems(page), [], colorScheme)
    await page.close()
  }
})
