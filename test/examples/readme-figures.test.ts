/** The figures of the benchmark in README.md and docs/ are those of the last one. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { callCases } from '../../bench/parts.ts'
import { MIDDY_IDIOM, OURS, P_MAP, POWERTOOLS } from '../../bench/peers.ts'
import { page } from '../../bench/report.ts'
import { readResults } from '../../bench/results.ts'
import { median } from '../../bench/rounds.ts'

const RESULTS = 'bench/results/README.md'

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The cells of each row of a table, by the text in the header. */
function rowsOf(path: string, firstHeader: RegExp): Map<string, string>[] {
  const lines = read(path).split('\n')
  const cells = (line = '') =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll(/[*`]/g, '').trim())
  const start = lines.findIndex((line) => firstHeader.test(line))
  const header = cells(lines[start])
  const end = lines.indexOf('', start)
  return lines
    .slice(start + 2, end)
    .map((line) => new Map(cells(line).map((cell, column) => [header[column] ?? '', cell])))
}

/** The row of a table of the results that starts with this name. */
function measured(firstHeader: RegExp, name: string): Map<string, string> {
  return rowsOf(RESULTS, firstHeader).find((row) => row.get('') === name) ?? new Map()
}

const HTTP = /^\|\s*\|\s*failed\s*\|/

t.test('the page of results has the present targets, and the samples of results.json', async (t) => {
  t.equal(read(RESULTS), page(await readResults()), 'after a change, run: npm run bench -- report')
})

t.test('the four rows of the README have the figures of the benchmark', async (t) => {
  const peers = {
    'middy-bounded-sqs-batch': OURS,
    'Promise.allSettled()': `${MIDDY_IDIOM} (no limit)`,
    'Powertools for AWS Lambda in Middy': `${POWERTOOLS} (no limit)`,
    'p-map in Middy': P_MAP,
  }
  const shown = rowsOf('README.md', /^\| a batch of 10,000 records/)
  t.equal(shown.length, 4)
  for (const [index, [name, peer]] of Object.entries(peers).entries()) {
    const [label = '', failed, seconds, memory] = [...(shown[index]?.values() ?? [])]
    t.ok(label.startsWith(name), label)
    const row = measured(HTTP, peer)
    t.strictSame(
      [failed?.replace(' (EMFILE)', ''), seconds, memory],
      [row.get('failed'), row.get('seconds'), `${row.get('peak MB')} MB`],
      name,
    )
  }
})

t.test('the texts that compare this package with Powertools have the figures of the benchmark', async (t) => {
  const { calls } = await readResults()
  const cpuOf = (name: string, peer: string) => median(calls?.data.cpu[name]?.[peer])
  const difference = (name: string) => `${(cpuOf(name, OURS) - cpuOf(name, POWERTOOLS)).toFixed(2)} ms`
  const range = (one: string, other: string) => {
    const [least = '', most = ''] = [difference(one), difference(other)].sort()
    return `${least.replace(' ms', '')} to ${most}`
  }
  const times = (name: string) => (cpuOf(name, OURS) / cpuOf(name, POWERTOOLS)).toFixed(2)
  const [early10, later10] = callCases({ size: 10, client: 'node:http' })
  const [early100, later100] = callCases({ size: 100, client: 'node:http' })
  const sentences = [
    ['README.md', `If both run in Middy, a batch of ten HTTP calls takes ${range(early10, later10)} less CPU time`],
    [
      'docs/from-powertools-batch.md',
      `If both run in Middy, a batch of ten HTTP calls takes ${range(early10, later10)} more [CPU time](../bench/results/README.md#cpu-time-of-batches-of-http-calls) with this package. A batch of 100 calls takes ${times(early100)} to ${times(later100)} times as much`,
    ],
  ] as const
  for (const [path, sentence] of sentences) t.ok(read(path).includes(sentence), `${path} must say: ${sentence}`)
  for (const name of [early10, later10]) {
    t.ok(cpuOf(name, OURS) > cpuOf(name, POWERTOOLS), `${name}: both texts say that Powertools takes less CPU time`)
  }
})

t.test('the README has the size of our own code in a bundle', async (t) => {
  const row = read(RESULTS)
    .split('\n')
    .find((line) => line.startsWith('| our own code in a bundle'))
  const [kilobytes = ''] = /\d+\.\d/.exec(row ?? '') ?? []
  t.ok(read('README.md').includes(`this package adds ${Math.round(Number(kilobytes))} kB`), kilobytes)
})

t.test('the front page of the site has figures of the benchmark and of docs/batch-size.md', async (t) => {
  const failed = (peer: string) => measured(HTTP, peer).get('failed')
  const costs = rowsOf('docs/batch-size.md', /^\| records in a batch/)
  const cost = (size: string) =>
    costs.find((row) => row.get('records in a batch') === size)?.get('cost of a million messages')
  const text = read('docs/index.md')
  for (const figure of [
    `**${failed(OURS)} of 10,000** HTTP calls failed with a limit. Without one, ${failed(`${MIDDY_IDIOM} (no limit)`)} failed`,
    `**${cost('100')}** for a million messages in batches of 100. In batches of ten, ${cost('10')}`,
    '**None lost** of a million messages',
  ]) {
    t.ok(text.includes(figure), `docs/index.md must say: ${figure}`)
  }
})

t.test('the test of a million messages lost none, as the front page of the site says', async (t) => {
  const [, section = ''] = read('bench/results/reliability.md').split('## A million messages')
  t.match(section, /^\| messages \| 1,000,000 \|$/m)
  t.match(section, /^\| lost \| 0 \|$/m)
})

t.test('the reason why the default is 100, on the front page of the site, has the figures of the chart', async (t) => {
  const { http } = await readResults()
  const perSecond = (concurrency: number) => {
    const found = http?.data.find((one) => one.peer === OURS && one.concurrency === concurrency)
    const outcomes = found?.outcomes ?? []
    const cpuSeconds = median(outcomes.map(({ cpuSeconds }) => cpuSeconds))
    return { measured: 10_000_000 / median(outcomes.map(({ ms }) => ms)), onWholeCpu: 10_000 / cpuSeconds }
  }
  const share = 512 / 1_769
  const { measured: of100, onWholeCpu } = perSecond(100)
  const withShare = onWholeCpu * share
  t.equal((perSecond(200).measured / of100).toFixed(1), '2.0')
  t.ok(of100 > withShare, '100 at once need more CPU than 512 MB have')
  const text = read('docs/index.md')
  for (const figure of [
    `512 MB has ${Math.round(100 * share)} % of a CPU`,
    `about ${Number(withShare.toPrecision(2)).toLocaleString('en-US')} of these calls per second`,
    `100 at once make ${Math.round(of100).toLocaleString('en-US')}`,
  ]) {
    t.ok(text.includes(figure), `docs/index.md must say: ${figure}`)
  }
})
