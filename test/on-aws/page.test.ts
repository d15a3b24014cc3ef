import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import t from 'tap'
import { costs, total } from './cost.ts'
import { EXPERIMENTS } from './experiments.ts'
import { filesOf, NOT_YET_RUN, type Results, readResults, renderPage } from './page.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

t.test(`the README says "${NOT_YET_RUN}" as long as there are no results`, async (t) => {
  const hasResults = readResults() !== undefined
  t.equal(read('README.md').includes(`[${NOT_YET_RUN}](docs/on-aws.md)`), !hasResults)
  t.equal(read('docs/on-aws.md').includes(`**N${NOT_YET_RUN.slice(1)}.**`), !hasResults)
})

t.test('a run costs at most 30 cents', async (t) => {
  t.ok(total(costs()) <= 0.3)
  t.ok(total(costs()) > 0.01)
})

const [first, second] = EXPERIMENTS.map(({ name, expected }) => ({ name, expected }))
const results: Results = {
  date: '2026-12-01',
  region: 'eu-west-1',
  version: '1.0.0',
  outcomes: [
    { name: `${first?.name}`, expected: `${first?.expected}`, observed: 'a|b [c]', verdict: 'differs' },
    { name: `${second?.name}`, expected: 'something else', observed: 'yes', verdict: 'as expected' },
  ],
}

t.test('the page shows what was observed, unless something else was expected then', async (t) => {
  const rows = renderPage(results)
    .split('\n')
    .filter((line) => line.startsWith('| the function sets the visibility timeout'))
  t.match(rows[0], /\| a\\\|b \\\[c\\\] \| differs \|$/)
  t.match(rows[1], /\| {2}\| not yet run \|$/)
})

t.test('the page of a run says when, where and with which version it was made', async (t) => {
  const page = renderPage(results)
  t.match(page, 'Run on 2026-12-01 in eu-west-1 with version 1.0.0: 1 of 2 as expected, 1 differ, 0 not observed.')
  t.notMatch(page, 'Not yet run on AWS')
})

t.test('the page of a run that was not on AWS says so, and is another file', async (t) => {
  const elsewhere = { ...results, otherHosts: ['127.0.0.1:4566', 'sqs.test'] }
  const page = renderPage(elsewhere)
  t.match(page, /^# Not on AWS\n/)
  t.match(page, 'Run on 2026-12-01 against 127.0.0.1:4566 and sqs.test, **not on AWS**, with version 1.0.0: 1 of 2')
  t.notMatch(page, 'in eu-west-1')
  const names = (results: Results) => filesOf(results).map((file) => relative(root, file))
  t.strictSame(names(elsewhere), ['test/on-aws/not-on-aws.md', 'test/on-aws/not-on-aws.json'])
  t.strictSame(names(results), ['docs/on-aws.md', 'test/on-aws/results.json'])
})
