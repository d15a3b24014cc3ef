import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { doctorCommand, localCommand, tuneCommand } from '../../cli/src/program.ts'
import { OTHER_WORDS } from '../../docs/.vitepress/other-words.ts'
import { REDIRECTS } from '../../docs/.vitepress/redirects.ts'
import { ENTRIES, SIDEBAR } from '../../docs/.vitepress/sidebar.ts'
import { ALL_RULES } from '../../scripts/reference-pages.ts'
import { DIST, search, seriousProblems, startChromium, startSite } from './site.ts'

const root = join(import.meta.dirname, '../..')
const html = new Map(
  globSync('*.html', { cwd: DIST }).map((file) => [basename(file, '.html'), readFileSync(join(DIST, file), 'utf8')]),
)

function idsOf(page: string): Set<string> {
  return new Set(Array.from(html.get(page)?.matchAll(/ id="([^"]+)"/g) ?? [], ([, id]) => id as string))
}

function pageOf(link: string): string {
  return link === '/' ? 'index' : link.slice(1)
}

function assertAnchors(t: Test, page: string, anchors: readonly string[]): void {
  t.not(anchors.length, 0)
  const ids = idsOf(page)
  t.strictSame(
    anchors.filter((anchor) => !ids.has(anchor)),
    [],
    page,
  )
}

const PAGE_ENTRIES = ENTRIES.filter(({ link }) => link.startsWith('/'))

t.test('the sidebar has the titles of the pages, and at most 20 visible entries', async (t) => {
  const [top, ...groups] = SIDEBAR
  t.strictSame(
    top?.items?.map(({ link }) => link.replace(/.*(?=examples\/)/, '')),
    ['/', '/settings', 'examples/README.md', '/reference'],
  )
  const opened = groups.filter((group) => 'link' in group && !group.collapsed).flatMap(({ items = [] }) => items)
  t.ok([...(top?.items ?? []), ...groups, ...opened].length <= 20)
  for (const { text, link } of PAGE_ENTRIES.filter(({ link }) => link !== '/')) {
    const [, title] = /<h1[^>]*>(.*?) *<a /.exec(html.get(pageOf(link)) ?? '') ?? []
    t.equal(text, title?.replaceAll(/<[^>]+>/g, '').replaceAll('&#39;', "'"), link)
  }
})

t.test('the address of each old page leads to a page and a heading that exist', async (t) => {
  for (const [page, target] of Object.entries(REDIRECTS)) {
    t.notOk(existsSync(join(root, `docs/${page}.md`)), `${page} is an old page`)
    t.match(html.get(page), `url=/${target}"`, page)
    const [path = '', anchor] = target.split('#')
    t.ok(html.has(path) && (!anchor || idsOf(path).has(anchor)), target)
  }
})

t.test('docs/ has at most 34 pages, and at most 18,000 words beside those that are generated', async (t) => {
  const texts = globSync('docs/*.md', { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'))
  t.ok(texts.length <= 34, `${texts.length} pages`)
  const written = texts.filter((text) => !/^<!-- Written by `npm run /m.test(text))
  const words = written.join(' ').split(/\s+/).length
  t.ok(words <= 18_000, `${words} words`)
})

t.test('each page of docs/ is in the sidebar once, and has Markdown for programs', async (t) => {
  const pages = globSync('docs/*.md', { cwd: root }).map((file) => basename(file, '.md'))
  const listed = PAGE_ENTRIES.map(({ link }) => pageOf(link))
  t.strictSame(listed.toSorted(), pages.toSorted())
  const llms = readFileSync(join(DIST, 'llms.txt'), 'utf8')
  for (const page of pages.filter((page) => page !== 'index')) {
    t.ok(llms.includes(`/${page}.md)`), page)
    t.notMatch(readFileSync(join(DIST, `${page}.md`), 'utf8'), '](../', `${page}: links to files of the repository`)
  }
})

t.test('each link between pages leads to a page and a heading that exist', async (t) => {
  let links = 0
  for (const [page, text] of html) {
    for (const [, href = ''] of text.matchAll(/<a [^>]*href="([^"]+)"/g)) {
      if (/^(https?:|mailto:)/.test(href)) continue
      links += 1
      const [path = '', anchor] = href.replace(/\?[^#]*/, '').split('#')
      const target = path === '' ? page : path.replace(/^\.?\//, '') || 'index'
      const isKnown = html.has(target) && (!anchor || idsOf(target).has(decodeURIComponent(anchor)))
      if (!isKnown) t.fail(`${page}: ${href}`)
    }
  }
  t.ok(links > 10 * html.size && html.size > 10, `${links} links on ${html.size} pages`)
})

t.test('each warning, flag and rule has an anchor', async (t) => {
  const source = globSync('src/**/*.ts', { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')
  const warnings = Array.from(source.matchAll(/\bwarn\(\s*'(BOUNDED_SQS_BATCH_\w+)'/g), ([, code = '']) => code)
  assertAnchors(
    t,
    'troubleshooting',
    warnings.map((code) => code.toLowerCase()),
  )
  for (const command of [localCommand(), doctorCommand(), tuneCommand()]) {
    assertAnchors(
      t,
      'flags',
      command.options.map(({ long }) => `${command.name()}-${long}`),
    )
  }
  assertAnchors(
    t,
    'doctor-rules',
    ALL_RULES.map(({ id }) => id),
  )
})

t.test('each section that has other words for the search exists', async (t) => {
  for (const section of Object.keys(OTHER_WORDS)) {
    const [page = '', anchor = ''] = section.split('#')
    assertAnchors(t, page, [anchor])
  }
})

// The words, and the page on which the first result must be.
const SEARCHES = {
  SNS: 'envelopes',
  CommonJS: 'modules',
  Terraform: 'deploy#terraform',
  'dead letter': 'dead-letters',
  local: 'local',
  'retry limit': 'deploy',
  'lambda timeout': 'time-budget',
  'id on every log line': 'observability#an-id-on-every-log-line',
  ReportBatchItemFailures: 'deploy',
  maxReceiveCount: 'deploy',
  'poison message': 'crashes',
  'how long may an outage last': 'outages',
  'pause the queue': 'operations#pause-the-queue',
  'sequential processing': 'operations#strictly-one-message-at-a-time',
  'Postgres connections': 'databases',
  Sentry: 'monitoring#sentry',
  'kms:Decrypt': 'not-invoked',
  LocalStack: 'testing#localstack-elasticmq-moto-aws-emulator-or-sam',
  'Middy 6': 'from-sqs-partial-batch-failure#from-middy-6',
  'suppress a doctor warning': 'doctor#accept-a-finding',
  DEAD_LETTER_QUEUE_URL: 'dead-letters#permissions',
  'partial batch response': 'deploy#functionresponsetypes-reportbatchitemfailures',
  'out of memory': 'crashes',
  'JSON logs': 'observability#the-log-entry',
  recordTimeout: 'reference#recordtimeout',
  ERR_REQUIRE_ESM: 'troubleshooting#err_require_esm',
  '--max-dead-lettered': 'local#dead-letters-of-the-handler',
  'report-batch-item-failures': 'doctor-rules#report-batch-item-failures',
}

const PAGES = [
  '',
  'settings',
  'no-such-page',
  'reference',
  'troubleshooting',
  'doctor-rules',
  'observability',
  'databases',
  'outages',
]
/** A phone and a desktop, and each colour scheme. */
const SCREENS = [
  [390, 'dark'],
  [1280, 'light'],
] as const

t.test('in Chromium', async (t) => {
  const site = await startSite()
  const browser = await startChromium()
  // Most of the time, the pages wait: for a timer of the search box, or until no request is under way.
  t.jobs = 3
  t.teardown(async () => {
    await browser.close()
    site.close()
  })

  t.test('the first result of a search is the right page', { buffered: true }, async (t) => {
    const others = Object.entries(OTHER_WORDS).map(([section, words]) => [words.split(', ')[0], section] as const)
    const searches = [...Object.entries(SEARCHES), ...others]
    const searchOnOnePage = async () => {
      const page = await browser.newPage()
      await page.goto(site.address)
      // The excerpts of 16 results for each search would take most of the time.
      await page.evaluate(`localStorage.setItem('vitepress:local-search-detailed-list', 'false')`)
      for (let next = searches.pop(); next !== undefined; next = searches.pop()) {
        const [words = '', expected] = next
        const [first = ''] = await search(page, words)
        t.ok(`${first.replace(/^\/#/, '/index#')}#`.startsWith(`/${expected}#`), `${words}: ${first}`)
      }
    }
    await Promise.all([searchOnOnePage(), searchOnOnePage(), searchOnOnePage()])
  })

  t.test('no page cuts code at 1,280 px, or a table at 390 px', { buffered: true }, async (t) => {
    // The HTML of a page has all of its content, so no script runs.
    const page = await browser.newPage({ javaScriptEnabled: false })
    const widthsOf = (selector: string) => `[...document.querySelectorAll('${selector}')].map((element) => [
      Math.max(element.scrollWidth, element.offsetWidth),
      Math.min(element.clientWidth, element.parentElement.clientWidth),
    ])`
    let elements = 0
    for (const name of [...html.keys()].filter((name) => !(name in REDIRECTS))) {
      await page.goto(`${site.address}/${name}`)
      await page.evaluate('document.fonts.ready.then(() => {})')
      for (const [width, selector] of [
        [1280, '.vp-doc pre'],
        [390, '.vp-doc table'],
      ] as const) {
        await page.setViewportSize({ width, height: 900 })
        const found = await page.evaluate<[number, number][]>(widthsOf(selector))
        const tooWide = found.filter(([needed, available]) => needed > available)
        t.strictSame(tooWide, [], `/${name} at ${width} px: needed and available pixels`)
        elements += found.length
      }
    }
    t.ok(elements > html.size, `${elements} elements`)
  })

  for (const [width, colorScheme] of SCREENS) {
    const title = `${width} px, ${colorScheme}: no serious problem, no overflow, no request to another host`
    t.test(title, { buffered: true }, async (t) => {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } })
      const requests: string[] = []
      context.on('request', (request) => requests.push(request.url()))
      const page = await context.newPage()
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(String(error)))
      for (const path of PAGES) {
        await page.goto(`${site.address}/${path}`, { waitUntil: 'networkidle' })
        // The script that runs last names this button.
        await page.locator('.VPSwitchAppearance:not([title=""])').first().waitFor({ state: 'attached' })
        t.strictSame(await seriousProblems(page), [], `/${path}`)
        const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
        t.ok((overflow as number) <= 0, `/${path} is ${overflow} px too wide`)
        const isDark = await page.evaluate(`document.documentElement.classList.contains('dark')`)
        t.equal(isDark, colorScheme === 'dark')
        if (process.env.SCREENSHOTS) {
          const name = `${path || 'index'}-${width}-${colorScheme}.png`
          await page.screenshot({ path: join(process.env.SCREENSHOTS, name) })
        }
      }
      t.strictSame(
        requests.filter((url) => !url.startsWith(site.address)),
        [],
      )
      t.strictSame(errors, [])
      await context.close()
    })
  }
})
